"""Processes that are killed, and disks that are full, in the middle of something: nothing acknowledged is lost, nothing is half."""

import resource
import subprocess
import sys
import time

import pytest
from core import periodic
from core.images import CustomImage
from django.conf import settings
from django.db import connection
from wagtail.models import Page

from newsletter.models import SignUpRequest
from tests.services import in_services
from tests.transactional import _django_db_helper  # noqa: F401
from tests.workers import ROOT, environment

pytestmark = pytest.mark.django_db
PUBLISH = """
from wagtail.models import Page
page = Page.objects.get(slug="alianzas-y-membresias", locale__language_code="es").specific
for number in range(10**6):
    page.title = f"Title {number}"
    page.search_description = f"Text {number}"
    page.save_revision().publish()
    print(number, flush=True)
"""
JOIN = """
import time_machine, datetime
from django.conf import settings
from core.forms import make_stamp
from django.test import Client
settings.SIGNUP_LIMIT_PER_ORIGIN = settings.SIGNUP_LIMIT_GLOBAL = 10**6
with time_machine.travel(datetime.datetime.now() - datetime.timedelta(seconds=9)):
    stamp = make_stamp()
client = Client(raise_request_exception=False)
for number in range(10**6):
    email = f"person.{number}@example.org"
    answer = client.post("/es/subscription/join/", {"email": email, "stamp": stamp}, headers={"origin": "http://testserver"})
    print(answer.status_code, email, flush=True)
    if answer.status_code != 302:
        print("503" if "Volvemos enseguida" in answer.content.decode() else answer.content.decode())
        break
"""


def run(code, **options):
    command = [sys.executable, ROOT / "manage.py", "shell", "--no-imports", "-c", code]
    env = environment(TEST_MEDIA_ROOT=str(settings.MEDIA_ROOT))
    return subprocess.Popen(
        command, env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def lines_until_killed(code, seconds):
    """What a process printed before `kill -9`, some seconds after its first line."""
    process = run(code)
    first = process.stdout.readline()
    time.sleep(seconds)
    process.kill()
    return [first, *process.communicate()[0].splitlines()]


def page():
    return Page.objects.get(slug="alianzas-y-membresias", locale__language_code="es").specific


@in_services
def test_a_page_is_published_whole_or_not_at_all(client):
    before = page()
    try:
        for seconds in (0.2, 0.45, 0.7):
            lines = lines_until_killed(PUBLISH, seconds)
            number = int(page().title.split()[1])
            assert number >= int(lines[-1])  # what was said to be published is
            assert page().search_description == f"Text {number}"
            assert page().live_revision.content["title"] == page().title
            periodic.drop_stale_pages()  # the process died before it could, and its cache was its own
            assert f"Title {number}" in client.get(page().url).content.decode()
    finally:
        before.save_revision().publish()


def test_a_sign_up_that_was_acknowledged_is_kept():
    lines = lines_until_killed(JOIN, 0.5)
    said = {line.split()[1] for line in lines if line.startswith("302")}
    assert len(said) > 3
    assert said <= set(SignUpRequest.objects.values_list("email", flat=True))


@pytest.mark.skipif(
    "postgres" in settings.DATABASES["default"]["ENGINE"], reason="PostgreSQL's disk is not this process's"
)
def test_a_full_disk_is_said_and_never_a_false_success():
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    size = 150_000  # what the database's log may grow to
    process = run(JOIN, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))
    output, errors = process.communicate(timeout=120)
    said = {line.split()[1] for line in output.splitlines() if line.startswith("302")}
    assert output.splitlines()[-1] == "503", output[-300:] + errors[-300:]
    assert said <= set(SignUpRequest.objects.values_list("email", flat=True))


UPLOAD = """
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image
import io, os
client = Client(raise_request_exception=False)
client.force_login(get_user_model().objects.create_superuser("full", "full@example.org", "x"))
raw = io.BytesIO()
Image.frombytes("RGB", (400, 400), os.urandom(480000)).save(raw, "PNG")
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
answer = client.post("/admin/images/add/", {"title": "Too much", "file": SimpleUploadedFile("a.png", raw.getvalue(), "image/png"), "collection": 1})
print(answer.status_code)
"""


@in_services
def test_a_picture_for_which_there_is_no_room_leaves_no_trace(django_user_model):
    number = CustomImage.objects.count()
    try:
        output, errors = run(UPLOAD).communicate(timeout=60)
        assert output.split()[-1] == "503", output + errors[-500:]
        assert CustomImage.objects.count() == number
    finally:
        django_user_model.objects.filter(username="full").delete()
