"""Deploy and run the site until Ctrl-C: database, starter content, static files, web server and worker."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from types import FrameType
from typing import Any, NoReturn
from urllib.error import URLError
from urllib.request import urlopen

from core.management.base import ProgressCommand
from core.sites import passkey_origin
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.core.management.base import CommandParser
from django.utils.crypto import get_random_string

STOP_SECONDS = 40  # longer than a worker needs to finish its current task
MIN_RESTART_DELAY, MAX_RESTART_DELAY = 1, 60  # seconds; doubled with each restart
STABLE_SECONDS = 60  # a process that ran for longer restarts with the minimum delay
PR_SET_PDEATHSIG = 1  # prctl(2)
LOGIN_FILE = settings.VAR_DIR / "admin-login.txt"


@dataclass
class ManagedProcess:
    """A child process that is restarted when it exits."""

    name: str
    command: list[str]
    popen: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restart_delay: float = MIN_RESTART_DELAY
    restart_at: float = 0.0  # on the monotonic clock; 0 while it runs

    def start(self) -> None:
        """Start the process in its own session, so that Ctrl-C reaches only this command, which stops its children in order.

        If this command is killed, the kernel sends SIGTERM to the child.
        """
        self.popen = subprocess.Popen(
            self.command, cwd=settings.BASE_DIR, start_new_session=True, preexec_fn=_terminate_with_parent
        )
        self.started_at, self.restart_at = time.monotonic(), 0.0

    def is_running(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    @property
    def exit_status(self) -> int | None:
        """The exit status; None while it runs and before it was started."""
        return self.popen.returncode if self.popen else None

    def schedule_restart(self) -> float:
        """Set the time of the restart, with exponential back-off. Returns the delay in seconds."""
        if time.monotonic() - self.started_at > STABLE_SECONDS:
            self.restart_delay = MIN_RESTART_DELAY
        delay, self.restart_delay = self.restart_delay, min(2 * self.restart_delay, MAX_RESTART_DELAY)
        self.restart_at = time.monotonic() + delay
        return delay

    def kill(self) -> None:
        """Kill the process and its children."""
        if self.popen is None:
            return
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def _terminate_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Command(ProgressCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--dev", action="store_true", help="reload on change, no static files to collect")

    def handle(self, *args: Any, port: int, dev: bool, **options: Any) -> None:
        self.processes: list[ManagedProcess] = []
        self.is_stopping = False
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

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        """Stop all processes in order on the first signal, kill them on the second."""
        if not self.is_stopping:
            self.is_stopping = True
            raise KeyboardInterrupt
        for process in self.processes:
            if process.is_running():
                process.kill()

    # Administrator

    def _admin_login(self) -> tuple[str, str] | None:
        """Create an administrator with a random password if there is none.

        Returns (name, password) as long as this password is valid, else None.
        """
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

    def _run(self, port: int, dev: bool) -> NoReturn:
        manage = [sys.executable, str(settings.BASE_DIR / "manage.py")]
        web = [*manage, "runserver", f"127.0.0.1:{port}"] if dev else [*manage, "web", "--port", str(port)]
        self.processes = [ManagedProcess("web server", web), ManagedProcess("worker", [*manage, "worker"])]
        for process in self.processes:
            process.start()
        self._wait_for(f"http://127.0.0.1:{port}/healthz")
        self._announce(port)
        while True:
            self._restart_stopped_processes()
            time.sleep(0.5)

    def _restart_stopped_processes(self) -> None:
        """Restart processes that exited, each with its own delay."""
        for process in self.processes:
            if process.is_running():
                continue
            if not process.restart_at:
                self.report(
                    f"The {process.name} stopped by itself (exit status {process.exit_status}); it starts again in {process.schedule_restart()} s."
                )
            elif time.monotonic() >= process.restart_at:
                process.start()

    def _wait_for(self, url: str) -> None:
        for _attempt in range(240):
            self._check_web()
            try:
                with urlopen(url, timeout=1):  # noqa: S310
                    return
            except (URLError, OSError):
                time.sleep(0.25)
        raise CommandError("The web server does not answer.")

    def _check_web(self) -> None:
        """Raise CommandError if the web server exited during start-up, for example because the port is in use."""
        web = self.processes[0]
        if not web.is_running():
            raise CommandError(f"The {web.name} stopped by itself (exit status {web.exit_status}).")

    def _announce(self, port: int) -> None:
        lines = [f"Site            {settings.SITE_URL}/", f"Admin           {settings.SITE_URL}/admin/"]
        if self.login:
            lines.append(f"  log in as     {self.login[0]}   password  {self.login[1]}")
        if passkey_origin() not in {"", settings.SITE_URL}:  # passkeys do not work on IP addresses
            lines.append(f"  with passkeys {passkey_origin()}/admin/")
        if settings.EMAIL_PROVIDER == "local":
            lines.append(f"Outgoing mail   {settings.SITE_URL}/admin/mail/")
        self.stdout.write("\n" + "\n".join(f"  {line}" for line in lines) + "\n\n  Ctrl-C stops everything.\n")
        self.stdout.flush()

    def _stop(self) -> None:
        """Terminate the processes, and kill those that do not exit within STOP_SECONDS."""
        self.is_stopping = True
        running = [(process, process.popen) for process in self.processes if process.popen and process.is_running()]
        for _process, popen in running:
            popen.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process, popen in running:
            try:
                popen.wait(max(0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                popen.wait()
