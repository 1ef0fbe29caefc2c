"""Mails to one person, by every way out that is not a campaign's: who sends it and what about is read as it was written."""

import pytest
from core import localmail
from django.conf import settings as django_settings
from django.core import mail

from newsletter import mailing
from newsletter.models import SignUpRequest
from newsletter.subscriptions import process_requests
from tests.hostile import HostileServer

SENDERS = [
    ("Boletín CLAC <boletin@example.org>", "Boletín CLAC", "boletin@example.org"),
    ('"CLAC, la \\"Voz\\" قهوة 🌱" <boletin@ñandú.example>', 'CLAC, la "Voz" قهوة 🌱', "boletin@xn--and-6ma2c.example"),
]
SUBJECT = "¡Hola, «قهوة» 👩🏽‍🌾! \r\nBcc: eve@example.org"


@pytest.fixture(params=["outbox", "smtp"])
def received(request, settings, tmp_path):
    """The messages that came out, as a mail program reads them."""
    if request.param == "outbox":
        settings.EMAIL_BACKEND, settings.LOCAL_MAIL_DIR = "core.localmail.EmailBackend", tmp_path
        yield lambda: [message for _key, message in localmail.recent()]
        return
    with HostileServer() as server:
        settings.EMAIL_BACKEND, settings.EMAIL_USE_TLS = "newsletter.smtp_backend.EmailBackend", False
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 2
        yield lambda: server.messages


@pytest.mark.parametrize(("sender", "name", "address"), SENDERS)
def test_any_sender_and_subject(db, settings, received, sender, name, address):
    settings.DEFAULT_FROM_EMAIL = sender
    mailing.send(mailing.message(SUBJECT, "ñ", "<p>ñ</p>", "ana@example.org"))
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
    assert django_settings.DEFAULT_FROM_EMAIL == mail.outbox[0].from_email
