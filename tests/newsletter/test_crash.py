"""`kill -9` in the middle of a campaign: a real worker process, a real SMTP server, the real database."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from email import message_from_bytes
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from django.conf import settings
from django.db import connection
from django_tasks_db.models import DBTaskResult

from newsletter import campaigns
from newsletter.models import Campaign, Delivery, IssuePage, Subscriber
from newsletter.tasks import send_campaign
from tests.committed import _django_db_helper  # noqa: F401

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[2]
PEOPLE = 120


class Inbox:
    """An SMTP server's handler that keeps what it takes, slowly enough that a worker can be caught in the act."""

    def __init__(self):
        self.messages = []

    async def handle_DATA(self, server, session, envelope):
        import asyncio

        await asyncio.sleep(0.01)
        self.messages.append((envelope.rcpt_tos[0], message_from_bytes(envelope.content)["Message-ID"]))
        return "250 kept"


@pytest.fixture
def inbox():
    handler = Inbox()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        handler.port = probe.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=handler.port)
    controller.start()
    yield handler
    controller.stop()


@pytest.fixture
def worker(inbox):
    """Start `manage.py worker` on this test's database; what is still running at the end is killed."""
    running = []

    def start():
        database = connection.settings_dict
        url = f"sqlite:///{database['NAME']}"
        if connection.vendor == "postgresql":
            url = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database)
        environment = {
            **os.environ,
            "DATABASE_URL": url,
            "DJANGO_SETTINGS_MODULE": "config.settings.test",
            "EMAIL_PROVIDER": "smtp",
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": str(inbox.port),
            "EMAIL_USE_TLS": "no",
            "TEST_MEDIA_ROOT": str(settings.MEDIA_ROOT),
        }
        process = subprocess.Popen([sys.executable, ROOT / "manage.py", "worker"], env=environment, cwd=ROOT)
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.wait()


def wait_until(condition, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_a_killed_worker_leaves_nobody_out(inbox, worker):
    Subscriber.objects.bulk_create(
        Subscriber(email=f"{number}@example.org", state=Subscriber.State.ACTIVE) for number in range(PEOPLE)
    )
    campaign = Campaign.objects.create(issue=IssuePage.objects.get(locale__language_code="es"))
    campaigns.start(campaign)
    send_campaign.enqueue(campaign.pk)

    first = worker()
    assert wait_until(lambda: len(inbox.messages) >= 20, 30)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert 20 <= len(inbox.messages) < PEOPLE
    # The queue has forgotten: the killed task says RUNNING for ever, and nothing else waits.
    DBTaskResult.objects.ready().delete()

    worker()
    finished = wait_until(lambda: Campaign.objects.get(pk=campaign.pk).state == Campaign.State.SENT, 60)
    assert finished, campaign.counts()
    copies = Counter(recipient for recipient, _message_id in inbox.messages)
    assert len(copies) == PEOPLE
    assert sum(copies.values()) - PEOPLE <= settings.NEWSLETTER_BATCH_SIZE
    # A repeated message bears the same Message-ID: as many different ones as people.
    assert len(set(inbox.messages)) == PEOPLE
    assert not Delivery.objects.exclude(state=Delivery.State.SENT).exists()
