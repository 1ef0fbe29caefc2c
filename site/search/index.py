"""The indexed text of pages, and queries against the index.

Pages are indexed by their stems (`search.text`) in Wagtail's database search backend, and queries are stemmed the same way.
"""

from collections.abc import Sequence

from django.utils.html import strip_tags
from wagtail.models import Page
from wagtail.query import PageQuerySet

from search.text import stems

TEXT_FIELDS = {"introduction", "purpose", "purpose_title"}


def plain_text(page: Page) -> str:
    """Return the text of `page` except its title: one line for each heading, paragraph and list item."""
    parts = [page.search_description]
    for field in page._meta.get_fields():
        if field.name in TEXT_FIELDS:
            parts.append(strip_tags(getattr(page, field.name)))
        elif hasattr(field, "stream_block"):
            parts += field.stream_block.get_searchable_content(getattr(page, field.name))
    return "\n".join(line for part in parts if (line := " ".join(str(part).split())))


def search_pages(pages: PageQuerySet, query: str, language: str) -> Sequence[Page]:
    """Search a Page queryset for all the words of `query`, best match first. Returns an empty list if `query` has no words."""
    query_stems = stems(query, language)
    return pages.search(query_stems, operator="and", order_by_relevance=True) if query_stems else []
