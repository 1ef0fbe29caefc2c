"""Template tags for navigation, languages, woven patterns, images and absolute URLs."""

import json
from typing import Any

from django import template
from django.conf import settings
from django.template import Context
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from wagtail.images.models import Picture

from core import i18n, renditions, seo
from core.html import absolute
from core.images import CustomImage
from core.models import PATTERNS
from core.navigation import MenuEntry, menus, public

register = template.Library()

CLOTH_BANDS = 18  # fill the header of a page on a wide screen


@register.simple_tag
def menu(place: str) -> list[MenuEntry]:
    """Return the MenuEntries of the menu at `place`: "main" or "footer"."""
    return menus(get_language()).get(place, [])


@register.simple_tag(takes_context=True)
def languages(context: Context) -> list[i18n.LanguageLink]:
    """Return the LanguageLinks of the current page or view."""
    request = context.get("request")
    if context.get("error_page") or request is None:
        return i18n.home_languages()
    if "view_languages" in context:
        return context["view_languages"]
    page = context.get("page")
    if page is not None and page.pk:
        return i18n.page_languages(page)
    return i18n.path_languages(request.path)


@register.simple_tag(takes_context=True)
def breadcrumbs(context: Context) -> list[tuple[str, str]]:
    """Return (title, path) of the ancestors of the current page or list, from the home page down."""
    page = context.get("page")
    if page is None or not page.pk or page.depth <= 2:
        return []
    above = list(public(page.get_ancestors().filter(depth__gte=2), inside=page))
    if context.get("heading"):
        above.append(page)
    return [(_("Home") if place.depth == 2 else place.title, place.url) for place in above]


@register.simple_tag(takes_context=True)
def structured_data(context: Context) -> str:
    """Render the page's schema.org data as a JSON-LD script."""
    page = context.get("page")
    if page is None or not page.pk:
        return ""
    graph = list(page.structured_data())
    if crumbs := breadcrumbs(context):
        graph.append(seo.breadcrumb_list([*crumbs, (context.get("heading") or page.title, context["request"].path)]))
    if not graph:
        return ""
    data = json.dumps({"@context": "https://schema.org", "@graph": graph}, ensure_ascii=False)
    return format_html('<script type="application/ld+json">{}</script>', mark_safe(data.replace("<", "\\u003c")))


@register.simple_tag
def language_tag() -> str:
    """Return the BCP 47 tag of the active language."""
    return i18n.language_tag(get_language() or settings.LANGUAGE_CODE)


register.filter("local_date", i18n.local_date)


@register.filter
def bcp47(code: str) -> str:
    """Return the BCP 47 tag of a language code."""
    return i18n.language_tag(code)


register.filter("absolute", absolute)
register.simple_tag(seo.default_address)


@register.filter
def og_locale(code: str) -> str:
    """Convert a language code to Open Graph's format, which requires a region: `pt-br` → `pt_BR`, `es` → `es_419`."""
    known = settings.SITE_LANGUAGES.get(code)
    return known.open_graph if known else code


@register.simple_tag
def weave(pattern: str = "weave") -> SafeString:
    """Render a decorative woven band."""
    return format_html('<div class="weave weave-{}" aria-hidden="true"></div>', pattern)


@register.simple_tag
def cloth(pattern: str = "weave") -> SafeString:
    """Render decorative woven bands, the first one in `pattern`."""
    names = [name for name, _label in PATTERNS]
    first = names.index(pattern) if pattern in names else 0
    chosen = ((names[(first + number) % len(names)],) for number in range(CLOTH_BANDS))
    bands = format_html_join("", '<i class="weave weave-{}"></i>', chosen)
    return format_html('<div class="cloth" aria-hidden="true">{}</div>', bands)


@register.simple_tag(takes_context=True)
def resized(context: Context, image: CustomImage | None, shape: str, **attributes: Any) -> Picture | str:
    """Render an image as <picture> with its existing renditions in one of `renditions.SHAPES`; empty if there are none."""
    found = renditions.find(image, shape, context.get("request")) if image else {}
    return Picture(found, attributes) if found else ""


@register.simple_tag
def rendition_url(image: CustomImage | None, shape: str) -> str:
    """Return the URL of an image's rendition in a shape with a single size; empty while it does not exist."""
    found = renditions.find(image, shape) if image else {}
    return next((one.url for one in found.values()), "")


@register.filter
def letter(number: int) -> str:
    """1 → a, 2 → b …"""
    return chr(96 + number)


@register.simple_tag(takes_context=True)
def aria_current(context: Context, entry: MenuEntry, entries: list[MenuEntry]) -> str:
    """Return the value of aria-current for one of the MenuEntries: "page" where it leads to this page, "true" where it leads
    to the nearest of its ancestors below the home page, otherwise "".
    """
    page = context.get("page")
    if page is None or not getattr(page, "pk", None):
        return ""
    above = [other for other in entries if other.depth > 2 and page.path.startswith(other.path)]
    if not above or entry.pk != max(above, key=lambda other: other.depth).pk:
        return ""
    return "page" if entry.pk == page.pk else "true"
