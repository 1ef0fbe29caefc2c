"""From the last release to this one and back: readers read and a campaign goes out all the time, and its backups are restored."""

import os
import re
import subprocess
import sys
import tarfile
import threading
import time
from contextlib import contextmanager
from http import HTTPStatus
from io import BytesIO

import pytest
import requests
from django.db import connection

from tests.fakes import SMTPServer
from tests.services import in_services
from tests.stack import free_port
from tests.transactional import _django_db_helper  # noqa: F401
from tests.workers import ROOT, Workers, environment, wait_until

pytestmark = [in_services, pytest.mark.django_db]
PEOPLE = 80
FILL = f"""
from newsletter.models import Subscriber
Subscriber.objects.bulk_create(
    Subscriber(email=f"{{number}}@example.org", state=Subscriber.State.ACTIVE) for number in range({PEOPLE})
)
"""
SEND = """
from newsletter import tasks
from newsletter.campaigns import lifecycle
from newsletter.models import Campaign, IssuePage
campaign = Campaign.objects.create(issue=IssuePage.objects.get(locale__language_code="es"))
lifecycle.start(campaign)
tasks.send_campaign.enqueue(campaign.pk)
"""
COUNT = """
from newsletter.models import Delivery, Subscriber
from wagtail.models import Page
print("found", Page.objects.filter(live=True).count(), Subscriber.objects.count(), Delivery.objects.filter(state="sent").count())
"""
STATE = 'from newsletter.models import Campaign; print("state", Campaign.objects.latest("pk").state)'
PATHS = ["/es/", "/en/", "/pt-br/", "/es/noticias/", "/es/boletin/", "/en/news/feed.xml", "/es/buscar/?q=comercio"]


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """The folder of the last release of CHANGELOG.md, from the history of this checkout."""
    version = re.search(r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text(), re.M)
    if not version:
        pytest.skip("there is no release yet")
    commit = _git("rev-parse", "-q", "--verify", f"v{version[1]}^{{commit}}") or _git(
        "log", "--format=%H", "--reverse", f'-Sversion = "{version[1]}"', "--", "pyproject.toml"
    )
    if not commit:
        pytest.skip("the history of this checkout does not go back to the last release")
    folder = tmp_path_factory.mktemp("release")
    packed = subprocess.run(["git", "archive", commit.split()[0]], cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=BytesIO(packed)) as files:
        files.extractall(folder, filter="data")
    compile_messages = [sys.executable, "manage.py", "compilemessages", "--verbosity", "0"]
    subprocess.run(compile_messages, env=environment(), cwd=folder, check=True)
    return folder


def _git(*words):
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def site(tmp_path):
    """Run the site of a folder on one database and one place for files: manage(root, …), and `url_of(name)`."""
    return Site(tmp_path)


class Site:
    """One site that different releases of the program run on."""

    def __init__(self, folder):
        self.folder, self.databases = folder, []
        self.env = environment(
            DATABASE_URL=self.new_database("upgrade"),
            TEST_VAR_DIR=str(folder),
            TEST_MEDIA_ROOT=str(folder / "media"),
            EMAIL_PROVIDER="smtp",
            EMAIL_HOST="127.0.0.1",
            EMAIL_USE_TLS="no",
            SMTP_CONNECTIONS="4",
        )

    def new_database(self, name):
        """The URL of a new, empty database."""
        if connection.vendor == "sqlite":
            return f"sqlite:///{self.folder / name}.sqlite3"
        name = f"{name}_{os.getpid()}"
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            cursor.execute(f"CREATE DATABASE {name}")
        return f"{environment()['DATABASE_URL'].rpartition('/')[0]}/{name}"

    def manage(self, root, *words, **env):
        """What `manage.py` of a release says."""
        command = [sys.executable, root / "manage.py", *words]
        run = subprocess.run(command, env={**self.env, **env}, cwd=root, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr[-3000:]
        return run.stdout

    def shell(self, root, code, **env):
        return self.manage(root, "shell", "--no-imports", "-c", code, **env)

    @contextmanager
    def web(self, root):
        """The web server of a release; gives its URL."""
        port = free_port()
        command = [sys.executable, root / "manage.py", "web", "--port", str(port)]
        process = subprocess.Popen(command, env=self.env, cwd=root)
        url = f"http://127.0.0.1:{port}"
        try:
            assert wait_until(lambda: status(f"{url}/readyz") == HTTPStatus.OK, 60)
            yield url
        finally:
            process.terminate()
            process.wait(40)


def status(url):
    try:
        return requests.get(url, timeout=20).status_code
    except requests.RequestException as error:
        return str(error)


class Readers:
    """Somebody who reads one page after the other, as a context manager; `troubles` is what was not as it should be."""

    def __init__(self, url):
        self.url, self.read, self.troubles = url, 0, []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._is_over.wait(0.05):
            path = PATHS[self.read % len(PATHS)]
            found = status(self.url + path)
            if found != HTTPStatus.OK:
                self.troubles.append((path, found))
            self.read += 1

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._is_over.set()
        self._thread.join()


def recipients(server):
    return [recipient for recipient, _message in server.mails]


def join(url, email):
    """Sign up by the form, as a person does."""
    stamp = re.search(r'name="stamp" value="([^"]+)"', requests.get(f"{url}/es/boletin/", timeout=20).text)[1]
    time.sleep(3.5)  # nobody fills in a form faster
    form = {"email": email, "stamp": stamp}
    return requests.post(f"{url}/es/subscription/join/", form, headers={"Origin": url}, timeout=20).status_code


def test_readers_and_a_campaign_go_on_through_an_upgrade_and_back(release, site):
    site.manage(release, "migrate", "--verbosity", "0")
    site.manage(release, "load_starter_content")
    site.shell(release, FILL)
    with SMTPServer() as server, site.web(release) as old:
        server.seconds = 0.1
        site.env["EMAIL_PORT"] = str(server.port)
        with Workers(site.env) as workers, Readers(old) as readers:
            site.shell(release, SEND)
            first = workers.start(release)
            assert wait_until(lambda: len(server.mails) > PEOPLE / 8, 60)
            server.seconds = 4  # there is enough left to send, however long the migration takes
            site.manage(ROOT, "migrate", "--verbosity", "0")  # with the old release still at work
            first.terminate()
            assert first.wait(30) == 0
            assert len(server.mails) < PEOPLE
            server.seconds = 0.05
            with site.web(ROOT) as new, Readers(new) as readers_of_new:
                workers.start(ROOT)
                assert wait_until(lambda: "state sent" in site.shell(ROOT, STATE), 90)
                assert join(new, "new@example.org") == HTTPStatus.OK
                assert wait_until(lambda: "new@example.org" in recipients(server), 60)
            # Back: the old release on what the new one wrote.
            workers.kill(workers.running[-1])
            assert join(old, "old@example.org") == HTTPStatus.OK
            site.shell(release, SEND)
            workers.start(release)
            assert wait_until(lambda: "state sent" in site.shell(release, STATE), 90)
            assert wait_until(lambda: "old@example.org" in recipients(server), 60)
        assert {recipients(server).count(f"{number}@example.org") for number in range(PEOPLE)} == {2}
    assert readers.read > 20
    assert readers_of_new.read > 5
    assert readers.troubles == []
    assert readers_of_new.troubles == []


def test_a_backup_of_the_last_release_is_restored(release, site):
    site.manage(release, "migrate", "--verbosity", "0")
    site.manage(release, "load_starter_content")
    site.shell(release, FILL)
    site.manage(release, "backup")
    before = site.shell(release, COUNT)
    elsewhere = {"DATABASE_URL": site.new_database("restored"), "TEST_MEDIA_ROOT": str(site.folder / "restored")}
    site.manage(ROOT, "restore", **elsewhere)
    assert site.shell(ROOT, COUNT, **elsewhere) == before
    assert "No migrations to apply" in site.manage(ROOT, "migrate", **elsewhere)
