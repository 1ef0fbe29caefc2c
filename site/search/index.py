"""Searching the site: words are reduced to their stems before they are indexed and before they are looked for.

The stemming is done here, not in the database, so that SQLite and PostgreSQL find the same: accents do not count, nor do
endings (café, cafés), in the rules of each language. The index itself is Wagtail's, full-text search of the database.
"""

import difflib
import re
import unicodedata

import snowballstemmer
from django.db import connection
from django.utils.html import escape, strip_tags
from django.utils.safestring import mark_safe

WORD = re.compile(r"\w+")
ALGORITHMS = {"es": "spanish", "en": "english", "pt-br": "portuguese"}
LINE_END = re.compile(r"(?<=[.!?:;…])\n")
EXCERPT_LETTERS = 220
SIMILAR = 0.4  # trigram similarity from which a word may be what a mistyped one meant


def fold(text):
    """Lower case and without accents: `Producción` → `produccion`."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).lower()


def words(text):
    """The folded words of a text, in order."""
    return WORD.findall(fold(text))


def stems(text, language):
    """The stems of a text's words, separated by spaces."""
    # A stemmer is not thread-safe, and cheap to make.
    stemmer = snowballstemmer.stemmer(ALGORITHMS.get(language, "english"))
    return " ".join(stemmer.stemWords(words(text)))


def plain_text(page):
    """All that a page says to readers besides its title, as plain text: a line for each heading, paragraph and item."""
    parts = [page.search_description]
    for field in page._meta.get_fields():
        if field.name in {"introduction", "purpose", "purpose_title"}:
            parts.append(strip_tags(getattr(page, field.name)))
        elif hasattr(field, "stream_block"):
            parts += field.stream_block.get_searchable_content(getattr(page, field.name))
    return "\n".join(line for part in parts if (line := " ".join(str(part).split())))


def find(pages, query, language):
    """Search a Page queryset for all the words of `query`, best match first. Returns an empty list if it holds no word."""
    wanted = stems(query, language)
    return pages.search(wanted, operator="and", order_by_relevance=True) if wanted else []


def remember_words(page):
    """Keep the words of a published page, and no others of it, as what mistyped words may have meant."""
    from search.models import SpellingWord

    found = {word for word in words(f"{page.title} {page.plain_text}") if 4 <= len(word) <= 40}
    SpellingWord.objects.filter(page_id=page.pk).exclude(word__in=found).delete()
    SpellingWord.objects.bulk_create(
        [SpellingWord(page_id=page.pk, word=word) for word in sorted(found)], ignore_conflicts=True
    )


def corrected(query, pages):
    """`query` with each word that stands on none of `pages` (a Page queryset) replaced by the most similar one that does.

    None if nothing changes.
    """
    from search.models import SpellingWord

    typed, known = words(query), SpellingWord.objects.filter(page__in=pages.values("pk"))
    better = [_similar_word(word, known) or word for word in typed]
    return " ".join(better) if better != typed else None


def _similar_word(word, known):
    if len(word) < 4 or known.filter(word=word).exists():
        return None
    if connection.vendor == "postgresql":
        from django.contrib.postgres.search import TrigramSimilarity

        near = known.filter(word__trigram_similar=word).annotate(nearness=TrigramSimilarity("word", word))
        return near.filter(nearness__gte=SIMILAR).order_by("-nearness", "word").values_list("word", flat=True).first()
    near = known.filter(word__startswith=word[0]).values_list("word", flat=True).distinct()
    return next(iter(difflib.get_close_matches(word, near, n=1, cutoff=0.75)), None)


def excerpt(text, query, language):
    """A piece of `text` around the first word that matches `query`, with the matches in <mark>. Safe HTML.

    Lines are told apart by a dot where no punctuation ends them.
    """
    text = LINE_END.sub(" ", text).replace("\n", " · ")
    stemmer = snowballstemmer.stemmer(ALGORITHMS.get(language, "english"))
    wanted = set(stems(query, language).split())
    hits = [found.span() for found in WORD.finditer(text) if stemmer.stemWord(fold(found[0])) in wanted]
    start = max(0, hits[0][0] - EXCERPT_LETTERS // 3) if hits else 0
    if start:
        start = text.find(" ", start) + 1
    end = start + EXCERPT_LETTERS
    if end < len(text):
        end = max(text.rfind(" ", start, end), start + 1)
    pieces, at = ["… " if start else ""], start
    for first, last in hits:
        if start <= first and last <= end:
            pieces += [escape(text[at:first]), "<mark>", escape(text[first:last]), "</mark>"]
            at = last
    pieces += [escape(text[at:end]), " …" if end < len(text) else ""]
    return mark_safe("".join(pieces))
