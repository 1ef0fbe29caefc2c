"""The jobs of core itself."""

import logging
from datetime import timedelta

import requests
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db.models import Count, Max, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override
from django_tasks_db.models import DBTaskResult
from wagtail.models import Page

from . import backup, limits, mending, pagecache  # noqa: F401 – its job
from .models import JobRun, PageReadings
from .retention import report
from .schedule import every

logger = logging.getLogger(__name__)
WARM_UP_SECONDS = 20
READINGS_KEPT = timedelta(days=400)


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
        pagecache.purge()
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
    return report({"uses of limits": limits.forget_old()})


@every(timedelta(days=1), _("forget finished tasks"))
def prune_tasks():
    """Delete the queue's rows of tasks that finished a week ago."""
    backend = "database" if settings.REDIS_URL else "default"
    before = DBTaskResult.objects.finished().count()
    call_command("prune_db_task_results", "--backend", backend, "--min-age-days", "7", verbosity=0)
    return report({"finished tasks": max(0, before - DBTaskResult.objects.finished().count())})


@every(timedelta(days=1), _("forget sessions that have ended"))
def forget_sessions():
    """Delete the rows of sessions that nobody can use any more."""
    before = Session.objects.count()
    call_command("clearsessions", verbosity=0)
    return report({"sessions": max(0, before - Session.objects.count())})


@every(timedelta(days=1), _("forget how often pages were read more than a year ago"))
def forget_old_readings():
    """Delete the readings that nobody compares with any more."""
    old = PageReadings.objects.filter(day__lt=timezone.localdate() - READINGS_KEPT)
    return report({"page readings": old.delete()[0]})


@every(timedelta(days=1), _("back up the database and the files"))
def back_up():
    """Make a backup in BACKUP_DIR."""
    if settings.BACKUP_KEEP:
        return backup.make().name
