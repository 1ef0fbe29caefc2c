"""Translations of pages, the language switcher, and dates in the active language."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from caching.page_cache import cached_until_purge
from django.conf import settings
from django.urls import translate_url
from django.utils.formats import date_format
from django.utils.translation import get_language, override
from wagtail.models import Locale, Page

from core.navigation import locales, public

Item = TypeVar("Item")


@dataclass(frozen=True)
class LanguageLink:
    """An entry of the language switcher. If `missing`, `url` leads to the nearest translated ancestor instead."""

    code: str
    name: str
    url: str
    title: str = ""
    missing: bool = False

    @property
    def tag(self) -> str:
        """Return the BCP 47 tag: `pt-BR`."""
        return language_tag(self.code)

    @property
    def current(self) -> bool:
        return self.code == get_language()

    @property
    def is_default(self) -> bool:
        return self.code == settings.LANGUAGE_CODE


def language_tag(code: str) -> str:
    """`pt-br` → `pt-BR`, the form that `lang` and `hreflang` take (BCP 47)."""
    language, _, region = code.partition("-")
    return f"{language}-{region.upper()}" if region else language


def language_choices() -> list[tuple[str, str]]:
    """The choices of a model's field. As a function, so that another language changes no migration."""
    return settings.LANGUAGES


def in_language(language: str, lines: Iterable[Item]) -> Iterator[Item]:
    """Yield from a generator with `language` activated. For streaming responses, which run after the view has returned."""
    with override(language):
        yield from lines


def local_date(day: date, form: str = "DATE_FORMAT") -> str:
    """Format a date in the active language; `form` is the name of a Django format. Portuguese months are in lower case."""
    text = date_format(day, form)
    return text.lower() if get_language() == "pt-br" else text


def site_time(moment: datetime) -> str:
    """Format a datetime in TIME_ZONE, with the name of the zone, for editors in other time zones."""
    return f"{date_format(moment.astimezone(ZoneInfo(settings.TIME_ZONE)), 'DATETIME_FORMAT')} ({settings.TIME_ZONE})"


def _nearest_translation(path: str, locale: Locale) -> Page | None:
    """Return the public translation into `locale` of the nearest ancestor of the page at tree path `path`, or None."""
    above = [path[:end] for end in range(len(path) - Page.steplen, Page.steplen, -Page.steplen)]
    keys = list(Page.objects.filter(path__in=above).order_by("-path").values_list("translation_key", flat=True))
    found = {
        other.translation_key: other for other in public(Page.objects.filter(translation_key__in=keys, locale=locale))
    }
    return next((found[key] for key in keys if key in found), None)


@cached_until_purge
def _page_languages(key: UUID, path: str) -> list[LanguageLink]:
    """Return the LanguageLinks of the page with translation key `key` at tree path `path`."""
    translations = {other.locale_id: other for other in public(Page.objects.filter(translation_key=key))}
    links = []
    for code, locale in locales().items():
        own = translations.get(locale.pk)
        target = own or _nearest_translation(path, locale)
        if target and target.url:
            name = dict(settings.LANGUAGES).get(code, code)
            links.append(LanguageLink(code, name, target.url, target.title, missing=own is None))
    return sort_links(links)


def page_languages(page: Page) -> list[LanguageLink]:
    """Return the LanguageLinks of `page`: one for each language with a published home page."""
    return _page_languages(page.translation_key, page.path)


def path_languages(path: str) -> list[LanguageLink]:
    """Return the LanguageLinks of a view: the same URL in each language."""
    return [LanguageLink(code, name, translate_url(path, code)) for code, name in settings.LANGUAGES]


def home_languages() -> list[LanguageLink]:
    """Return LanguageLinks to the home pages, for error pages."""
    return [LanguageLink(code, name, f"/{code}/") for code, name in settings.LANGUAGES]


def sort_links(links: Iterable[LanguageLink]) -> list[LanguageLink]:
    """Sort LanguageLinks in the order of LANGUAGES."""
    order = [code for code, _ in settings.LANGUAGES]
    return sorted(links, key=lambda link: order.index(link.code) if link.code in order else len(order))
