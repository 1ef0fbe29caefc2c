"""Scheduled jobs with several schedulers, each a real process."""

import subprocess
import sys

import pytest
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from jobs.models import JobRun

from tests.services import in_services
from tests.transactional import _django_db_helper  # noqa: F401
from tests.workers import ROOT, Workers, environment, wait_until

pytestmark = pytest.mark.django_db


@in_services
def test_a_job_runs_once_with_two_schedulers_and_two_workers():
    schedulers = [
        subprocess.Popen([sys.executable, ROOT / "manage.py", "scheduler"], env=environment(), cwd=ROOT)
        for _number in range(2)
    ]
    try:
        with Workers(environment()) as workers:
            for _number in range(2):
                workers.start()
            assert wait_until(lambda: JobRun.objects.filter(name="publish_scheduled", succeeded=True).exists(), 40)
            first = JobRun.objects.get(name="publish_scheduled")
            runs = [row.args_kwargs["args"][0] for row in DBTaskResult.objects.filter(task_path__endswith="run_job")]
            assert runs.count("publish_scheduled") == 1
            assert first.due_at > timezone.now()
    finally:
        for scheduler in schedulers:
            scheduler.terminate()
    assert [scheduler.wait(10) for scheduler in schedulers] == [0, 0]
