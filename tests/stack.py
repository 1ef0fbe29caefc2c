"""The site as deploy/ sets it up: nginx with TLS and its cache, granian, a worker, on the database and the Redis of the environment."""

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import HTTPSHandler, Request, build_opener

ROOT = Path(__file__).parents[1]
PURGE_MODULE = "/usr/lib/nginx/modules/ngx_http_cache_purge_module.so"  # Debian's libnginx-mod-http-cache-purge
UNTRUSTED = ssl.create_default_context()
UNTRUSTED.check_hostname, UNTRUSTED.verify_mode = False, ssl.CERT_NONE


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def nginx_config(folder, web, port, purge, plain=None):
    """Write a whole nginx configuration around deploy/nginx/clac.conf, with the ports and folders of a test; returns its path.

    Nothing else of the file is changed.
    """
    folder = Path(folder)
    certificate = ["-subj", "/CN=localhost", "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *certificate],
        check=True,
        capture_output=True,
    )
    site = (ROOT / "deploy/nginx/clac.conf").read_text()
    for old, new in {
        "/etc/letsencrypt/live/example.org": str(folder),
        "/var/cache/nginx/clac": str(folder / "cache"),
        "/var/log/nginx": str(folder),
        "/srv/clac": str(ROOT),
        "127.0.0.1:8000": f"127.0.0.1:{web}",
        "127.0.0.1:8081": f"127.0.0.1:{purge}",
        "server_name example.org": "server_name localhost",
        "https://example.org": f"https://localhost:{port}",
        "listen 443": f"listen 127.0.0.1:{port}",
        "listen 80": f"listen 127.0.0.1:{plain or free_port()}",
    }.items():
        assert old in site, old
        site = site.replace(old, new)
    # For comparison in bench/load.py.
    site = site.replace(
        "    location / {\n        limit_req",
        f"    location = /a-file-for-comparison {{ alias {folder}/file; }}\n    location / {{\n        limit_req",
    )
    site = re.sub(r"^\s*listen \[::\]:.*$\n", "", site, flags=re.M)
    temporary = "".join(
        f"    {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    path = folder / "nginx.conf"
    path.write_text(
        f"load_module {PURGE_MODULE};\npid {folder}/nginx.pid;\n"
        f"{'user root;' if os.getuid() == 0 else ''}\nworker_processes 2;\nerror_log {folder}/error.log;\n"
        f"events {{ worker_connections 2048; }}\nhttp {{\n    include /etc/nginx/mime.types;\n    sendfile on;\n    tcp_nopush on;\n    access_log {folder}/access.log;\n{temporary}{site}}}\n"
    )
    return path


class Stack:
    """nginx, granian and a worker, used as a context manager. `url` is nginx's https address, `direct` granian's.

    Takes DATABASE_URL, and TEST_REDIS_URL where tasks are to go through Redis, from the environment.
    """

    def __init__(self, folder, **settings):
        self.folder = Path(folder)
        self.port, self.web_port, self.purge_port, self.plain_port = (free_port() for _number in range(4))
        self.url, self.direct = f"https://localhost:{self.port}", f"http://127.0.0.1:{self.web_port}"
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings.production",
            "VAR_DIR": str(self.folder / "var"),
            "SECRET_KEY": "only-for-this-run-of-the-whole-stack-" * 2,
            "SITE_URL": self.url,
            "BEHIND_PROXY": "yes",
            "LOG_JSON": "yes",
            "FRONTEND_CACHE": f"http://127.0.0.1:{self.purge_port}",
            **settings,
        }
        if redis := os.environ.get("TEST_REDIS_URL"):
            self.environment["REDIS_URL"] = redis
        self.processes = {}

    def manage(self, *arguments, **more):
        """Run a command of manage.py; returns what it printed."""
        command = [sys.executable, ROOT / "manage.py", *arguments]
        answer = subprocess.run(
            command, env={**self.environment, **more}, cwd=ROOT, capture_output=True, text=True, check=True
        )
        return answer.stdout

    def start(self, name, *command):
        """Start a process and remember it by its name; its output goes to `<name>.log`."""
        with (self.folder / f"{name}.log").open("a") as log:
            self.processes[name] = subprocess.Popen(
                [str(word) for word in command], env=self.environment, cwd=ROOT, stdout=log, stderr=log
            )

    def start_web(self):
        """Start granian and wait until it answers."""
        self.start("web", sys.executable, ROOT / "manage.py", "web", "--port", self.web_port)
        self.wait_for(f"{self.direct}/healthz")

    def start_worker(self):
        self.start("worker", sys.executable, ROOT / "manage.py", "worker")

    def stop(self, name, number=signal.SIGTERM):
        """End a process that this stack started; returns its exit status."""
        process = self.processes.pop(name)
        process.send_signal(number)
        return process.wait(60)

    def wait_for(self, url, status=200, seconds=60):
        """Wait until an address answers with a status."""
        until = time.monotonic() + seconds
        while self.status(url) != status:
            assert time.monotonic() < until, (url, [path.read_text()[-2000:] for path in self.folder.glob("*.log")])
            time.sleep(0.1)

    def ask(self, url, data=None, **headers):
        """(status, headers, body) of an answer."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        opener = build_opener(HTTPSHandler(context=UNTRUSTED))
        try:
            with opener.open(Request(url, data, headers), timeout=30) as answer:  # noqa: S310
                return answer.status, answer.headers, answer.read()
        except HTTPError as error:
            return error.code, error.headers, error.read()

    def status(self, url):
        """The status that an address answers with; 0 if it does not."""
        try:
            return self.ask(url)[0]
        except OSError:
            return 0

    def __enter__(self):
        self.manage("deploy")
        config = nginx_config(self.folder, self.web_port, self.port, self.purge_port, self.plain_port)
        self.start("nginx", "nginx", "-c", config, "-p", self.folder, "-g", "daemon off;")
        self.start_web()
        self.start_worker()
        self.wait_for(f"{self.url}/healthz")
        return self

    def __exit__(self, *error):
        for name in list(self.processes):
            self.stop(name)
        shutil.rmtree(self.folder / "cache", ignore_errors=True)
