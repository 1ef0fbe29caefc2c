"""Lists that come in: every usual program, encoding and form; looked at first, taken once, and safe to open when they go out."""

import csv
import io
import re
import zipfile
from datetime import date, timedelta

import openpyxl
import pytest
from core.models import Topic
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import InterfaceError, OperationalError
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.chart import BarChart
from openpyxl.styles import Font

from newsletter.forms import MappingForm, field_of_meaning
from newsletter.imports import exporters, readers, runner
from newsletter.models import ConsentEvent, Subscriber, SubscriberExport, SubscriberImport, Suppression
from newsletter.subscribers import email_addresses
from tests.lists import WHOLE_FILE

pytestmark = pytest.mark.django_db
QUETZAL_ROW = re.compile(r"quetzal</label>\s*</th>\s*<td>2</td>")  # a value, and on how many lines it stands
State, Person = SubscriberImport.State, Subscriber.State

EXPORTS = {
    "Mailchimp": (
        "subscribed_members.csv",
        "Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,CC,TAGS\n"
        'rosa@example.org,Rosa,Quispe,2,2021-05-04 10:00:00,190.1.2.3,2021-05-04 10:05:00,190.1.2.3,PE,"""Incidencia"""\n',
    ),
    "Brevo": (
        "brevo.csv",
        "CONTACT ID;EMAIL;FIRSTNAME;LASTNAME;EMAIL_BLACKLISTED;ADDED_TIME\n1;rosa@example.org;Rosa;Quispe;No;2021-05-04 10:05:00\n",
    ),
    "listmonk": (
        "listmonk.csv",
        "uuid,email,name,attributes,status,created_at,updated_at\nx,rosa@example.org,Rosa Quispe,{},enabled,2021-05-04T10:05:00Z,x\n",
    ),
    "Ghost": (
        "members.csv",
        "id,email,name,note,subscribed_to_emails,complimentary_plan,created_at,labels\n1,rosa@example.org,Rosa Quispe,,true,false,2021-05-04T10:05:00.000Z,\n",
    ),
    "MailerLite": (
        "mailerlite.csv",
        "Subscriber,Name,Last name,Country,Subscribed\nrosa@example.org,Rosa,Quispe,Perú,2021-05-04 10:05:00\n",
    ),
}  # fmt: skip


@pytest.fixture
def upload(staff_client, run_tasks):
    """Upload a file as an editor; return the import: `upload("list.csv", "email\\na@example.org\\n")`."""

    def send(name, content, provenance="Hoja de inscripción de la feria, 2024"):
        content = content.encode() if isinstance(content, str) else content
        response = staff_client.post(
            "/admin/newsletter/imports/",
            {"file": SimpleUploadedFile(name, content), "language": "es", "provenance": provenance},
        )
        if response.status_code != 302:
            return response
        run_tasks()
        return SubscriberImport.objects.latest("pk")

    return send


@pytest.fixture
def check(staff_client, run_tasks):
    """Confirm the columns and let the worker make its dry run; `file` is what the editor says of a list that does not say it."""

    def go(job, mapping=None, meanings=None, file="active"):
        mapping = mapping or job.mapping
        data = {f"column{column}": what for what, column in mapping.items() if what != "status"}
        if not job.file_meaning(mapping):
            data[WHOLE_FILE] = file
        data |= {f"column{column}": "status" for column in mapping.get("status", [])} | (meanings or {})
        staff_client.post(f"/admin/newsletter/imports/{job.pk}/", data)
        run_tasks()
        job.refresh_from_db()
        return job

    return go


@pytest.fixture
def take(staff_client, run_tasks, check):
    """Check and import."""

    def go(job, meanings=None, file="active"):
        check(job, meanings=meanings, file=file)
        staff_client.post(f"/admin/newsletter/imports/{job.pk}/start/", {"seen": job.attempts})
        run_tasks()
        job.refresh_from_db()
        return job

    return go


@pytest.mark.parametrize("program", EXPORTS)
def test_exports_of_other_programs_are_recognised_and_taken(program, upload, take):
    job = upload(*EXPORTS[program])
    assert job.origin == program
    assert take(job).state == State.DONE
    rosa = Subscriber.objects.get()
    assert (rosa.email, rosa.state, rosa.source) == ("rosa@example.org", Person.ACTIVE, "import")
    assert rosa.name.startswith("Rosa")
    assert rosa.created_at.year == 2021
    event = rosa.consent_events.get()
    assert (event.kind, event.method) == ("imported", "import")
    assert event.wording == "Hoja de inscripción de la feria, 2024"
    if program == "Mailchimp":
        assert (rosa.country, event.origin) == ("PE", "190.1.2.0/24")
        assert [topic.slug for topic in rosa.topics.all()] == ["incidencia"]
    if program == "MailerLite":
        assert rosa.country == "PE"


@pytest.mark.parametrize(
    ("name", "content", "state"),
    [
        ("unsubscribed_members.csv", "Email Address,City\na@example.org,Lima\n", Person.UNSUBSCRIBED),
        ("cleaned_members.csv", "Email Address,City\na@example.org,Lima\n", Person.BOUNCED),
        ("x.csv", "email,EMAIL_BLACKLISTED\na@example.org,Yes\n", Person.UNSUBSCRIBED),
        ("x.csv", "email,status\na@example.org,blocklisted\n", Person.UNSUBSCRIBED),
        ("x.csv", "email,subscribed_to_emails\na@example.org,false\n", Person.UNSUBSCRIBED),
        ("x.csv", "email,estado\na@example.org,Baja\n", Person.UNSUBSCRIBED),
    ],
)
def test_who_had_left_elsewhere_is_never_made_active(name, content, state, upload, take):
    take(upload(name, content))
    assert Subscriber.objects.get().state == state


TEXT = "Correo electrónico;Nombre;País\nrosa@example.org;Ñusta Muñoz;México\n"


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("latin-1"),
        TEXT.encode("utf-16"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        TEXT.replace(";", ",").encode(),
        TEXT.replace(";", "\t").encode(),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("Ñusta Muñoz", '"Ñusta Muñoz"').encode(),
    ],
)
def test_any_usual_encoding_and_separator(content, upload, take):
    take(upload("lista.csv", content))
    rosa = Subscriber.objects.get()
    assert (rosa.email, rosa.name, rosa.country) == ("rosa@example.org", "Ñusta Muñoz", "MX")


def test_a_spreadsheet(upload, take):
    book, file = openpyxl.Workbook(), io.BytesIO()
    for row in (["Correo", "Nombre"], ["rosa@example.org", "Rosa"], [None, None], ["ana@example.org", None]):
        book.active.append(row)
    book.save(file)
    take(upload("lista.xlsx", file.getvalue()))
    assert set(Subscriber.objects.values_list("email", "name")) == {
        ("rosa@example.org", "Rosa"),
        ("ana@example.org", ""),
    }


FILES = {
    "a line that names the separator": "sep=;\nemail;name\nrosa@example.org;Rosa, la primera\nana@example.org;Ana\n",
    "empty lines first": "\n;;\nemail;name\nrosa@example.org;Rosa, la primera\nana@example.org;Ana\n",
    "a line break in a name": 'email,name\nrosa@example.org,"Rosa,\nla primera"\nana@example.org,Ana\n',
    "a quotation mark within a name": 'email,name\nrosa@example.org,"Rosa, ""la"" primera"\nana@example.org,Ana\n',
    "NUL bytes": "email;name\nrosa@example.org;Ro\0sa, la primera\nana@example.org;An\0a\n",
    "old line ends": "email;name\rrosa@example.org;Rosa, la primera\rana@example.org;Ana\r",
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_files_as_programs_really_write_them(content, upload, take):
    job = take(upload("lista.csv", content))
    names = dict(Subscriber.objects.values_list("email", "name"))
    assert {email: name.replace('"', "") for email, name in names.items()} == {
        "rosa@example.org": "Rosa, la primera",
        "ana@example.org": "Ana",
    }
    assert job.counts == {"new": 2}


def test_a_list_without_headings_loses_nobody(upload, take, staff_client):
    job = upload("lista.csv", "Rosa;rosa@example.org\nAna;ana@example.org\n")
    assert (job.headings, job.mapping) == (["Column 1", "Column 2"], {"email": 1})
    take(job)
    assert set(Subscriber.objects.values_list("email", flat=True)) == {"rosa@example.org", "ana@example.org"}


def test_a_quotation_mark_that_is_never_closed_swallows_nobody(upload, take, monkeypatch):
    lengths, cells = set(), readers._cells
    monkeypatch.setattr(readers, "_cells", lambda record, mark: lengths.add(len(record)) or cells(record, mark))
    people = "".join(f"{number}@example.org,Ana\n" for number in range(200))
    job = take(upload("lista.csv", f'email,name\nrosa@example.org,"Rosa\n{people}'))
    assert job.counts == {"new": 201}
    assert Subscriber.objects.get(email="rosa@example.org").name == '"Rosa'
    assert max(lengths) == readers.MOST_LINES_IN_CELLS  # and a long list is not read to its end for it


def test_quotation_marks_that_fit_nowhere_swallow_nobody(upload, take):
    take(upload("lista.csv", 'email,name\nrosa@example.org,"Rosa\nana@example.org,"Ana\n'))
    assert set(Subscriber.objects.values_list("email", flat=True)) == {"rosa@example.org", "ana@example.org"}


def test_lines_in_two_encodings(upload, take):
    take(upload("lista.csv", "email,name\na@example.org,Ñusta\n".encode() + "b@example.org,Muñoz\n".encode("cp1252")))
    assert dict(Subscriber.objects.values_list("email", "name")) == {"a@example.org": "Ñusta", "b@example.org": "Muñoz"}


@pytest.mark.parametrize(
    ("columns", "cells", "name"),
    [
        ("NOMBRE,APELLIDOS", "Rosa,Quispe Mamani", "Rosa Quispe Mamani"),
        ("Name,Last name", "Rosa,Quispe", "Rosa Quispe"),
        ("Name,Last name", "Rosa Quispe,Quispe", "Rosa Quispe"),
        ("Nome,Sobrenome", "João,da Silva", "João da Silva"),
        ("name,x", "Rosa 👩\u200d🌾,", "Rosa 👩🌾"),
        ("name,x", "www.evil.example,", ""),
    ],
)
def test_names(columns, cells, name, upload, take):
    take(upload("lista.csv", f"email,{columns}\nrosa@example.org,{cells}\n"))
    assert Subscriber.objects.get().name == name


def test_the_order_of_a_column_s_dates_is_found_from_the_whole_column(upload, take):
    job = upload("lista.csv", "email,created_at\na@example.org,03/04/2023\nb@example.org,25/12/2022\n")
    take(job)
    assert Subscriber.objects.get(email="a@example.org").created_at.date() == date(2023, 4, 3)


def test_an_order_that_stays_unclear_is_asked(upload, check, take, staff_client, run_tasks):
    job = check(upload("lista.csv", "email,created_at\na@example.org,03/04/2023\n"))
    page = staff_client.get(f"/admin/newsletter/imports/{job.pk}/").text
    assert "has to be decided" in page
    assert "the month comes first: 4 March" in page
    staff_client.post(f"/admin/newsletter/imports/{job.pk}/start/", {"seen": job.attempts})
    run_tasks()
    assert not Subscriber.objects.exists()
    data = {"column0": "email", "column1": "asked_at", "date_order": "mdy", WHOLE_FILE: "active"}
    staff_client.post(f"/admin/newsletter/imports/{job.pk}/", data)
    run_tasks()
    job.refresh_from_db()
    staff_client.post(f"/admin/newsletter/imports/{job.pk}/start/", {"seen": job.attempts})
    run_tasks()
    assert Subscriber.objects.get().created_at.date() == date(2023, 3, 4)


def test_a_date_that_makes_no_sense_is_one_bad_line(upload, take):
    job = take(
        upload(
            "lista.csv",
            "email,created_at\na@example.org,0001-01-01T00:00:00+14:00\nb@example.org,2022-12-25\nc@example.org,\n",
        )
    )
    assert job.counts == {"bad": 1, "new": 2}
    assert "makes no sense" in job.bad_lines.get().reason


def test_languages_by_their_names(upload, take):
    take(
        upload(
            "lista.csv",
            "email,idioma\na@example.org,Portugués\nb@example.org,Inglés\nc@example.org,es-MX\nd@example.org,Quechua\n",
        )
    )
    assert list(Subscriber.objects.order_by("email").values_list("language", flat=True)) == ["pt-br", "en", "es", "es"]


def workbook(change):
    """A workbook of one person, changed by `change`, which gets the openpyxl.Workbook."""
    book, file = openpyxl.Workbook(), io.BytesIO()
    for row in (["Correo"], ["rosa@example.org"]):
        book.active.append(row)
    change(book)
    book.save(file)
    return file.getvalue()


def chart_first(book):
    book.create_chartsheet("Gráfico", 0).add_chart(BarChart())
    book.active = 0


def test_a_workbook_that_opens_with_a_chart(upload, take):
    take(upload("lista.xlsx", workbook(chart_first)))
    assert Subscriber.objects.get().email == "rosa@example.org"


@pytest.mark.parametrize(
    "member", ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "[Content_Types].xml"]
)
@pytest.mark.parametrize("damage", ["missing", "torn"])
def test_a_damaged_workbook_is_refused_in_words(member, damage, upload):
    whole, file = zipfile.ZipFile(io.BytesIO(workbook(bool))), io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in whole.namelist():
            if name != member:
                archive.writestr(name, whole.read(name))
            elif damage == "torn":
                archive.writestr(name, whole.read(name)[:60])
    job = upload("lista.xlsx", file.getvalue())
    assert job.state == State.FAILED
    assert re.search("cannot be read as a table|not what its name says", job.problem)


def test_a_workbook_with_too_much_text_is_refused_before_it_fills_the_memory(upload, monkeypatch):
    monkeypatch.setattr(readers, "MOST_TEXT_BYTES", 100)
    file = io.BytesIO(workbook(bool))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("xl/sharedStrings.xml", "<sst/>" * 20)
    job = upload("lista.xlsx", file.getvalue())
    assert "too much text" in job.problem


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04broken", b"\x00\x01\x02" * 50, b"email\n", b"\x89PNG\r\n\x1a\n" + b"\x00" * 100]
)
def test_what_is_no_table_is_refused_in_words(content, upload):
    job = upload("list.csv", content)
    assert job.state == State.FAILED
    assert "cannot be read" in job.problem or "no lines" in job.problem or "not what its name says" in job.problem
    assert not job.file


def test_a_file_is_never_looked_into_while_the_editor_waits(staff_client, monkeypatch, run_tasks):
    monkeypatch.setattr(readers, "inspect", lambda file: pytest.fail("inside the request"))
    data = {"file": SimpleUploadedFile("a.csv", b"email\na@example.org\n"), "language": "es", "provenance": "x"}
    response = staff_client.post("/admin/newsletter/imports/", data, follow=True)
    assert "being looked into" in response.text
    assert "<progress" in response.text


def test_an_empty_file_is_refused_at_once(upload):
    assert upload("list.csv", b"").context["form"].errors["file"]
    assert not SubscriberImport.objects.exists()


def test_without_provenance_nothing_is_uploaded(upload):
    response = upload("list.csv", "email\na@example.org\n", provenance="")
    assert "provenance" in response.context["form"].errors


def test_columns_are_not_changed_under_an_import_that_another_editor_started(upload, check, staff_client, monkeypatch):
    job = check(upload("list.csv", "email,name\na@example.org,b@example.org\n"))
    is_valid = MappingForm.is_valid
    monkeypatch.setattr(MappingForm, "is_valid", lambda form: runner.begin(job, State.IMPORTING) and is_valid(form))
    data = {"column0": "name", "column1": "email"}
    answer = staff_client.post(f"/admin/newsletter/imports/{job.pk}/", data, follow=True)
    assert "That is not possible now" in answer.content.decode()
    job.refresh_from_db()
    assert (job.state, job.mapping) == (State.IMPORTING, {"email": 0, "name": 1})


LINES = """email,name
new@example.org,Nueva
known@example.org,Otra
left@example.org,x
erased@example.org,x
nonsense,x
new@example.org,again
muñoz@example.org,x
strange@example.org,"a
b"
slip@gmial.com,x
"""


@pytest.fixture
def a_list_to_be_taken(subscribe, upload):
    subscribe("known@example.org", name="Conocida")
    subscribe("left@example.org", state=Person.UNSUBSCRIBED)
    Suppression.add("erased@example.org", "erased")
    return upload("list.csv", LINES)


def test_the_dry_run_says_line_by_line_what_would_happen_and_writes_nothing(a_list_to_be_taken, check, staff_client):
    before = set(Subscriber.objects.values_list("email", "state", "name"))
    job = check(a_list_to_be_taken)
    assert job.state == State.CHECKED
    assert job.counts == {"new": 3, "known": 2, "ended": 1, "suppressed": 1, "bad": 2}
    assert set(Subscriber.objects.values_list("email", "state", "name")) == before
    text = b"".join(staff_client.get(f"/admin/newsletter/imports/{job.pk}/forecast/").streaming_content).decode(
        "utf-8-sig"
    )
    said = {row[0]: row[2:] for row in csv.reader(text.splitlines())}
    assert said["2"][0] == "imported as active"
    assert said["4"][0].startswith("had left")
    assert said["5"][0].startswith("asked never")
    assert "does not look like" in said["6"][1]
    assert said["7"][0].startswith("already on the list")
    assert said["10"] == ["imported as active", "perhaps slip@gmail.com was meant"]


def test_the_import_does_what_the_dry_run_said(a_list_to_be_taken, take, staff_client):
    job = take(a_list_to_be_taken)
    assert job.counts == {"new": 3, "known": 2, "ended": 1, "suppressed": 1, "bad": 2}
    assert dict(Subscriber.objects.values_list("email", "name")) == {
        "known@example.org": "Conocida",
        "left@example.org": "",
        "new@example.org": "Nueva",
        "slip@gmial.com": "x",
        "strange@example.org": "a b",
    }
    assert Subscriber.objects.get(email="left@example.org").state == Person.UNSUBSCRIBED
    assert not Subscriber.objects.filter(email="erased@example.org").exists()
    text = b"".join(staff_client.get(f"/admin/newsletter/imports/{job.pk}/bad-lines/").streaming_content).decode(
        "utf-8-sig"
    )
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["Line", "Reason", "email", "name"]
    assert len(rows) == 7


def test_columns_are_assigned_by_hand_where_their_headings_are_not_known(upload, check, staff_client):
    job = upload("list.csv", "Kontakt,Wer\nrosa@example.org,Rosa\n")
    assert job.mapping == {"email": 0}  # by what it holds
    html = staff_client.post(f"/admin/newsletter/imports/{job.pk}/", {}).content.decode()
    assert "Say which column holds the e-mail addresses." in html
    html = staff_client.post(
        f"/admin/newsletter/imports/{job.pk}/", {"column0": "email", "column1": "email"}
    ).content.decode()
    assert "same meaning" in html
    check(job, {"email": 0, "name": 1})
    assert job.counts == {"new": 1}


def test_an_import_survives_the_death_of_its_worker(upload, check, monkeypatch):
    monkeypatch.setattr(runner, "BATCH", 3)
    job = check(upload("list.csv", "email\n" + "".join(f"a{number}@example.org\n" for number in range(10))))
    runner.begin(job, State.IMPORTING)
    original, batches = runner._write, []

    def die_on_the_third(current, lines):
        original(current, lines)
        batches.append(lines)
        if len(batches) == 3:
            raise SystemExit

    monkeypatch.setattr(runner, "_write", die_on_the_third)
    with pytest.raises(SystemExit):
        runner.work_on_next(60)
    assert Subscriber.objects.count() == 6  # the third batch was rolled back whole
    assert not runner.work_on_next(60)  # still held by the dead worker
    SubscriberImport.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert runner.work_on_next(60)
    job.refresh_from_db()
    assert (job.state, job.counts, Subscriber.objects.count()) == (State.DONE, {"new": 10}, 10)
    assert ConsentEvent.objects.count() == 10


@pytest.mark.parametrize("error", [OperationalError("deadlock detected"), InterfaceError("connection already closed")])
def test_an_import_survives_a_moment_without_the_database(upload, check, monkeypatch, error):
    job = check(upload("list.csv", "email\nana@example.org\n"))
    runner.begin(job, State.IMPORTING)

    def fail(*arguments):
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(runner, "_write", fail)
        with pytest.raises(type(error)):
            runner.work_on_next(60)
    SubscriberImport.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert runner.work_on_next(60)
    job.refresh_from_db()
    assert (job.state, job.counts) == (State.DONE, {"new": 1})


def test_a_worker_that_was_overtaken_writes_nothing_more(upload, check, monkeypatch):
    monkeypatch.setattr(runner, "BATCH", 2)
    job = check(upload("list.csv", "email\n" + "".join(f"a{number}@example.org\n" for number in range(4))))
    runner.begin(job, State.IMPORTING)
    original = runner._advance

    def overtake(current, *arguments):
        SubscriberImport.objects.update(attempts=current.attempts + 1)
        original(current, *arguments)

    monkeypatch.setattr(runner, "_advance", overtake)
    runner.work_on_next(60)
    assert not Subscriber.objects.exists()


def test_an_import_can_be_cancelled(upload, check, staff_client, run_tasks):
    job = check(upload("list.csv", "email\na@example.org\n"))
    staff_client.post(f"/admin/newsletter/imports/{job.pk}/cancel/")
    staff_client.post(f"/admin/newsletter/imports/{job.pk}/start/", {"seen": job.attempts})
    run_tasks()
    job.refresh_from_db()
    assert job.state == State.CANCELLED
    assert not Subscriber.objects.exists()


def test_somebody_who_joins_meanwhile_is_not_doubled(upload, check, monkeypatch):
    job = check(upload("list.csv", "email\na@example.org\nb@example.org\n"))
    runner.begin(job, State.IMPORTING)
    original, joined = runner._write, []

    def join_first(current, lines):
        if not joined:
            joined.append(Subscriber.objects.create(email="a@example.org", name="Yo"))
            original(current, lines)
        original(current, lines)

    monkeypatch.setattr(runner, "_write", join_first)
    runner.work_on_next(60)
    job.refresh_from_db()
    assert job.state == State.DONE
    assert Subscriber.objects.count() == 2


def test_the_private_files_are_not_under_the_public_ones(upload, settings, client):
    job = upload("list.csv", "email\na@example.org\n")
    assert str(settings.MEDIA_ROOT) not in job.file.path
    assert client.get(f"/media/{job.file.name}").status_code == 404


def test_an_export_is_recorded_and_safe_to_open_in_a_spreadsheet(staff_client, subscribe):
    subscribe("=cmd@example.org", name="+1")
    subscribe("left@example.org", state=Person.UNSUBSCRIBED)
    url = "/admin/newsletter/export/"
    assert staff_client.post(url, {}).status_code == 200
    response = staff_client.post(url, {"agreed": "on"})
    rows = list(csv.reader(b"".join(response.streaming_content).decode("utf-8-sig").splitlines()))
    assert rows[1][:2] == ["'=cmd@example.org", "'+1"]
    assert len(rows) == 2
    assert SubscriberExport.objects.get().number == 1
    rows = {}
    for language in ("en", "pt-br"):
        staff_client.user.wagtail_userprofile.preferred_language = language
        staff_client.user.wagtail_userprofile.save()
        rows[language] = staff_client.get(url).text.partition("<tbody>")[2]
    assert "all active subscribers" in rows["en"]
    assert "todas as inscrições ativas" in rows["pt-br"]


@pytest.mark.parametrize("what", ["imports", "export"])
def test_lists_are_closed_to_those_without_the_right(client, django_user_model, what):
    from django.contrib.auth.models import Permission

    user = django_user_model.objects.create_user("eva", password="x")
    user.user_permissions.add(Permission.objects.get(codename="access_admin"))
    client.force_login(user)
    assert client.get(f"/admin/newsletter/{what}/").status_code == 302


LETTERS = "abcxyz019ABC"
LOCAL = st.text(LETTERS + "._+-", min_size=1, max_size=66)
DOMAIN = st.lists(st.text(LETTERS + "-", min_size=1, max_size=64), min_size=1, max_size=4).map(".".join)
TOP = st.sampled_from(["org", "com", "info", "test", "local", "onion", "travel", "x", "c0m", "example"])


@given(st.builds("{}@{}.{}".format, LOCAL, DOMAIN, TOP))
def test_plain_addresses_are_what_the_library_would_make_of_them(address):
    try:
        wanted = email_addresses.normalise_any(address)
    except ValidationError:
        wanted = None
    assert wanted or not email_addresses.PLAIN.fullmatch(address.lower())
    assert wanted is None or email_addresses.normalise(address) == wanted


@given(st.lists(st.lists(st.text(max_size=12), min_size=1, max_size=4), min_size=1, max_size=5))
def test_any_table_comes_back_as_it_was(lines):
    text = io.StringIO()
    csv.writer(text).writerows([["email", "b", "c", "d"], *lines])
    file = ContentFile(text.getvalue().encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode())
    with readers.rows(file, "utf-8", ",") as rows:
        assert len(list(rows)) == len(lines) + 1


def test_topics_are_found_by_their_names_in_any_language(upload, take):
    take(upload("list.csv", "email,topics\na@example.org,Advocacy;mercados\n"))
    slugs = {topic.slug for topic in Subscriber.objects.get().topics.all()}
    assert slugs == {"incidencia", "mercados"}
    assert Topic.objects.filter(slug="mercados", locale__language_code="es").exists()


# Samples of lists as the programs write them: name of the file, content, and what becomes of its people.
WHO_IS_WHO = {
    "Mailchimp, unsubscribed, renamed": (
        "lista.csv",
        "Email Address,First Name,MEMBER_RATING,OPTIN_TIME,CONFIRM_TIME,UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_REASON\n"
        'a@example.org,A,2,2019-03-01 10:00:00,2019-03-01 10:01:00,2023-06-07 08:09:10,Junio,"NORMAL"\n',
        {WHOLE_FILE: "active"},
        {"a": Person.UNSUBSCRIBED},
    ),
    "Mailchimp, cleaned, renamed": (
        "lista.csv",
        "Email Address,MEMBER_RATING,OPTIN_TIME,CLEAN_TIME,CLEAN_CAMPAIGN_TITLE\n"
        "a@example.org,2,2019-03-01 10:00:00,2023-06-07 08:09:10,Junio\n",
        {WHOLE_FILE: "active"},
        {"a": Person.BOUNCED},
    ),
    "Mailchimp, nonsubscribed": ("nonsubscribed_email_audience_export_1a2b.csv", "Email Address,MEMBER_RATING,OPTIN_TIME\na@example.org,2,\n", {}, {"a": Person.UNSUBSCRIBED}),
    "Mailchimp, archived": ("archived_email_audience_export_1a2b.csv", "Email Address,MEMBER_RATING,OPTIN_TIME\na@example.org,2,\n", {}, {"a": Person.UNSUBSCRIBED}),
    "Brevo": ("export.csv", "CONTACT ID;EMAIL;BLACKLIST\n1;a@example.org;1\n2;b@example.org;0\n", {}, {"a": Person.UNSUBSCRIBED, "b": Person.ACTIVE}),
    "Brevo, unsubscribed": ("unsubscribed_contacts.csv", "CONTACT ID;EMAIL\n1;a@example.org\n", {}, {"a": Person.UNSUBSCRIBED}),
    "Ghost": (
        "members.2024-01-02.csv",
        "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,deleted_at,labels,tiers\n"
        "1,a@example.org,,,true,false,,2021-05-04T10:05:00.000Z,2022-05-04T10:05:00.000Z,,\n"
        "2,b@example.org,,,true,false,,2021-05-04T10:05:00.000Z,,,\n"
        "3,c@example.org,,,false,false,,2021-05-04T10:05:00.000Z,,,\n",
        {},
        {"a": Person.UNSUBSCRIBED, "b": Person.ACTIVE, "c": Person.UNSUBSCRIBED},
    ),
    "MailerLite": (
        "export.csv",
        "Subscriber,Name,Status,Subscribed\na@example.org,,Unconfirmed,2021-05-04 10:05:00\nb@example.org,,Junk,2021-05-04 10:05:00\n"
        "c@example.org,,Active,2021-05-04 10:05:00\nd@example.org,,Bounced,2021-05-04 10:05:00\n",
        {},
        {"b": Person.UNSUBSCRIBED, "c": Person.ACTIVE, "d": Person.BOUNCED},
    ),
    "Buttondown": (
        "subscribers.csv",
        "email,notes,subscriber_type,creation_date\na@example.org,,regular,2021-05-04\nb@example.org,,unactivated,2021-05-04\n"
        "c@example.org,,unsubscribed,2021-05-04\nd@example.org,,removed,2021-05-04\ne@example.org,,spammy,2021-05-04\nf@example.org,,undeliverable,2021-05-04\n",
        {},
        {"a": Person.ACTIVE, "c": Person.UNSUBSCRIBED, "d": Person.UNSUBSCRIBED, "e": Person.UNSUBSCRIBED, "f": Person.BOUNCED},
    ),
    "ActiveCampaign": ("contacts.csv", "Contact ID,Email,First Name,Status,Date Added\n1,a@example.org,,Unconfirmed,2021-05-04\n2,b@example.org,,Active,2021-05-04\n", {}, {"b": Person.ACTIVE}),
    "HubSpot": (
        "hubspot-crm-exports-all-contacts.csv",
        "Record ID,Email,Lead Status,Unsubscribed from all email\n1,a@example.org,NEW,true\n2,b@example.org,OPEN,\n",
        {},
        {"a": Person.UNSUBSCRIBED, "b": Person.ACTIVE},
    ),
    "Substack": (
        "email_list.boletin.csv",
        "email,active_subscription,expiry,plan,email_disabled,created_at\na@example.org,false,,,true,2021-05-04T10:05:00.000Z\nb@example.org,false,,,false,2021-05-04T10:05:00.000Z\n",
        {},
        {"a": Person.UNSUBSCRIBED, "b": Person.ACTIVE},
    ),
    "listmonk": (
        "subscribers.csv",
        "uuid,email,name,attributes,status,subscription_status,created_at\nx,a@example.org,,{},enabled,unconfirmed,\nx,b@example.org,,{},enabled,confirmed,\n"
        "x,c@example.org,,{},enabled,unsubscribed,\nx,d@example.org,,{},blocklisted,confirmed,\n",
        {},
        {"b": Person.ACTIVE, "c": Person.UNSUBSCRIBED, "d": Person.UNSUBSCRIBED},
    ),
}  # fmt: skip


@pytest.mark.parametrize("sample", WHO_IS_WHO)
def test_nobody_who_left_bounced_or_never_confirmed_becomes_active(sample, upload, check, take):
    name, content, meanings, wanted = WHO_IS_WHO[sample]
    take(check(upload(name, content)), meanings)
    assert {mail[0]: state for mail, state in Subscriber.objects.values_list("email", "state")} == wanted


@pytest.mark.parametrize(
    "word",
    ["pending", "spam", "complained", "unconfirmed", "archived", "off", "N", "no", "não", "cancelado", "rebotado",
     "dado de baja", "opted out", "Hard bounce", "", "Quetzal"],
)  # fmt: skip
def test_no_word_but_a_known_good_one_means_active(word, upload, take):
    take(upload("lista.csv", f"email,estado\na@example.org,{word}\n"))
    assert not Subscriber.objects.filter(state=Person.ACTIVE).exists()


def test_an_unknown_value_is_decided_by_the_editor(upload, check, staff_client, run_tasks):
    job = check(
        upload("lista.csv", "email,estado\na@example.org,Quetzal\nb@example.org,activo\nc@example.org,Quetzal\n")
    )
    assert (job.values["1"], job.counts) == ({"quetzal": 2, "activo": 1}, {"undecided": 2, "new": 1})
    page = staff_client.get(f"/admin/newsletter/imports/{job.pk}/").content.decode()
    assert QUETZAL_ROW.search(page)
    assert "please decide" in page
    staff_client.post(f"/admin/newsletter/imports/{job.pk}/start/", {"seen": job.attempts})
    run_tasks()
    assert not Subscriber.objects.exists()
    said = {("file", exporters.EMPTY): "active", ("1", "quetzal"): "left", ("1", "activo"): "active"}
    check(job, meanings={field_of_meaning(*value): meaning for value, meaning in said.items()})
    assert job.counts == {"left": 2, "new": 1}


def test_a_meaning_that_the_editor_takes_back_is_not_known_any_more(upload, check):
    job = check(upload("lista.csv", "email,estado\na@example.org,activo\n"))
    assert job.counts == {"new": 1}
    check(job, meanings={field_of_meaning("1", "activo"): ""})
    assert job.counts == {"undecided": 1}


def test_a_renamed_list_of_mailchimp_has_to_be_explained(upload, take):
    content = "Email Address,MEMBER_RATING,OPTIN_TIME\na@example.org,2,2019-03-01 10:00:00\n"
    job = take(upload("lista.csv", content), file="")
    assert (job.state, job.counts) == (State.CHECKED, {"undecided": 1})


def test_only_the_dry_run_that_was_seen_is_imported(upload, check, staff_client, run_tasks):
    job = check(upload("lista.csv", "email,name\na@example.org,A\n"))
    seen = job.attempts
    check(job, {"email": 0})
    staff_client.post(f"/admin/newsletter/imports/{job.pk}/start/", {"seen": seen})
    run_tasks()
    assert not Subscriber.objects.exists()


@pytest.mark.parametrize(
    "cell", ["=1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠x", " =1", "\x01=1", "\u200b=1"]
)
def test_no_cell_becomes_a_formula(cell):
    assert runner.inert(cell) == f"'{cell}"
    assert runner.inert("Rosa") == "Rosa"


def test_a_database_writes_that_there_is_no_date_of_leaving(upload, check):
    job = check(upload("lista.csv", "email,unsubscribed_at\na@example.org,0000-00-00 00:00:00\n"))
    assert job.counts == {"new": 1}


def test_the_letter_s_may_mean_anything(upload, check):
    """“Sí” for some, “not confirmed” for the Newsletter Plugin of WordPress."""
    job = check(upload("lista.csv", "email,status\na@example.org,S\n"))
    assert job.counts == {"undecided": 1}


# Columns of programs and of lists kept by hand: a heading, and what stands there of somebody who must not be mailed.
WHO_MUST_NOT_BE_MAILED = [
    *(("Situación", cell) for cell in ("Inactiva", "De baja", "Retirada")),
    *(("Suscripción", cell) for cell in ("No", "Anulada", "Vencida")),
    *(("Consentimiento", cell) for cell in ("No", "Retirado", "")),
    ("¿Acepta recibir el boletín?", "No, gracias"),
    ("Aceita receber o boletim?", "Não"),
    ("verified", "false"),
    ("is_active", "0"),
    ("enabled", "0"),
    ("Newsletter", "No"),
    ("Accepts Email Marketing", "no"),  # Shopify
    ("nomail", "1"),  # Mailman
    ("left_at", "2023-05-06"),
    ("Fecha de salida", "06/05/2023"),
    ("excluded", "yes"),
    ("quarantined", "true"),
    ("Invalid", "TRUE"),
    ("Global status", "Unconfirmed"),  # MailPoet
    ("Email status", "Awaiting Confirmation"),  # Constant Contact
    ("Stop Status", "unsubscribed"),  # AWeber
    ("Confirmed Opt-Out Date", "2021-05-06 07:08:09"),
    ("Email hard bounce reason", "UNKNOWN_USER"),  # HubSpot
    ("DOUBLE_OPT-IN", "No"),  # Brevo
    ("Subscribed", "No"),
    ("blacklisted", "1"),  # phpList
    ("Observaciones", "Rebotado"),
    ("Notas", "BAJAS"),
    ("Tags", "VIP, unsubscribed"),
    ("Columna 7", "dado de baja"),
    ("status", "1"),
    ("", "no"),
]  # fmt: skip


@pytest.mark.parametrize(("heading", "cell"), WHO_MUST_NOT_BE_MAILED)
def test_a_column_that_may_say_who_left_is_found_by_its_heading_or_by_what_it_holds(heading, cell, upload, take):
    take(upload("lista.csv", f'Correo,Nombre,"{heading}"\na@example.org,Ana,"{cell}"\n'))
    assert not Subscriber.objects.filter(state=Person.ACTIVE).exists()


@pytest.mark.parametrize(
    ("heading", "cell", "outcome"),
    [("Email hard bounce reason", "UNKNOWN_USER", "bounced"), ("Subscribed", "No", "left"), ("DOUBLE_OPT-IN", "No", "undecided")],
)  # fmt: skip
def test_what_such_a_column_says_is_understood_where_its_heading_is_plain(heading, cell, outcome, upload, check):
    assert check(upload("lista.csv", f"Correo,{heading}\na@example.org,{cell}\n")).counts == {outcome: 1}


@pytest.mark.parametrize(
    ("heading", "cells"), [("Grupo", "AAAABBBB"), ("Marca", "x  x  xx"), ("Kundenart", ["2023-05-06", "", "", ""])]
)
def test_a_column_of_few_values_that_nothing_explains_is_proposed(heading, cells, upload, check):
    lines = "".join(f"a{number}@example.org,{cell.strip()}\n" for number, cell in enumerate(cells))
    job = check(upload("lista.csv", f"email,{heading}\n{lines}"))
    assert job.mapping["status"] == [1]
    assert job.counts == {"undecided": len(cells)}


def test_a_state_that_shows_in_the_last_line_only_is_found(upload, monkeypatch):
    monkeypatch.setattr(runner, "BATCH", 10)
    lines = "".join(f"a{number}@example.org,Persona {number}\n" for number in range(100))
    job = upload("lista.csv", f"email,Apodo\n{lines}z@example.org,Desuscrita\n")
    assert job.mapping["status"] == [1]


def test_columns_that_say_nothing_of_a_subscription_are_left_alone(upload):
    headings = ["email", "Ciudad", "Teléfono", "Cooperativa", "Producto", "Género", "EUID", "LAST_CHANGED"]
    people = [[f"a{number}@example.org", "Lima", "1", "Norte", "café", "F", "1", "2024-01-02"] for number in range(40)]
    job = upload("lista.csv", "\n".join(map(",".join, [headings, *people])))
    assert job.mapping == {"email": 0}


def test_a_list_that_does_not_say_what_its_people_are_has_to_be_explained(upload, check, staff_client):
    job = upload("lista.csv", "email,name\na@example.org,A\n")
    page = staff_client.get(f"/admin/newsletter/imports/{job.pk}/").text
    assert 'class="undecided"' in page
    assert "all lines" in page
    assert check(job, file="").counts == {"undecided": 1}
    assert check(job, file="bounced").counts == {"bounced": 1}


def test_the_values_of_a_status_column_are_shown_before_the_first_check(upload, staff_client):
    job = upload("lista.csv", "email,estado\na@example.org,Quetzal\nb@example.org,activo\nc@example.org,Quetzal\n")
    assert job.values == {"file": {exporters.EMPTY: 3}, "1": {"quetzal": 2, "activo": 1}}
    assert QUETZAL_ROW.search(staff_client.get(f"/admin/newsletter/imports/{job.pk}/").text)


def test_a_state_that_is_left_out_does_not_explain_the_list(upload, staff_client, run_tasks):
    job = upload("lista.csv", "email,estado\na@example.org,activo\n")
    said = {WHOLE_FILE: "active", field_of_meaning("1", "activo"): "active"}
    staff_client.post(f"/admin/newsletter/imports/{job.pk}/", {"column0": "email", "column1": "", **said})
    run_tasks()
    job.refresh_from_db()
    assert job.counts == {"undecided": 1}


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("BajasDeMayo2023.csv", "left"),
        ("desuscritos.csv", "left"),
        ("dados de baja.xlsx", "left"),
        ("Contactos_Eliminados.csv", "left"),
        ("unsubscribes-2023.csv", "left"),
        ("EmailOptOuts.csv", "left"),
        ("rebotes.csv", "bounced"),
        ("HardBounces.csv", "bounced"),
        ("unsubscribedcontacts.csv", "left"),
        ("hardbouncedlist.csv", "bounced"),
        ("no confirmados.csv", "unconfirmed"),
        ("no_suscritos.csv", None),
        ("subscribed_members.csv", None),
        ("Trabajadoras.csv", None),
    ],
)
def test_what_the_name_of_a_file_says_of_its_people(name, meaning):
    assert exporters.meaning_of_file([name], "", has_states=False) == meaning


def test_only_mailchimp_says_in_the_name_who_is_subscribed():
    name = "subscribed_email_audience_export_1a2b.csv"
    assert exporters.meaning_of_file([name], "Mailchimp", has_states=False) == "active"
    assert exporters.meaning_of_file(["no_subscribed.csv"], "Mailchimp", has_states=False) is None


def test_the_heading_of_the_addresses_counts_too(upload, take):
    take(upload("lista.csv", "Correos dados de baja\na@example.org\n"))
    assert Subscriber.objects.get().state == Person.UNSUBSCRIBED


@pytest.mark.parametrize("sheet", ["Bajas", "Unsubscribed contacts"])
def test_the_name_of_a_sheet_counts_and_other_sheets_are_named(sheet, upload, take):
    def fill(book):
        book.active.title = sheet
        book.create_sheet("Activas").append(["ana@example.org"])
        book.create_sheet("Vacía")

    job = upload("lista.xlsx", workbook(fill))
    assert job.file_name == f"lista.xlsx – {sheet}"
    assert "Activas" in job.problem
    assert "Vacía" not in job.problem
    take(job)
    assert Subscriber.objects.get().state == Person.UNSUBSCRIBED


@pytest.mark.parametrize(
    ("content", "headings"),
    [
        ("Bajas de la feria,\nCorreo,Nombre\nrosa@example.org,Rosa\n", ["Correo", "Nombre"]),
        ("Bajas de la feria,2023\nCorreo,Nombre\nrosa@example.org,Rosa\n", ["Correo", "Nombre"]),
        ("Bajas\n\nHecho en mayo de 2023\n\nKontakt,Wer\nrosa@example.org,Rosa\n", ["Kontakt", "Wer"]),
    ],
)
def test_a_title_above_the_headings_counts(content, headings, upload, take):
    job = upload("lista.csv", content)
    assert job.headings == headings
    assert job.file_name.startswith("lista.csv – Bajas")
    take(job)
    assert dict(Subscriber.objects.values_list("email", "state")) == {"rosa@example.org": Person.UNSUBSCRIBED}


def test_a_first_line_that_is_refused_is_no_heading(upload, take):
    job = take(upload("lista.csv", "Correo,Nombre\nrosa@,Rosa\nana@example.org,Ana\n"))
    assert job.counts == {"bad": 1, "new": 1}


def test_a_list_without_headings_that_says_who_left(upload, take):
    job = take(upload("lista.csv", "Rosa;rosa@example.org;activa\nAna;ana@example.org;baja\n"))
    assert job.mapping == {"email": 1, "status": [2]}
    assert dict(Subscriber.objects.values_list("email", "state")) == {
        "rosa@example.org": Person.ACTIVE,
        "ana@example.org": Person.UNSUBSCRIBED,
    }


@pytest.mark.parametrize(
    "lines",
    [
        'rosa@example.org,"Rosa,activa\nana@example.org,Ana",baja\n',  # a quotation mark too few in each
        "ana@example.org,Ana\n",  # torn off before its state
        "ana@example.org,Quispe, Ana,baja\n",  # a name with a comma: its state stands one further
    ],
)
def test_a_line_that_has_slipped_is_set_aside(lines, upload, take):
    job = take(upload("lista.csv", f"email,nombre,estado\nb@example.org,Bea,activa\n{lines}"))
    assert job.counts == {"bad": 1, "new": 1}
    assert Subscriber.objects.get().email == "b@example.org"


@pytest.mark.parametrize(
    ("columns", "cells"),
    [
        ("nombre", "Ana Quispe (BAJA)"),
        ("Nombres,Apellidos", "Ana,Quispe - dada de baja"),
        ("Labels", "Desuscritos ::: * myContacts"),
        ("tags", "unsubscribed-2022"),
        ("tags", "VIP;No enviar"),
        ("tags", "pending"),
        ("lists", '"[{""name"": ""Boletín"", ""subscription_status"": ""unconfirmed""}]"'),
    ],
)
def test_a_word_of_leaving_in_a_name_or_among_topics_stops_the_line(columns, cells, upload, check):
    job = check(
        upload("lista.csv", f"email,{columns}\na@example.org,{cells}\nb@example.org{',' * len(columns.split(','))}\n")
    )
    assert job.counts == {"bad": 1, "new": 1}
    assert re.search(
        "(?i)“(baja|dada de baja|desuscri|unsub|no enviar|pending|unconfirmed)", job.bad_lines.get().reason
    )


def test_a_line_with_more_cells_than_headings_is_set_aside(upload, check):
    assert check(upload("lista.csv", "email,nombre\na@example.org,Ana,baja\n")).counts == {"bad": 1}


def test_so_is_one_in_a_workbook(upload, check):
    def fill(book):
        book.active.append(["ana@example.org", None, "baja"])

    assert check(upload("lista.xlsx", workbook(fill))).counts == {"bad": 1, "new": 1}


@pytest.mark.parametrize("content", ["a@example.org, b@example.org, c@example.org\n", "a@example.org,\nb@example.org,c@example.org\n"])  # fmt: skip
def test_several_addresses_in_a_line_without_headings_lose_nobody(content, upload):
    job = upload("lista.csv", content)
    assert job.state == State.FAILED
    assert "one address" in job.problem


@pytest.mark.parametrize("line", ["Bajas:", "DADOS DE BAJA;;", ";NO ENVIAR;2022", ";;Baja", "Unsubscribed"])
def test_a_heading_within_a_list_divides_it(line, upload):
    job = upload("lista.csv", f"correo;nombre;estado\na@example.org;Ana;\n\n{line}\nb@example.org;Eva;\n")
    assert job.state == State.FAILED
    assert "line 4" in job.problem.lower()
    assert re.search("(?i)“.*(baja|enviar|unsub)", job.problem)


@pytest.mark.parametrize("line", ["rosa@;Rosa;baja", ";Rosa;baja", "Activos:;;"])
def test_a_line_without_an_address_that_is_a_person_s_does_not(line, upload, check):
    job = check(upload("lista.csv", f"correo;nombre;estado\na@example.org;Ana;activa\n{line}\n"))
    assert job.counts == {"new": 1, "bad": 1}


def test_merged_cells_are_refused(upload):
    def merge(book):
        book.active.append(["ana@example.org", "baja"])
        book.active.append(["eva@example.org"])
        book.active.merge_cells("B3:B4")

    job = upload("lista.xlsx", workbook(merge))
    assert job.state == State.FAILED
    assert "B3:B4" in job.problem


def test_cells_that_are_merged_above_the_people_or_within_a_line_are_not(upload):
    def merge(book):
        book.active.insert_rows(1, 2)
        book.active["A1"] = "Feria"
        book.active.merge_cells("A1:C2")
        book.active.append(["ana@example.org", "Ana"])
        book.active.merge_cells("B5:C5")

    assert upload("lista.xlsx", workbook(merge)).state == State.UPLOADED


@pytest.mark.parametrize("where", ["cell", "row", "column", "words"])
def test_a_list_with_struck_out_cells_is_refused(where, upload):
    def strike(book):
        book.active.append(["ana@example.org", "Ana"])
        struck = Font(strike=True)
        if where == "cell":
            book.active["A3"].font = struck
        elif where == "row":
            book.active.row_dimensions[3].font = struck
            book.active["A3"].font = book.active["B3"].font = struck
        elif where == "column":
            book.active["B3"].font = struck
        else:
            book.active["A3"] = CellRichText(TextBlock(InlineFont(strike=True), "ana@example.org"), " ")

    job = upload("lista.xlsx", workbook(strike))
    assert job.state == State.FAILED
    assert "struck" in job.problem


def test_struck_out_headings_empty_cells_and_other_fonts_are_no_matter(upload):
    def strike(book):
        book.active["A1"].font = Font(strike=True)
        book.active["A2"].font = Font(bold=True, strike=False)
        book.active["C2"].font = Font(strike=True)

    assert upload("lista.xlsx", workbook(strike)).state == State.UPLOADED


def test_hidden_rows_are_named_and_the_notes_stay(upload, take, check, staff_client):
    def hide(book):
        for name in ("ana", "eva"):
            book.active.append([f"{name}@example.org"])
        book.active.row_dimensions[3].hidden = book.active.row_dimensions[4].hidden = True
        book.create_sheet("Otras").append(["x"])

    job = upload("lista.xlsx", workbook(hide))
    for _step in range(2):
        assert "2 rows are hidden" in job.problem
        assert "Otras" in job.problem
        assert "2 rows are hidden" in staff_client.get(f"/admin/newsletter/imports/{job.pk}/").text
        check(job)
    assert take(job).counts == {"new": 3}


@pytest.mark.parametrize("cell", ["#a@example.org", "-a@example.org", "*a@example.org", "/a@example.org", "'a@example.org", "//a@example.org", "# <a@example.org>", "~a@example.org", "!a@example.org", "?a@example.org", "=a@example.org", "$a@example.org"])  # fmt: skip
def test_a_remark_is_no_address(cell, upload, check):
    job = check(upload("lista.csv", f"email,x\n{cell},\nb@example.org,\n"))
    assert job.counts == {"bad": 1, "new": 1}
    assert "remark" in job.bad_lines.get().reason


@pytest.mark.parametrize("cell", ["Rosa <a@example.org>", "<a@example.org>", "mailto:a@example.org", "MAILTO:a@example.org?subject=x", "'Rosa' <a@example.org>"])  # fmt: skip
@pytest.mark.parametrize("headings", ["", "Kontakt,Wer\n"])
def test_addresses_as_mail_programs_write_them(cell, headings, upload, take):
    job = upload("lista.csv", f"{headings}{cell},Feria\n")
    assert job.mapping == {"email": 0}
    take(job)
    assert Subscriber.objects.get().email == "a@example.org"


@pytest.mark.parametrize("cell", ["Rosa (BAJA) <a@example.org>", "a@example.org (baja)", "a@example.org <b@example.org>", "NO <a@example.org>", "a@example.org <baja>"])  # fmt: skip
def test_what_else_stands_beside_an_address_stops_the_line(cell, upload, check):
    assert check(upload("lista.csv", f"email,x\n{cell},\n")).counts == {"bad": 1}


CONFIRMED = "email,CONFIRM_TIME\na@example.org,2021-05-04 10:00:00\nb@example.org,\n"


def test_who_has_no_date_of_confirming_is_asked(upload, check, staff_client):
    job = upload("lista.csv", CONFIRMED)
    assert job.values["date1"] == {exporters.DATE: 1, exporters.EMPTY: 1}
    page = staff_client.get(f"/admin/newsletter/imports/{job.pk}/").text
    assert '<th scope="col">CONFIRM_TIME</th>' in page
    assert check(job).counts == {"new": 1, "undecided": 1}
    assert job.values["date1"] == {exporters.DATE: 1, exporters.EMPTY: 1}
    said = {
        field_of_meaning("date1", exporters.DATE): "active",
        field_of_meaning("date1", exporters.EMPTY): "unconfirmed",
    }
    assert check(job, meanings=said).counts == {"new": 1, "unsure": 1}


@pytest.mark.parametrize(
    ("heading", "counts"),
    [
        ("DOUBLE_OPT-IN", {"new": 1, "undecided": 1}),
        ("Subscribed", {"new": 1, "undecided": 1}),
        ("created_at", {"new": 2}),
    ],
)
def test_a_date_of_asking_that_is_missing_says_something_in_few_programs(heading, counts, upload, check):
    job = check(upload("lista.csv", CONFIRMED.replace("CONFIRM_TIME", heading)))
    assert job.counts == counts


def test_a_column_of_which_every_line_has_a_date_asks_nothing(upload, staff_client):
    job = upload("lista.csv", CONFIRMED.replace("b@example.org,\n", ""))
    assert '<th scope="col">CONFIRM_TIME</th>' not in staff_client.get(f"/admin/newsletter/imports/{job.pk}/").text


def test_the_page_says_what_is_to_be_decided(upload, check, staff_client):
    content = "email,estado\na@example.org,Quetzal\nb@example.org,\nc@example.org,2023-05-06\n"
    content += "".join(f"d{number}@example.org,Wert {number}\n" for number in range(60))
    job = upload("lista.csv", content)
    url = f"/admin/newsletter/imports/{job.pk}/"
    page = staff_client.get(url).text
    for label in ("(empty)", "(a date)", "(other values)"):
        assert label in page
    assert re.search(r"What the states mean\s*\(51 values to be decided\)", page)
    assert "0 lines" not in page
    assert "state or consent: who gets the newsletter" in page
    check(job)
    page = staff_client.get(url).text
    assert "Import it now" not in page
    assert "line by line" in page
    assert "63 lines" in page


def test_hidden_rows_are_counted_across_the_parts_that_are_read():
    rows = b"".join(
        b'<row r="%d" hidden="1"><c r="A1"><v>1</v></c></row><row r="1" hidden="1"/>' % n for n in range(9000)
    )
    parts = list(readers._whole_tags(io.BytesIO(rows)))
    assert len(parts) > 5
    assert sum(len(readers.HIDDEN_ROW.findall(part)) for part in parts) == 9000
