"""System status for operators, metrics and alerts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.dispatch import Signal
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.timesince import timesince
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django_tasks_db.models import DBTaskResult
from jobs.database import pending_migrations
from jobs.heartbeat import WORKER_TIMEOUT, active_workers
from jobs.models import JobRun

from operations.alerts import raise_alert

MAX_QUEUE_AGE = timedelta(minutes=10)
MAX_BACKUP_AGE = timedelta(hours=36)

# Receivers return a list of HealthChecks, which the status page shows.
health_checks = Signal()
Gauge = tuple[str, str, str, Mapping[str, float]]  # (name, help text, label name or "", {label value: number})
# Receivers return a list of Gauges for Prometheus.
collect_metrics = Signal()


@dataclass(frozen=True)
class HealthCheck:
    """One line of the status page. `advice` tells operators what to do if `is_healthy` is false."""

    label: str | Promise
    value: str
    is_healthy: bool = True
    advice: str | Promise = ""


def queue_length() -> tuple[int, datetime | None]:
    """Return (number of waiting tasks, datetime at which the oldest was enqueued or None), from the database and Redis."""
    waiting = DBTaskResult.objects.ready()
    number, oldest = waiting.count(), waiting.aggregate(oldest=models.Min("enqueued_at"))["oldest"]
    if settings.REDIS_URL:
        from jobs.redis_queue import queue_length as redis_queue_length

        more, since = redis_queue_length()
        number, oldest = number + more, min(filter(None, [oldest, since]), default=None)
    return number, oldest


def last_backup() -> datetime | None:
    """Return the datetime of the last successful backup or None, from the job's record: the files may be on another machine."""
    run = JobRun.objects.filter(name="back_up", succeeded=True).first()
    return run.started_at if run else None


# Health checks of the status page


def _ago(moment: datetime | None) -> str:
    return gettext("%(time)s ago") % {"time": timesince(moment)} if moment else gettext("never")


def _check_queue_length() -> HealthCheck:
    number, oldest = queue_length()
    value = ngettext("%(number)s task waits", "%(number)s tasks wait", number) % {"number": number}
    if oldest:
        value += gettext(", the oldest since %(time)s") % {"time": timesince(oldest)}
    is_healthy = not oldest or timezone.now() - oldest < MAX_QUEUE_AGE
    return HealthCheck(
        _("Queue"), value, is_healthy, _("Look whether the workers run; start another one if they cannot keep up.")
    )


def _check_workers() -> HealthCheck:
    names = ", ".join(active_workers().values_list("name", flat=True))
    return HealthCheck(
        _("Workers"), names or gettext("none"), bool(names), _("Start one: systemctl start clac-worker@1")
    )


def _check_backup() -> HealthCheck:
    if not settings.BACKUP_KEEP:
        return HealthCheck(
            _("Last backup"), gettext("switched off (BACKUP_KEEP is 0)"), False, _("Make backups another way.")
        )
    made = last_backup()
    kind = gettext("encrypted") if settings.BACKUP_KEY else gettext("not encrypted")
    where = f" ({settings.BACKUP_DIR}, {kind})"
    is_healthy = made is not None and timezone.now() - made < MAX_BACKUP_AGE
    return HealthCheck(
        _("Last backup"), _ago(made) + where, is_healthy, _("Run manage.py backup and read what it says.")
    )


def _check_migrations() -> HealthCheck:
    number = pending_migrations()
    return HealthCheck(_("Migrations to apply"), str(number), not number, _("Run manage.py deploy."))


def _check_failed_tasks() -> HealthCheck:
    since = timezone.now() - timedelta(days=1)
    failed = DBTaskResult.objects.failed().filter(finished_at__gt=since)
    names = ", ".join(sorted(set(failed.values_list("task_path", flat=True))))
    return HealthCheck(
        _("Tasks that failed in a day"), f"{failed.count()} {names}".strip(), not names, _("The log says why.")
    )


def all_health_checks() -> list[HealthCheck]:
    """Return the HealthChecks of this app and, after them, those of other apps."""
    found = [HealthCheck(_("Version"), settings.VERSION)]
    found += [_check_workers(), _check_queue_length(), _check_failed_tasks(), _check_backup(), _check_migrations()]
    return found + [check for _receiver, checks in health_checks.send(sender=None) for check in checks]  # type: ignore[misc, union-attr]  # the stub takes every result for a string


# Metrics and alerts


def gauges() -> list[Gauge]:
    """Return the Gauges of /metrics."""
    number, oldest = queue_length()
    found: list[Gauge] = [
        ("queue_tasks", "Waiting tasks", "", {"": number}),
        ("queue_age_seconds", "Age of the oldest waiting task", "", {"": seconds_since(oldest)}),
        ("workers", "Workers with a heartbeat within a minute", "", {"": active_workers().count()}),
        (
            "backup_age_seconds",
            "Age of the last successful backup; -1: there is none",
            "",
            {"": seconds_since(last_backup(), -1)},
        ),
        (
            "job_succeeded",
            "Whether the last run of a scheduled job succeeded",
            "job",
            {run.name: int(bool(run.succeeded)) for run in JobRun.objects.exclude(succeeded=None)},
        ),
    ]
    return found + [gauge for _receiver, gauges in collect_metrics.send(sender=None) for gauge in gauges]  # type: ignore[misc, union-attr]  # the stub takes every result for a string


def seconds_since(moment: datetime | None, missing: float = 0) -> float:
    """Return the seconds since `moment` (a datetime), or `missing` if it is None."""
    return (timezone.now() - moment).total_seconds() if moment else missing


def alert_if_queue_stalls() -> None:
    """Raise an alert if no worker runs or the oldest task waits for too long. Mailed by this process, as no worker would."""
    number, oldest = queue_length()
    age = timezone.now() - oldest if oldest else timedelta(0)
    if age > MAX_QUEUE_AGE or (number and age > WORKER_TIMEOUT and not active_workers().exists()):
        minutes = int(age.total_seconds() // 60)
        raise_alert(
            "queue",
            f"{number} tasks wait, the oldest for {minutes} minutes; {active_workers().count()} workers are running.",
            at_once=True,
        )
