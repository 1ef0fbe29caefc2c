"""Stopping and starting the services that bin/with-services.sh runs, the hard way."""

import os
import shlex
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

IN_SERVICES = "TEST_REDIS_URL" in os.environ
# For what takes real processes or long; where nothing else shows it in short, `make test` goes without.
in_services = pytest.mark.skipif(not IN_SERVICES, reason="takes long: make test-services")


def postgres(action):
    """“stop” or “start” PostgreSQL."""
    mode = ["-m", "immediate"] if action == "stop" else []
    subprocess.run([*shlex.split(os.environ["TEST_POSTGRES"]), *mode, action], check=True, stdout=subprocess.DEVNULL)


def redis_stops():
    os.kill(int(Path(os.environ["TEST_REDIS_PID"]).read_text()), signal.SIGKILL)
    while answers(os.environ["TEST_REDIS_URL"]):
        time.sleep(0.05)


def redis_starts():
    subprocess.run(shlex.split(os.environ["TEST_REDIS"]), check=True, stdout=subprocess.DEVNULL)


def redis_url():
    """A database in Redis that no other of the processes that run the tests uses."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) + 1
    return f"{os.environ['TEST_REDIS_URL'].rpartition('/')[0]}/{number}"


def answers(url):
    """Whether somebody listens where a URL points to."""
    parts = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((parts.hostname, parts.port)) == 0
