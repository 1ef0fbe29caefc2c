"""Mails to one person: what their headers say, and what happens when the mail server falters."""

import time
from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.db import InterfaceError, OperationalError
from django.utils import timezone
from operations import file_outbox

from newsletter.delivery import outgoing
from newsletter.models import SignUpRequest
from newsletter.subscribers import subscriptions
from newsletter.subscribers.subscriptions import process_requests
from tests.hostile import HostileServer, drop, say

SENDERS = [
    ("Boletín CLAC <boletin@example.org>", "Boletín CLAC", "boletin@example.org"),
    ('"CLAC, la \\"Voz\\" قهوة 🌱" <boletin@ñandú.example>', 'CLAC, la "Voz" قهوة 🌱', "boletin@xn--and-6ma2c.example"),
]
SUBJECT = "¡Hola, «قهوة» 👩🏽‍🌾! \r\nBcc: eve@example.org"


@pytest.fixture(params=["outbox", "smtp"])
def received(request, settings, tmp_path):
    """The messages that came out, as a mail program reads them."""
    if request.param == "outbox":
        settings.EMAIL_BACKEND, settings.LOCAL_MAIL_DIR = "operations.file_outbox.EmailBackend", tmp_path
        yield lambda: [message for _key, message in file_outbox.recent()]
        return
    with HostileServer() as server:
        use(server, settings)
        yield lambda: server.messages


def use(server, settings):
    settings.EMAIL_PROVIDER, settings.EMAIL_BACKEND = "smtp", "newsletter.delivery.smtp_backend.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    settings.EMAIL_USE_TLS, settings.EMAIL_TIMEOUT = False, 2


@pytest.fixture
def server(settings):
    """An SMTP server, and the site set to send by it."""
    with HostileServer() as server:
        use(server, settings)
        yield server


@pytest.mark.parametrize(("sender", "name", "address"), SENDERS)
def test_any_sender_and_subject(db, settings, received, sender, name, address):
    settings.DEFAULT_FROM_EMAIL = sender
    outgoing.send(outgoing.message(SUBJECT, "ñ", "<p>ñ</p>", "ana@example.org"))
    (message,) = received()
    assert message["From"].addresses[0].display_name == name
    assert message["From"].addresses[0].addr_spec == address
    assert message["Subject"].strip() == "¡Hola, «قهوة» 👩🏽‍🌾! Bcc: eve@example.org"
    assert message["Bcc"] is None


def test_a_confirmation_says_who_sends_it(db, settings):
    settings.DEFAULT_FROM_EMAIL = SENDERS[0][0]
    SignUpRequest.objects.create(email="ana@example.org", language="pt-br")
    process_requests()
    raw = mail.outbox[0].message().as_bytes()
    assert b"From: =?utf-8?q?Bolet=C3=ADn_CLAC?= <boletin@example.org>" in raw
    assert mail.outbox[0].from_email == django_settings.DEFAULT_FROM_EMAIL


@pytest.fixture
def answer(db, time_machine):
    """Have a sign-up answered: `answer(hours)` goes on for so long, as the worker's clock does."""
    time_machine.move_to(timezone.now())
    SignUpRequest.objects.create(email="rosa@example.org", language="es")

    def go(hours=0):
        for _quarter in range(4 * hours + 1):
            process_requests()
            time_machine.shift(900)

    return go


@pytest.mark.parametrize(
    "lost",
    [drop, say(b"what?\r\n"), say(b"250" + b"-" * 9000 + b"\r\n"), say(b"354 go on\r\n")],
    ids=["dropped", "nonsense", "too long", "a yes to something else"],
)
def test_a_confirmation_whose_answer_is_lost_is_mailed_twice_at_most(server, answer, lost):
    server.wishes["end"] = lost
    answer(hours=30)
    assert server.kept == ["rosa@example.org"] * 2
    assert not SignUpRequest.objects.exists()


def test_the_answer_to_a_mail_is_waited_for_longer_than_others(server, answer, settings):
    settings.EMAIL_TIMEOUT = 0.5

    def think(session):
        time.sleep(1.5)
        session.send(b"250 kept\r\n")

    server.wishes["end"] = think
    answer(hours=2)
    assert server.kept == ["rosa@example.org"]


def test_nobody_takes_a_sign_up_while_its_mail_server_thinks(server, answer, monkeypatch):
    SignUpRequest.objects.create(email="ana@example.org", language="es")
    send, left = outgoing.send, []

    def look(message):
        rows = SignUpRequest.objects.values_list("email", "lease_until")
        left.append({email for email, until in rows if until and until > timezone.now() + timedelta(minutes=10)})
        send(message)

    monkeypatch.setattr(outgoing, "send", look)
    answer()
    assert left == [{"rosa@example.org"}, {"ana@example.org"}]


@pytest.mark.parametrize(
    ("step", "wish"),
    [
        ("greeting", "421 closed"), ("greeting", drop), ("EHLO", drop), ("AUTH", "535 wrong password"), ("MAIL", "550 not your sender"),
        ("MAIL", drop), ("RCPT", "450 later"), ("RCPT", drop), ("DATA", "451 busy"), ("end", "452 full"),
    ],
)  # fmt: skip
def test_a_sign_up_is_kept_until_its_mail_can_go(server, answer, settings, step, wish):
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = "x"
    server.features.append("AUTH PLAIN")
    server.wishes = {(step, number): wish for number in (1, 2, 3)}
    answer(hours=3)
    assert set(server.kept) == {"rosa@example.org"}
    assert not SignUpRequest.objects.exists()


@pytest.mark.parametrize("error", [OperationalError("deadlock detected"), InterfaceError("connection already closed")])
def test_a_sign_up_survives_moments_without_the_database(answer, server, monkeypatch, error):
    def fail(*arguments):
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(subscriptions, "_register_request", fail)
        for _time in range(3):
            with pytest.raises(type(error)):
                answer()
            SignUpRequest.objects.update(lease_until=None)
    answer()
    assert server.kept == ["rosa@example.org"]
