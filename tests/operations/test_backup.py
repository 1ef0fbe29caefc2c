"""Backups, on real databases and in real processes: what was saved comes back, what was erased since does not."""

import json
import os
import re
import tarfile
from pathlib import Path

import pyrage
import pytest
from core.images import CustomImage
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings
from django.utils import timezone
from operations import backup
from privacy import erasure_log, registry
from wagtail.images.tests.utils import get_test_image_file
from wagtail.models import Page

from newsletter.models import Campaign, ConsentEvent, Delivery, Subscriber
from newsletter.subscribers import subscriptions
from tests import starts
from tests.services import in_services
from tests.transactional import _django_db_helper  # noqa: F401
from tests.workers import environment

pytestmark = pytest.mark.django_db
LOOK = """
import json, pathlib
from django.conf import settings
from newsletter.models import *
from wagtail.models import Page
print(json.dumps({
    "pages": Page.objects.count(),
    "deliveries": list(Delivery.objects.values_list("subscriber__email", "state")),
    "states": dict(Subscriber.objects.values_list("email", "state")),
    "pictures": sorted(str(p.relative_to(settings.MEDIA_ROOT)) for p in pathlib.Path(settings.MEDIA_ROOT).rglob("*.*")),
}))
"""

RESTORE = """
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", {fallbacks!r}
try:
    call_command("restore", {path!r}, **{options!r})
except CommandError as error:
    print("Refused:", error)
if not connection.introspection.table_names():
    raise SystemExit
"""


@pytest.fixture(autouse=True)
def backups(settings, tmp_path):
    """A folder of this test's own for backups, of which one is kept."""
    settings.BACKUP_DIR, settings.BACKUP_KEEP = str(tmp_path / "backups"), 2
    settings.VAR_DIR = tmp_path
    return tmp_path / "backups"


@pytest.fixture
def elsewhere(tmp_path):
    """Run `manage.py` in an empty place: another database, other folders."""
    if connection.vendor == "sqlite":
        url = f"sqlite:///{tmp_path / 'elsewhere.sqlite3'}"
    else:
        with connection.cursor() as cursor:
            name = f"elsewhere_{os.getpid()}"  # other tests run beside this one
            cursor.execute(f"DROP DATABASE IF EXISTS {name}")
            cursor.execute(f"CREATE DATABASE {name}")
        url = f"{environment()['DATABASE_URL'].rpartition('/')[0]}/{name}"
    env = environment(DATABASE_URL=url, TEST_MEDIA_ROOT=str(tmp_path / "elsewhere"))

    return lambda *arguments, **more: starts.manage(*arguments, env={**env, **more})


def test_what_was_saved_comes_back_in_an_empty_place_and_what_was_erased_since_does_not(elsewhere, issue, subscribe):
    rosa, luis, ana = (subscribe(f"{name}@example.org") for name in ("rosa", "luis", "ana"))
    campaign = Campaign.objects.create(issue=issue)
    Delivery.objects.create(campaign=campaign, subscriber=ana, state=Delivery.State.DELIVERED)
    picture = CustomImage.objects.create(title="Harvest", file=get_test_image_file(filename="harvest.png"))
    try:
        path = backup.create()
        registry.erase(rosa.email)
        subscriptions.leave(luis, ConsentEvent.Method.FORM)
        answer = elsewhere("restore", path)
        assert answer.returncode == 0, answer.stderr
        assert "2 erasures and unsubscribes since were done again" in answer.stdout
        found = json.loads(elsewhere("shell", "--no-imports", "-c", LOOK).stdout)
        assert found["pages"] == Page.objects.count()
        assert found["deliveries"] == [["ana@example.org", "delivered"]]
        assert found["states"] == {"ana@example.org": "active", "luis@example.org": "unsubscribed"}
        assert picture.file.name in found["pictures"]
        assert len(found["pictures"]) == len(
            [path for path in Path(settings.MEDIA_ROOT).rglob("*.*") if path.is_file()]
        )
    finally:
        picture.delete()


def test_a_backup_made_by_hand_deletes_none_where_nightly_backups_are_off(settings):
    settings.BACKUP_KEEP = 0
    path = backup.create()
    assert backup.backups() == [path]


def test_a_backup_is_kept_though_the_clock_was_set_back(backups, settings):
    settings.BACKUP_KEEP = 1
    backups.mkdir()
    (backups / "clac-2099-01-01T00-00-00Z.tar").touch()
    path = backup.create()
    assert backup.backups() == [path]


def test_a_list_of_erasures_names_nobody(backups, subscribe):
    registry.erase(subscribe("rosa@example.org").email)
    (file,) = backups.glob("erasures-*.log")
    assert "rosa" not in file.read_text()
    assert oct(file.stat().st_mode)[-3:] == "600"


TORN = [
    b"2026-11-26T10:00:00+00:00 era",  # the disk was full
    b"2026-11-26T10:00:00+00:00 left 0123456789ab 0123",
    b"\0\0\0\0\0\0",
    b"\xff\xfe\x00l\x00e",
    b"2026-11-26T10:00:00 erased 0123456789ab " + b"0" * 64,  # a time without a zone
    b"2026-13-26T10:00:00+00:00 erased 0123456789ab " + b"0" * 64,
    b"2026-11-26T10:00:00+00:00 resurrected 0123456789ab " + b"0" * 64,
    b"2026-11-26T10:00:00+00:00 erased 0123456789ab " + b"0" * 64 + b"2026-11-26T10:00:00+00:00",
]


@in_services
def test_a_torn_line_is_counted_and_keeps_no_other_from_being_done(elsewhere, backups, subscribe):
    rosa = subscribe("rosa@example.org")
    leaving = [subscribe(f"luis{number}@example.org") for number in range(len(TORN))]
    path = backup.create()
    registry.erase(rosa.email)
    (file,) = backups.glob("erasures-*.log")
    for torn, person in zip(TORN, leaving, strict=True):
        with file.open("ab") as stream:
            stream.write(torn)
        subscriptions.leave(person, ConsentEvent.Method.FORM)
    answer = elsewhere("restore", path)
    assert answer.returncode == 0, answer.stderr
    assert f"{1 + len(TORN)} erasures and unsubscribes since were done again" in answer.stdout
    assert f"{len(TORN)} lines of the log cannot be read" in answer.stdout
    found = json.loads(elsewhere("shell", "--no-imports", "-c", LOOK).stdout)
    assert found["states"] == {person.email: "unsubscribed" for person in leaving}


@in_services
def test_with_a_key_that_cannot_match_nothing_is_replaced_unless_asked_for(elsewhere, subscribe):
    rosa = subscribe("rosa@example.org")
    path = backup.create()
    registry.erase(rosa.email)

    def restore(fallbacks=(), **options):
        """(what `restore` says under another key, the states of the subscribers after it; None while there are no tables)."""
        code = RESTORE.format(path=str(path), fallbacks=list(fallbacks), options=options) + LOOK
        answer = elsewhere("shell", "--no-imports", "-c", code)
        assert answer.returncode == 0, answer.stderr
        last = answer.stdout.strip().splitlines()[-1]
        return answer.stdout, json.loads(last)["states"] if last.startswith("{") else None

    said, states = restore()
    assert "Refused: " in said
    assert "1 erasures and unsubscribes since the backup were logged under another SECRET_KEY" in said
    assert states is None
    said, states = restore(without_unknown=True)
    assert "1 were logged under another SECRET_KEY and are not done again" in said
    assert states == {"rosa@example.org": "active"}
    said, states = restore(["only-for-tests"], replace=True)
    assert "1 erasures and unsubscribes since were done again" in said
    assert states == {}


def test_one_goodbye_that_fails_keeps_no_other_from_being_said(subscribe, backups, monkeypatch):
    people = [subscribe(f"{name}@example.org") for name in ("ana", "luis", "rosa")]
    began = timezone.now()
    for person in people:
        erasure_log.record(erasure_log.UNSUBSCRIBED, person.email)
    leave = subscriptions.leave
    monkeypatch.setattr(subscriptions, "leave", lambda one, *args: 1 / 0 if one.email < "b" else leave(one, *args))
    replay = erasure_log.replay(backups, began)
    assert (replay.done, replay.failed, replay.unreadable, replay.unknown) == (2, 1, 0, 0)
    assert set(Subscriber.objects.filter(state="unsubscribed").values_list("email", flat=True)) == {
        "luis@example.org",
        "rosa@example.org",
    }


def test_a_site_with_pages_is_not_overwritten_unasked():
    with pytest.raises(CommandError, match="--replace"):
        call_command("restore", backup.create())


def test_backups_are_private_and_the_oldest_make_way(backups, monkeypatch):
    for second in range(3):
        monkeypatch.setattr(backup, "FILE_NAME", f"clac-2027-01-0{second}T00-00-00Z.tar")
        path = backup.create()
    assert [path.name[5:15] for path in backup.backups()] == ["2027-01-02", "2027-01-01"]
    assert oct(path.stat().st_mode)[-3:] == "600"


def test_with_a_key_nobody_reads_a_backup_without_it(settings, subscribe, elsewhere):
    subscribe("rosa@example.org")
    settings.BACKUP_KEY = str(pyrage.x25519.Identity.generate())
    path = backup.create()
    assert path.name.endswith(".tar.age")
    assert path.read_bytes().startswith(b"age-encryption.org/v1")
    assert b"rosa@example.org" not in path.read_bytes()
    assert "set BACKUP_KEY" in elsewhere("restore", path).stderr
    other = str(pyrage.x25519.Identity.generate())
    assert "another key, or damaged" in elsewhere("restore", path, BACKUP_KEY=other).stderr
    assert elsewhere("restore", path, BACKUP_KEY=settings.BACKUP_KEY).returncode == 0


@pytest.mark.parametrize("place", ["head", "middle", "end"])
def test_an_encrypted_backup_of_which_one_bit_changed_is_not_opened(settings, place):
    settings.BACKUP_KEY = str(pyrage.x25519.Identity.generate())
    path = backup.create()
    raw = bytearray(path.read_bytes())
    raw[{"head": 60, "middle": len(raw) // 2, "end": -1}[place]] ^= 1
    path.write_bytes(raw)
    with pytest.raises(backup.BackupError, match="another key, or damaged"), backup._opened(path) as archive:
        archive.getnames()


def test_new_keys_are_new_and_do_what_a_key_is_for(settings, capsys):
    keys = []
    for _number in range(2):
        call_command("backup", "--new-key")
        keys.append(capsys.readouterr().out.strip())
    assert len(set(keys)) == 2
    assert all(re.fullmatch(r"AGE-SECRET-KEY-1[0-9A-Z]{58}", key) for key in keys)  # X25519
    settings.BACKUP_KEY = keys[0]
    path = backup.create()
    with backup._opened(path) as archive:
        assert backup.MANIFEST in archive.getnames()
    settings.BACKUP_KEY = keys[1]
    with pytest.raises(backup.BackupError, match="another key"), backup._opened(path):
        pass


@pytest.mark.parametrize("harm", ["a bit", "the end", "everything"])
@in_services
def test_a_damaged_backup_is_refused_and_nothing_is_changed(harm, elsewhere):
    path = backup.create()
    raw = bytearray(path.read_bytes())
    if harm == "a bit":
        with tarfile.open(path) as archive:
            name = backup.DATABASE[connection.vendor]
            raw[archive.getmember(name).offset_data + 5000] ^= 1
    path.write_bytes({"a bit": raw, "the end": raw[: len(raw) // 2], "everything": b"not a backup"}[harm])
    answer = elsewhere("restore", path)
    assert answer.returncode == 1
    assert "was not restored" in answer.stderr
    assert "Traceback" not in answer.stderr


@in_services
def test_a_full_disk_leaves_the_older_backups_and_no_half_one(backups, tmp_path):
    older = backup.create()
    env = environment(VAR_DIR=str(tmp_path), TEST_MEDIA_ROOT=str(settings.MEDIA_ROOT))
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000));"
        "from django.conf import settings; from operations import backup; from django.core.management import call_command;"
        f"settings.BACKUP_DIR = {str(backups)!r}; settings.BACKUP_KEEP = 2; settings.VAR_DIR = backup.Path({str(tmp_path)!r});"
        "call_command('backup')"
    )

    answer = starts.manage("shell", "--no-imports", "-c", code, env=env)
    assert answer.returncode != 0
    assert "No backup was made" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert [path.name for path in backups.iterdir()] == [older.name]


def test_the_missing_program_is_named(monkeypatch):
    if connection.vendor == "postgresql":
        monkeypatch.setitem(os.environ, "PATH", "/nowhere")
        with pytest.raises(backup.BackupError, match="postgresql-client"):
            backup.create()


def test_a_backup_cannot_write_outside_of_its_place(tmp_path):
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as archive:
        (tmp_path / "x").write_text("x")
        archive.add(tmp_path / "x", "../outside")
    with tarfile.open(path) as archive, pytest.raises(backup.BackupError, match="outside"):
        backup._unpack(archive, ["../outside"], tmp_path / "inside")
    assert not (tmp_path / "outside").exists()


def test_files_of_a_storage_elsewhere_are_refused_before_anything_is_replaced(tmp_path, monkeypatch):
    replaced = []
    monkeypatch.setattr(backup, "_load_database", replaced.append)
    picture = CustomImage.objects.create(title="Harvest", file=get_test_image_file(filename="harvest.png"))
    elsewhere = {"BACKEND": "django.core.files.storage.InMemoryStorage", "OPTIONS": {"location": str(tmp_path / "s3")}}
    try:
        path = backup.create()
        storages = override_settings(STORAGES=settings.STORAGES | {"default": elsewhere})
        with storages, pytest.raises(backup.BackupError, match="not on this machine"):
            backup.restore(path)
    finally:
        picture.delete()
    assert not replaced


def test_a_backup_whose_manifest_is_a_folder_is_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    with tarfile.open(tmp_path / "clac.tar", "w") as archive:
        archive.add(tmp_path / "folder", backup.MANIFEST)
    with pytest.raises(backup.BackupError, match="no whole backup"):
        backup.restore(tmp_path / "clac.tar")
