"""Real worker processes on the test's own database."""

import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

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

    def start(self, root=ROOT):
        """Start `manage.py worker` of the release in a folder; returns its process."""
        command = [sys.executable, root / "manage.py", "worker"]
        process = subprocess.Popen(command, env={"TEST_MEDIA_ROOT": str(settings.MEDIA_ROOT), **self.env}, cwd=root)
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


class Proxy:
    """A port on loopback that leads to another one, and can be cut: a service that goes away for one process only.

    Used as a context manager.
    """

    def __init__(self, host, port):
        self._target = (host, port)
        self._server, self._pairs, self.port = None, [], 0

    def __enter__(self):
        self.restore()
        return self

    def __exit__(self, *error):
        self.cut()

    def restore(self):
        """Let connections through, at the same port as before."""
        self._server = socket.create_server(("127.0.0.1", self.port))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, args=[self._server], daemon=True).start()

    def cut(self):
        """End all connections, and refuse new ones."""
        with suppress(OSError):  # it was cut before
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for end in self._pairs:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._pairs.clear()

    def passes(self, data):
        """Whether what a client sends goes on; else its connection ends."""
        return True

    def _accept(self, server):
        with suppress(OSError):
            while True:
                near = server.accept()[0]
                far = socket.create_connection(self._target)
                self._pairs += [near, far]
                for ends in ((near, far, self.passes), (far, near, bool)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    @staticmethod
    def _pass_on(source, sink, passes):
        with suppress(OSError):
            while (data := source.recv(65536)) and passes(data):
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def through(kind, url):
    """(a Proxy of `kind` before a service, the service's URL by way of it)."""
    address = urlsplit(url)
    with kind(address.hostname, address.port) as proxy:
        yield proxy, url.replace(f"{address.hostname}:{address.port}", f"127.0.0.1:{proxy.port}")
