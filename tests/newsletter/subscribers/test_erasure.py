"""A person comes in by every way there is and is erased: then no table, no file and no log holds the address or the name.

The search knows nothing of redaction.py: it decodes what it finds with the standard library and looks for the plain text.
"""

import base64
import html
import io
import json
import logging
import quopri
import re
import shutil
import smtplib
import sqlite3
import time
import zipfile
from collections import deque
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, unquote

import openpyxl
import pytest
from anymail.signals import AnymailTrackingEvent
from core.forms import make_stamp
from core.models import RateLimitHit, SiteSettings
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from editorial import page_views
from editorial.models import PageViewCount
from jobs.models import JobRun
from jobs.periodic import JOBS, Job, run_job
from operations import file_outbox
from privacy import erasure_log, registry
from wagtail.admin.models import FormState
from wagtail.models import Comment, ModelLogEntry, Page

from home.models import ContactMessage
from newsletter.campaigns import lifecycle
from newsletter.delivery import worker
from newsletter.feedback import bounce_mailbox, events
from newsletter.imports import exporters, runner
from newsletter.models import Campaign, Delivery, ImportLine, ProviderEvent, Subscriber, SubscriberImport, Suppression
from newsletter.subscribers import tokens, triggers
from newsletter.subscribers.email_addresses import normalise
from newsletter.subscribers.subscriptions import manage_url
from tests.fakes import SMTPServer
from tests.lists import ALL_ACTIVE, WHOLE_FILE
from tests.newsletter.feedback.test_bounces import report
from tests.newsletter.feedback.test_events import CALLS, NOT_SAID, _secrets, call  # noqa: F401

pytestmark = pytest.mark.django_db
ADDRESS, NAME = "rosa@example.org", "Rosaura Quispehuanca"
NEEDLES = [ADDRESS, "quispehuanca"]
ANYBODY = "somebody.else@example.org"


# Searching


def decodings(raw):
    """What some bytes may mean, in lower case: as they are, and decoded in every way that mail, the web and Python have."""
    text = raw.decode("utf-8", "replace")
    yield text
    yield unquote(text)
    yield unquote(unquote(text))
    yield html.unescape(text)
    yield quopri.decodestring(raw).decode("utf-8", "replace")
    yield re.sub(r"\\+u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)
    yield raw.decode("utf-16-le", "ignore")
    yield raw.decode("utf-16-be", "ignore")
    joined = re.sub(rb"(?<=[A-Za-z0-9+/]{60})\r?\n", b"", raw)
    for run in re.findall(rb"[A-Za-z0-9+/_-]{12,}", joined):
        for start in range(4):
            part = run[start:].translate(bytes.maketrans(b"-_", b"+/"))
            part = part[: len(part) - (len(part) % 4 == 1)]
            yield base64.b64decode(part + b"=" * (-len(part) % 4)).decode("utf-8", "replace")


def holds(value):
    """The needles that a value of the database, or the content of a file, holds."""
    raw = value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
    if raw.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            raw += b"".join(archive.read(name) for name in archive.namelist())
    found = set()
    for text in decodings(raw):
        found |= {needle for needle in NEEDLES if needle in text.lower()}
    return found


def columns_that_hold_it():
    """{table.column} of the whole database, indexes that are tables included."""
    found = set()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            names = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                found |= {f"{table}.{name}" for name, value in zip(names, row, strict=True) if value and holds(bytes(value) if isinstance(value, memoryview) else value)}  # fmt: skip
    return found | {"django_session" for row in Session.objects.all() if holds(json.dumps(row.get_decoded()))}


def files_that_hold_it(folder):
    return {str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file() and (holds(path.name) or holds(path.read_bytes()))}  # fmt: skip


@pytest.fixture
def log():
    """What the handlers of the settings write, in their own format."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    handler.setFormatter(next(h.formatter for h in root.handlers if "Processor" in type(h.formatter).__name__))
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)


# Coming in


@pytest.fixture
def settled(django_capture_on_commit_callbacks):
    """A context after which all is done that waited for the commit."""

    @contextmanager
    def context():
        with django_capture_on_commit_callbacks(execute=True):
            yield

    return context


@pytest.fixture
def site(settings, tmp_path):
    """The site with its files in a folder of its own, mail that stays there, messages in the session, and an alarm address."""
    settings.LOCAL_MAIL_DIR = tmp_path / "mail"
    settings.BACKUP_DIR = str(tmp_path / "backups")
    for folder in (storages["private"].location, Path(settings.MEDIA_ROOT) / "documents"):  # what other tests left
        shutil.rmtree(folder, ignore_errors=True)
    settings.EMAIL_BACKEND = "operations.file_outbox.EmailBackend"
    settings.MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
    settings.BOUNCE_ADDRESS, settings.ALERT_EMAILS = "bounces@example.org", ["ops@example.org"]
    SiteSettings.objects.update(contact_email="info@example.org", postal_address="Calle 1")
    return tmp_path


def link_to(view):
    """The path of a link to a view in the mails that were sent."""
    texts = [mail.get_body(("plain",)).get_content() for _key, mail in file_outbox.recent()]
    return next(found[1] for text in texts if (found := re.search(rf"http://testserver(/\S+/{view}/[a-z0-9]+/)", text)))


def xlsx(*rows):
    book, file = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(file)
    return file.getvalue()


@pytest.fixture
def person(site, settled, staff_client, run_tasks, issue, subscribe, call, settings, time_machine, monkeypatch):  # noqa: F811
    """Rosa, after she came in by every way, as a Subscriber. Other people came along, by the same ways."""
    time_machine.move_to(time.time() - 60)
    stamp = make_stamp()
    time_machine.move_to(time.time() + 60)
    public = Client(headers={"User-Agent": "Mozilla/5.0"})

    def work():
        with settled():
            run_tasks()

    # Somebody else wishes to move to her address.
    other = subscribe("other@example.org", name="Otra")
    public.post(path(other, "preferences"), {"email": ADDRESS})
    work()
    assert Subscriber.objects.get(pk=other.pk).new_email == ADDRESS
    for file in (site / "mail").glob("*.eml"):
        file.unlink()
    # She signs up, types it in capitals, confirms, changes her preferences, asks for another address.
    RateLimitHit.objects.all().delete()
    public.post("/es/subscription/join/", {"email": "  Rosa@Example.ORG ", "name": NAME, "stamp": stamp})
    work()
    link = link_to("confirm")
    public.get(link)
    public.post(link)
    person = Subscriber.objects.get(email=ADDRESS)
    assert person.state == "active"
    public.get(path(person, "preferences"))
    public.post(path(person, "preferences"), {"name": f"{NAME} II", "language": "es", "country": "PE"})
    public.post(path(person, "preferences"), {"email": "rosa.nueva@example.org"})
    work()
    public.get("/es/search/", {"q": ADDRESS})
    public.get(path(person, "data"))
    # A second sign-up that nobody has answered yet.
    public.post("/es/subscription/join/", {"email": ADDRESS, "name": NAME, "stamp": stamp})
    DBTaskResult.objects.all().delete()
    # Messages: two of hers, one of which staff delete; one of somebody else who names her.
    for message, sender in [("Hola", "ROSA@example.org"), ("Hola otra vez", ADDRESS), (f"Escriban a <{ADDRESS.upper()}>", ANYBODY)]:  # fmt: skip
        fields = {"name": NAME if sender != ANYBODY else "Ana", "email": sender, "message": message, "stamp": stamp}
        assert public.post("/es/contact/send/", fields).status_code == 302
    work()
    staff_client.post(f"/admin/messages/delete/{ContactMessage.objects.filter(email__iexact=ADDRESS).first().pk}/")
    _import_lists(staff_client, work)
    _send(issue, person, staff_client, settled, settings)
    _staff(staff_client, person, settled)
    _fail(monkeypatch, run_tasks)
    # Providers tell of her mail, and so does a mail that came back.
    delivery = Delivery.objects.get(subscriber=person)
    for make in CALLS:
        for kind in ("delivered", "soft", "hard", "complained"):
            if (make.__name__, kind) not in NOT_SAID:
                body, content_type, headers = make(kind, str(delivery.pk))
                assert call(make.__name__, body, content_type, headers).status_code == 200
    # One tells of her in a way that nobody can read.
    assert call("mailjet", json.dumps([{"time": "x", "email": ADDRESS}]).encode()).status_code == 200
    settings.EMAIL_PROVIDER = "local"
    earlier = Delivery.objects.create(
        campaign=Campaign.objects.create(issue=issue), subscriber=person, language="es", state="sent"
    )
    events.store_event(
        "mailbox", bounce_mailbox.parse_bounce(report(earlier, words=f"550 <{ADDRESS}> {NAME}? no such user"))
    )
    work()
    assert NAME in Delivery.objects.get(pk=earlier.pk).error
    assert ProviderEvent.objects.filter(delivery=delivery).count() > 30
    page_views.flush()
    return person


def path(subscriber, view):
    return manage_url(subscriber, view).removeprefix("http://testserver")


def _import_lists(staff, work):
    """Lists of several kinds and in several states: one imported, two looked at, one as it came, with her in its first line."""
    rows = [["Correo", "Nombre"], [ADDRESS.upper(), NAME], [f"<{ADDRESS}>", NAME], [ANYBODY, "Ana"]]
    text = "\n".join(";".join(row) for row in rows)
    lists = {
        "done.csv": text.replace(ANYBODY, "done@example.org").encode("utf-16"),
        f"{ADDRESS}.csv": text.replace(ANYBODY, "checked@example.org").encode(),
        "checked.xlsx": xlsx(*rows[:1], ["sheet@example.org", "Sara"], *rows[1:]),
        "uploaded.csv": f"De {ADDRESS}: correo;{NAME}\nnobody@example.org;Nadie\n".encode("latin-1"),
    }
    for name, content in lists.items():
        data = {"file": SimpleUploadedFile(name, content), "language": "es", "provenance": f"Feria, de {ADDRESS}"}
        assert staff.post("/admin/newsletter/imports/", data).status_code == 302
        work()
        job = SubscriberImport.objects.latest("pk")
        if name != "uploaded.csv":
            columns = {f"column{column}": what for what, column in job.mapping.items() if what != "status"} | {
                WHOLE_FILE: "active"
            }
            staff.post(f"/admin/newsletter/imports/{job.pk}/", columns)
            work()
        if name == "done.csv":
            job.refresh_from_db()
            staff.post(f"/admin/newsletter/imports/{job.pk}/start/", {"seen": job.attempts})
            work()
    states = list(SubscriberImport.objects.order_by("pk").values_list("state", flat=True))
    assert states == ["done", "checked", "checked", "uploaded"]
    assert ImportLine.objects.count() == 6


def _send(issue, person, staff, settled, settings):
    """A test to her address, and a campaign whose mail to her is refused in words that name her."""
    staff.post(f"/admin/newsletter/issues/{issue.pk}/send/", {"email": ADDRESS, "languages": ["es"]})
    campaign = Campaign.objects.create(issue=issue)
    with SMTPServer() as server:
        server.orders["RCPT"][ADDRESS] = deque([f"550 5.1.1 <{ADDRESS}>: no {NAME} here"])
        settings.EMAIL_PROVIDER, before = "smtp", settings.EMAIL_BACKEND
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.EMAIL_USE_TLS, settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = False, "", ""
        settings.EMAIL_TIMEOUT, settings.SMTP_CONNECTIONS = 5, 1
        with settled():
            lifecycle.start(campaign)
            worker.run(campaign, 20)
        settings.EMAIL_PROVIDER, settings.EMAIL_BACKEND = "local", before
    assert "no" in Delivery.objects.get(subscriber=person).error
    # A provider that refuses a whole batch names one address in the error of all.
    others = Delivery.objects.exclude(subscriber=person)
    others.update(error=f"'to' parameter is not a valid address: {{'{ADDRESS}'}}")
    Campaign.objects.update(problem_words=f"rejected: {quote(ADDRESS)}")


def _staff(staff, person, settled):
    """Staff look for her, read her story, hand over her data, export lists, take her off and note things."""
    staff.get("/admin/newsletter/subscribers/", {"q": ADDRESS})
    staff.get(f"/admin/newsletter/subscribers/{person.pk}/")
    staff.post(f"/admin/newsletter/subscribers/{person.pk}/data/")
    staff.post("/admin/newsletter/export/", {"segment": ""})
    staff.get(f"/admin/newsletter/campaigns/{Campaign.objects.latest('pk').pk}/csv/")
    with settled():
        staff.post(f"/admin/newsletter/subscribers/{person.pk}/end/")
    staff.post("/admin/newsletter/suppressions/", {"email": ADDRESS, "what": "look"})
    assert "django_session" in columns_that_hold_it()
    Client().post("/admin/login/", {"username": ADDRESS, "password": "guess"})
    page = Page.objects.get(depth=2, locale__language_code="es")
    kind = ContentType.objects.get_for_model(page.specific_class)
    Comment.objects.create(page=page, user=staff.user, text=f"¿Preguntamos a {ADDRESS}?", contentpath="title")
    FormState.objects.create(
        user=staff.user, content_type=kind, object_id="1", data=f"note={quote(ADDRESS)}&x=1", last_updated_at=timezone.now()
    )  # fmt: skip
    ModelLogEntry.objects.create(
        content_type=kind, object_id="1", label="x", action="wagtail.edit", timestamp=timezone.now(),
        data={"to": {f"Rosa <{ADDRESS}>": base64.b64encode(ADDRESS.encode()).decode()}},
    )  # fmt: skip


def _fail(monkeypatch, run_tasks):
    """A task and a job fail with her address in the error, as Python's SMTP client words it."""

    def refuse():
        raise smtplib.SMTPRecipientsRefused({ADDRESS: (550, f"<{ADDRESS}> unknown".encode())})

    monkeypatch.setitem(JOBS, "refuse", Job(refuse, "refuse", timedelta(days=1)))
    JobRun.objects.create(name="refuse")
    run_job.call("refuse")
    result = run_job.enqueue("refuse")
    row = DBTaskResult.objects.get(pk=result.id)
    row.claim("worker")
    try:
        refuse()
    except smtplib.SMTPRecipientsRefused as error:
        row.set_failed(error)
        # What is written is blanked (core/signals.py); an earlier release, or another program, may not have done so.
        DBTaskResult.objects.filter(pk=row.pk).update(traceback=str(error))


def by_herself(person, staff_client):
    return Client().post(path(person, "data"), {"what": "erase"})


def by_staff(person, staff_client):
    return staff_client.post(
        "/admin/newsletter/suppressions/", {"email": ADDRESS.title(), "what": "erase"}, follow=True
    )


@pytest.mark.parametrize("erase", [by_herself, by_staff])
def test_nothing_is_left_of_a_person_who_came_in_by_every_way(
    erase, person, site, log, settled, staff_client, settings, run_tasks
):
    token = tokens.make(tokens.MANAGE, person)
    before, exported = columns_that_hold_it(), registry.export_data(ADDRESS)
    assert {
        "newsletter_subscriber.email",
        "newsletter_subscriber.new_email",
        "newsletter_signuprequest.email",
        "newsletter_providerevent.recipient",
        "newsletter_incomingreport.body",
        "newsletter_importline.cells",
        "home_contactmessage.message",
        "django_tasks_database_dbtaskresult.traceback",
        "wagtailcore_modellogentry.data",
        "wagtailcore_comment.text",
        "wagtailadmin_formstate.data",
        "newsletter_subscriberimport.headings",
    } <= before
    assert len(files_that_hold_it(site)) > 4
    assert len(files_that_hold_it(storages["private"].location)) == 3
    with settled():
        assert erase(person, staff_client).status_code == 200
    assert columns_that_hold_it() == set()
    for folder in (site, storages["private"].location, settings.VAR_DIR / "pagecache", settings.MEDIA_ROOT):
        assert files_that_hold_it(folder) == set()
    assert holds(log.getvalue()) == set()
    # The export told of each place that forgot something, and of nothing else.
    kept = {place.name for place in registry.PLACES if place.is_kept}
    assert set(registry.export_data(ADDRESS)) - kept == set()
    assert set(exported) - kept == {
        place.name for place in registry.PLACES if not place.is_kept and not place.is_outside
    } - {"names_by_staff"}
    # No key to her data either, and the promise never to write again.
    NEEDLES.append(token)
    try:
        assert columns_that_hold_it() == set()
        assert holds(log.getvalue()) == set()
    finally:
        NEEDLES.remove(token)
    assert Suppression.covers([ADDRESS]) == {ADDRESS}
    # Those who came along are there, and the lists go on without her.
    assert ContactMessage.objects.get().email == ANYBODY
    uploaded = SubscriberImport.objects.get(state="uploaded")
    columns = {"column0": "email", "column1": "name", WHOLE_FILE: "active"}
    assert "nobody@example.org" in staff_client.get(f"/admin/newsletter/imports/{uploaded.pk}/").content.decode()
    staff_client.post(f"/admin/newsletter/imports/{uploaded.pk}/", columns)
    with settled():
        run_tasks()
    for job in SubscriberImport.objects.filter(state="checked"):
        staff_client.post(f"/admin/newsletter/imports/{job.pk}/start/", {"seen": job.attempts})
        with settled():
            run_tasks()
    assert set(Subscriber.objects.values_list("email", flat=True)) == {
        "other@example.org", "done@example.org", "checked@example.org", "sheet@example.org", "nobody@example.org", ANYBODY,
    }  # fmt: skip
    assert columns_that_hold_it() == set()
    assert storages["private"].listdir("imports")[1] == []


# Alone


def test_what_a_provider_says_later_of_an_erased_address_is_kept_without_it(subscribe, issue, site):
    person = subscribe(ADDRESS)
    delivery = Delivery.objects.create(campaign=Campaign.objects.create(issue=issue), subscriber=person, language="es", state="sent")  # fmt: skip
    registry.erase(ADDRESS)
    events.store_event("mailbox", bounce_mailbox.parse_bounce(report(delivery, words=f"550 <{ADDRESS}> no such user")))
    for spelling in (ADDRESS.upper(), f"Rosa <{ADDRESS}>", f"  {ADDRESS} "):
        event = AnymailTrackingEvent(event_type="delivered", recipient=spelling, event_id=spelling, metadata={"delivery": str(delivery.pk)})  # fmt: skip
        assert events.store_event("test", event)
    events.process()
    assert set(ProviderEvent.objects.values_list("recipient", "state")) == {("", "applied")}
    assert columns_that_hold_it() == set()


def test_who_left_is_still_known_to_the_provider(subscribe):
    subscribe(ADDRESS)
    Suppression.add(ADDRESS, Suppression.Reason.COMPLAINED)
    events.store_event(
        "test", AnymailTrackingEvent(event_type="delivered", recipient=f"Rosa <{ADDRESS}>", event_id="1")
    )
    assert ProviderEvent.objects.get().recipient == ADDRESS


def test_an_erased_address_that_comes_with_a_list_again_is_not_kept(settled, staff_client, run_tasks):
    registry.erase(ADDRESS)
    data = {"file": SimpleUploadedFile("a.csv", f"email,name\n{ADDRESS},{NAME}\nx@example.org,X\n".encode()), "language": "es", "provenance": "x"}  # fmt: skip
    staff_client.post("/admin/newsletter/imports/", data)
    with settled():
        run_tasks()
    job = SubscriberImport.objects.get()
    for step, fields in (("", {"column0": "email", "column1": "name", WHOLE_FILE: "active"}), ("start/", {})):
        job.refresh_from_db()
        staff_client.post(f"/admin/newsletter/imports/{job.pk}/{step}", fields | {"seen": job.attempts})
        with settled():
            run_tasks()
    assert [(line.outcome, line.cells) for line in ImportLine.objects.all()] == [("suppressed", [])]
    assert columns_that_hold_it() == set()
    assert not files_that_hold_it(storages["private"].location)


def test_a_person_can_be_erased_while_an_import_reads_its_list(settled, monkeypatch):
    monkeypatch.setattr(runner, "BATCH", 2)
    lines = ["email,name", *(f"{number}@example.org,N{number}" for number in range(3)), f'{ADDRESS},"{NAME}\nand more"', "4@example.org,Four", "bad,Bad"]  # fmt: skip
    job = SubscriberImport(file_name="a.csv", provenance="x", headings=["email", "name"], mapping={"email": 0, "name": 1}, meanings=ALL_ACTIVE, state="importing", encoding="utf-8", delimiter=",")  # fmt: skip
    job.file.save("a.csv", ContentFile("\n".join(lines).encode()))
    assert runner.work_on_next(0)
    assert SubscriberImport.objects.get().lines == 2
    with settled():
        registry.erase(ADDRESS)
        assert runner.work_on_next(20)
    assert set(Subscriber.objects.values_list("name", flat=True)) == {"N0", "N1", "N2", "Four"}
    assert [(line.number, line.cells) for line in ImportLine.objects.all()] == [(7, ["bad", "Bad"])]
    assert Subscriber.objects.get(name="Four").consent_events.get().detail == "a.csv, 6"
    assert SubscriberImport.objects.get().state == "done"
    assert columns_that_hold_it() == set()


def test_the_address_that_somebody_moved_away_from_is_forgotten_where_lists_and_providers_keep_it(
    settled, subscribe, issue, site, run_tasks
):
    person = subscribe(ADDRESS, name="Rosa")
    job = SubscriberImport.objects.create(file=ContentFile(f"email\n{ADDRESS}\n".encode(), "a.csv"), file_name="a.csv", provenance="x", encoding="utf-8", delimiter=",")  # fmt: skip
    ImportLine.objects.create(job=job, number=2, outcome="known", reason="x", cells=[ADDRESS])
    delivery = Delivery.objects.create(campaign=Campaign.objects.create(issue=issue), subscriber=person, language="es")
    events.store_event("test", AnymailTrackingEvent(event_type="delivered", recipient=ADDRESS, event_id="1", metadata={"delivery": str(delivery.pk)}))  # fmt: skip
    Client().post(path(person, "preferences"), {"email": "rosa.nueva@example.org"})
    with settled():
        run_tasks()
        Client().post(link_to("new-address"))
    assert Subscriber.objects.get().email == "rosa.nueva@example.org"
    assert columns_that_hold_it() == set()
    assert not files_that_hold_it(storages["private"].location)


def test_a_restore_looks_for_erased_addresses_in_every_place(person):
    """Each place by itself tells the addresses that it holds: a backup may hold one there and nowhere else."""
    silent = {place.name for place in registry.PLACES if not place.is_outside and ADDRESS not in set(place.held())}
    assert silent == {"suppression", "account", "mails", "names_by_staff"}  # mails know only their subscriber
    assert ADDRESS in registry.held()


def test_a_place_outside_that_does_not_answer_raises_an_alarm_and_stops_nothing(settled, subscribe, settings, log):
    settings.BOUNCE_IMAP_HOST, settings.BOUNCE_IMAP_PORT, settings.BOUNCE_IMAP_TLS = "127.0.0.1", 9, False
    subscribe(ADDRESS)
    with settled():
        registry.erase(ADDRESS)
    assert not Subscriber.objects.exists()
    assert "Alert (erasure bounce_mailbox)" in log.getvalue()
    assert holds(log.getvalue()) == set()
    assert registry.export_data(ADDRESS)["bounce_mailbox"] == [{"error": "could not be searched just now"}]


def test_the_name_of_a_list_still_says_what_it_is(settled, staff_client, run_tasks):
    data = {"file": SimpleUploadedFile(f"unsubscribed_{ADDRESS}.csv", b"email,x\nana@example.org,1\n"), "language": "es", "provenance": "x"}  # fmt: skip
    staff_client.post("/admin/newsletter/imports/", data)
    with settled():
        registry.erase(ADDRESS)
    job = SubscriberImport.objects.get()
    assert job.file_name == "unsubscribed_….csv"
    assert job.file_meaning({}) == exporters.Meaning.LEFT


def test_files_of_no_import_go_after_a_day(time_machine):
    storage = storages["private"]
    shutil.rmtree(storage.location, ignore_errors=True)
    assert runner.delete_orphans() == 0
    storage.save("imports/orphan.csv", ContentFile(b"x"))
    job = SubscriberImport.objects.create(file=ContentFile(b"email\nx\n", "a.csv"), file_name="a.csv", provenance="x")
    assert runner.delete_orphans() == 0
    time_machine.move_to(timezone.now() + timedelta(days=2))
    assert runner.delete_orphans() == 1
    assert storage.exists(job.file.name)
    assert not storage.exists("imports/orphan.csv")


def test_the_count_of_read_pages_keeps_no_key_of_a_link(subscribe):
    person = subscribe(ADDRESS)
    public = Client(headers={"User-Agent": "Mozilla/5.0"})
    page_views.flush()
    for view in ("leave", "preferences", "data"):
        assert public.get(path(person, view)).status_code == 200
    assert public.get("/es/").status_code == 200
    page_views.flush()
    assert list(PageViewCount.objects.values_list("path", flat=True)) == ["/es/"]


def test_sqlite_overwrites_in_its_file_what_is_deleted(tmp_path, settings):
    file = tmp_path / "db.sqlite3"
    for script in (f"CREATE TABLE t (x TEXT); INSERT INTO t VALUES ('{ADDRESS}');", "DELETE FROM t;"):
        database = sqlite3.connect(file)
        pragmas = [line for line in Path("site/config/settings/base.py").read_text().splitlines() if "PRAGMA" in line]
        database.executescript(" ".join(re.findall(r"PRAGMA [\w =]+;", " ".join(pragmas))) + script)
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        if "INSERT" in script:
            assert ADDRESS.encode() in file.read_bytes()
    assert ADDRESS.encode() not in file.read_bytes()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL's index follows its table")
def test_the_index_of_trigrams_holds_no_pieces_of_the_erased(subscribe):
    def blocks():
        with connection.cursor() as cursor:
            cursor.execute("SELECT block FROM subscriber_find_data WHERE id > 10")  # below: averages and structure
            return sorted(block for (block,) in cursor.fetchall())

    subscribe("other@example.org", name="Otra")
    triggers.optimise_search_index()
    before = blocks()
    subscribe(ADDRESS, name=NAME)
    assert blocks() != before
    registry.erase(ADDRESS)
    assert blocks() == before


def test_a_restored_list_is_searched_for_a_domain_as_people_write_it(site, settled):
    with settled():
        registry.erase(normalise("rosa@ñandu.org"))
    Suppression.objects.all().delete()  # which the backup does not know
    job = SubscriberImport.objects.create(file=ContentFile("email\n'Rosa@Ñandu.org'\nana@example.org\n".encode(), "a.csv"), file_name="a.csv", provenance="x", encoding="utf-8", delimiter=",")  # fmt: skip
    with settled():
        assert erasure_log.replay(site / "backups", timezone.now() - timedelta(hours=1)).done == 1
    job.refresh_from_db()
    kept = job.file.read().decode().lower()
    assert "rosa" not in kept
    assert "ana@example.org" in kept
