"""No English in the Spanish and the Portuguese admin: catalogs are complete, and no screen shows an English text.

A text counts as English if it is an English text of a catalog that reads otherwise in the language, or holds two words that
only English has. `ALLOWED` are the words that stay, each with its reason.
"""

import itertools
import json
import re
from importlib.util import find_spec
from pathlib import Path

import polib
import pytest
from bs4 import BeautifulSoup, Comment
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.urls import reverse
from django.utils import translation
from editorial import roles
from translation.models import GlossaryWording
from wagtail.admin.menu import admin_menu, help_menu, reports_menu, settings_menu
from wagtail.models import Page
from wagtail_localize.models import String, StringTranslation

from tests.core.test_access import PEOPLE, address_of, every_route, things  # noqa: F401
from tests.factories import person
from tests.services import in_services

pytestmark = pytest.mark.django_db
LANGUAGES = {"es": "es", "pt-br": "pt_BR"}
FAMILIAR = re.compile(
    r"\b(tu|tus|tú|ti|contigo|puedes|quieres|estás|eres|tienes|debes|necesitas|haz|introduce|añade|asegúrate|"
    r"inténtalo|deseas|podrás|verás|seguro de que quieres|etiquedas?|concidencia)\b",
    re.IGNORECASE,
)
LIBRARIES = ["wagtail", "wagtail_localize", "taggit"]
NOT_INSTALLED = {"styleguide", "simple_translation"}
ENGLISH_WORD = re.compile(
    r"\b(the|of|to|and|is|are|this|that|your|you|with|for|from|by|be|was|were|will|not|it|its|which|when|where|what|"
    r"all|any|can|cannot|have|has|must|should|please|choose|select|page|pages|add|edit|new|more|click|here|there)\b",
    re.IGNORECASE,
)
ATTRIBUTES = ["title", "aria-label", "placeholder", "alt", "aria-description", "data-w-tooltip-content-value"]
# The page itself in its own language, and what asks nobody.
SHOWS_CONTENT = re.compile("preview|view_draft|/compare/|revisions/.*/view|logout")
# Each is written in Wagtail's code or templates without gettext, so that no catalog reaches it.
FOR_SCREEN_READERS = {"Actions", "Search", "Page"}
IN_CODE = {"All", "Permanent", "Temporary", "Type"}  # the filter of redirects, read once at import
MODELS = {"Locale", "Locales", "Translation", "Enabled"}  # wagtail's and wagtail-localize's, for administrators
ALLOWED = (
    FOR_SCREEN_READERS
    | IN_CODE
    | MODELS
    | {
        "Tags",  # Portuguese, too
        "English",  # each language is called by its own name
        "None",  # the hidden counter of comments, which its script fills
    }
)
# The names of permissions are rows in Django's table; the columns above them are translated.
PERMISSION = re.compile(
    r"(.* \| )?(Can (add|change|delete|view) |Delete pages with|Lock/unlock pages|(Publish|Unlock) any page)"
)


def paths_of(language, domain):
    """The catalogs of the libraries, then ours, which have the last word."""
    roots = [Path(find_spec(library).origin).parent for library in LIBRARIES]
    theirs = [path for root in roots for path in root.rglob(f"locale/{language}/LC_MESSAGES/{domain}.po")]
    ours = [Path(folder, language, "LC_MESSAGES", f"{domain}.po") for folder in reversed(settings.LOCALE_PATHS)]
    return [path for path in theirs if not NOT_INSTALLED & set(path.parts)] + [path for path in ours if path.exists()]


def texts_of(language, domain):
    """The (context, text) pairs that the catalogs of a language have a text for."""
    entries = [entry for path in paths_of(language, domain) for entry in polib.pofile(path)]
    return {(entry.msgctxt, entry.msgid) for entry in entries if entry.translated()}


def english_texts(domain):
    """The (context, text) pairs of the libraries' English catalogs, which have no translations of their own."""
    theirs = [path for path in paths_of("en", domain) if "site-packages" in path.parts]
    return {(entry.msgctxt, entry.msgid) for path in theirs for entry in polib.pofile(path) if not entry.obsolete}


@pytest.mark.parametrize("domain", ["django", "djangojs"])
@pytest.mark.parametrize("language", LANGUAGES.values())
def test_every_text_of_wagtail_is_translated(language, domain):
    assert english_texts(domain) - texts_of(language, domain) == set(), (
        f"translate them in locale/wagtail/{language}/LC_MESSAGES/{domain}.po"
    )


def test_spanish_says_usted_everywhere():
    """Wagtail's Spanish mixes both forms; `locale/wagtail/es` has what it says otherwise."""
    said = {}
    for domain in ("django", "djangojs"):
        for path in paths_of("es", domain):
            for entry in polib.pofile(path):
                if entry.translated():
                    said[domain, entry.msgctxt, entry.msgid] = [entry.msgstr, *entry.msgstr_plural.values()]
    assert {key for key, texts in said.items() if any(map(FAMILIAR.search, texts))} == set()


@pytest.mark.parametrize(("language", "odd"), [("es", r"regi[oó]n"), ("pt-br", r"\blocal\b|localidade")])
def test_what_wagtail_calls_a_locale_is_called_a_language(language, odd):
    """“Región” and “localidade” say nothing to people who translate."""
    said = {}
    for path in paths_of(LANGUAGES[language], "django"):
        said |= {entry.msgid: entry.msgstr for entry in polib.pofile(path) if entry.translated()}
    locales = {text: said[text] for text in said if re.search(r"\blocales?\b", text, re.IGNORECASE)}
    assert locales
    assert {text for text, read in locales.items() if re.search(odd, read, re.IGNORECASE)} == set()


def texts_in(html):
    """Every text that a page shows, or holds ready for its dialogs."""
    soup = BeautifulSoup(html, "html.parser")
    for tag in soup("script", type="application/json"):  # the menu at the side
        yield from texts_of_json(tag.string)
    for tag in soup(["script", "style", "svg", "code"]):
        tag.decompose()
    for text in soup.find_all(string=True):
        if not isinstance(text, Comment):
            yield " ".join(text.split())
    for tag in soup.find_all(True):
        yield from (" ".join(str(tag[name]).split()) for name in ATTRIBUTES if tag.get(name))
        if tag.name == "input" and tag.get("type") in {"submit", "button"} and tag.get("value"):
            yield tag["value"]
        for name, value in tag.attrs.items():
            if name.startswith("data-") and isinstance(value, str) and value[:1] in "{[":
                yield from texts_of_json(value)


def texts_of_json(value):
    """The texts that a data attribute brings for its script, such as the labels of a block."""
    try:
        found = [json.loads(value)]
    except ValueError:
        return
    while found:
        part = found.pop()
        if isinstance(part, dict):
            found += [value for key, value in part.items() if key not in {"name", "className", "icon", "_type"}]
        elif isinstance(part, list):
            found += part
        elif isinstance(part, str):
            if "<" in part:
                yield from texts_in(part)
            elif part[:1].isupper():  # the rest are names of fields, and addresses
                yield " ".join(part.split())


@pytest.fixture(scope="module")
def english():
    """The English texts of all catalogs that have no placeholder."""
    found = set()
    for domain in ("django", "djangojs"):
        found |= {text for _context, text in english_texts(domain)}
    for path in Path(find_spec("django").origin).parent.rglob("locale/en/LC_MESSAGES/django.po"):
        found |= {entry.msgid for entry in polib.pofile(path)}
    found |= {entry.msgid for entry in polib.pofile(Path(settings.BASE_DIR, "locale/en/LC_MESSAGES/django.po"))}
    return {" ".join(text.split()) for text in found if "%" not in text and "{" not in text}


@pytest.fixture
def content(things):  # noqa: F811
    """The English texts that are content: they stand in the lists of every language."""
    texts = [model.objects.values_list("data", flat=True) for model in (String, StringTranslation)]
    wordings = GlossaryWording.objects.values_list("text", flat=True)
    found = {
        " ".join(text.split())
        for text in itertools.chain(*texts, Page.objects.values_list("title", flat=True), wordings)
    }
    return sorted((text for text in found if len(text) > 3), key=len, reverse=True)


def is_english(text, english, content):
    if text in ALLOWED or PERMISSION.match(text):
        return False
    for part in content:
        text = text.replace(part, "")
    if not re.search(r"[^\W\d]{2}", text):
        return False
    if text in english:
        return translation.gettext(text) != text
    return len({word.lower() for word in ENGLISH_WORD.findall(text)}) >= 2


@in_services
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("who", [who for who in PEOPLE if who != "visitor"])
def test_no_screen_of_the_admin_shows_an_english_text(client, things, english, content, who, language):  # noqa: F811
    client.raise_request_exception = False
    user = person(PEOPLE[who])
    user.username = "ana"  # not the name of the role, which is to be shown in the reader's language
    user.save()
    get_user_model().objects.filter(username=roles.EDITOR.name).update(username="eva")
    user.wagtail_userprofile.preferred_language = language
    user.wagtail_userprofile.save()
    found = {}
    for route in every_route():
        if not route.startswith("admin/") or SHOWS_CONTENT.search(route):
            continue
        with transaction.atomic():
            client.force_login(user)
            response = client.get(address_of(route, things))
            transaction.set_rollback(True)
        if response.status_code != 200 or "html" not in response.get("Content-Type", ""):
            continue
        with translation.override(language):
            for text in texts_in(response.text):
                if is_english(text, english, content):
                    found.setdefault(text, route)
    assert found == {}


@pytest.mark.parametrize("first", ["en", "es", "pt-br"])
def test_the_menu_is_in_the_language_of_each_reader_whoever_comes_first(client, first, english):
    for menu in (admin_menu, settings_menu, reports_menu, help_menu):
        vars(menu).pop("registered_menu_items", None)  # what Wagtail keeps from the first request on
    for language in (first, "es", "pt-br"):
        user = person(roles.ADMINISTRATOR, language)
        client.force_login(user)
        html = client.get(reverse("wagtailadmin_home")).text
        scripts = BeautifulSoup(html, "html.parser")("script", type="application/json")
        texts = [text for script in scripts for text in texts_of_json(script.string)]
        assert len(texts) > 30
        with translation.override(language):
            assert [text for text in texts if language != "en" and is_english(text, english, [])] == []
        user.delete()


@pytest.mark.parametrize(
    ("language", "names"), [("es", {"Menú principal", "Menú del pie"}), ("en", {"Main menu", "Footer menu"})]
)
def test_menus_of_all_languages_are_named_in_the_readers(client, language, names):
    client.force_login(person(roles.PUBLISHER, language))
    soup = BeautifulSoup(client.get(reverse("wagtailsnippets_core_menu:list")).text, "html.parser")
    links = [link for link in soup.select("main td a[href*='/menu/edit/']") if not link.find_parent("li")]
    assert len(links) == 6
    assert {link.get_text(strip=True) for link in links} == names
    assert soup.select("main th")[1].get_text(strip=True) == {"es": "Menú", "en": "Menu"}[language]
