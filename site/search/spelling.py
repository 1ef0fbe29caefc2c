"""Spelling correction for search queries, based on the words of published pages."""

import difflib

from django.contrib.postgres.search import TrigramSimilarity
from django.db import connection
from django.db.models import QuerySet
from wagtail.models import Page
from wagtail.query import PageQuerySet

from search.models import SpellingWord
from search.text import as_written, words

MIN_LENGTH, MAX_LENGTH = 4, 40  # letters; shorter words have too many neighbours, longer ones do not fit the column
MIN_TRIGRAM_SIMILARITY = 0.4  # PostgreSQL (pg_trgm)
MIN_DIFFLIB_RATIO = 0.75  # SQLite


def update_spelling_words(page: Page) -> None:
    """Replace the SpellingWords of `page` by the words of its title and text. Call it when the page is published."""
    found = {word for word in words(f"{page.title} {page.plain_text}") if MIN_LENGTH <= len(word) <= MAX_LENGTH}
    SpellingWord.objects.filter(page_id=page.pk).exclude(word__in=found).delete()
    SpellingWord.objects.bulk_create(
        [SpellingWord(page_id=page.pk, word=word) for word in sorted(found)], ignore_conflicts=True
    )


def corrected(query: str, pages: PageQuerySet) -> str | None:
    """Return `query` with each word that occurs on none of `pages` (a Page queryset) replaced by the most similar one that does.

    Returns None if there is nothing to replace.
    """
    typed, known = words(query), SpellingWord.objects.filter(page__in=pages.values("pk"))
    similar = {word: _similar_word(word, known) for word in typed}
    if not any(similar.values()):
        return None
    return " ".join(_as_written(better, pages) if (better := similar[word]) else word for word in typed)


def _as_written(word: str, pages: PageQuerySet) -> str:
    """Return a word as one of the pages that have it writes it, with its accents."""
    page = pages.filter(pk__in=SpellingWord.objects.filter(word=word).values("page")).first()
    return as_written(word, f"{page.title} {page.plain_text}") if page else word


def _similar_word(word: str, known: QuerySet[SpellingWord]) -> str | None:
    if len(word) < MIN_LENGTH or known.filter(word=word).exists():
        return None
    if connection.vendor == "postgresql":
        similar = known.filter(word__trigram_similar=word).annotate(similarity=TrigramSimilarity("word", word))
        similar = similar.filter(similarity__gte=MIN_TRIGRAM_SIMILARITY).order_by("-similarity", "word")
        return similar.values_list("word", flat=True).first()
    candidates = known.filter(word__startswith=word[0]).values_list("word", flat=True).distinct()
    return next(iter(difflib.get_close_matches(word, candidates, n=1, cutoff=MIN_DIFFLIB_RATIO)), None)
