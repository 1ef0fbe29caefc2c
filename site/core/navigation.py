"""Menus, languages, site settings and restrictions, cached until the next purge."""

from dataclasses import dataclass

from caching.page_cache import cached_until_purge
from django.conf import settings
from django.utils.translation import override
from wagtail.models import Locale, Page, PageViewRestriction, Site
from wagtail.models.sites import get_site_for_hostname
from wagtail.query import PageQuerySet

from core.models import Menu, SiteSettings, Topic


@dataclass(frozen=True)
class MenuEntry:
    """A menu entry: its text, and the URL and tree position of the page that it leads to."""

    text: str
    url: str
    pk: int
    path: str
    depth: int


@cached_until_purge
def locales() -> dict[str, Locale]:
    """Return {language code: Locale}."""
    return {locale.language_code: locale for locale in Locale.objects.all()}


@cached_until_purge
def site_settings(language: str) -> SiteSettings:
    """Return the SiteSettings in `language`."""
    return SiteSettings.current(language)


@cached_until_purge
def site(host: str, port: str) -> Site | None:
    """Return the Wagtail Site at `host` and `port`, or None."""
    try:
        return get_site_for_hostname(host, port)
    except Site.DoesNotExist:
        return None


@cached_until_purge
def _sections(language: str) -> dict[type[Page], Page]:
    pages = public(Page.objects.filter(locale__language_code=language, depth=3)).order_by("path")
    return {page.specific_class: page for page in reversed(pages)}


def section(model: type[Page], language: str) -> Page | None:
    """Return the first public child of the home page in `language` that is a `model`, such as the news index, or None."""
    return _sections(language).get(model)


@cached_until_purge
def _restricted_paths() -> list[str]:
    return list(PageViewRestriction.objects.values_list("page__path", flat=True))


def public(pages: PageQuerySet, inside: Page | None = None) -> PageQuerySet:
    """Filter a Page queryset: live pages without view restrictions on them or their ancestors.

    With the Page `inside`, restrictions that apply to it as well are ignored, as its visitor has passed them.
    """
    pages = pages.filter(live=True)
    for path in _restricted_paths():
        if not (inside and inside.path.startswith(path)):
            pages = pages.exclude(path__startswith=path)
    return pages


@cached_until_purge
def menus(language: str) -> dict[str, list[MenuEntry]]:
    """Return {place: [MenuEntry, …]} in `language`, without pages that are not public in it."""
    found = Menu.objects.filter(live=True, locale__language_code=language)
    chosen = {menu.place: [entry["value"] for entry in menu.items.raw_data] for menu in found}
    numbers = {value["page"] for values in chosen.values() for value in values}
    keys = dict(Page.objects.filter(pk__in=numbers).values_list("pk", "translation_key"))
    pages = public(Page.objects.filter(locale__language_code=language, translation_key__in=keys.values()))
    translated = {page.translation_key: page for page in pages}
    with override(language):
        return {
            place: [
                _entry(value["text"], translated[keys[value["page"]]])
                for value in values
                if keys.get(value["page"]) in translated
            ]
            for place, values in chosen.items()
        }


def _entry(text: str, page: Page) -> MenuEntry:
    return MenuEntry(text or page.title, page.url or "", page.pk, page.path, page.depth)


@cached_until_purge
def topic_choices(language: str) -> list[tuple[int, str]]:
    """Return the choices of topics: [(primary key of the topic in the default language, name in `language`), …]."""
    topics = list(Topic.objects.select_related("locale"))
    names = {topic.translation_key: topic.name for topic in topics if topic.locale.language_code == language}
    return [
        (topic.pk, names.get(topic.translation_key, topic.name))
        for topic in topics
        if topic.locale.language_code == settings.LANGUAGE_CODE
    ]
