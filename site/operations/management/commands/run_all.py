"""Prepare the site and run it: database, starter content, static files, web server and worker, until Ctrl-C."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from urllib.error import URLError
from urllib.request import urlopen

from core.management.base import ProgressCommand
from core.sites import passkey_origin
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.utils.crypto import get_random_string

STOP_SECONDS = 40  # a worker finishes the shift that it has in hand
FIRST_PAUSE, LONGEST_PAUSE = 1, 60  # seconds before what ended by itself is started again; doubled each time
STEADY_SECONDS = 60  # what ran for so long begins with the first pause again
PR_SET_PDEATHSIG = 1  # prctl(2)
LOGIN_FILE = settings.VAR_DIR / "admin-login.txt"


@dataclass
class Program:
    """One of the processes that make up the site."""

    name: str
    command: list
    process: object = None
    started_at: float = 0.0
    pause: float = FIRST_PAUSE
    again_at: float = 0.0  # when it is started again, if it ended

    def start(self):
        """Start it in a session of its own: Ctrl-C reaches only this command, which then stops them in good order. Should this
        command be killed, the kernel tells them to end."""
        self.process = subprocess.Popen(
            self.command, cwd=settings.BASE_DIR, start_new_session=True, preexec_fn=_end_with_parent
        )
        self.started_at, self.again_at = time.monotonic(), 0.0

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def plan(self):
        """Say when it is started again: the more often it ends, the later. Returns in how many seconds."""
        if time.monotonic() - self.started_at > STEADY_SECONDS:
            self.pause = FIRST_PAUSE
        planned, self.pause = self.pause, min(2 * self.pause, LONGEST_PAUSE)
        self.again_at = time.monotonic() + planned
        return planned

    def kill(self):
        """End it and all that it started, at once."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def _end_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Command(ProgressCommand):
    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--dev", action="store_true", help="reload on change, no static files to collect")

    def handle(self, *args, port, dev, **options):
        self.programs, self.is_stopping = [], False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._interrupt)
        try:
            call_command("deploy", dev=dev, stdout=self.stdout)
            self.login = self._admin_login()
            self._run(port, dev)
        except KeyboardInterrupt:
            self.report("Stopping …")
        finally:
            self._stop()

    def _interrupt(self, number, frame):
        """The first signal stops everything in good order, a second one at once."""
        if not self.is_stopping:
            self.is_stopping = True
            raise KeyboardInterrupt
        for program in self.programs:
            if program.is_running():
                program.kill()

    # Signing in

    def _admin_login(self):
        """Make an administrator with a random password, if there is none; return (name, password) or None."""
        users = get_user_model().objects
        if not users.filter(is_superuser=True).exists():
            password = get_random_string(16)
            users.create_superuser("admin", "admin@example.org", password)
            LOGIN_FILE.touch(mode=0o600)
            LOGIN_FILE.write_text(f"admin {password}\n")
        if LOGIN_FILE.exists():
            name, password = LOGIN_FILE.read_text().split()
            user = users.filter(username=name).first()
            if user and user.check_password(password):
                return name, password
        return None

    # Running

    def _run(self, port, dev):
        manage = [sys.executable, str(settings.BASE_DIR / "manage.py")]
        web = [*manage, "runserver", f"127.0.0.1:{port}"] if dev else [*manage, "web", "--port", str(port)]
        self.programs = [Program("web server", web), Program("worker", [*manage, "worker"])]
        for program in self.programs:
            program.start()
        self._wait_for(f"http://127.0.0.1:{port}/healthz")
        self._announce(port)
        while True:
            self._look_after_programs()
            time.sleep(0.5)

    def _look_after_programs(self):
        """Start again what ended by itself, each program for itself."""
        for program in self.programs:
            if program.is_running():
                continue
            if not program.again_at:
                status = program.process.returncode
                self.report(
                    f"The {program.name} stopped by itself (exit status {status}); it starts again in {program.plan()} s."
                )
            elif time.monotonic() >= program.again_at:
                program.start()

    def _wait_for(self, url):
        for _attempt in range(240):
            self._check_web()
            try:
                with urlopen(url, timeout=1):  # noqa: S310
                    return
            except (URLError, OSError):
                time.sleep(0.25)
        raise CommandError("The web server does not answer.")

    def _check_web(self):
        """A web server that never came up, such as for want of a port, will not come up the next time."""
        web = self.programs[0]
        if not web.is_running():
            raise CommandError(f"The {web.name} stopped by itself (exit status {web.process.returncode}).")

    def _announce(self, port):
        lines = [f"Site            {settings.SITE_URL}/", f"Admin           {settings.SITE_URL}/admin/"]
        if self.login:
            lines.append(f"  log in as     {self.login[0]}   password  {self.login[1]}")
        if passkey_origin() not in {"", settings.SITE_URL}:  # browsers have no passkeys under a number
            lines.append(f"  with passkeys {passkey_origin()}/admin/")
        if settings.EMAIL_PROVIDER == "local":
            lines.append(f"Outgoing mail   {settings.SITE_URL}/admin/mail/")
        self.stdout.write("\n" + "\n".join(f"  {line}" for line in lines) + "\n\n  Ctrl-C stops everything.\n")
        self.stdout.flush()

    def _stop(self):
        """End what this command started: first politely, then for good."""
        self.is_stopping = True
        running = [program for program in self.programs if program.is_running()]
        for program in running:
            program.process.terminate()
        until = time.monotonic() + STOP_SECONDS
        for program in running:
            try:
                program.process.wait(max(0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                program.kill()
                program.process.wait()
