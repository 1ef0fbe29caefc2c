"""Monitoring: the status page in the admin, /metrics, the logs, and the alert when no worker runs."""

import json
import os
import tomllib
from dataclasses import replace
from datetime import timedelta

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import override
from django_tasks_db.models import DBTaskResult
from jobs.heartbeat import record_heartbeat
from jobs.models import JobRun, WorkerHeartbeat
from jobs.periodic import JOBS, enqueue_due_jobs, run_job
from operations import logs, status

from newsletter.models import Campaign, Delivery, ProviderEvent
from newsletter.tasks import process_sign_ups
from tests import starts
from tests.workers import ROOT, environment

pytestmark = pytest.mark.django_db


def read(client):
    return client.get(reverse("operations")).content.decode()


def test_the_page_shows_every_job_and_says_what_to_do(staff_client, settings):
    settings.BACKUP_KEEP = 14
    DBTaskResult.objects.all().delete()
    enqueue_due_jobs()
    JobRun.objects.filter(name="publish_scheduled").update(
        started_at=timezone.now() - timedelta(minutes=3), succeeded=False, outcome="OperationalError: gone"
    )
    text = read(staff_client)
    with override("en"):
        labels = [str(capfirst(job.label)) for job in JOBS.values()]
    for label in labels:
        assert label in text
    assert "OperationalError: gone" in text
    assert "systemctl start clac-worker@1" in text  # none runs
    assert "manage.py backup" in text  # none was made
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] in text


def test_a_worker_that_ticks_is_shown_and_one_that_fell_silent_is_not(staff_client):
    now = timezone.now()
    record_heartbeat(now)
    WorkerHeartbeat.objects.create(name="gone:1", started_at=now, seen_at=now - timedelta(minutes=5))
    text = read(staff_client)
    assert f":{os.getpid()}" in text
    assert "gone:1" not in text


def test_a_job_can_be_asked_for_and_that_is_logged(staff_client):
    enqueue_due_jobs()
    JobRun.objects.update(due_at=timezone.now() + timedelta(days=1), lease_until=None)
    staff_client.post(reverse("operations_run", args=["back_up"]))
    assert JobRun.objects.get(due_at__lte=timezone.now()).name == "back_up"
    assert "Asked for the job to run now" in staff_client.get("/admin/reports/site-history/").content.decode()


def test_a_campaign_that_the_provider_refuses_is_shown(staff_client, issue):
    Campaign.objects.create(issue=issue, state=Campaign.State.PAUSED, problem=Campaign.Problem.HALTED)
    text = read(staff_client)
    assert "The provider refuses every mail" in text
    assert issue.title in text


def test_metrics_tell_the_figures_to_who_knows_the_token(client, settings, issue, subscribe):
    settings.METRICS_TOKEN = "correct horse"
    campaign = Campaign.objects.create(issue=issue, state=Campaign.State.SENDING)
    Delivery.objects.create(campaign=campaign, subscriber=subscribe("a@example.org"), state=Delivery.State.SENT)
    ProviderEvent.objects.create(
        provider="x", fingerprint="x", kind="sent", received_at=timezone.now() - timedelta(minutes=2)
    )
    DBTaskResult.objects.all().delete()
    process_sign_ups.enqueue()
    DBTaskResult.objects.update(enqueued_at=timezone.now() - timedelta(minutes=1))
    client.get("/es/")
    client.get("/es/")
    for wrong in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Bearer ñ"}):
        assert client.get("/metrics", headers=wrong).status_code == 404
    text = client.get("/metrics", headers={"authorization": "Bearer correct horse"}).content.decode()
    figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(figures['clac_requests_total{cache="hit",method="GET",status="200"}']) >= 1
    assert float(figures['clac_requests_total{cache="miss",method="GET",status="200"}']) >= 1
    assert figures['clac_deliveries{state="sent"}'] == "1.0"
    assert figures["clac_queue_tasks"] == "1.0"
    assert 60 <= float(figures["clac_queue_age_seconds"]) < 70
    assert 120 <= float(figures["clac_webhook_lag_seconds"]) < 130
    assert figures["clac_workers"] == "0.0"
    assert figures["clac_backup_age_seconds"] == "-1.0"


def test_nobody_reads_metrics_unless_a_token_is_set(client):
    assert client.get("/metrics", headers={"authorization": "Bearer "}).status_code == 404


def test_an_alarm_is_mailed_when_tasks_wait_and_nobody_works(settings):
    settings.ALERT_EMAILS = ["operator@example.org"]
    DBTaskResult.objects.all().delete()
    status.alert_if_queue_stalls()
    process_sign_ups.enqueue()
    status.alert_if_queue_stalls()
    assert not mail.outbox
    DBTaskResult.objects.update(enqueued_at=timezone.now() - timedelta(minutes=3))
    status.alert_if_queue_stalls()
    status.alert_if_queue_stalls()
    (sent,) = mail.outbox
    assert sent.to == ["operator@example.org"]
    assert "0 workers are running" in sent.body


# Logs


def log_of(code, **env):
    """The lines, as JSON, that a process logs which runs `code`."""
    answer = starts.manage("shell", "--no-imports", "-c", code, env=environment(LOG_JSON="yes", **env))
    assert answer.returncode == 0, answer.stderr
    return [json.loads(line) for line in answer.stderr.splitlines() if line.startswith("{")]  # the rest are warnings


def test_a_line_of_the_log_is_json_with_the_number_of_its_request():
    (line,) = log_of(
        "from django.test import Client; Client().get('/es/buscar/?q=rosa', headers={'x-request-id': '7f'})",
        BEHIND_PROXY="yes",
    )
    assert line["event"] == "request_finished"
    assert line["request_id"] == "7f"
    assert line["code"] == 200
    assert "rosa" not in json.dumps(line)
    assert "127.0.0.1" not in json.dumps(line)


def test_a_line_about_sending_has_the_number_of_its_campaign():
    (line,) = log_of(
        "import logging; from structlog.contextvars import bound_contextvars\n"
        "with bound_contextvars(campaign_id=7): logging.getLogger('newsletter.delivery.worker').warning('slow: %s', 'a@example.org')"
    )
    assert line["campaign_id"] == 7
    assert line["event"] == "slow: …"
    assert line["level"] == "warning"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GET /es/subscription/leave/ABCDEFGHIJKLMNOPQRSTUVWXYZ234567/", "GET /es/subscription/leave/…/"),
        ("Mail for Rosa.Díaz+x@example.org.sv failed", "Mail for … failed"),
        ("GET /en/search/?q=coffee&page=2", "GET /en/search/?…"),
        ("GET /es/que-hacemos/organizaciones-de-productoras/", "GET /es/que-hacemos/organizaciones-de-productoras/"),
        ("key xkeysib-0123456789abcdef0123456789abcdef", "key …"),
    ],
)
def test_what_is_a_persons_or_secret_is_blanked(text, expected):
    assert logs.blank(text) == expected


def test_an_unexpected_error_of_a_request_is_in_the_log_with_its_traceback():
    """With the settings of a server: the tests' own log more, or less."""
    lines = log_of(
        "from core import views; views.search_pages = lambda *arguments: 1 / 0;"
        "from django.test import Client; Client(raise_request_exception=False).get('/es/buscar/?q=rosa')"
    )
    assert any(line["level"] == "error" and "ZeroDivisionError" in json.dumps(line) for line in lines)
    assert "rosa" not in json.dumps(lines)


def test_nobody_writes_lines_into_the_log():
    lines = log_of(
        'import logging; logging.getLogger(\'core\').warning(\'Denied: %s\', \'/x\\n{"level": "info", "event": "forged"}\')'
    )
    assert len(lines) == 1
    assert "forged" in lines[0]["event"]


def test_a_job_that_fails_is_mailed_to_the_operators_once_an_hour(settings, monkeypatch, run_tasks):
    def fail():
        raise OSError("No space left on device")

    settings.ALERT_EMAILS = ["operator@example.org"]
    monkeypatch.setitem(JOBS, "back_up", replace(JOBS["back_up"], function=fail))
    for _run in range(2):
        run_job.call("back_up")
    run_tasks()
    (sent,) = mail.outbox
    assert "job back_up" in sent.subject
    assert "No space left on device" in sent.body


def test_the_processes_of_the_web_server_write_their_numbers_where_all_are_found():
    code = (
        "import config.wsgi, pathlib; from django.conf import settings; from operations.metrics import REQUESTS;"
        "REQUESTS.labels('GET', 200, 'hit').inc();"
        "print(sorted(path.name.partition('_')[0] for path in (settings.VAR_DIR / 'metrics').iterdir()))"
    )
    answer = starts.python(code, environment())
    assert "counter" in answer.stdout
