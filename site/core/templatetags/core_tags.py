"""Template tags of the shell: menus, languages, patterns, absolute addresses."""

from django import template
from django.conf import settings
from django.utils.html import format_html
from django.utils.translation import get_language

from core import i18n
from core.furniture import menus

register = template.Library()


@register.simple_tag
def menu(place):
    """The MenuEntries of the menu at `place`."""
    return menus(get_language()).get(place, [])


@register.simple_tag(takes_context=True)
def languages(context):
    """The LanguageLinks of this page or view."""
    request = context.get("request")
    if context.get("error_page") or request is None:
        return i18n.home_languages()
    page = context.get("page")
    if page is not None and page.pk:
        return i18n.page_languages(page)
    return i18n.path_languages(request.path)


@register.simple_tag
def language_tag():
    """The active language as BCP 47 writes it."""
    return i18n.language_tag(get_language() or settings.LANGUAGE_CODE)


@register.filter
def bcp47(code):
    """A language code as BCP 47 writes it."""
    return i18n.language_tag(code)


@register.filter
def absolute(path):
    """The public address of a path on this site."""
    return path if path.startswith(("http://", "https://")) else f"{settings.SITE_URL}{path}"


@register.filter
def og_locale(code):
    """`pt-br` → `pt_BR`; Open Graph wants a region, so es and en get the one that fits the region best."""
    return {"es": "es_419", "en": "en_US", "pt-br": "pt_BR"}.get(code, code)


@register.simple_tag
def weave(pattern="weave"):
    """A decorative woven band."""
    return format_html('<div class="weave weave-{}" aria-hidden="true"></div>', pattern)


@register.filter
def letter(number):
    """1 → a, 2 → b …"""
    return chr(96 + number)


@register.filter
def is_current(entry, page):
    """Whether a MenuEntry leads to `page` or to the section that it stands in."""
    return bool(getattr(page, "pk", None)) and entry.depth > 2 and page.path.startswith(entry.path)
