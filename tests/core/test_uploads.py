"""What may be uploaded: only what its name says, of a size that can be borne, and never run in the site's origin."""

import io
import zipfile

import pytest
from core import uploads
from core.images import CustomImage
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from wagtail.documents import get_document_model
from wagtail.images.tests.utils import get_test_image_file

from newsletter import tables

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


def test_a_file_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(uploads, "MAX_BYTES", 10)
    with pytest.raises(ValidationError):
        uploads.check(SimpleUploadedFile("a.txt", b"x" * 11), "a.txt")


def test_a_large_picture_is_refused_and_a_script_is_no_picture(staff_client, settings):
    number = CustomImage.objects.count()
    for name, content in [("a.svg", b"<svg onload='alert(1)'/>"), ("a.png", b"<html>"), ("a.gif", b"GIF89a<script>")]:
        staff_client.post(
            reverse("wagtailimages:add"), {"title": "T", "file": SimpleUploadedFile(name, content), "collection": 1}
        )
    settings.WAGTAILIMAGES_MAX_UPLOAD_SIZE = 10
    staff_client.post(reverse("wagtailimages:add"), {"title": "T", "file": get_test_image_file(), "collection": 1})
    assert CustomImage.objects.count() == number


def test_a_list_that_would_unpack_to_too_much_is_refused():
    bomb = archive(["xl/workbook.xml", "bomb.bin"], bomb=uploads.MAX_UNPACKED_BYTES + 1)
    with pytest.raises(ValidationError):
        tables.inspect(io.BytesIO(bomb))


def test_a_spreadsheet_cannot_read_files_of_the_server():
    evil = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><workbook>&e;</workbook>'
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("xl/workbook.xml", evil)
        made.writestr("[Content_Types].xml", evil)
    with pytest.raises(ValidationError):
        tables.inspect(file)


def test_a_document_is_downloaded_under_its_own_name_only_and_runs_nowhere(client, staff_client):
    upload(staff_client, 'informe "2026"; x.pdf', GOOD["report.pdf"])
    document = get_document_model().objects.get()
    try:
        answer = client.get(document.url)
        assert answer.status_code == 200
        assert "script-src" not in answer["Content-Security-Policy"]
        assert "default-src 'none'" in answer["Content-Security-Policy"]
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "\r" not in answer["Content-Disposition"]
        assert answer["Content-Disposition"].count(";") <= 2
        assert client.get(f"/documents/{document.pk}/other.pdf").status_code == 404
        assert client.get(f"/documents/{document.pk}/..%2f..%2fdb.sqlite3").status_code == 404
        assert client.get(f"/media/{document.file.name}").status_code == 404
    finally:
        document.file.delete(save=False)


@pytest.mark.parametrize(
    "path", ["../db.sqlite3", "..%2f..%2fetc/passwd", "/etc/passwd", "%2e%2e/env", "images/", ".", "\\..\\env"]
)
def test_no_path_leads_out_of_the_media(client, path):
    assert client.get(f"/media/{path}").status_code in {400, 404}
