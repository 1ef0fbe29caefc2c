"""The database of the tests, migrated and with its starter content: made once, kept under var/, and copied for each run.

Making it takes longer than half of the tests; copying it takes no time. A change of what it is made from makes it anew.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
MADE_FROM = [
    "requirements.txt",
    "*/migrations/*.py",
    "site/*/migrations/*.py",
    "*/models.py",
    "site/*/models.py",
    "newsletter/editions/blocks/**/*.py",
    "site/core/blocks/**/*.py",
    "home/starter/*",
    "home/management/commands/load_starter_content.py",
    "site/core/images.py",
    "site/core/renditions.py",
    "tests/template_database.py",
]
RESIZE = "from tests.template_database import resize; resize()"


def resize():
    """What a worker does: the resized copies of the pictures, which take seconds."""
    from core import renditions
    from wagtail.models import Page

    for page in Page.objects.filter(depth__gte=2, live=True).specific():
        while renditions.make_all(renditions.missing_on(page)):
            pass


def _digest():
    found = hashlib.sha256()
    for pattern in MADE_FROM:
        for path in sorted(ROOT.glob(pattern)):
            if path.is_file():
                found.update(path.read_bytes())
    return found.hexdigest()[:16]


def _make(folder):
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
        "TEST_MEDIA_ROOT": str(folder / "media"),
    }
    for command in (["migrate"], ["load_starter_content"], ["shell", "-c", RESIZE]):
        manage = [sys.executable, ROOT / "manage.py", *command, "--verbosity", "0"]
        subprocess.run(manage, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)


def prepared():
    """The folder that holds `db.sqlite3`, `media` and `renditions`; whoever comes first makes it while the others wait."""
    var = ROOT / "var"
    var.mkdir(exist_ok=True)
    folder = var / f"test-{_digest()}"
    with (var / "test.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            for old in var.glob("test-*"):
                shutil.rmtree(old)
            unfinished = var / "test-unfinished"
            unfinished.mkdir()
            _make(unfinished)
            unfinished.rename(folder)
    return folder


def copy_to(database, media):
    """Put a copy of the prepared database and its files at these paths; `media` is the folder of the originals."""
    folder = prepared()
    for suffix in ("", "-wal", "-shm", "-journal"):
        Path(f"{database}{suffix}").unlink(missing_ok=True)
    shutil.copyfile(folder / "db.sqlite3", database)
    for name in ("media", "renditions"):
        shutil.copytree(folder / name, Path(media).with_name(name), dirs_exist_ok=True)
