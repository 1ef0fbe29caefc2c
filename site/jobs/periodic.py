"""Periodic jobs.

Decorate a function with `@every` to register it as a job. Every worker polls for due jobs; the first to claim one enqueues it,
so a job runs once however many workers there are. If the worker dies, the lease expires and the job is due again.
"""

import logging
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Q
from django.dispatch import receiver
from django.utils import timezone
from django.utils.functional import Promise
from django_tasks import task
from redaction.text import blank
from structlog.contextvars import bound_contextvars

from jobs.models import JobRun
from jobs.recovery import worker_poll
from jobs.signals import alert

logger = logging.getLogger(__name__)
LEASE = timedelta(hours=1)  # after this a job that did not finish is due again
NIGHT = time(3)  # in TIME_ZONE: when daily jobs run, whenever the site was installed
JobFunction = TypeVar("JobFunction", bound=Callable[[], object])


@dataclass(frozen=True)
class Job:
    """A function, its label in the admin, and the period in which it runs once."""

    function: Callable[[], object]
    label: str | Promise
    period: timedelta


JOBS: dict[str, Job] = {}  # by name


def every(period: timedelta, label: str | Promise) -> Callable[[JobFunction], JobFunction]:
    """Register the decorated function as a job that runs once per `period` (a timedelta); one of whole days runs at night.

    Its return value is stored as the outcome and shown under *Reports › Operations*; `label` names it there.
    """

    def register(function: JobFunction) -> JobFunction:
        JOBS[function.__name__] = Job(function, label, period)
        return function

    return register


def removal_report(removed: Mapping[str, int]) -> str:
    """Log the numbers of deleted rows, {kind: number}, and return the same line as the outcome of a job."""
    line = ", ".join(f"{kind}: {number}" for kind, number in removed.items())
    logger.info("Removed by age: %s", line)
    return line


@receiver(worker_poll)
def enqueue_due_jobs(**kwargs: object) -> None:
    """Enqueue each due job once."""
    now = timezone.now()
    known = set(JobRun.objects.values_list("name", flat=True))
    JobRun.objects.bulk_create([JobRun(name=name) for name in JOBS if name not in known], ignore_conflicts=True)
    due = JobRun.objects.filter(Q(lease_until=None) | Q(lease_until__lte=now), name__in=JOBS, due_at__lte=now)
    for name in due.values_list("name", flat=True):
        if due.filter(name=name).update(lease_until=now + LEASE):
            run_job.enqueue(name)


@task(priority=10)
def run_job(name: str) -> None:
    """Run a job and store its outcome. A failure sends an alert."""
    with bound_contextvars(job=name):
        _run(name)


def _next_due(job: Job, started: datetime) -> datetime:
    """Return when a job is due that began at `started`: one of whole days in the night of its next day, others after their period."""
    if job.period < timedelta(days=1):
        return started + job.period
    day = timezone.localdate(started, ZoneInfo(settings.TIME_ZONE)) + job.period
    return datetime.combine(day, NIGHT, ZoneInfo(settings.TIME_ZONE))


def _run(name: str) -> None:
    job, started = JOBS[name], timezone.now()
    JobRun.objects.filter(name=name).update(started_at=started)
    try:
        outcome, succeeded = str(job.function() or ""), True
    except Exception as error:
        logger.exception("The job %s failed", name)
        outcome, succeeded = blank("".join(traceback.format_exception_only(error)).strip()), False
    JobRun.objects.filter(name=name).update(
        finished_at=timezone.now(),
        due_at=_next_due(job, started),
        lease_until=None,
        succeeded=succeeded,
        outcome=outcome[:2000],
    )
    if not succeeded:
        alert.send(sender=None, kind=f"job {name}", text=outcome[:2000])
