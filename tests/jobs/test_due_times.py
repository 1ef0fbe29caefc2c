"""When periodic jobs are due: daily ones at night, whenever the site was installed."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from jobs.models import JobRun
from jobs.periodic import enqueue_due_jobs

pytestmark = pytest.mark.django_db
ZONE = ZoneInfo("America/Santiago")


@pytest.mark.parametrize(
    ("began", "due"),
    [
        ("2026-11-27 14:20", "2026-11-28 03:00"),
        ("2026-11-28 03:00", "2026-11-29 03:00"),
        ("2026-11-28 00:10", "2026-11-29 03:00"),
        ("2026-11-28 23:59", "2026-11-29 03:00"),
        ("2026-09-05 03:00", "2026-09-06 03:00"),  # the clocks go forward in this night
    ],
)
def test_a_daily_job_runs_at_night(run_tasks, settings, time_machine, began, due):
    settings.TIME_ZONE = ZONE.key
    time_machine.move_to(datetime.fromisoformat(began).replace(tzinfo=ZONE), tick=False)
    enqueue_due_jobs()
    run_tasks()
    job = JobRun.objects.get(name="prune_tasks")
    assert job.succeeded
    assert job.due_at == datetime.fromisoformat(due).replace(tzinfo=ZONE)


def test_a_frequent_job_runs_after_its_period(run_tasks, time_machine):
    time_machine.move_to(datetime(2026, 11, 27, 14, 20, tzinfo=ZONE), tick=False)
    enqueue_due_jobs()
    run_tasks()
    assert JobRun.objects.get(name="publish_scheduled").due_at == datetime(2026, 11, 27, 14, 21, tzinfo=ZONE)
