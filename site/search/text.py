"""Text processing for search: folding, tokenising, stemming, and excerpts with highlighted matches.

Stemming is done in Python rather than in the database, so that SQLite and PostgreSQL return the same results: accents and
inflections (café, cafés) do not matter, by the rules of each language.
"""

import re
import unicodedata

import snowballstemmer
from django.conf import settings
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from snowballstemmer.basestemmer import BaseStemmer

WORD = re.compile(r"\w+")
LINE_END = re.compile(r"(?<=[.!?:;…])\n")
EXCERPT_LENGTH = 220  # characters


def fold(text: str) -> str:
    """Return `text` in lower case and without accents: `Producción` → `produccion`."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(char for char in decomposed if not unicodedata.combining(char)).lower()


def words(text: str) -> list[str]:
    """Return the folded words of `text`, in order."""
    return WORD.findall(fold(text))


def as_written(word: str, text: str) -> str:
    """Return a folded word as `text` writes it, in lower case where it does: `produccion` → `producción`."""
    forms = [form for form in WORD.findall(unicodedata.normalize("NFC", text)) if fold(form) == word]
    return max(forms, key=str.islower, default=word)


def _stemmer(language: str) -> BaseStemmer:
    """Return a new stemmer for a language code, English for one that the site gave up. Stemmers are cheap to create and not
    thread-safe."""
    known = settings.SITE_LANGUAGES.get(language)
    return snowballstemmer.stemmer(known.stemmer if known else "english")


def stems(text: str, language: str) -> str:
    """Return the stems of the words in `text`, separated by spaces."""
    return " ".join(_stemmer(language).stemWords(words(text)))


def excerpt(text: str, query: str, language: str) -> SafeString:
    """Return about EXCERPT_LENGTH characters of `text` around the first match of `query`, as safe HTML with matches in <mark>.

    Lines that do not end in punctuation are separated by a middle dot.
    """
    text = LINE_END.sub(" ", text).replace("\n", " · ")
    stemmer = _stemmer(language)
    query_stems = set(stems(query, language).split())
    matches = [match.span() for match in WORD.finditer(text) if stemmer.stemWord(fold(match[0])) in query_stems]
    start = max(0, matches[0][0] - EXCERPT_LENGTH // 3) if matches else 0
    if start:
        start = text.find(" ", start) + 1
    end = start + EXCERPT_LENGTH
    if end < len(text):
        end = max(text.rfind(" ", start, end), start + 1)
    parts, position = ["… " if start else ""], start
    for first, last in matches:
        if start <= first and last <= end:
            parts += [escape(text[position:first]), "<mark>", escape(text[first:last]), "</mark>"]
            position = last
    parts += [escape(text[position:end]), " …" if end < len(text) else ""]
    return mark_safe("".join(parts))
