"""The handbook names what stands on the screen: each phrase in italics is a text of the admin in that language."""

import re
from itertools import chain
from pathlib import Path

import polib
import pytest
from django.conf import settings

from tests.core.test_admin_language import LANGUAGES, english_texts, paths_of

HANDBOOKS = Path(settings.BASE_DIR) / "docs" / "editors"
# The name of a page, which editors give, and keys of the keyboard.
CONTENT = {"Noticias", "Enter", "F2"}
WORKFLOW = "Revisar y publicar"


def phrases(language):
    """The phrases in italics, their steps apart: *Status › Set schedule*; a number or a name at their end is left out."""
    text = " ".join((HANDBOOKS / f"{language}.md").read_text().split())
    found = re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", text)
    steps = {step.removesuffix(WORKFLOW).strip() for phrase in found for step in phrase.replace("…", "").split("›")}
    return steps - CONTENT - {""}


def plain(text):
    """A text without its placeholders, tags and last dots, as it can be found in a handbook."""
    return re.sub(r"%\(\w+\)s|\{\w+\}|<[^>]+>", "", text).strip("– ").removesuffix("…").strip()


def texts_on_screen(language):
    if language == "en":
        ours = polib.pofile(Path(settings.BASE_DIR, "locale/en/LC_MESSAGES/django.po"))
        return {plain(text) for _context, text in chain(english_texts("django"), english_texts("djangojs"))} | {
            plain(entry.msgid) for entry in ours
        }
    entries = chain(
        *(polib.pofile(path) for name in ("django", "djangojs") for path in paths_of(LANGUAGES[language], name))
    )
    return {plain(text) for entry in entries for text in (entry.msgstr, *entry.msgstr_plural.values())}


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_each_phrase_in_italics_stands_on_a_screen(language):
    shown = {text.casefold() for text in texts_on_screen(language)}
    unknown = {phrase for phrase in phrases(language) if phrase.casefold() not in shown}
    assert unknown == set()
