"""Joining, when somebody means harm: list bombers, forged forms, strange names and addresses."""

import re
import time
from datetime import timedelta

import pytest
from core.forms import make_stamp
from django.core import mail

from newsletter.models import SignUpRequest, Subscriber
from newsletter.subscribers import email_addresses

pytestmark = pytest.mark.django_db
State = Subscriber.State


@pytest.fixture
def stamp(time_machine):
    """A stamp made a minute ago, as on a page that somebody has read."""
    time_machine.move_to(time.time() - 60)
    made = make_stamp()
    time_machine.move_to(time.time() + 60)
    return made


@pytest.fixture
def post(client, stamp):
    """Send the form: `post("a@example.org", REMOTE_ADDR="192.0.2.1")`."""

    def send(email, language="es", fields=None, **environment):
        url = f"/{language}/subscription/join/"
        return client.post(url, {"email": email, "stamp": stamp, **(fields or {})}, **environment)

    return send


def test_at_most_one_mail_an_hour_and_three_a_day_to_a_mailbox(post, run_tasks, time_machine):
    variants = [
        "rosa.quispe@gmail.com",
        "rosaquispe+a@gmail.com",
        "ROSA.QUISPE+b@googlemail.com",
        "r.o.s.a.quispe@gmail.com",
    ]
    for hour in range(30):
        for number, email in enumerate(variants):
            post(email, REMOTE_ADDR=f"198.51.100.{number}")
        run_tasks()
        assert len(mail.outbox) <= hour + 1
        if hour < 23:
            assert len(mail.outbox) <= 3
        time_machine.shift(timedelta(hours=1, seconds=1))


def test_each_origin_has_its_limit_and_an_ipv6_household_is_one_origin(post, settings):
    settings.SIGNUP_LIMIT_PER_ORIGIN = 3
    for number in range(3):
        assert post(f"a{number}@example.org", REMOTE_ADDR=f"2001:db8:1:2::{number}").status_code == 302
    refused = post("a9@example.org", language="pt-br", REMOTE_ADDR="2001:db8:1:2:ffff::9")
    assert refused.status_code == 429
    assert "Tente novamente mais tarde" in refused.content.decode()
    assert post("a8@example.org", REMOTE_ADDR="2001:db8:1:3::1").status_code == 302


def test_all_together_have_a_limit_that_raises_an_alarm_once_an_hour(post, settings, run_tasks):
    settings.SIGNUP_LIMIT_GLOBAL, settings.ALERT_EMAILS = 2, ["ops@example.org"]
    answers = [post(f"a{number}@example.org", REMOTE_ADDR=f"192.0.2.{number}").status_code for number in range(5)]
    assert answers == [302, 302, 429, 429, 429]
    run_tasks()
    assert [message.to for message in mail.outbox].count(["ops@example.org"]) == 1


def test_without_a_proxy_the_visitor_is_who_connects(post, settings):
    settings.BEHIND_PROXY, settings.SIGNUP_LIMIT_PER_ORIGIN = False, 1
    assert post("a@example.org", HTTP_X_FORWARDED_FOR="192.0.2.1").status_code == 302
    assert post("b@example.org", HTTP_X_FORWARDED_FOR="192.0.2.2").status_code == 429


def test_behind_a_proxy_the_visitor_is_who_the_proxy_saw(post, settings):
    settings.BEHIND_PROXY, settings.SIGNUP_LIMIT_PER_ORIGIN = True, 1
    assert post("a@example.org", HTTP_X_FORWARDED_FOR="6.6.6.6, 192.0.2.1").status_code == 302
    # The first entry is the visitor's own invention; only the last one counts.
    assert post("b@example.org", HTTP_X_FORWARDED_FOR="7.7.7.7, 192.0.2.1").status_code == 429
    assert post("b@example.org", HTTP_X_FORWARDED_FOR="192.0.2.2").status_code == 302


def test_a_typing_slip_is_asked_about_and_not_refused(post, stamp):
    response = post("rosa@gmial.com", language="en", fields={"name": "Rosa"})
    html = response.content.decode()
    assert response.status_code == 200
    assert "Did you mean <strong>rosa@gmail.com</strong>?" in html
    assert not SignUpRequest.objects.exists()
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', html))
    assert fields["name"] == "Rosa"
    for address in ("rosa@gmail.com", "rosa@gmial.com"):
        assert post("", fields={**fields, "use": address}).status_code == 302
    assert list(SignUpRequest.objects.values_list("email", "name")) == [
        ("rosa@gmail.com", "Rosa"),
        ("rosa@gmial.com", "Rosa"),
    ]


@pytest.mark.parametrize(
    "email", ["a@mail.com", "a@gmx.com", "a@hotmail.fr", "a@clac-comerciojusto.org", "a@ymail.com"]
)
def test_domains_that_only_look_like_slips_are_let_pass(email):
    assert email_addresses.suggestion(email) is None


def test_throw_away_addresses_are_marked_and_on_wish_refused(post, run_tasks, settings):
    post("rosa@mailinator.com")
    run_tasks()
    assert Subscriber.objects.get().is_disposable
    settings.NEWSLETTER_REFUSE_DISPOSABLE = True
    response = post("ana@sub.mailinator.com", language="pt-br")
    assert response.status_code == 422
    assert "caixas de correio de curta duração" in response.content.decode()


STRANGE_NAMES = ["Rosa\nBcc: x@y.org", "Rosa\r", "\u202easoR", "Ro\u200bsa", "Visit https://evil.example", "www.evil.example", "x" * 101]  # fmt: skip


@pytest.mark.parametrize("name", STRANGE_NAMES)
def test_strange_names_are_refused_at_every_way_in(post, client, subscribe, name):
    from newsletter.subscribers.subscriptions import manage_url

    response = post("rosa@example.org", language="en", fields={"name": name})
    assert response.status_code == 422
    assert "name" in response.context["signup_form"].errors
    path = manage_url(subscribe("ana@example.org"), "preferences").removeprefix("http://testserver")
    client.post(path, {"name": name, "language": "es"})
    assert Subscriber.objects.get(email="ana@example.org").name == ""


@pytest.mark.parametrize("name", ["Rosa  Quispe", "João d'Ávila", "Ñusta", "李", "Mª José", "Ana-María"])
def test_names_of_any_people_are_taken(post, name):
    assert post("rosa@example.org", fields={"name": name}).status_code == 302
    assert SignUpRequest.objects.get().name == " ".join(name.split())


@pytest.mark.parametrize(
    "same", ["Rosa@Example.org", "rosa@example.org.", " rosa@example.org ", "rosa@EXAMPLE.ORG", "rosa@ｅxample.org"]
)
def test_one_mailbox_written_in_other_ways_is_one_subscriber(post, run_tasks, subscribe, same):
    subscribe("rosa@example.org")
    post(same)
    run_tasks()
    assert Subscriber.objects.count() == 1


def test_internationalised_domains_are_taken_and_local_parts_explained(post):
    assert post("rosa@año.example.com").status_code == 302
    response = post("muñoz@example.org")
    assert response.status_code == 422
    assert "antes de la @" in response.content.decode()


def test_the_answer_is_byte_for_byte_the_same_whatever_is_known(post, subscribe, run_tasks):
    from newsletter.models import Suppression

    for state in (State.PENDING, State.ACTIVE, State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED):
        subscribe(f"{state}@example.org", state=state)
    Suppression.add("erased@example.org", "erased")
    names = [*(str(state) for state in State if state != State.ERASED), "erased", "new"]
    answers = set()
    for number, name in enumerate(names):
        for _twice in range(2):
            response = post(f"{name}@example.org", REMOTE_ADDR=f"192.0.2.{number}")
            del response["Expires"]  # says only what time it is
            answers.add(
                (response.status_code, response.content, tuple(sorted(response.headers.items())), str(response.cookies))
            )
    assert len(answers) == 1


def test_coming_back_takes_a_new_confirmation(post, subscribe, run_tasks):
    subscribe("rosa@example.org", state=State.UNSUBSCRIBED)
    post("rosa@example.org")
    run_tasks()
    assert Subscriber.objects.get().state == State.UNSUBSCRIBED
    assert mail.outbox[0].subject == "Falta un paso: confirme su suscripción"


def test_a_mailbox_limit_holds_for_address_changes_too(client, subscribe, run_tasks):
    from newsletter.subscribers.subscriptions import manage_url

    for number in range(3):
        path = manage_url(subscribe(f"a{number}@example.org"), "preferences").removeprefix("http://testserver")
        client.post(path, {"email": "victim@example.org"})
    run_tasks()
    assert len(mail.outbox) == 1
