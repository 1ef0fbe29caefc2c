"""What stands on every page, read once after each purge: languages, menus, the site's texts, and what is private."""

from dataclasses import dataclass

from caching.page_cache import cached_until_purge
from django.conf import settings
from django.utils.translation import override
from wagtail.models import Locale, Page, PageViewRestriction, Site
from wagtail.models.sites import get_site_for_hostname

from core.models import Menu, SiteSettings, Topic


@dataclass(frozen=True)
class MenuEntry:
    """An entry of a menu: its text, and the address and place in the tree of the page that it leads to."""

    text: str
    url: str
    pk: int
    path: str
    depth: int


@cached_until_purge
def locales():
    """The site's Locales by language code."""
    return {locale.language_code: locale for locale in Locale.objects.all()}


@cached_until_purge
def site_texts(language):
    """The SiteSettings in `language`."""
    return SiteSettings.current(language)


@cached_until_purge
def site(host, port):
    """The Wagtail Site that answers at `host` and `port`, or None."""
    try:
        return get_site_for_hostname(host, port)
    except Site.DoesNotExist:
        return None


@cached_until_purge
def _sections(language):
    pages = public(Page.objects.filter(locale__language_code=language, depth=3)).order_by("path")
    return {page.specific_class: page for page in reversed(pages)}


def section(model, language):
    """The first public page of `model` right under the home page in `language`, such as the news index, or None."""
    return _sections(language).get(model)


@cached_until_purge
def _restricted_paths():
    return list(PageViewRestriction.objects.values_list("page__path", flat=True))


def public(pages, inside=None):
    """Those of a Page queryset that everyone may read: live, and neither private nor below a private page.

    Whoever reads the Page `inside` has passed its restrictions, so what is restricted by no others is theirs to read, too.
    """
    pages = pages.filter(live=True)
    for path in _restricted_paths():
        if not (inside and inside.path.startswith(path)):
            pages = pages.exclude(path__startswith=path)
    return pages


@cached_until_purge
def menus(language):
    """The menus in `language`: {place: [MenuEntry, …]}, without pages that are not published in it."""
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


def _entry(text, page):
    return MenuEntry(text or page.title, page.url or "", page.pk, page.path, page.depth)


@cached_until_purge
def topic_choices(language):
    """The topics that readers can choose: [(number of the topic in the default language, name in `language`), …]."""
    topics = list(Topic.objects.select_related("locale"))
    names = {topic.translation_key: topic.name for topic in topics if topic.locale.language_code == language}
    return [
        (topic.pk, names.get(topic.translation_key, topic.name))
        for topic in topics
        if topic.locale.language_code == settings.LANGUAGE_CODE
    ]
