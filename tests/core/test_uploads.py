"""What may be uploaded: only what its name says, of a size that can be borne, and never run in the site's origin."""

import io
import re
import zipfile
from pathlib import Path

import openpyxl
import pytest
from core import uploads
from core.images import CustomImage, CustomRendition
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from wagtail.documents import get_document_model
from wagtail.images.tests.utils import get_test_image_file

from newsletter.imports import readers, runner
from newsletter.models import SubscriberImport

pytestmark = pytest.mark.django_db


def archive(members, **sizes):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name in members:
            made.writestr(name, b"\0" * sizes.get(name.partition(".")[0], 10))
    return file.getvalue()


DOCX = archive(["[Content_Types].xml", "word/document.xml"])
GOOD = {
    "report.pdf": b"%PDF-1.7\n...",
    "report.PDF": b"%PDF-1.4",
    "letter.docx": DOCX,
    "list.csv": "correo;país\nrosa@example.org;Perú\n".encode("cp1252"),
    "notes.txt": "Café".encode(),
    "all.zip": archive(["a.txt"]),
}
BAD = {
    "page.pdf": b"<html><script>alert(1)</script>",
    "program.txt": b"MZ\x90\0\x03",
    "letter.docx": archive(["a.txt"]),
    "sheet.xlsx": DOCX,
    "letter.odt": b"PK\x03\x04 broken",
    "bomb.zip": archive(["bomb.bin"], bomb=uploads.MAX_UNPACKED_BYTES + 1),
    "many.zip": archive([f"{number}.txt" for number in range(uploads.MAX_MEMBERS + 1)]),
}


def upload(client, name, content):
    data = {"title": "T", "file": SimpleUploadedFile(name, content), "collection": 1}
    return client.post(reverse("wagtaildocs:add"), data)


@pytest.mark.parametrize("name", GOOD)
def test_documents_that_are_what_they_say_are_taken(staff_client, name):
    upload(staff_client, name, GOOD[name])
    assert get_document_model().objects.count() == 1


@pytest.mark.parametrize("name", BAD)
def test_documents_that_are_not_are_refused_in_words(staff_client, name):
    answer = upload(staff_client, name, BAD[name])
    assert get_document_model().objects.count() == 0
    text = answer.content.decode()
    assert "not what its name says" in text or "unpack to too much" in text


@pytest.mark.parametrize("name", ["page.html", "script.js", "picture.svg", "program.exe", "page.php", "noextension"])
def test_other_kinds_are_refused(staff_client, name):
    assert upload(staff_client, name, b"x").status_code == 200
    assert get_document_model().objects.count() == 0


def test_a_file_that_is_too_large_is_refused(staff_client, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_BYTES", 10)
    assert "larger than" in upload(staff_client, "a.txt", b"x" * 11).text
    assert get_document_model().objects.count() == 0
    upload(staff_client, "a.txt", b"x" * 10)
    assert get_document_model().objects.count() == 1


def test_a_large_picture_is_refused_and_a_script_is_no_picture(staff_client, settings):
    number = CustomImage.objects.count()

    def add(file):
        staff_client.post(reverse("wagtailimages:add"), {"title": "T", "file": file, "collection": 1})
        return CustomImage.objects.count() - number

    svg = b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
    for name in ("a.svg", "a.svgz", "a.png", "a.jpg"):
        assert add(SimpleUploadedFile(name, svg, "image/svg+xml")) == 0, name
    for name, content in [("a.png", b"<html>"), ("a.gif", b"GIF89a<script>")]:
        assert add(SimpleUploadedFile(name, content)) == 0, name
    picture = get_test_image_file().file.getvalue()
    assert add(SimpleUploadedFile("a.jpg", picture)) == 0  # it is a PNG
    limit, settings.WAGTAILIMAGES_MAX_UPLOAD_SIZE = settings.WAGTAILIMAGES_MAX_UPLOAD_SIZE, 10
    assert add(SimpleUploadedFile("a.png", picture)) == 0
    settings.WAGTAILIMAGES_MAX_UPLOAD_SIZE = limit
    assert add(SimpleUploadedFile("a.png", picture)) == 1
    CustomImage.objects.latest("pk").file.delete(save=False)


def workbook(cell, doctype=""):
    """A spreadsheet whose second line holds a cell of raw XML, and whose sheets have a document type."""
    book, file, made = openpyxl.Workbook(), io.BytesIO(), io.BytesIO()
    book.active.append(["email", "name"])
    book.active.append(["rosa@example.org", "CELL"])
    book.save(file)
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            text = old.read(name).decode().replace("CELL", cell)
            if doctype and name.startswith("xl/") and name.endswith(".xml"):
                declaration = re.match(r"(<\?xml[^>]*>)?", text)[0]
                text = f"{declaration}{doctype}{text.removeprefix(declaration)}"
            new.writestr(name, text)
    return made.getvalue()


def import_list(client, content):
    """Upload a list of addresses; returns what was read of it, or None if it was refused."""
    file = SimpleUploadedFile("list.xlsx", content)
    client.post(reverse("newsletter_imports"), {"file": file, "language": "es", "provenance": "Asked at the fair"})
    runner.work_on_next(20)
    job = SubscriberImport.objects.latest("pk")
    if job.state == SubscriberImport.State.FAILED:
        return None
    with job.file.open() as stored, readers.rows(stored, job.encoding, job.delimiter) as lines:
        return list(lines)


def test_a_list_that_would_unpack_to_too_much_is_refused(staff_client, run_tasks):
    bomb = archive(["xl/workbook.xml", "bomb.bin"], bomb=uploads.MAX_UNPACKED_BYTES + 1)
    many = archive(["xl/workbook.xml", *(f"{number}.txt" for number in range(uploads.MAX_MEMBERS + 1))])
    for content in (bomb, many):
        file = SimpleUploadedFile("list.xlsx", content)
        staff_client.post(reverse("newsletter_imports"), {"file": file, "language": "es", "provenance": "x"})
        run_tasks()
        assert "would unpack to too much" in SubscriberImport.objects.latest("pk").problem
    assert not SubscriberImport.objects.exclude(state="failed").exists()


def test_a_spreadsheet_cannot_read_files_of_the_server(staff_client, tmp_path):
    assert import_list(staff_client, workbook("Rosa"))[1] == ["rosa@example.org", "Rosa"]
    SubscriberImport.objects.all().delete()
    assert import_list(staff_client, workbook("<broken")) is None
    (tmp_path / "secret").write_text("secret")
    inner = '<!ENTITY e "x"><!ENTITY f "&e;&e;&e;&e;&e;&e;&e;&e;">'
    for doctype in (f'<!DOCTYPE x [<!ENTITY f SYSTEM "file://{tmp_path}/secret">]>', f"<!DOCTYPE x [{inner}]>"):
        read = import_list(staff_client, workbook("&f;", doctype))
        assert read is None or ("secret" not in str(read) and "xxxxxxxx" not in str(read))
    assert not SubscriberImport.objects.exclude(state="failed").exists()


def test_a_document_is_downloaded_under_its_own_name_only_and_runs_nowhere(client, staff_client):
    upload(staff_client, '../../informe "2026"; año; filename=x.exe.pdf', GOOD["report.pdf"])
    document = get_document_model().objects.get()
    client.logout()
    try:
        answer = client.get(f"{document.url}?filename=evil.exe", headers={"content-disposition": "filename=evil.exe"})
        assert answer.status_code == 200
        form = r"""(attachment|inline); filename="[\w .-]+"(; filename\*=UTF-8''[\w.%-]+)?"""
        assert re.fullmatch(form, answer["Content-Disposition"])
        assert ".." not in document.file.name
        assert "script-src" not in answer["Content-Security-Policy"]
        assert "default-src 'none'" in answer["Content-Security-Policy"]
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert client.get(f"/documents/{document.pk}/other.pdf").status_code == 404
        assert client.get(f"/documents/{document.pk}/..%2f..%2fdb.sqlite3").status_code == 404
        assert client.get(f"/media/{document.file.name}").status_code == 404
    finally:
        document.file.delete(save=False)


@pytest.mark.parametrize(
    "path",
    ["../secret.txt", "..%2fsecret.txt", "%2e%2e/secret.txt", "images/../../secret.txt", "images/..%2f..%2fsecret.txt",
     "images//../../secret.txt", "{outside}", "%2f{outside}", "/{outside}", "..\\secret.txt", "%2e%2e%5csecret.txt",
     "images/..;/../secret.txt", "secret.txt%00.png", "../media-other/secret.txt", "images/", ".", ""],
)  # fmt: skip
def test_no_path_leads_out_of_the_media(client, path):
    served = Path(storages["renditions"].location)
    secrets = [
        served.parent / "secret.txt",
        served.parent / "media-other" / "secret.txt",
        served / "images" / "secret.txt",
    ]
    for secret in secrets:
        secret.parent.mkdir(parents=True, exist_ok=True)
        secret.write_text("secret")
    try:
        answer = client.get(f"/media/{path.format(outside=secrets[0])}")
        assert answer.status_code in {400, 404}
        assert b"secret" not in answer.content
    finally:
        for secret in secrets:
            secret.unlink()
    rendition = CustomImage.objects.first().get_rendition("width-30")
    assert client.get(rendition.url).status_code == 200  # there is something to find


SOURCE = b"#!/usr/bin/python3\n<?php echo 6*7 ?><!--#exec cmd=\"id\"-->{{ 6*7 }}{% now 'Y' %}print(6*7)"


@pytest.mark.parametrize("name", ["page.php", "page.py", "page.shtml", "page.cgi", "page.html", "page.pl"])
def test_no_upload_is_run_on_the_server(client, name):
    """Whatever lies among the files that are served comes out as it went in."""
    storage = storages["renditions"]
    path = storage.save(f"images/{name}", ContentFile(SOURCE))
    Path(storage.path(path)).chmod(0o755)
    number = CustomRendition.objects.first().pk
    CustomRendition.objects.filter(pk=number).update(file=path)
    try:
        for address in (f"/media/{path}", f"/media/{path}?x=42"):
            answer = client.get(address)
            assert (answer.status_code, answer.getvalue()) == (200, SOURCE)
            assert "sandbox" in answer["Content-Security-Policy"]
            assert answer["X-Content-Type-Options"] == "nosniff"
        assert client.get(f"/media/{path}/42").status_code == 404
    finally:
        storage.delete(path)


def test_no_document_is_run_on_the_server(client, staff_client):
    upload(staff_client, "page.txt", SOURCE)
    document = get_document_model().objects.get()
    try:
        answer = client.get(document.url)
        assert (answer.getvalue(), answer["Content-Type"]) == (SOURCE, "text/plain")
        assert answer["Content-Security-Policy"] == "default-src 'none'"
    finally:
        document.file.delete(save=False)
