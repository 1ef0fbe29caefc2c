"""Languages of an address: which translation a page has, and where the language switcher leads."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from caching.page_cache import cached_until_purge
from django.conf import settings
from django.urls import translate_url
from django.utils.formats import date_format
from django.utils.translation import get_language, override
from wagtail.models import Page

from core.navigation import locales, public


@dataclass(frozen=True)
class LanguageLink:
    """An entry of the language switcher. `missing` says that `url` is only the nearest translated ancestor."""

    code: str
    name: str
    url: str
    title: str = ""
    missing: bool = False

    @property
    def tag(self):
        """The language as BCP 47 writes it: `pt-BR`."""
        return language_tag(self.code)

    @property
    def current(self):
        return self.code == get_language()


def language_tag(code):
    """`pt-br` → `pt-BR`, the form that `lang` and `hreflang` take (BCP 47)."""
    language, _, region = code.partition("-")
    return f"{language}-{region.upper()}" if region else language


def in_language(language, lines):
    """The items of a generator, made while `language` is active: what is streamed is made after the view has returned."""
    with override(language):
        yield from lines


def local_date(day, form="DATE_FORMAT"):
    """A date in the active language; `form` is one of Django's formats. Portuguese writes its months small."""
    text = date_format(day, form)
    return text.lower() if get_language() == "pt-br" else text


def site_time(moment):
    """A moment in the site's time zone, which it names: for editors, wherever they sit."""
    return f"{date_format(moment.astimezone(ZoneInfo(settings.TIME_ZONE)), 'DATETIME_FORMAT')} ({settings.TIME_ZONE})"


def _nearest(path, locale):
    """The public translation of the nearest ancestor of the page at `path` in `locale`, or None."""
    above = [path[:end] for end in range(len(path) - Page.steplen, Page.steplen, -Page.steplen)]
    keys = list(Page.objects.filter(path__in=above).order_by("-path").values_list("translation_key", flat=True))
    found = {
        other.translation_key: other for other in public(Page.objects.filter(translation_key__in=keys, locale=locale))
    }
    return next((found[key] for key in keys if key in found), None)


@cached_until_purge
def _page_languages(key, path):
    """The LanguageLinks of the page with the translation key `key` that stands at `path` in the tree."""
    translations = {other.locale_id: other for other in public(Page.objects.filter(translation_key=key))}
    links = []
    for code, locale in locales().items():
        own = translations.get(locale.pk)
        target = own or _nearest(path, locale)
        if target and target.url:
            name = dict(settings.LANGUAGES).get(code, code)
            links.append(LanguageLink(code, name, target.url, target.title, missing=own is None))
    return sort_links(links)


def page_languages(page):
    """The language switcher of `page`: one LanguageLink for each language that has at least a home page."""
    return _page_languages(page.translation_key, page.path)


def path_languages(path):
    """The language switcher of a view that is not a page: the same address in each language."""
    return [LanguageLink(code, name, translate_url(path, code)) for code, name in settings.LANGUAGES]


def home_languages():
    """The home page in each language, for pages that exist in none (404)."""
    return [LanguageLink(code, name, f"/{code}/") for code, name in settings.LANGUAGES]


def sort_links(links):
    """In the order of LANGUAGES."""
    order = [code for code, _ in settings.LANGUAGES]
    return sorted(links, key=lambda link: order.index(link.code) if link.code in order else len(order))
