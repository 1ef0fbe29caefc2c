"""Run the web server, granian, which replaces this process. In production it is behind a reverse proxy.

On SIGTERM, current requests are finished. On SIGHUP, new processes with the current code replace the old ones.
"""

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--host", default="127.0.0.1")

    def handle(self, *args: Any, port: int, host: str, **options: Any) -> None:
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
        pairs = [str(part) for pair in arguments.items() for part in pair]
        flags = ["--respawn-failed-workers", "--no-access-log"]  # the application logs requests, without tokens
        command = [sys.executable, "-m", "granian", *pairs, *flags, "config.wsgi:application"]
        os.chdir(settings.BASE_DIR)
        sys.stdout.flush()
        os.execve(sys.executable, command, {**os.environ, "PYTHONPATH": path})  # noqa: S606
