"""Joining and leaving, as a subscriber lives it."""

import re
import time
from datetime import timedelta

import pytest
from caching import page_cache
from core.countries import ANOTHER_COUNTRY
from core.forms import make_stamp
from core.models import Topic
from django.core import mail

from newsletter.forms import PreferencesForm
from newsletter.imports import runner
from newsletter.models import ConsentEvent, SignUpRequest, Subscriber, Suppression
from newsletter.subscribers import retention, subscriptions
from newsletter.subscribers.subscriptions import manage_url
from tests.newsletter.subscribers.test_stronger_state import import_of

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
    assert 'class="button" href="/pt-br/subscription/join/"' in response.content.decode()
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
    assert [event.method for event in ConsentEvent.objects.all()] == [ConsentEvent.Method.ONE_CLICK]


def test_leaving_from_the_page(client, leave_path):
    assert "Se dio de baja" in client.post(leave_path).content.decode()
    assert Subscriber.objects.get().state == State.UNSUBSCRIBED


def main(answer):
    """The content of a page, without its head and foot."""
    return re.search(r"<main.*</main>", answer.text, re.DOTALL)[0]


def test_after_leaving_once_or_twice_the_way_back_and_the_way_on_are_there(client, leave_path):
    for _time in range(2):
        shown = main(client.post(leave_path))
        assert 'href="/es/subscription/join/"' in shown
        assert 'href="/es/boletin/"' in shown
        assert 'href="/es/"' in shown


def test_no_page_of_a_subscription_is_a_dead_end(client, join, subscribe, page_of):
    subscriber = subscribe("rosa@example.org")
    leave, data = manage_url(subscriber), manage_url(subscriber, "data")
    join("ana@example.org")
    link = link_in(mail.outbox[0])
    answers = [
        client.get("/es/subscription/thanks/"),
        client.post(link),
        client.post(link),
    ]  # welcome; already confirmed
    answers += [client.post(data, {"what": "erase"}), client.get(data), client.get(leave)]
    for answer in answers:
        assert 'href="/es/boletin/"' in main(answer)
        assert 'href="/es/"' in main(answer)
    page_of("newsletter").unpublish()
    page_cache.purge()
    assert "/es/boletin/" not in main(client.get("/es/subscription/thanks/"))


def test_whoever_lives_elsewhere_finds_their_country_too(client, subscribe):
    subscriber = subscribe("rosa@example.org")
    path = manage_url(subscriber, "preferences")
    code = ANOTHER_COUNTRY[0]
    assert f'<option value="{code}">Otro país</option>' in client.get(path).text
    client.post(path, {"language": "es", "country": code})
    subscriber.refresh_from_db()
    assert subscriber.country == code
    assert client.get(path).text.count(f'value="{code}"') == 1


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
    from newsletter.subscribers import email_addresses

    Suppression.objects.create(address_hash=email_addresses.hashes("rosa@example.org")[0], reason="erased")
    join("rosa@example.org")
    assert not mail.outbox
    assert not Subscriber.objects.exists()


def test_a_sign_up_survives_a_mail_server_that_is_down(join, settings, run_tasks, time_machine):
    settings.EMAIL_BACKEND = "newsletter.delivery.smtp_backend.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    join("rosa@example.org")
    assert SignUpRequest.objects.count() == 1
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    time_machine.shift(300)
    from jobs.recovery import recover_work

    recover_work()
    run_tasks()
    assert len(mail.outbox) == 1
    assert not SignUpRequest.objects.exists()


def test_a_consent_event_is_never_changed(subscribe):
    from django.core.exceptions import ValidationError

    event = ConsentEvent.objects.create(
        subscriber=subscribe("a@example.org"), kind=Kind.ASKED, method="form", language="es"
    )
    event.kind = Kind.LEFT
    with pytest.raises(ValidationError):
        event.save()


# What a link confirms


def path_to(subscriber, view):
    return manage_url(subscriber, view).removeprefix("http://testserver")


@pytest.fixture
def later(time_machine):
    """After the hour in which a mailbox gets one mail."""
    return lambda: time_machine.move_to(time.time() + 3660)


@pytest.mark.parametrize("clicked", [0, 1])
def test_a_link_confirms_what_its_own_mail_was_about(client, join, later, clicked):
    topics = [Topic.objects.get(slug=slug, locale__language_code="es") for slug in ("incidencia", "mercados")]
    join("rosa@example.org", "es", name="Rosa", topics=[topics[0].pk])
    later()
    join("rosa@example.org", "en", name="Mallory", topics=[topics[1].pk])
    links = [link_in(message) for message in mail.outbox]
    assert client.post(links[clicked]).status_code == 200
    rosa = Subscriber.objects.get()
    assert (rosa.name, rosa.language) == [("Rosa", "es"), ("Mallory", "en")][clicked]
    assert list(rosa.topics.all()) == [topics[clicked]]
    assert rosa.consent_events.last().form_data["name"] == rosa.name
    assert client.post(links[1 - clicked]).status_code == 410
    rosa.refresh_from_db()
    assert rosa.name == ["Rosa", "Mallory"][clicked]


def test_a_sign_up_that_is_tried_again_is_recorded_once(join, settings, run_tasks, time_machine, client):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    join("rosa@example.org")
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    time_machine.shift(300)
    from jobs.recovery import recover_work

    recover_work()
    run_tasks()
    assert [event.kind for event in ConsentEvent.objects.all()] == [Kind.ASKED]
    client.post(link_in(mail.outbox[0]))
    assert Subscriber.objects.get().state == State.ACTIVE


@pytest.fixture
def ask_to_move(client, run_tasks, later):
    """Ask on the preferences page for another address; return the path of the link that is mailed there, or None."""

    def ask(subscriber, email):
        later()
        mail.outbox.clear()
        assert client.post(path_to(subscriber, "preferences"), {"email": email}).status_code == 200
        run_tasks()
        return link_in(mail.outbox[0], "new-address") if mail.outbox else None

    return ask


def test_an_expired_link_to_a_new_address_changes_nothing(client, subscribe, ask_to_move, time_machine):
    rosa = subscribe("rosa@example.org")
    link = ask_to_move(rosa, "new@example.org")
    time_machine.shift(timedelta(days=15))
    for answer in (client.get(link), client.post(link)):
        assert answer.status_code == 410
        assert "Este enlace ya venció" in answer.text, re.search("<h1>.*</h1>", answer.text)
    rosa.refresh_from_db()
    assert rosa.email == "rosa@example.org"


def test_a_link_that_was_mailed_to_a_former_address_shows_and_changes_nothing(client, subscribe):
    rosa = subscribe("rosa@example.org", name="Quispe")
    leave, *others = (path_to(rosa, view) for view in ("leave", "preferences", "data"))
    Subscriber.objects.update(email="new@example.org")
    answers = [client.get(leave)]
    for path in others:
        answers += [client.get(path), client.post(path, {"name": "Eva", "language": "en", "what": "erase"})]
    assert [answer.status_code for answer in answers] == [200, 410, 410, 410, 410]
    for answer in answers:
        assert "new@example.org" not in answer.text
        assert "Quispe" not in answer.text
    assert Subscriber.objects.values_list("name", "language", "state").get() == ("Quispe", "es", State.ACTIVE)


def test_a_link_to_an_address_makes_no_other_one_active(client, subscribe, ask_to_move):
    rosa = subscribe("rosa@example.org")
    first, second = ask_to_move(rosa, "a@example.org"), ask_to_move(rosa, "b@example.org")
    assert client.get(first).status_code == client.post(first).status_code == 410
    rosa.refresh_from_db()
    assert rosa.email == "rosa@example.org"
    assert "b@example.org" in client.post(second).content.decode()
    rosa.refresh_from_db()
    assert rosa.email == "b@example.org"


def test_the_old_mailbox_ends_the_subscription_and_sees_nothing_of_the_new_one(
    client, subscribe, ask_to_move, settings
):
    rosa = subscribe("rosa@example.org", name="Rosa Q.")
    old = {view: path_to(rosa, view) for view in ("leave", "preferences", "data")}
    client.post(ask_to_move(rosa, "nueva@example.org"))
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a new one", [settings.SECRET_KEY]
    posts = [
        ("preferences", {"name": "x", "language": "es"}),
        ("preferences", {"email": "a@example.org"}),
        ("data", {"what": "download"}),
        ("data", {"what": "erase"}),
    ]
    answers = [client.get(path) for path in old.values()] + [client.post(old[view], data) for view, data in posts]
    assert [answer.status_code for answer in answers] == [200, *[410] * 6]
    for answer in answers:
        assert "nueva@" not in answer.content.decode()
        assert "Rosa Q." not in answer.content.decode()
    assert "preferences" not in answers[0].content.decode()
    assert 'class="button" href="/es/subscription/join/"' not in answers[1].content.decode()
    assert "ahora va a otra dirección" in answers[1].content.decode()
    rosa.refresh_from_db()
    assert (rosa.email, rosa.name, rosa.state) == ("nueva@example.org", "Rosa Q.", State.ACTIVE)
    answer = client.post(old["leave"], {"List-Unsubscribe": "One-Click"})
    assert (answer.status_code, b"nueva" in answer.content) == (200, False)
    rosa.refresh_from_db()
    assert rosa.state == State.UNSUBSCRIBED


def test_the_address_that_has_the_newsletter_is_not_asked_for_again(client, subscribe, run_tasks):
    rosa = subscribe("rosa@example.org", language="en")
    path = path_to(rosa, "preferences")
    assert "already comes to this address" in client.post(path, {"email": "Rosa@Example.org"}).content.decode()
    run_tasks()
    assert not mail.outbox


# Nothing is saved over an end


def test_preferences_saved_after_having_left_change_nothing(client, subscribe):
    rosa = subscribe("rosa@example.org", language="en")
    form = PreferencesForm({"name": "Rosa", "language": "es"}, instance=Subscriber.objects.get())
    assert form.is_valid()
    client.post(path_to(rosa, "leave"))
    with pytest.raises(subscriptions.LinkProblem, match="ended"):
        subscriptions.change(form)
    answer = client.post(path_to(rosa, "preferences"), {"name": "Rosa", "language": "es"})
    assert answer.status_code == 410
    assert "Nothing was saved" in answer.content.decode()
    rosa.refresh_from_db()
    assert (rosa.state, rosa.name, rosa.language) == (State.UNSUBSCRIBED, "", "en")


def test_the_form_of_preferences_writes_its_own_fields_only(subscribe):
    rosa = subscribe("rosa@example.org")
    form = PreferencesForm({"name": "Rosa", "language": "es"}, instance=Subscriber.objects.get())
    assert form.is_valid()
    Subscriber.objects.update(state=State.BOUNCED, email="b@example.org", confirmation_round=3)
    form.save()
    rosa.refresh_from_db()
    assert (rosa.name, rosa.state, rosa.email, rosa.confirmation_round) == ("Rosa", State.BOUNCED, "b@example.org", 3)


def test_a_wish_for_another_address_ends_with_the_subscription(client, subscribe, run_tasks):
    rosa = subscribe("rosa@example.org")
    client.post(path_to(rosa, "preferences"), {"email": "nueva@example.org"})
    client.post(path_to(rosa, "leave"))
    run_tasks()
    assert not mail.outbox
    assert not SignUpRequest.objects.exists()
    rosa.refresh_from_db()
    assert (rosa.state, rosa.new_email) == (State.UNSUBSCRIBED, "")


# Refusals are remembered


def take(lines):
    """Import a list and return the counts by outcome."""
    job = import_of(lines)
    runner.work_on_next(30)
    job.refresh_from_db()
    assert job.state == "done", job.problem
    return job.counts


ENDS = {
    "left": (lambda person: subscriptions.leave(person, ConsentEvent.Method.MAIL), State.UNSUBSCRIBED),
    "bounced": (lambda person: subscriptions.end(person, Kind.BOUNCED, ConsentEvent.Method.PROVIDER), State.BOUNCED),
    "complained, let in again": (
        lambda person: (
            subscriptions.end(person, Kind.COMPLAINED, ConsentEvent.Method.PROVIDER),
            Suppression.lift(person.email),
        ),
        State.COMPLAINED,
    ),
    "imported as left": (lambda person: take("rosa@example.org,unsubscribed\n"), State.UNSUBSCRIBED),
    "imported as bounced": (lambda person: take("rosa@example.org,cleaned\n"), State.BOUNCED),
}


@pytest.mark.parametrize(
    ("how", "was_known"), [(how, True) for how in ENDS] + [(how, False) for how in ENDS if how.startswith("imported")]
)
def test_an_end_outlives_a_sign_up_that_nobody_confirms(how, was_known, subscribe, join, time_machine, client):
    act, state = ENDS[how]
    act(subscribe("rosa@example.org", source="import") if was_known else None)
    assert Subscriber.objects.get().state == state
    join("rosa@example.org")
    link = link_in(mail.outbox[0])
    time_machine.shift(timedelta(days=31))
    retention.apply()
    assert Subscriber.objects.get().state == state
    assert take("rosa@example.org,subscribed\n") == {"ended": 1}
    assert client.post(link).status_code == 410
    assert Subscriber.objects.get().state == state


def test_whoever_left_and_confirms_again_is_back(subscribe, join, client):
    rosa = subscribe("rosa@example.org")
    subscriptions.leave(rosa, ConsentEvent.Method.MAIL)
    join("rosa@example.org", "pt-br", name="Rosa")
    client.post(link_in(mail.outbox[0]))
    rosa.refresh_from_db()
    assert (rosa.state, rosa.ended_at, rosa.name, rosa.language) == (State.ACTIVE, None, "Rosa", "pt-br")
    assert [event.kind for event in rosa.consent_events.all()] == [Kind.LEFT, Kind.ASKED, Kind.CONFIRMED]


def test_an_end_is_known_even_when_its_data_is_gone(subscribe, join, client, time_machine, settings):
    subscriptions.leave(subscribe("rosa@example.org"), ConsentEvent.Method.MAIL)
    time_machine.shift(timedelta(days=3 * 365 + 1))
    retention.apply()
    assert not Subscriber.objects.exists()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a new one", [settings.SECRET_KEY]
    assert take("rosa@example.org,subscribed\n") == {"ended": 1}
    assert not Subscriber.objects.exists()
    assert not Suppression.covers(["rosa@example.org"])
    SignUpRequest.objects.create(email="rosa@example.org", language="es", wording="w", wording_version="1")
    subscriptions.process_requests()
    client.post(link_in(mail.outbox[-1]))
    assert Subscriber.objects.get().state == State.ACTIVE


def test_a_sign_up_that_nobody_confirmed_leaves_nothing(join, time_machine):
    join("rosa@example.org")
    time_machine.shift(timedelta(days=31))
    retention.apply()
    assert not Subscriber.objects.exists()
    assert not Suppression.objects.exists()
    assert take("rosa@example.org,subscribed\n") == {"new": 1}


@pytest.mark.parametrize(
    ("lines", "counts"),
    [
        ("rosa@example.org,subscribed\nrosa@example.org,unsubscribed\n", {"new": 1, "left": 1}),
        ("rosa@example.org,unsubscribed\nrosa@example.org,subscribed\n", {"left": 1, "ended": 1}),
        ("rosa@example.org,cleaned\nrosa@example.org,unsubscribed\n", {"bounced": 1, "ended": 1}),
    ],
)
@pytest.mark.parametrize("batch", [1, 2000])
def test_in_a_list_that_contradicts_itself_the_refusal_counts(lines, counts, batch, monkeypatch):
    monkeypatch.setattr(runner, "BATCH", batch)
    job = import_of(lines)
    job.state = "checking"
    job.save()
    runner.work_on_next(30)
    job.refresh_from_db()
    assert job.counts == counts
    assert take(lines) == counts
    assert Subscriber.objects.get().state in {State.UNSUBSCRIBED, State.BOUNCED}


def test_a_list_says_of_an_imported_or_unconfirmed_person_that_they_left(subscribe, join, client):
    join("ana@example.org")
    take("rosa@example.org,subscribed\n")
    assert take("rosa@example.org,unsubscribed\nana@example.org,cleaned\n") == {"left": 1, "bounced": 1}
    assert dict(Subscriber.objects.values_list("email", "state")) == {
        "rosa@example.org": State.UNSUBSCRIBED,
        "ana@example.org": State.BOUNCED,
    }
    event = ConsentEvent.objects.get(kind=Kind.LEFT)
    assert (event.method, event.detail) == (ConsentEvent.Method.IMPORT, "a.csv, 2")
    assert client.post(link_in(mail.outbox[0])).status_code == 410


def test_whoever_confirmed_here_stays_whatever_another_programs_list_says(join, client):
    join("rosa@example.org")
    client.post(link_in(mail.outbox[0]))
    assert take("rosa@example.org,unsubscribed\n") == {"known": 1}
    assert Subscriber.objects.get().state == State.ACTIVE


@pytest.mark.parametrize("state", [State.UNSUBSCRIBED, State.BOUNCED])
def test_moving_to_an_address_that_once_left_says_so_and_takes_its_own_confirmation(
    client, subscribe, ask_to_move, state
):
    rosa, former = subscribe("rosa@example.org", language="en"), subscribe("nueva@example.org", state=state)
    link = ask_to_move(rosa, "nueva@example.org")
    assert mail.outbox[0].to == ["nueva@example.org"]
    former.refresh_from_db()
    assert former.state == state
    page = client.get(link.replace("/es/", "/en/")).content.decode()
    assert "This address had a subscription before, which ended." in page
    assert client.post(link).status_code == 200
    rosa.refresh_from_db()
    assert (rosa.email, rosa.state) == ("nueva@example.org", State.ACTIVE)
    assert rosa.consent_events.last().detail == f"email (there: {state})"
    assert take("rosa@example.org,subscribed\nnueva@example.org,subscribed\n") == {"ended": 1, "known": 1}
    assert Subscriber.objects.get() == rosa


def test_moving_to_an_address_that_waits_for_its_own_confirmation(client, subscribe, join, ask_to_move):
    join("nueva@example.org", name="A stranger")
    rosa = subscribe("rosa@example.org", name="Rosa")
    link = ask_to_move(rosa, "nueva@example.org")
    assert "had a subscription before" not in client.get(link).content.decode()
    client.post(link)
    rosa = Subscriber.objects.get()
    assert (rosa.email, rosa.name, rosa.state) == ("nueva@example.org", "Rosa", State.ACTIVE)


def test_an_address_that_joined_meanwhile_is_not_taken_over(client, subscribe, ask_to_move):
    rosa = subscribe("rosa@example.org")
    link = ask_to_move(rosa, "ana@example.org")
    ana = subscribe("ana@example.org")
    assert "ya está en la lista" in client.post(link).content.decode()
    for person, email in ((rosa, "rosa@example.org"), (ana, "ana@example.org")):
        person.refresh_from_db()
        assert (person.email, person.state) == (email, State.ACTIVE)


@pytest.mark.parametrize(
    ("language", "title"),
    [
        ("es", "No escribimos a esta dirección"),
        ("en", "We do not write to this address"),
        ("pt-br", "Não escrevemos para este endereço"),
    ],
)
def test_a_suppressed_address_is_not_confirmed_and_told_why(client, join, subscribe, ask_to_move, language, title):
    join("rosa@example.org", language)
    rosa = Subscriber.objects.get()
    link = link_in(mail.outbox[0])
    moves = ask_to_move(subscribe("ana@example.org", language=language), "nueva@example.org")
    for email in ("rosa@example.org", "nueva@example.org"):
        Suppression.add(email, Suppression.Reason.STAFF)
    for answer in (client.get(link), client.post(link), client.get(moves), client.post(moves)):
        assert answer.status_code == 410
        assert title in answer.content.decode()
    rosa.refresh_from_db()
    assert rosa.state == State.PENDING
    assert not Subscriber.objects.filter(email="nueva@example.org").exists()


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("es", "ninguno si quien la usa pidió"),
        ("en", "none if its owner asked us never to write there again"),
        ("pt-br", "nenhum se a pessoa que o usa pediu"),
    ],
)
def test_the_page_promises_no_mail_to_a_suppressed_address(client, subscribe, run_tasks, language, text):
    rosa = subscribe("rosa@example.org", language=language)
    Suppression.add("nueva@example.org", "erased")
    html = client.post(path_to(rosa, "preferences"), {"email": "nueva@example.org"}).content.decode()
    assert text in html
    run_tasks()
    assert not mail.outbox
    rosa.refresh_from_db()
    assert rosa.new_email == ""
