"""The task queue on Redis, and what becomes of tasks while Redis is away."""

import os
import re
import subprocess
import sys
import zlib

import pytest
import redis
from django_tasks_db.models import DBTaskResult
from rq import Queue

from tests.services import redis_url
from tests.transactional import _django_db_helper  # noqa: F401
from tests.workers import ROOT, environment

pytestmark = [
    pytest.mark.django_db,
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
    url = redis_url()
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


def test_an_erasure_reaches_failed_and_waiting_tasks(queue):
    url, client = queue
    code = """
import smtplib
from jobs import redis_queue
from operations import alerts
from privacy.registry import export_data, erase
from datetime import timedelta
def refuse():
    raise smtplib.SMTPRecipientsRefused({"Rosa@example.org": (550, b"unknown")})
alerts.send_mail = lambda *arguments: refuse()
import django_rq
from django.conf import settings
settings.ALERT_EMAILS = ["ops@example.org"]
alerts.send_alert_email.enqueue("kind", "failed for <rosa@example.org>")
django_rq.get_worker("default", worker_class=redis_queue.Worker, job_class=redis_queue.Job).work(burst=True)
alerts.send_alert_email.enqueue("kind", "about rosa%40example.org")
alerts.send_alert_email.enqueue("kind", "about ana@example.org")
print(len(export_data("rosa@example.org")["tasks_in_redis"]), len(django_rq.get_queue("default").failed_job_registry))
erase("rosa@example.org")
"""
    assert run(code, url).split()[-2:] == ["2", "1"]
    texts = [
        key + (b"".join(client.hgetall(key).values()) if client.type(key) == b"hash" else b"")
        for key in client.keys("*")
    ]
    unpacked = b"".join(_unpacked(text) for text in texts)
    assert b"ana@example.org" in unpacked
    assert b"rosa" not in unpacked.lower()


def _unpacked(raw):
    """Some bytes of Redis, with what RQ compressed in them."""
    found = raw
    for start in (match.start() for match in re.finditer(rb"x\x9c", raw)):
        try:
            found += zlib.decompressobj().decompress(raw[start:])
        except zlib.error:
            continue
    return found


def test_while_redis_is_away_tasks_wait_in_the_database_and_move_on_when_it_is_back(queue):
    url, client = queue
    run("from newsletter.tasks import send_campaign; send_campaign.enqueue(7)", AWAY)
    assert DBTaskResult.objects.ready().filter(backend_name="database").count() == 1
    run("from jobs.recovery import recover_work; recover_work()", url)
    assert not DBTaskResult.objects.filter(backend_name="database").exists()
    jobs = Queue("bulk", connection=client).get_jobs()  # polling may enqueue other tasks as well
    assert [job.args for job in jobs].count([7]) == 1
