"""The languages of the site: all that the code knows about each. docs/developers/how-to.md says how to add one."""

from typing import NamedTuple


class Language(NamedTuple):
    """One language of pages, interface, admin and newsletter."""

    code: str  # as in addresses: BCP 47 in lower case
    name: str  # in the language itself
    open_graph: str  # og:locale, which requires a region
    stemmer: str  # the name of its Snowball stemmer
    vague_link_texts: frozenset[str]  # lower-case link texts that do not say where the link leads
    translators: str = ""  # name of the group that translates into it; the language that pages are written in has none


def _(text: str) -> str:
    """Mark a text for translation. Django's gettext_noop() would read the settings, which import this module."""
    return text


LANGUAGES = [  # the first one is the language that pages are written in
    Language(
        "es",
        "Español",
        "es_419",
        "spanish",
        frozenset({
            "aquí", "acá", "haga clic aquí", "clic aquí", "leer más", "ver más", "más", "enlace", "este enlace",
        }),
    ),
    Language(
        "en",
        "English",
        "en_US",
        "english",
        frozenset({"here", "click here", "read more", "more", "link", "this link", "this page"}),
        _("Traducción al inglés"),
    ),
    Language(
        "pt-br",
        "Português",
        "pt_BR",
        "portuguese",
        frozenset({"aqui", "clique aqui", "leia mais", "ler mais", "saiba mais", "mais", "link", "este link"}),
        _("Traducción al portugués"),
    ),
]  # fmt: skip
