"""Template tags of the shell: menus, languages, patterns, absolute addresses."""

import json

from django import template
from django.conf import settings
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from wagtail.images.models import Picture

from core import i18n, renditions, seo
from core.html import absolute
from core.models import PATTERNS
from core.navigation import menus, public

register = template.Library()

CLOTH_BANDS = 18  # as many as fill the opening of a page on a wide screen


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
    if "view_languages" in context:
        return context["view_languages"]
    page = context.get("page")
    if page is not None and page.pk:
        return i18n.page_languages(page)
    return i18n.path_languages(request.path)


@register.simple_tag(takes_context=True)
def breadcrumbs(context):
    """(title, path) of what stands above this page or list, from the home page down."""
    page = context.get("page")
    if page is None or not page.pk or page.depth <= 2:
        return []
    above = list(public(page.get_ancestors().filter(depth__gte=2), inside=page))
    if context.get("heading"):
        above.append(page)
    return [(_("Home") if place.depth == 2 else place.title, place.url) for place in above]


@register.simple_tag(takes_context=True)
def structured_data(context):
    """The page's schema.org data as a JSON-LD script."""
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
def language_tag():
    """The active language as BCP 47 writes it."""
    return i18n.language_tag(get_language() or settings.LANGUAGE_CODE)


register.filter("local_date", i18n.local_date)


@register.filter
def bcp47(code):
    """A language code as BCP 47 writes it."""
    return i18n.language_tag(code)


register.filter("absolute", absolute)


@register.filter
def og_locale(code):
    """`pt-br` → `pt_BR`; Open Graph wants a region, so es and en get the one that fits the region best."""
    return {"es": "es_419", "en": "en_US", "pt-br": "pt_BR"}.get(code, code)


@register.simple_tag
def weave(pattern="weave"):
    """A decorative woven band."""
    return format_html('<div class="weave weave-{}" aria-hidden="true"></div>', pattern)


@register.simple_tag
def cloth(pattern="weave"):
    """A decorative piece of cloth: woven bands, of which the first bears `pattern`."""
    names = [name for name, _label in PATTERNS]
    first = names.index(pattern) if pattern in names else 0
    chosen = ((names[(first + number) % len(names)],) for number in range(CLOTH_BANDS))
    bands = format_html_join("", '<i class="weave weave-{}"></i>', chosen)
    return format_html('<div class="cloth" aria-hidden="true">{}</div>', bands)


@register.simple_tag(takes_context=True)
def resized(context, image, shape, **attributes):
    """A picture as <picture>, in those sizes of one of `renditions.SHAPES` that there are; empty without one."""
    found = renditions.find(image, shape, context.get("request")) if image else {}
    return Picture(found, attributes) if found else ""


@register.simple_tag
def rendition_url(image, shape):
    """The address of a picture in one of `renditions.SHAPES` that has one size; empty while there is none."""
    return next((one.url for one in renditions.find(image, shape).values()), "")


@register.filter
def letter(number):
    """1 → a, 2 → b …"""
    return chr(96 + number)


@register.filter
def is_current(entry, page):
    """Whether a MenuEntry leads to `page` or to the section that it stands in."""
    return bool(getattr(page, "pk", None)) and entry.depth > 2 and page.path.startswith(entry.path)
