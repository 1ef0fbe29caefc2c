"""The contact form."""

import time

import pytest
from core.forms import make_stamp
from core.models import SiteTexts
from django.core import mail

from home.models import ContactMessage

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
    SiteTexts.objects.update(contact_email="info@example.org")
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


def test_a_form_from_another_site_is_refused(client, stamp):
    response = client.post("/en/contact/send/", {**MESSAGE, "stamp": stamp}, headers={"origin": "https://evil.example"})
    assert response.status_code == 403
    assert "came from another site" in response.content.decode()
    assert not ContactMessage.objects.exists()
