"""Purging a CDN or a caching proxy in front of the site, through Wagtail's frontend-cache back ends (docs/operators/settings.md).

What is not named here stays in front for at most ten minutes (`s-maxage` in caching/page_cache.py).
"""

import logging

from django.apps import apps
from django.conf import settings
from django.urls import reverse
from django.utils.translation import override
from wagtail.contrib.frontend_cache.utils import PurgeBatch
from wagtail.models import Page

from core.html import absolute

logger = logging.getLogger(__name__)


def _addresses(page):
    """The public addresses of a page, of the lists that it makes, and of its picture for sharing."""
    url = page.full_url
    if not url:
        return []
    with override(page.locale.language_code):
        addresses = [url + path.lstrip("/") for path in page.specific.get_cached_paths()]
    return [*addresses, absolute(reverse("share_picture", args=[page.pk]))]


def _common_addresses():
    """What lists pages without being one: feeds, the sitemap."""
    addresses = [f"{settings.SITE_URL}/sitemap.xml"]
    for code, _name in settings.LANGUAGES:
        with override(code):
            addresses += [absolute(reverse(name)) for name in ("news_feed", "newsletter_feed")]
            slugs = (
                apps.get_model("core", "Topic")
                .objects.filter(locale__language_code=code)
                .values_list("slug", flat=True)
            )
            addresses += [absolute(reverse("topic_feed", args=[slug])) for slug in slugs]
    return addresses


def _family(page):
    """A page, what stands above it and beside it, and the translations of all of them."""
    near = page.get_ancestors(inclusive=True).filter(depth__gt=1) | page.get_siblings()
    return Page.objects.filter(translation_key__in=near.values("translation_key"))


def purge_page(page):
    """Purge a page that changed, and the pages and feeds that list it, in each language."""
    purge_pages(_family(page))


def purge_everything():
    """Purge every page: a menu or a setting changed, which stand on all of them."""
    purge_pages(Page.objects.filter(depth__gt=1))


def purge_pages(pages):
    """Have the addresses of a Page queryset purged by a task, if there is anything in front of the site."""
    if not settings.WAGTAILFRONTENDCACHE:
        return
    batch = PurgeBatch(_common_addresses())
    for page in pages.iterator(500):
        batch.add_urls(_addresses(page))
    batch.purge()


def purge_pictures(renditions):
    """Have the addresses of a Rendition queryset purged, if there is anything in front of the site."""
    if not settings.WAGTAILFRONTENDCACHE:
        return
    batch = PurgeBatch(absolute(rendition.url) for rendition in renditions.iterator(500))
    batch.purge()
