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
def publish_scheduled():
    """Publish and expire pages and snippets whose time has come."""
    call_command("publish_scheduled", verbosity=0)


@every(timedelta(minutes=1), _("show what was published though its process died"))
def drop_stale_pages():
    """Drop the cached pages if something was published or withdrawn since the last look: whoever did it may have died
    before the purge. Returns what was seen, to compare with next time."""
    seen = str(
        sorted(Page.objects.aggregate(newest=Max("last_published_at"), live=Count("pk", filter=Q(live=True))).items())
    )
    if not JobRun.objects.filter(name="drop_stale_pages", outcome=seen).exists():
        page_cache.purge()
    return seen


@every(timedelta(minutes=5), _("keep feeds, sitemap and home pages warm"))
def warm_up():
    """Ask for what robots and readers ask for first, so that nobody waits after a purge. Returns how many answered."""
    asked = ["/sitemap.xml", "/robots.txt"]
    for code, _name in settings.LANGUAGES:
        with override(code):
            asked += [f"/{code}/", reverse("news_feed")]
    with requests.Session() as session:
        return f"{sum(_answers(session, path) for path in asked)}/{len(asked)}"


def _answers(session, path):
    try:
        return session.get(f"{settings.SITE_URL}{path}", timeout=WARM_UP_SECONDS).ok
    except requests.RequestException as error:  # such as the web part being started again
        logger.warning("%s does not answer: %s", path, type(error).__name__)
        return False


@every(timedelta(hours=1), _("forget what limits no longer look at"))
def forget_old_uses():
    """Delete what no limit looks at any more."""
    return removal_report({"uses of limits": rate_limits.forget_old()})
