"""Rich text as the blocks use it."""

import re

from wagtail import blocks
from wagtail.rich_text import RichText, get_text_for_indexing

RICH_TEXT = ["h3", "bold", "italic", "ol", "ul", "link", "document-link"]
INLINE_TEXT = ["bold", "italic", "link"]
LINE_END = re.compile(r"</(?:p|h\d|li|blockquote)>|<(?:br|hr)\s*/?>", re.IGNORECASE)


class RichTextBlock(blocks.RichTextBlock):
    """Rich text that is indexed for search with one line per heading, paragraph and list item."""

    def get_searchable_content(self, value: RichText) -> list[str]:
        """Return the visible text, one string per line."""
        lines = LINE_END.split(value.source)
        return [text for line in lines if (text := get_text_for_indexing(line))]


# Migrations name Wagtail's block, so that this class can move.
DECONSTRUCT_ALIASES = {RichTextBlock: "wagtail.blocks.RichTextBlock"}
