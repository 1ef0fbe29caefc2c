"""Purges pages from a CDN or caching proxy in front of the site, with Wagtail's frontend-cache back ends (docs/operators/settings.md).

URLs that are not purged expire after ten minutes (`s-maxage` in caching/page_cache.py).
"""

import logging

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import override
from wagtail.contrib.frontend_cache.utils import PurgeBatch
from wagtail.models import Page
from wagtail.query import PageQuerySet

from core.html import absolute
from core.images import CustomRendition
from core.models import Topic

logger = logging.getLogger(__name__)


def _page_urls(page: Page) -> list[str]:
    """Return the public URLs of a page: its own, those of its paginated lists, and its share image."""
    url = page.full_url
    if not url:
        return []
    with override(page.locale.language_code):
        urls = [url + path.lstrip("/") for path in page.specific.get_cached_paths()]
    return [*urls, absolute(reverse("share_picture", args=[page.pk]))]


def _list_urls() -> list[str]:
    """Return the URLs of feeds and the sitemap."""
    urls = [f"{settings.SITE_URL}/sitemap.xml"]
    for code, _name in settings.LANGUAGES:
        with override(code):
            urls += [absolute(reverse(name)) for name in ("news_feed", "newsletter_feed")]
            slugs = Topic.objects.filter(locale__language_code=code).values_list("slug", flat=True)
            urls += [absolute(reverse("topic_feed", args=[slug])) for slug in slugs]
    return urls


def _related_pages(page: Page) -> PageQuerySet:
    """Return a page, its ancestors and siblings, and the translations of all of them."""
    related = page.get_ancestors(inclusive=True).filter(depth__gt=1) | page.get_siblings()
    return Page.objects.filter(translation_key__in=related.values("translation_key"))


def purge_page(page: Page) -> None:
    """Purge a changed page, and the pages and feeds that list it, in all languages."""
    purge_pages(_related_pages(page))


def purge_everything() -> None:
    """Purge all pages, after a change of a menu or setting that all of them show."""
    purge_pages(Page.objects.filter(depth__gt=1))


def purge_pages(pages: PageQuerySet) -> None:
    """Purge the URLs of a Page queryset, if WAGTAILFRONTENDCACHE is set."""
    if not settings.WAGTAILFRONTENDCACHE:
        return
    batch = PurgeBatch(_list_urls())
    for page in pages.iterator(500):
        batch.add_urls(_page_urls(page))
    batch.purge()


def purge_renditions(renditions: QuerySet[CustomRendition]) -> None:
    """Purge the URLs of a Rendition queryset, if WAGTAILFRONTENDCACHE is set."""
    if not settings.WAGTAILFRONTENDCACHE:
        return
    batch = PurgeBatch(absolute(rendition.url) for rendition in renditions.iterator(500))
    batch.purge()
