"""Workers on several machines: they share nothing but PostgreSQL and Redis (`make test-services`)."""

import os
import subprocess
import sys

import pytest
import redis
from caching.page_cache import Generation
from django.db import connection

from newsletter.campaigns import lifecycle
from newsletter.models import Campaign, Delivery, IssuePage, Subscriber
from tests import services
from tests.fakes import SMTPServer
from tests.transactional import _django_db_helper  # noqa: F401
from tests.workers import ROOT, Workers, by_smtp, wait_until

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif("TEST_REDIS_URL" not in os.environ, reason="needs Redis: make test-services"),
]
PEOPLE = 1500


@pytest.fixture
def redis_url():
    """A database of the test's own in Redis, empty."""
    url = services.redis_url()
    redis.Redis.from_url(url).flushdb()
    return url


@pytest.fixture
def server():
    with SMTPServer() as server:
        server.seconds = 0.02
        yield server


@pytest.mark.skipif(connection.vendor != "postgresql", reason="several machines need PostgreSQL")
def test_two_workers_share_a_campaign_and_nothing_else(server, redis_url, tmp_path):
    Subscriber.objects.bulk_create(
        Subscriber(email=f"{number}@example.org", state=Subscriber.State.ACTIVE) for number in range(PEOPLE)
    )
    campaign = Campaign.objects.create(issue=IssuePage.objects.get(locale__language_code="es"))
    lifecycle.start(campaign)
    env = by_smtp(server.port, SMTP_CONNECTIONS="5", REDIS_URL=redis_url)
    with (
        Workers(env | {"TEST_MEDIA_ROOT": str(tmp_path / "1")}) as here,
        Workers(env | {"TEST_MEDIA_ROOT": str(tmp_path / "2")}) as there,
    ):
        here.start()
        there.start()
        # A third machine, the web server's, says “send”; it enqueues one task.
        code = f"from newsletter.tasks import send_campaign; send_campaign.enqueue({campaign.pk})"
        subprocess.run([sys.executable, "manage.py", "shell", "-c", code], env=env, cwd=ROOT, check=True, timeout=60)
        assert wait_until(lambda: server.connections == 10, 30)  # both send
        assert wait_until(lambda: Campaign.objects.get(pk=campaign.pk).state == Campaign.State.SENT, 90)
    assert len(server.mails) == len({recipient for recipient, _message in server.mails}) == PEOPLE


FAST_CLOCK = """
import runpy, sys, time_machine
from datetime import UTC, datetime, timedelta
sys.argv = ["manage.py", "worker"]
with time_machine.travel(datetime.now(UTC) + timedelta(minutes=2)):
    runpy.run_path("manage.py", run_name="__main__")
"""


@pytest.mark.skipif(connection.vendor != "postgresql", reason="several machines need PostgreSQL")
def test_a_machine_whose_clock_is_two_minutes_fast_takes_nothing_from_the_others(server, redis_url, tmp_path):
    """Of two workers one would see the other's leases expired, and mail twice what is in its hands."""
    server.seconds = 0.3
    Subscriber.objects.bulk_create(
        Subscriber(email=f"{number}@example.org", state=Subscriber.State.ACTIVE) for number in range(600)
    )
    campaign = Campaign.objects.create(issue=IssuePage.objects.get(locale__language_code="es"))
    lifecycle.start(campaign)
    tokens = campaign.deliveries.filter(state=Delivery.State.SENDING).values("lease_token").distinct()
    env = by_smtp(server.port, SMTP_CONNECTIONS="5", REDIS_URL=redis_url)
    there = subprocess.Popen(
        [sys.executable, "-c", FAST_CLOCK], env=env | {"TEST_MEDIA_ROOT": str(tmp_path / "2")}, cwd=ROOT
    )
    try:
        with Workers(env | {"TEST_MEDIA_ROOT": str(tmp_path / "1")}) as here:
            here.start()
            code = f"from newsletter.tasks import send_campaign; send_campaign.enqueue({campaign.pk})"
            subprocess.run(
                [sys.executable, "manage.py", "shell", "-c", code], env=env, cwd=ROOT, check=True, timeout=60
            )
            assert wait_until(lambda: tokens.count() > 1, 40)  # both send
            assert wait_until(lambda: Campaign.objects.get(pk=campaign.pk).state == Campaign.State.SENT, 90)
    finally:
        there.kill()
        there.wait()
    assert len(server.mails) == len({recipient for recipient, _message in server.mails}) == 600


def test_what_drops_the_pages_of_one_machine_drops_those_of_the_others(redis_url, settings, tmp_path):
    from caching import invalidation

    settings.REDIS_URL, settings.VAR_DIR = redis_url, tmp_path / "here"
    generation = Generation(tmp_path / "here" / "generation")
    listener = invalidation.PurgeListener(generation)
    listener.start()
    assert listener.is_listening.wait(10)
    before = generation.current()
    invalidation.publish_purge()  # its own: dropped already
    assert not wait_until(lambda: generation.current() != before, 0.5)
    settings.VAR_DIR = tmp_path / "there"
    invalidation.publish_purge()
    assert wait_until(lambda: generation.current() != before, 5)


def test_a_purge_without_redis_is_only_a_warning(settings, caplog):
    from caching import invalidation

    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    invalidation.publish_purge()
    assert "Redis is unavailable" in caplog.text
