"""Languages of an address: which translation a page has, and where the language switcher leads."""

from dataclasses import dataclass

from django.conf import settings
from django.urls import translate_url
from django.utils.translation import get_language
from wagtail.models import Locale, Page


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


def _locales():
    return {locale.language_code: locale for locale in Locale.objects.all()}


def _nearest(page, locale, request):
    """The live, public translation of `page` or of its nearest ancestor in `locale`, or None."""
    for candidate in [page, *page.get_ancestors().filter(depth__gt=1).order_by("-depth")]:
        translation = (
            Page.objects.filter(translation_key=candidate.translation_key, locale=locale).live().public().first()
        )
        if translation:
            return translation
    return None


def page_languages(page, request):
    """The language switcher of `page`: one LanguageLink for each language that has at least a home page."""
    keys = Page.objects.filter(translation_key=page.translation_key).live().public()
    translations = {translation.locale_id: translation for translation in keys}
    links = []
    for code, locale in _locales().items():
        own = page if page.locale_id == locale.pk else translations.get(locale.pk)
        target = own or _nearest(page, locale, request)
        if target and target.get_url(request):
            name = dict(settings.LANGUAGES).get(code, code)
            links.append(LanguageLink(code, name, target.get_url(request), target.title, missing=own is None))
    return sort_links(links)


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
