"""Prepare the site and run it: database, starter content, static files, web server and worker, until Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.utils.crypto import get_random_string

from core import passkeys
from core.management.talking import TalkingCommand

STOP_SECONDS = 40  # a worker finishes the shift that it has in hand
LOGIN_FILE = settings.VAR_DIR / "admin-login.txt"


class Command(TalkingCommand):
    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--dev", action="store_true", help="reload on change, no static files to collect")

    def handle(self, *args, port, dev, **options):
        call_command("prepare", dev=dev, stdout=self.stdout)
        self.login = self._admin_login()
        self.processes = {}
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._interrupt)
        try:
            self._run(port, dev)
        except KeyboardInterrupt:
            self.say("Stopping …")
        finally:
            self._stop()

    @staticmethod
    def _interrupt(number, frame):
        raise KeyboardInterrupt

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
        for name, command in {"web server": web, "worker": [*manage, "worker"]}.items():
            # A session of their own: Ctrl-C reaches only this process, which then stops them in good order.
            self.processes[name] = subprocess.Popen(command, cwd=settings.BASE_DIR, start_new_session=True)
        self._wait_for(f"http://127.0.0.1:{port}/healthz")
        self._announce(port)
        while True:
            self._check_alive()
            time.sleep(0.5)

    def _check_alive(self):
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise CommandError(f"The {name} stopped by itself (exit status {process.returncode}).")

    def _wait_for(self, url):
        for _attempt in range(240):
            self._check_alive()
            try:
                with urlopen(url, timeout=1):  # noqa: S310
                    return
            except (URLError, OSError):
                time.sleep(0.25)
        raise CommandError("The web server does not answer.")

    def _announce(self, port):
        lines = [f"Site            {settings.SITE_URL}/", f"Admin           {settings.SITE_URL}/admin/"]
        if self.login:
            lines.append(f"  log in as     {self.login[0]}   password  {self.login[1]}")
        if passkeys.origin() not in {"", settings.SITE_URL}:  # browsers have no passkeys under a number
            lines.append(f"  with passkeys {passkeys.origin()}/admin/")
        if settings.EMAIL_PROVIDER == "local":
            lines.append(f"Outgoing mail   {settings.SITE_URL}/admin/mail/")
        self.stdout.write("\n" + "\n".join(f"  {line}" for line in lines) + "\n\n  Ctrl-C stops everything.\n")
        self.stdout.flush()

    def _stop(self):
        """End what this command started: first politely, then for good."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        running = [process for process in self.processes.values() if process.poll() is None]
        for process in running:
            process.terminate()
        until = time.monotonic() + STOP_SECONDS
        for process in running:
            try:
                process.wait(max(0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
