"""Faults everywhere: each call to the database, a socket or an encoder raises once, at every point of a campaign.

A clean run counts the calls; then the campaign runs once for each of them, and that call fails. The server is a real one, the
worker runs in this process. Whatever fails, the campaign ends, nothing hangs, and whoever got no mail is shown.
"""

import os
import socket
import threading
import time
from collections import Counter

import pytest
from django.core.mail import EmailMultiAlternatives
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from jobs.process import Watchdog

from newsletter.campaigns import lifecycle
from newsletter.campaigns.snapshots import Content
from newsletter.delivery import personalisation, smtp_backend, worker
from newsletter.delivery.transports import api, merge, smtp, threads
from newsletter.models import Campaign, Delivery, IssuePage, Subscriber
from newsletter.tasks import send_campaign
from tests.fakes import ProviderAPI, SMTPServer
from tests.transactional import _django_db_helper  # noqa: F401

pytestmark = pytest.mark.django_db
State = Delivery.State
PEOPLE, CONNECTIONS, ROUNDS = 4, 2, 8
# `make chaos` tries every point; here every so many-th, so that the tests stay quick.
STEP = int(os.environ.get("FAULTS_STEP", "6"))
PLACES = {
    "database": [(CursorWrapper, "execute"), (BaseDatabaseWrapper, "_commit"), (BaseDatabaseWrapper, "connect")],
    "socket": [(socket.socket, name) for name in ("connect", "send", "sendall", "recv", "recv_into")],
    "encoder": [
        (Content, "headers_of"),
        (Content, "as_bytes"),
        (personalisation.Mail, "greeting"),
        (EmailMultiAlternatives, "message"),
    ],
}


class DjangoSMTP(smtp_backend.EmailBackend):
    """The SMTP back end under another name: mails go through SingleTransport."""


class Faults:
    """Counts the calls of a place; call number `at` raises `error`, before or `is_after` it was carried out."""

    def __init__(self, monkeypatch, place):
        self.place, self.is_on = place, False
        self.arm(None, None, False)
        self._lock = threading.Lock()
        for owner, name in PLACES[place]:
            monkeypatch.setattr(owner, name, self._wrapped(getattr(owner, name)), raising=True)

    def arm(self, at, error, is_after):
        self.count, self.at, self.error, self.is_after = 0, at, error, is_after

    def _concerns(self, caller):
        if not self.is_on:
            return False
        if self.place == "database":
            return threading.current_thread() is threading.main_thread()
        if self.place == "socket":  # the server's own sockets are in other threads, the event loop's in another family
            return threading.current_thread().name.startswith("transport") and caller.family == socket.AF_INET
        return True

    def _wrapped(self, function):
        def call(caller, *args, **kwargs):
            with self._lock:
                is_hit = False
                if self._concerns(caller):
                    is_hit = self.count == self.at
                    self.count += 1
            if is_hit and not self.is_after:
                raise self.error
            answer = function(caller, *args, **kwargs)
            if is_hit:
                raise self.error
            return answer

        return call


@pytest.fixture
def campaign(settings, monkeypatch):
    """A campaign to a few people, and pauses that take no time."""
    settings.NEWSLETTER_LEASE_SECONDS = 60
    monkeypatch.setattr(worker, "DATABASE_PAUSE", 0.01)
    Subscriber.objects.bulk_create(
        Subscriber(email=f"{number}@example.org", name="Ñusta" * (number % 2), state=Subscriber.State.ACTIVE)
        for number in range(PEOPLE)
    )
    campaign = Campaign.objects.create(issue=IssuePage.objects.get(locale__language_code="es"))
    lifecycle.start(campaign)
    return campaign


@pytest.fixture(params=["single", "merge", "smtp"])
def server(request, settings):
    """A server that takes the mails; `received()` are the addresses that got one, once for each copy."""
    if request.param == "merge":
        settings.EMAIL_PROVIDER, settings.EMAIL_BACKEND = "mailgun", "anymail.backends.mailgun.EmailBackend"
        with ProviderAPI() as api:
            settings.ANYMAIL = {
                "MAILGUN_API_KEY": "k",
                "MAILGUN_SENDER_DOMAIN": "example.org",
                "MAILGUN_API_URL": api.url,
            }
            api.received = lambda: api.sent
            yield api
        return
    settings.EMAIL_PROVIDER = "smtp"
    settings.EMAIL_BACKEND = {
        "smtp": "newsletter.delivery.smtp_backend.EmailBackend",
        "single": "tests.newsletter.delivery.test_faults.DjangoSMTP",
    }[request.param]
    settings.EMAIL_HOST, settings.EMAIL_USE_TLS = "127.0.0.1", False
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_TIMEOUT, settings.SMTP_CONNECTIONS = 2, CONNECTIONS
    settings.SMTP_REPLY_SECONDS = dict.fromkeys(settings.SMTP_REPLY_SECONDS, 2)
    with SMTPServer() as server:
        settings.EMAIL_PORT = server.port
        server.received = lambda: [recipient for recipient, _message in server.mails]
        yield server


def begin_anew(campaign, server):
    """The campaign as it was before its first mail."""
    campaign.deliveries.update(
        state=State.QUEUED, lease_until=None, lease_token=None, attempts=0, refused_at=None, sent_at=None, error=""
    )
    Campaign.objects.filter(pk=campaign.pk).update(
        state=Campaign.State.SENDING, resume_at=None, outages=0, refusals=0, finished_at=None, problem=""
    )
    server.received().clear() if hasattr(server, "sent") else server.mails.clear()


def send(campaign, faults):
    """Work on a campaign, as the queue and the poll do, until it is sent; no pauses."""
    for _round in range(ROUNDS):
        faults.is_on = True
        try:
            send_campaign.func(campaign.pk)
        except Exception:  # the worker's task failed: its campaign is woken again
            connection.close()
        finally:
            faults.is_on = False
        assert not campaign.counts()[State.SENDING], "left in hand when its shift was over"
        if not Campaign.objects.filter(pk=campaign.pk, state=Campaign.State.SENDING).exists():
            return
        campaign.deliveries.filter(state=State.QUEUED).update(lease_until=None)
        Campaign.objects.filter(pk=campaign.pk).update(resume_at=None)


def check(campaign, server):
    """It is over, everybody's state says what they got, and little was sent twice."""
    states = dict(campaign.deliveries.values_list("subscriber__email", "state"))
    copies = Counter(server.received())
    assert Campaign.objects.get(pk=campaign.pk).state == Campaign.State.SENT, states
    assert set(states.values()) <= {State.SENT, State.FAILED, State.UNKNOWN}
    assert {email for email, state in states.items() if state == State.SENT} <= set(copies), "sent, and never arrived"
    assert all(copies[email] <= 2 for email in states)


ERRORS = {
    "database": [
        (OperationalError("server closed the connection unexpectedly"), False),
        (OperationalError("server closed the connection unexpectedly"), True),
        (RuntimeError("a fault"), False),
    ],
    "socket": [
        (ConnectionResetError("reset"), False),
        (ConnectionResetError("reset"), True),
        (RuntimeError("a fault"), False),
    ],
    "encoder": [(UnicodeEncodeError("ascii", "ñ", 0, 1, "ordinal not in range"), False), (KeyError("a fault"), False)],
}


@pytest.mark.parametrize("place", PLACES)
def test_a_campaign_ends_whichever_call_fails(campaign, server, place, monkeypatch):
    monkeypatch.setattr(Watchdog, "_exit_process", lambda self: pytest.fail("no progress"))
    faults = Faults(monkeypatch, place)
    begin_anew(campaign, server)
    send(campaign, faults)
    number = faults.count
    check(campaign, server)
    assert Counter(server.received()) == Counter(f"{each}@example.org" for each in range(PEOPLE))
    if not number:
        pytest.skip("this transport has no such calls")
    for error, is_after in ERRORS[place]:
        for at in range(0, number, STEP):
            begin_anew(campaign, server)
            faults.arm(at, error, is_after)
            started = time.monotonic()
            send(campaign, faults)
            check(campaign, server)
            assert time.monotonic() - started < 20, f"{place} {at} {error!r} took long"


by_threads = pytest.mark.parametrize("server", ["single", "merge"], indirect=True)


def break_(*arguments, **more):
    raise KeyError("a fault")


def test_settings_that_no_mail_can_go_out_with_pause_the_campaign(campaign, server, monkeypatch):
    monkeypatch.setattr(threads, "get_connection", break_)
    monkeypatch.setattr(smtp.Connection, "open", break_)
    send_campaign.func(campaign.pk)
    campaign.refresh_from_db()
    assert (campaign.state, campaign.problem) == (Campaign.State.PAUSED, Campaign.Problem.HALTED)
    assert "a fault" in campaign.problem_words
    assert campaign.counts()[State.QUEUED] == PEOPLE


@by_threads
def test_a_call_that_fails_in_our_own_code_is_an_unclear_answer(campaign, server, monkeypatch):
    for kind in (api.SingleTransport, merge.MergeTransport):
        monkeypatch.setattr(kind, "send", break_)
    send_campaign.func(campaign.pk)
    rows = campaign.deliveries.all()
    assert {row.state for row in rows} <= {State.QUEUED, State.UNKNOWN}
    assert all("a fault" in row.error for row in rows)


@pytest.mark.parametrize("server", ["smtp"], indirect=True)
def test_an_outage_of_the_database_is_logged_once_and_so_is_its_end(campaign, server, monkeypatch, caplog):
    record_each, failures = worker._record_each, iter(range(20))

    def fail_at_first(results):
        if next(failures, None) is not None:
            raise OperationalError("server closed the connection unexpectedly")
        record_each(results)

    monkeypatch.setattr(worker, "_record_each", fail_at_first)
    with caplog.at_level("INFO", "jobs.database"):
        send_campaign.func(campaign.pk)
    assert [line.partition(" (")[0] for line in caplog.messages if "database" in line] == [
        "The database is unavailable",
        "The database is available again",
    ]
    assert len(server.received()) == PEOPLE
