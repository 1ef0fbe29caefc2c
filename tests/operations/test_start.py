"""`manage.py run_all`, as a real process: it keeps its web server and its worker running, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from django.conf import settings
from jobs import process
from operations.management.commands.run_all import ManagedProcess

from tests import starts
from tests.services import in_services
from tests.stack import free_port
from tests.transactional import _django_db_helper  # noqa: F401
from tests.workers import ROOT, environment, wait_until

pytestmark = pytest.mark.django_db


def children(pid):
    """{words of the command line: process number} of what a process started."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found[(folder / "cmdline").read_text().replace("\0", " ")] = int(folder.name)
        except (OSError, IndexError):
            continue
    return found


def is_running(pid):
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def listens(pid):
    """Whether a process has a handler of its own for SIGTERM."""
    caught = int(Path(f"/proc/{pid}/status").read_text().partition("SigCgt:")[2].split()[0], 16)
    return bool(caught & 1 << signal.SIGTERM - 1)


class Site:
    """`manage.py run_all` on this test's database."""

    def __init__(self, log):
        self.port, self.log = free_port(), log
        env = environment(TEST_MEDIA_ROOT=str(settings.MEDIA_ROOT), WEB_PROCESSES="1")
        command = [sys.executable, ROOT / "manage.py", "run_all", "--port", str(self.port)]
        with log.open("w") as file:
            self.process = subprocess.Popen(command, env=env, cwd=ROOT, stdout=file, stderr=file)
        self.seen = set()

    def answers(self):
        try:
            return urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5).status == 200
        except (URLError, OSError):
            return False

    def is_announced(self):
        return "Ctrl-C stops everything" in self.log.read_text()

    def worker(self):
        """The number of the worker's process, or None."""
        found = children(self.process.pid)
        self.seen |= {*found.values(), *(pid for child in found.values() for pid in children(child).values())}
        return next((pid for words, pid in found.items() if words.endswith(" worker ") and is_running(pid)), None)

    def left_behind(self):
        return [pid for pid in self.seen if is_running(pid)]


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path / "log")
    try:
        assert wait_until(site.is_announced, 60), site.log.read_text()
        assert site.worker()
        yield site
    finally:
        for pid in [site.process.pid, *site.left_behind()]:
            if is_running(pid):
                os.kill(pid, signal.SIGKILL)
        site.process.wait()


def version():
    """The one place where the version stands."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


@in_services
def test_a_worker_that_dies_is_started_again_and_the_web_goes_on(site):
    first = site.worker()
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: site.worker() not in {first, None}, 20), site.log.read_text()
    assert site.answers()
    log = site.log.read_text()
    assert "The worker stopped by itself (exit status -9)" in log
    assert f"CLAC {version()}: a web process starts" in log
    assert f"CLAC {version()}: a worker starts" in log
    _told_twice_to_end_it_does_so_at_once(site)


def _told_twice_to_end_it_does_so_at_once(site):
    """The first signal is waited for politely: here in vain, as the worker is frozen. The second ends it all, without a word of
    Python's."""
    worker = site.worker()
    assert wait_until(lambda: listens(worker), 20)
    os.kill(worker, signal.SIGSTOP)
    site.process.terminate()
    assert wait_until(lambda: "Stopping" in site.log.read_text(), 10)
    with pytest.raises(subprocess.TimeoutExpired):
        site.process.wait(1)
    assert is_running(worker)
    site.process.terminate()
    site.process.wait(5)
    assert wait_until(lambda: not site.left_behind(), 2)
    assert "Traceback" not in site.log.read_text()


@in_services
def test_nothing_outlives_it_when_it_is_killed(site):
    site.process.kill()
    assert wait_until(lambda: not site.left_behind(), process.STOP_SECONDS)


def test_pauses_grow_until_it_is_steady():
    process = ManagedProcess("worker", ["true"], started_at=time.monotonic())
    assert [process.schedule_restart() for _end in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    process.started_at -= 100
    assert process.schedule_restart() == 1


WATCH = """
import time
from jobs.process import Watchdog
with Watchdog("a test", 1) as watchdog:
    for _half_second in range(5):
        time.sleep(0.5)
        watchdog.progress()
    print("still here", flush=True)
    time.sleep(60)
"""


@in_services
def test_a_worker_without_progress_ends_itself_and_raises_an_alarm():
    started = time.monotonic()
    run = starts.manage("shell", "--no-imports", "-c", WATCH, env=environment())
    assert run.returncode == 1
    assert time.monotonic() - started < 20
    assert "still here" in run.stdout
    assert "Alert (worker hangs): No progress for 1 seconds (a test)" in run.stderr
