"""Crashes and outages at full size (`make chaos`): campaigns whose workers are killed, and whose services go away."""

import os
import random
import signal
import sys
import time
from collections import Counter
from email import message_from_bytes

import pytest
from django.db import OperationalError, connection

from newsletter.campaigns import lifecycle
from newsletter.models import Campaign, Delivery, IssuePage, Subscriber
from tests.fakes import ProviderAPI, SMTPServer
from tests.services import postgres, redis_starts, redis_stops
from tests.transactional import _django_db_helper  # noqa: F401
from tests.workers import Workers, by_smtp, environment, wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.django_db]
PEOPLE = int(os.environ.get("CHAOS_PEOPLE", "20000"))
KILLS = int(os.environ.get("CHAOS_KILLS", "50"))
WORKERS, CONNECTIONS = 2, 10
ALLOWED = 5  # connections that a strict server takes
LEASE_SECONDS = 3  # of the tests' settings
SLOW_SECONDS = 40


class Ledger(SMTPServer):
    """Remembers to whom a mail went and under which Message-ID, no more: twenty thousand mails are large.

    With `allowed`, further connections are refused, as many providers do.
    """

    allowed, open = None, 0

    def process_request_thread(self, request, client_address):
        with self._lock:
            self.open += 1
            is_one_too_many = self.allowed is not None and self.open > self.allowed
        if is_one_too_many:
            request.sendall(b"421 4.7.0 too many connections\r\n")
            self.shutdown_request(request)
        else:
            super().process_request_thread(request, client_address)
        with self._lock:
            self.open -= 1

    def keep(self, recipient, raw):
        head = raw.partition(b"\r\n\r\n")[0]
        with self._lock:
            self.mails.append((recipient, message_from_bytes(head)["Message-ID"]))


@pytest.fixture
def server():
    with Ledger() as server:
        yield server


def start_campaign(number):
    Subscriber.objects.bulk_create(
        Subscriber(email=f"{each}@example.org", state=Subscriber.State.ACTIVE) for each in range(number)
    )
    campaign = Campaign.objects.create(issue=IssuePage.objects.get(locale__language_code="es"))
    lifecycle.start(campaign)
    # Nobody queues a task: the workers poll for due work.
    Campaign.objects.filter(pk=campaign.pk).update(worked_at=None)
    return campaign


def is_sent(campaign):
    """Whether a campaign is finished; False while the database is away."""
    try:
        return Campaign.objects.get(pk=campaign.pk).state == Campaign.State.SENT
    except OperationalError:
        connection.close()
        return False


def say(words):
    """What docs/performance.md tells of."""
    sys.stderr.write(f"\nchaos: {words}\n")


def report(server, campaign, kills):
    """Print what was sent, and return how many mails were repeated."""
    copies = Counter(recipient for recipient, _number in server.mails)
    repeated = sum(copies.values()) - len(copies)
    say(f"{len(copies):,} people, {kills} blows, {repeated} mails repeated")
    return repeated


def check_everybody_got_it(server, campaign, number):
    assert len({recipient for recipient, _id in server.mails}) == number, "somebody was left out"
    assert len(set(server.mails)) == number, "a repeated mail has another Message-ID"
    assert campaign.counts()[Delivery.State.SENT] == number


def test_killed_fifty_times_at_random(server):
    server.seconds = 0.15  # so that it takes long enough to be killed in
    campaign = start_campaign(PEOPLE)
    kills = 0
    with Workers(by_smtp(server.port, SMTP_CONNECTIONS=str(CONNECTIONS))) as workers:
        for _worker in range(WORKERS):
            workers.start()
        assert wait_until(lambda: server.mails, 60)
        while kills < KILLS and not is_sent(campaign):
            time.sleep(random.uniform(0, 3))
            before = len(server.mails)
            workers.kill(random.choice(workers.running))
            workers.start()
            kills += 1
            if kills % 5 == 0:
                wait_until(lambda before=before: len(server.mails) > before + 50, 20)
        server.seconds = 0
        assert wait_until(lambda: is_sent(campaign), 300), campaign.counts()
    assert kills == KILLS, "it was finished too early"
    repeated = report(server, campaign, kills)
    check_everybody_got_it(server, campaign, PEOPLE)
    assert repeated <= kills * CONNECTIONS


def test_killed_where_the_provider_takes_an_idempotency_key_repeats_nothing():
    number, kills = PEOPLE // 10, KILLS // 5
    with ProviderAPI() as api:
        api.seconds = 0.05
        campaign = start_campaign(number)
        env = environment(EMAIL_PROVIDER="brevo", BREVO_API_KEY="k", BREVO_API_URL=f"{api.url}/")
        with Workers(env) as workers:
            for _worker in range(WORKERS):
                workers.start()
            assert wait_until(lambda: api.sent, 60)
            for _kill in range(kills):
                time.sleep(random.uniform(0, 3))
                workers.kill(random.choice(workers.running))
                workers.start()
            assert wait_until(lambda: is_sent(campaign), 300), campaign.counts()
        calls = len(api.calls)
        say(f"{number:,} people, {kills} kills, {calls - number} calls repeated, {len(api.sent) - number} mails")
        assert sorted(api.sent) == sorted(f"{each}@example.org" for each in range(number))
        assert campaign.counts()[Delivery.State.SENT] == number


@pytest.mark.skipif(connection.vendor == "sqlite", reason="make chaos")
def test_database_sessions_ended_at_random(server):
    server.seconds = 0.05
    number, ends = PEOPLE // 2, KILLS
    campaign = start_campaign(number)
    with Workers(by_smtp(server.port, SMTP_CONNECTIONS=str(CONNECTIONS))) as workers:
        running = [workers.start() for _worker in range(WORKERS)]
        assert wait_until(lambda: server.mails, 60)
        for _end in range(ends):
            time.sleep(random.uniform(0, 0.5))
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        assert wait_until(lambda: is_sent(campaign), 300), campaign.counts()
        assert all(worker.poll() is None for worker in running), "a worker ended"
    repeated = report(server, campaign, ends)
    check_everybody_got_it(server, campaign, number)
    assert repeated <= ends * WORKERS * CONNECTIONS


@pytest.mark.skipif(connection.vendor == "sqlite", reason="make chaos")
def test_stopped_and_continued_at_random(server):
    server.seconds = 0.1
    number, stops = PEOPLE // 4, KILLS // 5
    campaign = start_campaign(number)
    with Workers(by_smtp(server.port, SMTP_CONNECTIONS=str(CONNECTIONS))) as workers:
        running = [workers.start() for _worker in range(WORKERS)]
        assert wait_until(lambda: server.mails, 60)
        for _stop in range(stops):
            worker = random.choice(running)
            os.kill(worker.pid, signal.SIGSTOP)
            time.sleep(random.uniform(LEASE_SECONDS / 2, 2 * LEASE_SECONDS))
            os.kill(worker.pid, signal.SIGCONT)
            time.sleep(random.uniform(0, 1))
        server.seconds = 0
        assert wait_until(lambda: is_sent(campaign), 300), campaign.counts()
    repeated = report(server, campaign, stops)
    check_everybody_got_it(server, campaign, number)
    assert repeated <= stops * CONNECTIONS


def test_a_server_that_takes_fewer_connections_than_ours(server):
    server.seconds, server.allowed = 0.05, ALLOWED
    number = PEOPLE // 10
    campaign = start_campaign(number)
    with Workers(by_smtp(server.port, SMTP_CONNECTIONS=str(CONNECTIONS))) as workers:
        workers.start()
        assert wait_until(lambda: server.mails, 60)
        started = time.monotonic()
        assert wait_until(lambda: is_sent(campaign), 300), campaign.counts()
        seconds = time.monotonic() - started
    possible = number * server.seconds / ALLOWED
    say(
        f"{number:,} mails over {ALLOWED} of {CONNECTIONS} connections in {seconds:.0f} s; {possible:.0f} s are possible"
    )
    check_everybody_got_it(server, campaign, number)
    assert report(server, campaign, 0) == 0
    assert seconds < 2 * possible + 10


def test_answers_lost_at_the_dot(server):
    """One answer in twenty is lost once, and one in a hundred each time: nobody gets a third mail, and who may have two is known."""
    server.seconds = 0.02
    number = PEOPLE // 10
    people = [f"{each}@example.org" for each in range(number)]
    random.shuffle(people)
    always, once = people[: number // 100], people[number // 100 : number // 20]
    for person in always + once:
        server.orders["DATA"][person].extend(["vanish"] * (9 if person in always else 1))
    campaign = start_campaign(number)
    with Workers(by_smtp(server.port, SMTP_CONNECTIONS=str(CONNECTIONS))) as workers:
        workers.start()
        assert wait_until(lambda: is_sent(campaign), 300), campaign.counts()
    copies = Counter(recipient for recipient, _number in server.mails)
    unknown = set(campaign.deliveries.filter(state=Delivery.State.UNKNOWN).values_list("subscriber__email", flat=True))
    report(server, campaign, len(once) + len(always))
    assert unknown == set(always)
    assert {person for person, number in copies.items() if number > 1} == {*always, *once}
    assert max(copies.values()) == 2
    assert len(set(server.mails)) == number, "a repeated mail has another Message-ID"


def test_a_server_that_is_slow_at_the_dot(server):
    """It takes longer than EMAIL_TIMEOUT, and less than RFC 5321 allows: everybody gets one mail."""
    server.seconds = SLOW_SECONDS
    number = 2 * CONNECTIONS
    campaign = start_campaign(number)
    with Workers(by_smtp(server.port, SMTP_CONNECTIONS=str(CONNECTIONS))) as workers:
        workers.start()
        assert wait_until(lambda: is_sent(campaign), 5 * SLOW_SECONDS), campaign.counts()
    check_everybody_got_it(server, campaign, number)
    assert report(server, campaign, number) == 0


@pytest.mark.skipif("TEST_POSTGRES" not in os.environ, reason="make chaos")
def test_without_postgresql_for_a_while(server):
    server.seconds = 0.05
    number, stops = PEOPLE // 2, 3
    campaign = start_campaign(number)
    with Workers(by_smtp(server.port, SMTP_CONNECTIONS=str(CONNECTIONS))) as workers:
        running = [workers.start() for _worker in range(WORKERS)]
        for _stop in range(stops):
            before = len(server.mails)
            assert wait_until(lambda before=before: len(server.mails) > before + number // 20, 60)
            connection.close()
            postgres("stop")
            time.sleep(6)  # longer than a lease
            postgres("start")
        assert wait_until(lambda: is_sent(campaign), 300), campaign.counts()
        assert all(worker.poll() is None for worker in running), "a worker ended"
    repeated = report(server, campaign, stops)
    check_everybody_got_it(server, campaign, number)
    assert repeated <= stops * WORKERS * CONNECTIONS


@pytest.mark.skipif("TEST_REDIS" not in os.environ, reason="make chaos")
def test_without_redis_for_a_while(server):
    server.seconds = 0.05
    number, stops = PEOPLE // 2, 3
    campaign = start_campaign(number)
    env = by_smtp(server.port, SMTP_CONNECTIONS=str(CONNECTIONS), REDIS_URL=os.environ["TEST_REDIS_URL"])
    with Workers(env) as workers:
        running = [workers.start() for _worker in range(WORKERS)]
        for _stop in range(stops):
            before = len(server.mails)
            assert wait_until(lambda before=before: len(server.mails) > before + number // 20, 60)
            redis_stops()
            time.sleep(6)
            redis_starts()
        assert wait_until(lambda: is_sent(campaign), 300), campaign.counts()
        assert all(worker.poll() is None for worker in running), "a worker ended"
    assert report(server, campaign, stops) == 0
    check_everybody_got_it(server, campaign, number)
