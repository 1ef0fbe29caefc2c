"""Work that comes round: what is to run how often, and when it last ran.

A function decorated with `@every` becomes a job. Every worker's tick looks for jobs that are due; whoever claims one first
queues it, so that it runs once however many workers there are. A worker that dies with it leaves it to the next.
"""

import logging
import traceback
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q
from django.dispatch import receiver
from django.utils import timezone
from django_tasks import task
from redaction.text import blank
from structlog.contextvars import bound_contextvars

from jobs.models import JobRun
from jobs.recovery import tick
from jobs.signals import alert

logger = logging.getLogger(__name__)
LEASE = timedelta(hours=1)  # after this a job whose worker went silent is due again
JOBS = {}


@dataclass(frozen=True)
class Job:
    """A function that is to run again and again, its label for people, and how often."""

    function: object
    label: str
    period: timedelta


def every(period, label):
    """Have the decorated function run once in each `period` (a timedelta). What it returns is shown as the outcome."""

    def register(function):
        JOBS[function.__name__] = Job(function, label, period)
        return function

    return register


def report(removed):
    """Log how many rows of what were removed ({kind: number}); returns the same as a job's outcome."""
    line = ", ".join(f"{kind}: {number}" for kind, number in removed.items())
    logger.info("Removed by age: %s", line)
    return line


@receiver(tick)
def queue_due_jobs(**kwargs):
    """Queue each job that is due, once."""
    now = timezone.now()
    known = set(JobRun.objects.values_list("name", flat=True))
    JobRun.objects.bulk_create([JobRun(name=name) for name in JOBS if name not in known], ignore_conflicts=True)
    due = JobRun.objects.filter(Q(lease_until=None) | Q(lease_until__lte=now), name__in=JOBS, due_at__lte=now)
    for name in due.values_list("name", flat=True):
        if due.filter(name=name).update(lease_until=now + LEASE):
            run_job.enqueue(name)


@task(priority=10)
def run_job(name):
    """Run a job and keep what came of it."""
    with bound_contextvars(job=name):
        _run(name)


def _run(name):
    job, started = JOBS[name], timezone.now()
    JobRun.objects.filter(name=name).update(started_at=started)
    try:
        outcome, succeeded = str(job.function() or ""), True
    except Exception as error:
        logger.exception("The job %s failed", name)
        outcome, succeeded = blank("".join(traceback.format_exception_only(error)).strip()), False
    JobRun.objects.filter(name=name).update(
        finished_at=timezone.now(),
        due_at=started + job.period,
        lease_until=None,
        succeeded=succeeded,
        outcome=outcome[:2000],
    )
    if not succeeded:
        alert.send(sender=None, kind=f"job {name}", text=outcome[:2000])
