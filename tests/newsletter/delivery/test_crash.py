"""Real worker processes that are killed, paused and joined in the middle of a campaign; at full size in tests/chaos."""

import os
import signal
import time
from collections import Counter

import pytest
from django.db import connection
from django_tasks_db.models import DBTaskResult

from newsletter.campaigns import lifecycle
from newsletter.delivery import claim_files
from newsletter.models import Campaign, Delivery, IssuePage, Subscriber
from newsletter.tasks import send_campaign
from tests.fakes import SMTPServer
from tests.services import in_services
from tests.transactional import _django_db_helper  # noqa: F401
from tests.workers import Proxy, Workers, by_smtp, database_url, through, wait_until

pytestmark = pytest.mark.django_db
on_postgresql = pytest.mark.skipif(connection.vendor == "sqlite", reason="make test-services")
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
    lifecycle.start(campaign)
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


@in_services
def test_the_next_worker_takes_back_at_once_what_a_killed_one_held(server, campaign):
    with Workers(by_smtp(server.port, SMTP_CONNECTIONS=str(CONNECTIONS), TEST_LEASE_SECONDS="600")) as workers:
        first = workers.start()
        assert wait_until(lambda: len(server.mails) >= 20, 30)
        os.kill(first.pid, signal.SIGSTOP)
        held = Delivery.objects.filter(state=Delivery.State.SENDING)
        number = held.count()
        assert number > CONNECTIONS
        assert claim_files.expire_leases_of_dead_workers() == []  # it lives, though it does nothing
        assert held.count() == number
        workers.kill(first)
        workers.start()
        assert wait_until(lambda: is_sent(campaign), 30), campaign.counts()
    check_everybody_got_it(server, repeats=CONNECTIONS)


@on_postgresql
@pytest.mark.parametrize("action", ["pause", "cancel"])
def test_it_stops_within_two_seconds_and_goes_on_where_it_stood(server, workers, campaign, action):
    workers.start()
    assert wait_until(lambda: len(server.mails) >= 20, 30)
    lifecycle.change_state(campaign, action)
    time.sleep(2)
    number = len(server.mails)
    assert number < PEOPLE
    time.sleep(1)
    assert len(server.mails) == number
    assert not Delivery.objects.filter(state=Delivery.State.SENDING).exists()
    if action == "pause":
        lifecycle.change_state(campaign, "resume")
        send_campaign.enqueue(campaign.pk)
        assert wait_until(lambda: is_sent(campaign), 30)
        assert len(server.mails) == PEOPLE


def check_everybody_got_it(server, repeats):
    """Each person has a mail, at most `repeats` were sent twice, and the ledger says so."""
    copies = Counter(recipient for recipient, _message in server.mails)
    assert len(copies) == PEOPLE
    assert sum(copies.values()) - PEOPLE <= repeats, "too much was sent twice"
    assert not Delivery.objects.exclude(state=Delivery.State.SENT).exists()


class EndsClaims(Proxy):
    """Leads to PostgreSQL, and ends the sessions that send the second and the third claim: mails are in hand by then."""

    claims = 0

    def passes(self, data):
        if b"newsletter_delivery" in data and b"SKIP LOCKED" in data:
            self.claims += 1
            return self.claims not in {2, 3}
        return True


@on_postgresql
def test_a_session_that_ends_while_it_claims_stops_nothing(server, campaign):
    with (
        through(EndsClaims, database_url()) as (proxy, url),
        Workers(by_smtp(server.port, SMTP_CONNECTIONS=str(CONNECTIONS), DATABASE_URL=url)) as workers,
    ):
        worker = workers.start()
        assert wait_until(lambda: is_sent(campaign), 30), campaign.counts()
        assert proxy.claims > 3
        worker.terminate()
        assert worker.wait(10) == 0
    check_everybody_got_it(server, repeats=0)


@on_postgresql
def test_a_worker_that_was_stopped_begins_nothing_that_another_holds(server, workers, campaign):
    first = workers.start()
    assert wait_until(lambda: len(server.mails) >= 20, 30)
    os.kill(first.pid, signal.SIGSTOP)
    time.sleep(3.5)  # longer than a lease
    held = Delivery.objects.filter(state=Delivery.State.SENDING)
    tokens = set(held.values_list("lease_token", flat=True))
    assert held.count() > CONNECTIONS
    server.seconds = 0.2
    workers.start()
    assert wait_until(lambda: held.exclude(lease_token__in=tokens).count() > CONNECTIONS, 30)
    os.kill(first.pid, signal.SIGCONT)
    assert wait_until(lambda: is_sent(campaign), 60), campaign.counts()
    check_everybody_got_it(server, repeats=CONNECTIONS)


@in_services
def test_a_worker_that_is_told_to_end_does_so_at_once_and_leaves_nothing_in_hand(server, workers, campaign):
    worker = workers.start()
    assert wait_until(lambda: len(server.mails) >= 20, 30)
    worker.terminate()
    assert worker.wait(10) == 0
    counts = campaign.counts()
    assert counts[Delivery.State.SENT] == len(server.mails) < PEOPLE
    assert counts[Delivery.State.QUEUED] == PEOPLE - len(server.mails)


@on_postgresql
def test_a_worker_waits_for_the_database_and_goes_on(server, campaign):
    with (
        through(Proxy, database_url()) as (proxy, url),
        Workers(by_smtp(server.port, SMTP_CONNECTIONS=str(CONNECTIONS), DATABASE_URL=url)) as workers,
    ):
        worker = workers.start()
        assert wait_until(lambda: len(server.mails) >= 20, 30)
        proxy.cut()
        time.sleep(8)
        assert worker.poll() is None
        assert len(server.mails) < PEOPLE
        proxy.restore()
        assert wait_until(lambda: is_sent(campaign), 60), campaign.counts()
        proxy.cut()  # it waits for tasks now
        time.sleep(2)
        assert worker.poll() is None
        worker.terminate()
        assert worker.wait(10) == 0
    check_everybody_got_it(server, repeats=0)


@on_postgresql
def test_a_worker_waits_for_redis_and_goes_on(server, campaign):
    with (
        through(Proxy, os.environ["TEST_REDIS_URL"]) as (proxy, url),
        Workers(by_smtp(server.port, SMTP_CONNECTIONS=str(CONNECTIONS), REDIS_URL=url)) as workers,
    ):
        worker = workers.start()
        assert wait_until(lambda: len(server.mails) >= 20, 30), campaign.counts()
        proxy.cut()
        time.sleep(3)
        assert worker.poll() is None
        proxy.restore()
        assert wait_until(lambda: is_sent(campaign), 60), campaign.counts()
        proxy.cut()
        time.sleep(2)
        worker.terminate()
        assert worker.wait(10) == 0
    check_everybody_got_it(server, repeats=0)
