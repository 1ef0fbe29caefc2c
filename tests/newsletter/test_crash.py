"""Real worker processes that are killed, paused and joined in the middle of a campaign; at full size in tests/chaos."""

import time
from collections import Counter

import pytest
from django.db import connection
from django_tasks_db.models import DBTaskResult

from newsletter import campaigns
from newsletter.models import Campaign, Delivery, IssuePage, Subscriber
from newsletter.tasks import send_campaign
from tests.committed import _django_db_helper  # noqa: F401
from tests.standins import SMTPServer
from tests.workers import Workers, by_smtp, wait_until

pytestmark = pytest.mark.django_db
PEOPLE, CONNECTIONS = 120, 4


@pytest.fixture
def server():
    """An SMTP server slow enough that a worker can be caught in the act."""
    with SMTPServer() as server:
        server.seconds = 0.05
        yield server


@pytest.fixture
def workers(server):
    with Workers(by_smtp(server.port, SMTP_CONNECTIONS=str(CONNECTIONS))) as workers:
        yield workers


@pytest.fixture
def campaign():
    Subscriber.objects.bulk_create(
        Subscriber(email=f"{number}@example.org", state=Subscriber.State.ACTIVE) for number in range(PEOPLE)
    )
    campaign = Campaign.objects.create(issue=IssuePage.objects.get(locale__language_code="es"))
    campaigns.start(campaign)
    send_campaign.enqueue(campaign.pk)
    return campaign


def is_sent(campaign):
    return Campaign.objects.get(pk=campaign.pk).state == Campaign.State.SENT


def test_a_killed_worker_leaves_nobody_out(server, workers, campaign):
    first = workers.start()
    assert wait_until(lambda: len(server.mails) >= 20, 30)
    workers.kill(first)
    assert 20 <= len(server.mails) < PEOPLE
    # The queue has forgotten: the killed task says RUNNING for ever, and nothing else waits.
    DBTaskResult.objects.ready().delete()

    workers.start()
    assert wait_until(lambda: is_sent(campaign), 60), campaign.counts()
    copies = Counter(recipient for recipient, _message in server.mails)
    assert len(copies) == PEOPLE
    assert sum(copies.values()) - PEOPLE <= CONNECTIONS
    # A repeated message bears the same Message-ID: as many different ones as people.
    assert len({(recipient, message["Message-ID"]) for recipient, message in server.mails}) == PEOPLE
    assert not Delivery.objects.exclude(state=Delivery.State.SENT).exists()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="make test-services")
@pytest.mark.parametrize("action", ["pause", "cancel"])
def test_it_stops_within_two_seconds_and_goes_on_where_it_stood(server, workers, campaign, action):
    workers.start()
    assert wait_until(lambda: len(server.mails) >= 20, 30)
    campaigns.change_state(campaign, action)
    time.sleep(2)
    number = len(server.mails)
    assert number < PEOPLE
    time.sleep(1)
    assert len(server.mails) == number
    assert not Delivery.objects.filter(state=Delivery.State.SENDING).exists()
    if action == "pause":
        campaigns.change_state(campaign, "resume")
        send_campaign.enqueue(campaign.pk)
        assert wait_until(lambda: is_sent(campaign), 30)
        assert len(server.mails) == PEOPLE
