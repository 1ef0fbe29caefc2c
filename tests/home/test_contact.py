"""The contact form."""

import time
from datetime import timedelta
from smtplib import SMTPDataError

import pytest
from core.forms import make_stamp
from core.models import SiteSettings
from django.core import mail
from django.core.mail import EmailMessage
from django.utils import timezone
from jobs.leases import claim

from home.models import ContactMessage
from home.tasks import MAX_ATTEMPTS, enqueue_waiting_messages, forward_messages

pytestmark = pytest.mark.django_db
MESSAGE = {"name": "Rosa", "email": "rosa@example.org", "message": "¡Hola!"}


@pytest.fixture
def stamp(time_machine):
    """A stamp made a minute ago."""
    time_machine.move_to(time.time() - 60)
    made = make_stamp()
    time_machine.move_to(time.time() + 60)
    return made


def test_a_message_is_kept_and_forwarded(client, stamp, run_tasks):
    SiteSettings.objects.update(contact_email="info@example.org")
    response = client.post("/es/contact/send/", {**MESSAGE, "stamp": stamp})
    assert response["Location"] == "/es/contact/thanks/"
    assert ContactMessage.objects.get().message == "¡Hola!"
    run_tasks()
    assert mail.outbox[0].to == ["info@example.org"]
    assert mail.outbox[0].reply_to == ["rosa@example.org"]


def test_nothing_typed_is_lost_when_something_is_wrong(client, stamp):
    response = client.post("/pt-br/contact/send/", {**MESSAGE, "email": "rosa", "stamp": stamp})
    html = response.content.decode()
    assert response.status_code == 422
    assert "¡Hola!" in html
    assert "Sua mensagem ainda não foi enviada" in html


@pytest.mark.parametrize("language", ["es", "en", "pt-br"])
def test_one_stamp_does_not_make_mails_without_end(client, stamp, settings, language):
    answers = [client.post(f"/{language}/contact/send/", {**MESSAGE, "stamp": stamp}) for _number in range(20)]
    assert [answer.status_code for answer in answers] == [302] * 5 + [429] * 15
    assert ContactMessage.objects.count() == 5
    words = {"es": "Su mensaje no se envió", "en": "has not been sent", "pt-br": "Sua mensagem não foi enviada"}
    assert words[language] in answers[-1].text
    assert "¡Hola!" in answers[-1].text  # nothing that was typed is lost


def test_all_visitors_together_are_limited_and_an_alarm_is_raised(client, stamp, settings, run_tasks):
    settings.CONTACT_LIMIT_GLOBAL, settings.ALERT_EMAILS = 7, ["operator@example.org"]
    for number in range(12):
        client.post("/es/contact/send/", {**MESSAGE, "stamp": stamp}, REMOTE_ADDR=f"198.51.100.{number}")
    assert ContactMessage.objects.count() == 7
    run_tasks()
    assert [message.subject for message in mail.outbox] == ["[CLAC] contact form"]


@pytest.fixture
def refused(monkeypatch):
    """Mail refuses what comes from Rosa; returns who was refused, in order."""
    names, send = [], EmailMessage.send

    def refuse(message, *args, **kwargs):
        if message.reply_to == [MESSAGE["email"]]:
            names.append(message.reply_to[0])
            raise SMTPDataError(554, b"5.7.1 no")
        return send(message, *args, **kwargs)

    monkeypatch.setattr(EmailMessage, "send", refuse)
    return names


def written(email):
    return ContactMessage.objects.create(name="X", email=email, message="¡Hola!", language="es")


def test_a_message_that_mail_refuses_stands_in_no_others_way(refused, settings, staff_client):
    settings.ALERT_EMAILS = ["operator@example.org"]
    SiteSettings.objects.update(contact_email="info@example.org")
    first, second = written(MESSAGE["email"]), written("luis@example.org")
    forward_messages.call()
    assert [message.reply_to for message in mail.outbox] == [["luis@example.org"]]
    second.refresh_from_db()
    assert second.forwarded_at
    forward_messages.call()
    assert len(refused) == 1  # it waits before it is tried again
    for _pause in range(40):
        ContactMessage.objects.update(lease_until=None)
        forward_messages.call()
    assert len(refused) == MAX_ATTEMPTS
    first.refresh_from_db()
    assert (first.forwarded_at, first.problem) == (None, "SMTPDataError")
    assert "not forwarded: please answer it from here" in staff_client.get("/admin/messages/").text
    enqueue_waiting_messages()
    forward_messages.call()
    assert len(refused) == MAX_ATTEMPTS


def test_two_workers_forward_a_message_once(time_machine):
    time_machine.move_to(timezone.now())
    SiteSettings.objects.update(contact_email="info@example.org")
    message = written("luis@example.org")
    claim(ContactMessage.objects.filter(pk=message.pk), 1, 60)  # another worker has it in hand
    forward_messages.call()
    assert not mail.outbox
    time_machine.shift(timedelta(seconds=61))  # and died
    forward_messages.call()
    assert len(mail.outbox) == 1


def test_a_form_from_another_site_is_refused(client, stamp):
    response = client.post("/en/contact/send/", {**MESSAGE, "stamp": stamp}, headers={"origin": "https://evil.example"})
    assert response.status_code == 403
    assert "came from another site" in response.content.decode()
    assert not ContactMessage.objects.exists()
