"""Joining and leaving, as a subscriber lives it."""

import re
import time
from datetime import timedelta

import pytest
from core.forms import make_stamp
from core.models import Topic
from django.core import mail

from newsletter.models import ConsentEvent, SignUpRequest, Subscriber, Suppression
from newsletter.subscriptions import manage_url

pytestmark = pytest.mark.django_db
State, Kind = Subscriber.State, ConsentEvent.Kind


@pytest.fixture
def stamp(time_machine):
    """A stamp made a minute ago, as on a page that somebody has read."""
    time_machine.move_to(time.time() - 60)
    made = make_stamp()
    time_machine.move_to(time.time() + 60)
    return made


@pytest.fixture
def join(client, stamp, run_tasks):
    """Fill in the form: `join("a@example.org", language="en")`; the worker answers at once."""

    def fill(email, language="es", **fields):
        response = client.post(f"/{language}/subscription/join/", {"email": email, "stamp": stamp, **fields})
        run_tasks()
        return response

    return fill


def link_in(message, part="confirm"):
    """The path of the link to `part` in a mail's text."""
    return re.search(rf"http://testserver(/\S+/{part}/\S+)", message.body)[1]


@pytest.mark.parametrize(
    ("language", "subject"),
    [
        ("es", "Falta un paso: confirme su suscripción"),
        ("en", "One step left: confirm your subscription"),
        ("pt-br", "Falta um passo: confirme sua inscrição"),
    ],
)
def test_the_confirmation_mail_speaks_the_pages_language(join, language, subject):
    join("rosa@example.org", language)
    message = mail.outbox[0]
    assert message.subject == subject
    assert message.to == ["rosa@example.org"]
    assert message.extra_headers["Auto-Submitted"] == "auto-generated"
    html = message.alternatives[0][0]
    assert link_in(message) in html
    assert link_in(message).startswith(f"/{language}/")


def test_the_mail_carries_nothing_that_the_visitor_typed(join):
    join("rosa@example.org", name="Visit evil.example")
    assert "evil" not in mail.outbox[0].body + mail.outbox[0].alternatives[0][0]


def test_joining_takes_the_link_and_the_button(client, join):
    topic = Topic.objects.get(slug="incidencia", locale__language_code="es")
    assert join("Rosa@Example.org", topics=[topic.pk])["Location"] == "/es/subscription/thanks/"
    link = link_in(mail.outbox[0])
    page = client.get(link)
    assert "¡Todavía no!" in page.content.decode()
    assert Subscriber.objects.get().state == State.PENDING
    assert "Ya está en la lista" in client.post(link).content.decode()
    subscriber = Subscriber.objects.get(email="rosa@example.org")
    assert subscriber.state == State.ACTIVE
    assert list(subscriber.topics.all()) == [topic]
    events = list(subscriber.consent_events.values_list("kind", "language"))
    assert events == [(Kind.ASKED, "es"), (Kind.CONFIRMED, "es")]
    assert "boletín de CLAC" in subscriber.consent_events.first().wording


def test_someone_who_is_in_already_is_told_so_by_mail(join, subscribe):
    subscribe("rosa@example.org")
    join("rosa@example.org")
    assert mail.outbox[0].subject == "Usted ya recibe el boletín"
    assert Subscriber.objects.get().state == State.ACTIVE


def test_one_confirmation_an_hour(join, time_machine):
    join("rosa@example.org")
    join("rosa@example.org")
    assert len(mail.outbox) == 1
    time_machine.shift(timedelta(hours=1, minutes=1))
    join("rosa@example.org")
    assert len(mail.outbox) == 2


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("es", "Esto no parece una dirección"),
        ("en", "does not look like an e-mail"),
        ("pt-br", "Isto não parece um endereço"),
    ],
)
def test_a_malformed_address_is_refused_kindly_and_nothing_typed_is_lost(join, language, text):
    response = join("rosa@", language, name="Rosa")
    html = response.content.decode()
    assert response.status_code == 422
    assert text in html
    assert 'value="Rosa"' in html
    assert not SignUpRequest.objects.exists()


def test_programs_are_kept_out(client, stamp, join):
    assert join("a@example.org", website="http://spam.example").status_code == 302
    assert client.post("/es/subscription/join/", {"email": "a@example.org", "stamp": make_stamp()}).status_code == 422
    assert client.post("/es/subscription/join/", {"email": "a@example.org", "stamp": "form:abc:def"}).status_code == 422
    headers = {"sec-fetch-site": "cross-site"}
    assert (
        client.post("/es/subscription/join/", {"email": "a@example.org", "stamp": stamp}, headers=headers).status_code
        == 403
    )
    assert not SignUpRequest.objects.exists()


def test_a_form_refused_for_its_stamp_goes_through_when_sent_again(client, time_machine):
    html = client.post("/es/subscription/join/", {"email": "a@example.org", "stamp": "old"}).content.decode()
    fresh = re.search(r'name="stamp" value="([^"]+)"', html)[1]
    time_machine.move_to(time.time() + 5)
    assert client.post("/es/subscription/join/", {"email": "a@example.org", "stamp": fresh}).status_code == 302


def test_a_second_use_of_the_link_is_explained(client, join):
    join("rosa@example.org", "en")
    link = link_in(mail.outbox[0])
    client.post(link)
    response = client.get(link)
    assert response.status_code == 410
    assert "You have already confirmed" in response.content.decode()


def test_an_expired_link_is_explained(client, join, time_machine):
    join("rosa@example.org", "pt-br")
    time_machine.shift(timedelta(days=15))
    response = client.post(link_in(mail.outbox[0]))
    assert response.status_code == 410
    assert "Este link expirou" in response.content.decode()
    assert Subscriber.objects.get().state == State.PENDING


def test_an_altered_link_is_explained(client, join):
    join("rosa@example.org")
    link = link_in(mail.outbox[0])
    assert "Este enlace no funciona" in client.get(link[:-9] + "/").content.decode()


def test_a_link_from_before_leaving_confirms_no_more(client, join):
    join("rosa@example.org")
    link = link_in(mail.outbox[0])
    subscriber = Subscriber.objects.get()
    client.post(manage_url(subscriber).removeprefix("http://testserver"))
    Subscriber.objects.update(state=State.PENDING)
    assert client.post(link).status_code == 410


@pytest.fixture
def leave_path(subscribe):
    return manage_url(subscribe("rosa@example.org")).removeprefix("http://testserver")


def test_looking_at_the_page_to_leave_changes_nothing(client, leave_path):
    client.get(leave_path)
    client.head(leave_path)
    assert Subscriber.objects.get().state == State.ACTIVE


def test_one_click_from_the_mail_program(leave_path):
    from django.test import Client

    cookieless = Client(enforce_csrf_checks=True)
    for _twice in range(2):
        response = cookieless.post(leave_path, {"List-Unsubscribe": "One-Click"})
        assert response.status_code == 200
        assert not response.cookies
    assert Subscriber.objects.get().state == State.UNSUBSCRIBED
    assert [event.way for event in ConsentEvent.objects.all()] == [ConsentEvent.Way.ONE_CLICK]


def test_leaving_from_the_page(client, leave_path):
    assert "Se dio de baja" in client.post(leave_path).content.decode()
    assert Subscriber.objects.get().state == State.UNSUBSCRIBED


def test_changing_language_and_topics(client, subscribe):
    subscriber = subscribe("rosa@example.org")
    topic = Topic.objects.get(slug="mercados", locale__language_code="es")
    path = manage_url(subscriber, "preferences").removeprefix("http://testserver")
    assert "Acceso a mercados" in client.get(path).content.decode()
    html = client.post(path, {"name": "Rosa", "language": "en", "topics": [topic.pk]}).content.decode()
    assert "Saved. The next edition follows your choice." in html
    subscriber.refresh_from_db()
    assert (subscriber.language, subscriber.name, list(subscriber.topics.all())) == ("en", "Rosa", [topic])
    assert subscriber.consent_events.get().kind == Kind.CHANGED


def test_a_suppressed_address_gets_no_mail(join):
    from newsletter import addresses

    Suppression.objects.create(address_hash=addresses.hashes("rosa@example.org")[0], reason="erased")
    join("rosa@example.org")
    assert not mail.outbox
    assert not Subscriber.objects.exists()


def test_a_sign_up_survives_a_mail_server_that_is_down(join, settings, run_tasks, time_machine):
    settings.EMAIL_BACKEND = "newsletter.smtp_backend.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    join("rosa@example.org")
    assert SignUpRequest.objects.count() == 1
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    time_machine.shift(300)
    from core.work import send_tick

    send_tick()
    run_tasks()
    assert len(mail.outbox) == 1
    assert not SignUpRequest.objects.exists()


def test_a_consent_event_is_never_changed(subscribe):
    from django.core.exceptions import ValidationError

    event = ConsentEvent.objects.create(
        subscriber=subscribe("a@example.org"), kind=Kind.ASKED, way="form", language="es"
    )
    event.kind = Kind.LEFT
    with pytest.raises(ValidationError):
        event.save()
