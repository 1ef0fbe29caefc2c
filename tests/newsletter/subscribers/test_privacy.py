"""Consent that can be shown, data that can be taken along, erasure that leaves only a fingerprint."""

import html
import json
import re
from datetime import timedelta

import pytest
from core import rate_limits
from core.models import RateLimitHit, Topic
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.files.base import ContentFile
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from editorial.models import PageViewCount
from jobs.models import JobRun
from jobs.periodic import JOBS, run_job
from privacy import registry

from home.models import ContactMessage
from newsletter.models import (
    Campaign,
    ConsentEvent,
    Delivery,
    ImportLine,
    IncomingReport,
    ProviderEvent,
    SignUpRequest,
    Subscriber,
    SubscriberImport,
    Suppression,
)
from newsletter.subscribers import email_addresses, retention, subscriptions
from newsletter.subscribers.subscriptions import manage_url

pytestmark = pytest.mark.django_db
State, Kind, Method = Subscriber.State, ConsentEvent.Kind, ConsentEvent.Method
DELETE_BY_AGE = [
    "apply_retention",
    "forget_old_messages",
    "delete_old_page_views",
    "delete_old_rate_limit_hits",
    "forget_sessions",
    "prune_tasks",
]


@pytest.fixture
def rosa(subscribe):
    """A subscriber with a story."""
    subscriber = subscribe("rosa@example.org", name="Rosa")
    subscriber.topics.add(Topic.objects.get(slug="incidencia", locale__language_code="es"))
    ConsentEvent.objects.create(
        subscriber=subscriber, kind=Kind.ASKED, method=Method.FORM, language="es", wording="Quiero", wording_version="1"
    )
    return subscriber


def path_to(subscriber, view):
    return manage_url(subscriber, view).removeprefix("http://testserver")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE newsletter_consentevent SET wording = 'other'",
        "UPDATE newsletter_consentevent SET happened_at = NULL",
        "DELETE FROM newsletter_consentevent",
    ],
)
def test_the_database_itself_refuses_to_change_or_delete_consent(rosa, statement):
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert ConsentEvent.objects.get().wording == "Quiero"


def test_a_subscriber_cannot_be_deleted_past_the_guard(rosa):
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        rosa.delete()
    Subscriber.objects.filter(pk=rosa.pk).delete_with_consent()
    assert not ConsentEvent.objects.exists()


def test_every_change_leaves_its_event(client, rosa):
    client.post(path_to(rosa, "preferences"), {"name": "Rosa Q.", "language": "en", "country": "PE"})
    client.post(path_to(rosa, "preferences"), {"name": "Rosa Q.", "language": "en", "country": "PE"})
    client.post(path_to(rosa, "leave"))
    client.post(path_to(rosa, "leave"))
    events = list(ConsentEvent.objects.values_list("kind", "method", "detail"))[1:]
    assert events == [
        (Kind.CHANGED, Method.PREFERENCES, "name, language, country, topics"),
        (Kind.LEFT, Method.MAIL, ""),
    ]


def test_the_origin_is_truncated(client, rosa):
    client.post(path_to(rosa, "leave"), REMOTE_ADDR="203.0.113.77")
    assert ConsentEvent.objects.last().origin == "203.0.113.0/24"


def test_a_reader_takes_their_data_along(client, rosa, issue):
    Delivery.objects.create(campaign=Campaign.objects.create(issue=issue), subscriber=rosa, language="es", state="sent")
    ContactMessage.objects.create(name="Rosa", email="ROSA@example.org", message="Hola", language="es")
    path = path_to(rosa, "data")
    assert "Descargar mis datos" in client.get(path).content.decode()
    response = client.post(path, {"what": "download"})
    data = json.loads(response.content)
    assert data["subscription"][0]["topics"] == ["Incidencia"]
    assert data["subscription"][0]["consent"][0]["wording"] == "Quiero"
    assert data["mails"] == [{"edition": "Conozca a CLAC", "state": "sent", "sent": None, "words": ""}]
    assert data["messages"][0]["message"] == "Hola"
    assert "attachment" in response["Content-Disposition"]


def test_erasure_leaves_only_the_fingerprint(client, rosa, issue):
    email = rosa.email
    delivery = Delivery.objects.create(
        campaign=Campaign.objects.create(issue=issue), subscriber=rosa, language="es", error=f"550 <{email}> unknown"
    )
    ProviderEvent.objects.create(fingerprint="x", kind="bounced", recipient=email, description=email, delivery=delivery)
    SignUpRequest.objects.create(email=email, language="es", wording="w", wording_version="1")
    ContactMessage.objects.create(name="Rosa", email=email, message="Hola", language="es")
    path = path_to(rosa, "data")
    client.get(path)
    assert Subscriber.objects.exists()
    assert "Sus datos fueron borrados" in client.post(path, {"what": "erase"}).content.decode()
    tables = [table for table in connection.introspection.table_names() if "fts" not in table]
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f'SELECT * FROM "{table}"')
            assert email not in str(cursor.fetchall()), table
    assert Suppression.covers([email]) == {email}
    assert Delivery.objects.get().subscriber is None


def test_links_of_an_erased_subscription_still_answer(client, rosa):
    leave, preferences = path_to(rosa, "leave"), path_to(rosa, "preferences")
    registry.erase(rosa.email)
    assert client.post(leave, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert "ya no existe" in client.get(leave).content.decode()
    assert client.get(preferences).status_code == 410


def test_erasure_is_all_or_nothing(rosa, monkeypatch):
    ContactMessage.objects.create(name="Rosa", email=rosa.email, message="Hola", language="es")

    def fail(*arguments, **fields):
        raise RuntimeError

    monkeypatch.setattr(Suppression, "add", fail)
    with pytest.raises(RuntimeError):
        registry.erase(rosa.email)
    assert Subscriber.objects.exists()
    assert ContactMessage.objects.exists()


def test_staff_see_the_whole_story_and_may_hand_over_or_erase(staff_client, rosa):
    page = f"/admin/newsletter/subscribers/{rosa.pk}/"
    html = staff_client.get(page).content.decode()
    assert "“Quiero” (1)" in " ".join(html.split())
    assert "sign-up form" in html
    assert json.loads(staff_client.post(f"{page}data/").content)["subscription"][0]["name"] == "Rosa"
    response = staff_client.post(
        "/admin/newsletter/suppressions/", {"email": "Rosa@example.org", "what": "erase"}, follow=True
    )
    assert "Erased" in response.content.decode()
    assert not Subscriber.objects.exists()
    from wagtail.models import ModelLogEntry

    entry = ModelLogEntry.objects.get(action="newsletter.erase")
    assert "rosa" not in f"{entry.label} {entry.data}"


def test_staff_can_take_somebody_off_the_list(staff_client, rosa):
    staff_client.post(f"/admin/newsletter/subscribers/{rosa.pk}/end/")
    assert ConsentEvent.objects.last().method == Method.STAFF
    rosa.refresh_from_db()
    assert rosa.state == State.UNSUBSCRIBED


def test_a_suppression_is_found_and_lifted_by_address(staff_client):
    Suppression.add("rosa@example.org", "staff")
    url = "/admin/newsletter/suppressions/"
    assert (
        "is suppressed"
        in staff_client.post(url, {"email": "rosa@example.org", "what": "look"}, follow=True).content.decode()
    )
    staff_client.post(url, {"email": "rosa@example.org", "what": "lift"})
    assert not Suppression.objects.exists()


def test_a_fingerprint_made_under_an_older_key_still_counts(settings):
    Suppression.add("rosa@example.org", "erased")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [settings.SECRET_KEY]
    assert Suppression.covers(["rosa@example.org"])
    assert email_addresses.hashes("rosa@example.org")[0] != Suppression.objects.get().address_hash


URL = "/admin/newsletter/suppressions/"


@pytest.fixture
def rotate(settings):
    """Set a new SECRET_KEY; the older ones go on counting."""

    def change(key="new"):
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = key, [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]

    return change


def test_an_address_suppressed_under_an_older_key_is_erased_seen_and_lifted(staff_client, rotate, subscribe):
    Suppression.add("rosa@example.org", "complained")
    rotate("second")
    rotate("third")
    subscribe("rosa@example.org", state=State.COMPLAINED)
    staff_client.force_login(staff_client.user)  # sessions under the first key are over
    for what, text in [("erase", "Erased"), ("look", "is suppressed"), ("lift", "may join again"), ("look", "is not")]:
        answer = staff_client.post(URL, {"email": "rosa@example.org", "what": what}, follow=True)
        assert text in answer.content.decode()
    assert not Subscriber.objects.exists()
    assert not Suppression.objects.exists()


def test_one_address_is_suppressed_once_whatever_the_key(rotate):
    first = Suppression.add("rosa@example.org", "ended")
    rotate()
    assert Suppression.add("rosa@example.org", "erased") == first
    assert Suppression.objects.get().reason == "erased"
    assert Suppression.add("rosa@example.org", "ended") == first
    assert Suppression.objects.get().reason == "erased"


def test_where_two_keys_left_two_rows_the_stronger_counts_and_both_are_lifted(rotate):
    Suppression.objects.create(address_hash=email_addresses.hashes("rosa@example.org")[0], reason="erased")
    rotate()
    Suppression.objects.create(address_hash=email_addresses.hashes("rosa@example.org")[0], reason="ended")
    assert Suppression.covers(["rosa@example.org"])
    assert Suppression.add("rosa@example.org", "staff")
    assert Suppression.lift("rosa@example.org")
    assert not Suppression.covers(["rosa@example.org"])


@pytest.mark.parametrize("what", ["nonsense", "", None, "__class__", "\0", "erase "])
def test_what_nobody_understands_is_refused_in_words(staff_client, rosa, what):
    answer = staff_client.post(URL, {"email": rosa.email} | ({} if what is None else {"what": what}))
    assert answer.status_code == 422
    assert "It is not clear what to do" in answer.content.decode()
    path = path_to(rosa, "data").replace("/es/", "/en/")
    answer = staff_client.post(path, {} if what is None else {"what": what})
    assert answer.status_code == 400
    assert "We did not understand what to do" in answer.content.decode()
    assert Subscriber.objects.exists()


def test_an_editors_open_page_erases_nobody_but_the_person_on_it(staff_client, rosa):
    page = staff_client.get(f"/admin/newsletter/subscribers/{rosa.pk}/").content.decode()
    assert f'name="subscriber" value="{rosa.pk}"' in page
    Subscriber.objects.update(email="nueva@example.org")
    data = {"email": "rosa@example.org", "subscriber": rosa.pk, "what": "erase"}
    answer = staff_client.post(URL, data)
    assert answer.status_code == 422
    assert "address changed while the page was open" in answer.content.decode()
    assert Subscriber.objects.get().email == "nueva@example.org"
    assert not Suppression.objects.exists()
    registry.erase("nueva@example.org")
    assert "no longer on the list" in staff_client.post(URL, data).content.decode()


def test_an_editor_is_told_that_somebody_had_left_already(staff_client, rosa):
    subscriptions.leave(rosa, Method.MAIL)
    answer = staff_client.post(f"/admin/newsletter/subscribers/{rosa.pk}/end/", follow=True)
    assert "was no longer on the list" in answer.content.decode()
    assert ConsentEvent.objects.last().method == Method.MAIL


def test_an_ended_subscription_is_told_from_a_suppressed_address(staff_client):
    Suppression.add("rosa@example.org", "ended")
    for what, text in [("look", "once had a subscription"), ("lift", "is not suppressed")]:
        answer = staff_client.post(URL, {"email": "rosa@example.org", "what": what}, follow=True)
        assert text in answer.content.decode()
    assert Suppression.objects.exists()


def test_unconfirmed_sign_ups_vanish_after_thirty_days(subscribe):
    old = timezone.now() - timedelta(days=31)
    for name, age in [("old", old), ("young", timezone.now())]:
        subscriber = subscribe(f"{name}@example.org", state=State.PENDING, created_at=age)
        ConsentEvent.objects.create(
            subscriber=subscriber, kind=Kind.ASKED, method=Method.FORM, language="es", happened_at=age
        )
    again = subscribe("again@example.org", state=State.PENDING, created_at=old)
    ConsentEvent.objects.create(subscriber=again, kind=Kind.ASKED, method=Method.FORM, language="es")
    assert retention.apply()["sign-ups never confirmed"] == 1
    assert set(Subscriber.objects.values_list("email", flat=True)) == {"young@example.org", "again@example.org"}


def test_other_data_goes_when_its_time_is_over(subscribe, issue, settings):
    ended = subscribe("left@example.org", state=State.UNSUBSCRIBED, ended_at=timezone.now() - timedelta(days=1100))
    ConsentEvent.objects.create(subscriber=ended, kind=Kind.LEFT, method=Method.MAIL, language="es")
    old = timezone.now() - timedelta(days=800)
    campaign = Campaign.objects.create(issue=issue, state="sent", finished_at=old)
    Delivery.objects.create(campaign=campaign, subscriber=subscribe("a@example.org"), language="es", error="x")
    ProviderEvent.objects.create(fingerprint="x", kind="sent", received_at=old)
    retention.apply()
    assert not Subscriber.objects.filter(email="left@example.org").exists()
    assert Delivery.objects.get().subscriber is None
    assert not ProviderEvent.objects.exists()


@pytest.mark.parametrize("kind", sorted(settings.RETENTION_DAYS))
@pytest.mark.parametrize("days", [0, -1, 0.5])
def test_below_one_day_nothing_is_deleted_and_the_operations_page_says_so(
    kind, days, subscribe, settings, staff_client
):
    settings.RETENTION_DAYS = {**settings.RETENTION_DAYS, kind: days}
    subscribe("new@example.org", state=State.PENDING)
    subscribe("old@example.org", state=State.PENDING, created_at=timezone.now() - timedelta(days=4000))
    subscribe("left@example.org", state=State.UNSUBSCRIBED, ended_at=timezone.now() - timedelta(days=4000))
    ContactMessage.objects.create(name="Rosa", email="rosa@example.org", message="Hola", language="es")
    job = "forget_old_messages" if kind == "contact_messages" else "apply_retention"
    JobRun.objects.get_or_create(name=job)
    run_job.call(job)
    run = JobRun.objects.get(name=job)
    assert not run.succeeded
    assert f"RETENTION_{kind.upper()}_DAYS is {days}: nothing is deleted below one day." in run.outcome
    assert run.outcome in html.unescape(staff_client.get("/admin/operations/").content.decode())
    assert Subscriber.objects.count() == 3
    assert ContactMessage.objects.exists()


def test_every_job_that_deletes_by_age_says_how_many_rows_of_what(subscribe, issue, staff_client, caplog):
    old = timezone.now() - timedelta(days=4000)
    subscribe("old@example.org", state=State.PENDING, created_at=old)
    subscribe("left@example.org", state=State.UNSUBSCRIBED, ended_at=old)
    reader = subscribe("a@example.org")
    campaign = Campaign.objects.create(issue=issue, state="sent", finished_at=old)
    delivery = Delivery.objects.create(campaign=campaign, subscriber=reader, language="es", error="x")
    ProviderEvent.objects.create(fingerprint="x", kind="sent", received_at=old, delivery=delivery)
    IncomingReport.objects.create(source="brevo", fingerprint="x", state="unreadable", received_at=old)
    job = SubscriberImport.objects.create(file=ContentFile(b"email\n", "a.csv"), file_name="a.csv", provenance="x")
    ImportLine.objects.create(job=job, number=2, outcome="bad", reason="x", cells=["x"])
    SubscriberImport.objects.update(created_at=old)
    ContactMessage.objects.create(name="Rosa", email="rosa@example.org", message="Hola", language="es")
    ContactMessage.objects.update(created_at=old)
    rate_limits.hit("x", (1, timedelta(hours=1)))
    RateLimitHit.objects.update(happened_at=old)
    Session.objects.create(session_key="x", session_data="x", expire_date=old)
    PageViewCount.objects.create(path="/", day=old.date(), number=1)
    with caplog.at_level("INFO"):
        outcomes = {name: JOBS[name].function() for name in DELETE_BY_AGE}
    for name, outcome in outcomes.items():
        assert re.findall(r"([a-z -]+): (\d+)", outcome), (name, outcome)
        assert f"Removed by age: {outcome}" in caplog.text
    numbers = dict(re.findall(r"([a-z -]+): (\d+)", ", ".join(outcomes.values())))
    assert {kind.strip(): int(number) for kind, number in numbers.items()} == {
        "sign-ups never confirmed": 1,
        "ended subscriptions": 1,
        "recipients of mails": 1,
        "messages of the provider": 1,
        "reports as they came": 1,
        "uploaded lists": 1,
        "lines of lists": 1,
        "contact messages": 1,
        "rate limit hits": 1,
        "sessions": 1,
        "page views": 1,
        "finished tasks": 0,
    }
    assert not SubscriberImport.objects.get().file


def test_retention_runs_by_itself_once_a_day(subscribe, run_tasks, time_machine):
    from jobs.models import JobRun
    from jobs.recovery import recover_work

    subscribe("old@example.org", state=State.PENDING, created_at=timezone.now() - timedelta(days=31))
    recover_work()
    recover_work()
    run_tasks()
    assert not Subscriber.objects.exists()
    run = JobRun.objects.get(name="apply_retention")
    assert run.succeeded
    assert "sign-ups never confirmed: 1" in run.outcome
    first = run.started_at
    recover_work()
    run_tasks()
    run.refresh_from_db()
    assert run.started_at == first


def test_a_new_address_counts_once_it_is_confirmed_and_ends_older_links(client, rosa, run_tasks):
    from django.core import mail

    from newsletter.subscribers import tokens

    old_link = tokens.make(tokens.CONFIRM, rosa)
    response = client.post(path_to(rosa, "preferences"), {"email": "Rosa.Nueva@Example.org"})
    assert "Enviamos un correo a la dirección nueva" in response.content.decode()
    run_tasks()
    assert mail.outbox[0].to == ["rosa.nueva@example.org"]
    link = next(word for word in mail.outbox[0].body.split() if "/new-address/" in word).removeprefix(
        "http://testserver"
    )
    client.get(link)
    rosa.refresh_from_db()
    assert rosa.email == "rosa@example.org"
    assert "rosa.nueva@example.org" in client.post(link).content.decode()
    rosa.refresh_from_db()
    assert (rosa.email, rosa.state) == ("rosa.nueva@example.org", State.ACTIVE)
    assert client.post(link).status_code == 410
    assert client.get(f"/es/subscription/confirm/{old_link}/").status_code == 410


def test_an_address_that_has_its_own_subscription_is_not_taken_over(client, rosa, subscribe, run_tasks):
    from django.core import mail

    subscribe("ana@example.org")
    client.post(path_to(rosa, "preferences"), {"email": "ana@example.org"})
    run_tasks()
    assert mail.outbox[0].subject == "Usted ya recibe el boletín"
    rosa.refresh_from_db()
    assert rosa.new_email == ""


def test_a_list_that_is_no_known_table_is_read_and_emptied_all_the_same(subscribe, issue):
    rosa = subscribe("rosa@example.org")
    job = SubscriberImport.objects.create(
        file=ContentFile(b"rosa@example.org\nluis@example.org\n", "x.csv"), file_name="x.csv"
    )
    assert "imports" in registry.export_data(rosa.email)
    registry.erase(rosa.email)
    job.refresh_from_db()
    with job.file.open("rb") as file:
        content = file.read()
    assert b"rosa" not in content
    assert b"luis@example.org" in content
