"""The task queue on Redis, and what becomes of tasks while Redis is away."""

import os
import subprocess
import sys

import pytest
import redis
from django_tasks_db.models import DBTaskResult
from rq import Queue

from tests.committed import _django_db_helper  # noqa: F401
from tests.workers import ROOT, environment

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.xdist_group("redis"),  # they empty it
    pytest.mark.skipif("TEST_REDIS_URL" not in os.environ, reason="needs Redis: make test-services"),
]
AWAY = "redis://127.0.0.1:1/0"


def run(code, url):
    """Run code in a process whose queue is in Redis."""
    command = [sys.executable, "manage.py", "shell", "-c", code]
    return subprocess.run(
        command, env=environment(REDIS_URL=url), cwd=ROOT, check=True, timeout=60, capture_output=True, text=True
    ).stdout


@pytest.fixture
def queue():
    """(address of a database in Redis, a client for it)."""
    url = os.environ["TEST_REDIS_URL"].rpartition("/")[0] + "/4"
    client = redis.Redis.from_url(url)
    client.flushdb()
    return url, client


def test_tasks_of_low_priority_wait_in_a_queue_of_their_own(queue):
    url, client = queue
    run("from newsletter import tasks; tasks.process_sign_ups.enqueue(); tasks.work_on_imports.enqueue()", url)
    assert client.llen("rq:queue:default") == client.llen("rq:queue:bulk") == 1


def test_a_task_is_queued_when_its_transaction_is_committed_and_not_if_it_is_undone(queue):
    url, client = queue
    code = """
from django.db import transaction
from newsletter.tasks import process_sign_ups
with transaction.atomic():
    process_sign_ups.enqueue()
    print(len(__import__('django_rq').get_queue('default')))
try:
    with transaction.atomic():
        process_sign_ups.enqueue()
        raise ValueError
except ValueError:
    pass
"""
    assert run(code, url).split()[-1] == "0"
    assert client.llen("rq:queue:default") == 1


def test_while_redis_is_away_tasks_wait_in_the_database_and_move_on_when_it_is_back(queue):
    url, client = queue
    run("from newsletter.tasks import send_campaign; send_campaign.enqueue(7)", AWAY)
    assert DBTaskResult.objects.ready().filter(backend_name="database").count() == 1
    run("from core.work import send_tick; send_tick()", url)
    assert not DBTaskResult.objects.filter(backend_name="database").exists()
    jobs = Queue("bulk", connection=client).get_jobs()  # the tick may queue work of its own besides
    assert [job.args for job in jobs].count([7]) == 1
