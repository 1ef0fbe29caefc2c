"""Real worker processes on the test's own database."""

import os
import subprocess
import sys
import time
from pathlib import Path

from django.conf import settings
from django.db import connection

ROOT = Path(__file__).parents[1]


def database_url():
    """The address of this test's database, for another process."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    return "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database)


def environment(**more):
    """The environment of a process on this test's database; nothing else is shared."""
    fixed = {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "config.settings.test"}
    return {**os.environ, **fixed, **more}


def by_smtp(port, **more):
    """The environment of a worker that sends to an SMTP server on this machine."""
    return environment(EMAIL_PROVIDER="smtp", EMAIL_HOST="127.0.0.1", EMAIL_PORT=str(port), EMAIL_USE_TLS="no", **more)


class Workers:
    """Worker processes, used as a context manager that ends those which still run."""

    def __init__(self, env):
        self.env, self.running = env, []

    def start(self):
        """Start `manage.py worker`; returns its process."""
        command = [sys.executable, ROOT / "manage.py", "worker"]
        process = subprocess.Popen(command, env={"TEST_MEDIA_ROOT": str(settings.MEDIA_ROOT), **self.env}, cwd=ROOT)
        self.running.append(process)
        return process

    def kill(self, process):
        """`kill -9`."""
        process.kill()
        process.wait()
        self.running.remove(process)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for process in self.running:
            process.kill()
            process.wait()


def wait_until(condition, seconds):
    """Whether a condition came true within some seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.05)
    return False
