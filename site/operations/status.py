"""Is everything running? The admin's page for operators, the figures behind /metrics, and the alarm when nobody works."""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.dispatch import Signal
from django.http import HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from django_tasks_db.models import DBTaskResult
from jobs.database import pending_migrations
from jobs.heartbeat import WORKER_SILENT, workers
from jobs.models import JobRun
from jobs.periodic import JOBS
from wagtail.admin import messages
from wagtail.admin.auth import permission_required
from wagtail.log_actions import log

from operations.alerts import raise_alert

QUEUE_SLOW = timedelta(minutes=10)
BACKUP_OLD = timedelta(hours=36)

# Receivers return a list of Fact: what operators should know of an app.
health_checks = Signal()
# Receivers return a list of (name, help, label or "", {value of the label: number}) for Prometheus.
measured = Signal()
operators_only = permission_required("auth.change_user")


@dataclass(frozen=True)
class HealthCheck:
    """One line of the operations page: `value` is shown, `advice` says what to do where it is not well."""

    label: str
    value: str
    is_well: bool = True
    advice: str = ""


def queue():
    """(how many tasks wait, since when the oldest does or None), in Redis and in the database."""
    waiting = DBTaskResult.objects.ready()
    number, oldest = waiting.count(), waiting.aggregate(oldest=models.Min("enqueued_at"))["oldest"]
    if settings.REDIS_URL:
        from jobs.redis_queue import waiting as waiting_in_redis

        more, since = waiting_in_redis()
        number, oldest = number + more, min(filter(None, [oldest, since]), default=None)
    return number, oldest


def last_backup():
    """When the newest backup was made, or None: the job's own word, as backups may lie on another machine."""
    run = JobRun.objects.filter(name="back_up", succeeded=True).first()
    return run and run.started_at


# The page


def _ago(moment):
    return gettext("%(time)s ago") % {"time": timesince(moment)} if moment else gettext("never")


def _queue_fact():
    number, oldest = queue()
    value = ngettext("%(number)s task waits", "%(number)s tasks wait", number) % {"number": number}
    if oldest:
        value += gettext(", the oldest since %(time)s") % {"time": timesince(oldest)}
    is_well = not oldest or timezone.now() - oldest < QUEUE_SLOW
    return HealthCheck(
        _("Queue"), value, is_well, _("Look whether the workers run; start another one if they cannot keep up.")
    )


def _worker_fact():
    names = ", ".join(workers().values_list("name", flat=True))
    return HealthCheck(
        _("Workers"), names or gettext("none"), bool(names), _("Start one: systemctl start clac-worker@1")
    )


def _backup_fact():
    if not settings.BACKUP_KEEP:
        return HealthCheck(
            _("Last backup"), gettext("switched off (BACKUP_KEEP is 0)"), False, _("Make backups another way.")
        )
    made = last_backup()
    kind = gettext("encrypted") if settings.BACKUP_KEY else gettext("not encrypted")
    where = f" ({settings.BACKUP_DIR}, {kind})"
    is_well = bool(made) and timezone.now() - made < BACKUP_OLD
    return HealthCheck(_("Last backup"), _ago(made) + where, is_well, _("Run manage.py backup and read what it says."))


def _migration_fact():
    number = pending_migrations()
    return HealthCheck(_("Migrations to apply"), str(number), not number, _("Run manage.py deploy."))


def _failure_fact():
    since = timezone.now() - timedelta(days=1)
    failed = DBTaskResult.objects.failed().filter(finished_at__gt=since)
    names = ", ".join(sorted(set(failed.values_list("task_path", flat=True))))
    return HealthCheck(
        _("Tasks that failed in a day"), f"{failed.count()} {names}".strip(), not names, _("The log says why.")
    )


def all_health_checks():
    """What operators should know, core's first."""
    found = [_worker_fact(), _queue_fact(), _failure_fact(), _backup_fact(), _migration_fact()]
    return found + [fact for _receiver, more in health_checks.send(sender=None) for fact in more]


@operators_only
def page(request):
    """The state of the site, and each scheduled job with its last run."""
    runs = {run.name: run for run in JobRun.objects.all()}
    jobs = sorted(((job, runs.get(name)) for name, job in JOBS.items()), key=lambda pair: str(pair[0].label))
    return TemplateResponse(request, "operations/status.html", {"facts": all_health_checks(), "jobs": jobs})


@operators_only
@require_POST
def run_now(request, name):
    """Have a scheduled job run at the next tick."""
    run = get_object_or_404(JobRun, name=name)
    JobRun.objects.filter(pk=run.pk).update(due_at=timezone.now())
    log(instance=run, action="clac.job_run", user=request.user)
    messages.success(request, _("It runs in a moment; reload the page to see what came of it."))
    return HttpResponseRedirect(reverse("operations"))


# For machines


def figures():
    """What /metrics tells besides the requests, as (name, help, label, {value of the label: number})."""
    number, oldest = queue()
    found = [
        ("queue_tasks", "Tasks that wait", "", {"": number}),
        ("queue_age_seconds", "How long the oldest task has waited", "", {"": seconds_since(oldest)}),
        ("workers", "Workers that ticked within a minute", "", {"": workers().count()}),
        (
            "backup_age_seconds",
            "Since the last good backup; -1: there is none",
            "",
            {"": seconds_since(last_backup(), -1)},
        ),
        (
            "job_succeeded",
            "Whether the last run of a scheduled job succeeded",
            "job",
            {run.name: int(run.succeeded) for run in JobRun.objects.exclude(succeeded=None)},
        ),
    ]
    return found + [figure for _receiver, more in measured.send(sender=None) for figure in more]


def seconds_since(moment, missing=0):
    """How many seconds ago a moment was; `missing` if it is None."""
    return (timezone.now() - moment).total_seconds() if moment else missing


def check_queue():
    """Raise an alarm if no worker is there or the oldest task waits too long. Mailed from here, as no worker would."""
    number, oldest = queue()
    age = timezone.now() - oldest if oldest else timedelta(0)
    if age > QUEUE_SLOW or (number and age > WORKER_SILENT and not workers().exists()):
        minutes = int(age.total_seconds() // 60)
        raise_alert(
            "queue",
            f"{number} tasks wait, the oldest for {minutes} minutes; {workers().count()} workers are at work.",
            at_once=True,
        )
