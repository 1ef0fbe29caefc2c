"""Periodic jobs of core."""

import logging
from datetime import timedelta

import requests
from caching import page_cache
from django.conf import settings
from django.core.management import call_command
from django.db.models import Count, Max, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override
from jobs.models import JobRun
from jobs.periodic import every, removal_report
from wagtail.models import Page

from core import rate_limits

logger = logging.getLogger(__name__)
WARM_UP_SECONDS = 20


@every(timedelta(minutes=1), _("publish and expire what is scheduled"))
def publish_scheduled() -> None:
    """Publish and expire pages and snippets whose time has come."""
    call_command("publish_scheduled", verbosity=0)


@every(timedelta(minutes=1), _("show what was published though its process died"))
def drop_stale_pages() -> str:
    """Purge the page cache if pages were published or unpublished since the last run.

    Usually they are purged at once; this covers processes that died before. Returns the state to compare with at the next run.
    """
    state = str(
        sorted(Page.objects.aggregate(newest=Max("last_published_at"), live=Count("pk", filter=Q(live=True))).items())
    )
    if not JobRun.objects.filter(name="drop_stale_pages", outcome=state).exists():
        page_cache.purge()
    return state


@every(timedelta(minutes=5), _("keep feeds, sitemap and home pages warm"))
def warm_up() -> str:
    """Request the most frequented URLs, so that they are cached after a purge. Returns “succeeded/requested”."""
    paths = ["/sitemap.xml", "/robots.txt"]
    for code, _name in settings.LANGUAGES:
        with override(code):
            paths += [f"/{code}/", reverse("news_feed")]
    with requests.Session() as session:
        return f"{sum(_request(session, path) for path in paths)}/{len(paths)}"


def _request(session: requests.Session, path: str) -> bool:
    try:
        return session.get(f"{settings.SITE_URL}{path}", timeout=WARM_UP_SECONDS).ok
    except requests.RequestException as error:  # such as a restart of the web server
        logger.warning("%s does not answer: %s", path, type(error).__name__)
        return False


@every(timedelta(hours=1), _("forget what limits no longer look at"))
def delete_old_rate_limit_hits() -> str:
    """Delete RateLimitHits that no limit counts any more."""
    return removal_report({"rate limit hits": rate_limits.delete_old_hits()})
