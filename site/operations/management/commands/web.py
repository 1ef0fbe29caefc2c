"""Run the web server, in the place of this process: granian on loopback, behind a reverse proxy in production.

SIGTERM lets requests in hand finish; SIGHUP starts new processes with the code as it is now, and then ends the old ones.
"""

import os
import sys

from django.conf import settings
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--host", default="127.0.0.1")

    def handle(self, *args, port, host, **options):
        path = os.pathsep.join([str(settings.BASE_DIR / "site"), str(settings.BASE_DIR)])
        arguments = {
            "--interface": "wsgi",
            "--host": host,
            "--port": port,
            "--workers": settings.WEB_PROCESSES,
            "--blocking-threads": 2,
            "--workers-kill-timeout": 30,
            "--log-level": "warning",
        }
        words = [str(word) for pair in arguments.items() for word in pair]
        switches = ["--respawn-failed-workers", "--no-access-log"]  # the application logs requests, without tokens
        command = [sys.executable, "-m", "granian", *words, *switches, "config.wsgi:application"]
        os.chdir(settings.BASE_DIR)
        sys.stdout.flush()
        os.execve(sys.executable, command, {**os.environ, "PYTHONPATH": path})  # noqa: S606
