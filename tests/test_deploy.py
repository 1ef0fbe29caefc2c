"""The files of deploy/ as their own programs read them: systemd, nginx, the shell. Skipped where those are not installed."""

import json
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.operations.test_logs import ADDRESS, fill, routes_with_text, secrets  # noqa: F401
from tests.services import answers
from tests.stack import PURGE_MODULE, UNTRUSTED, free_port, nginx_config
from tests.workers import wait_until

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted(path.name for path in (DEPLOY / "systemd").glob("*.service"))


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed: make test-stack")


@pytest.fixture
def units(tmp_path):
    """The units, with this checkout in the place of /srv/clac."""
    folder = tmp_path / "systemd"
    shutil.copytree(DEPLOY / "systemd", folder)
    for path in folder.rglob("*.*"):
        if path.is_file():
            path.write_text(path.read_text().replace("/srv/clac", str(ROOT)))
    return folder


def analyze(folder, *arguments):
    env = {"SYSTEMD_UNIT_PATH": f"{folder}:", "PATH": "/usr/bin:/bin"}
    return subprocess.run(["systemd-analyze", *arguments], env=env, capture_output=True, text=True)


@needs("systemd-analyze")
def test_systemd_finds_nothing_wrong_with_the_units(units):
    answer = analyze(units, "verify", *[units / name.replace("@", "@1") for name in UNITS if "@" not in name])
    assert answer.returncode == 0, answer.stderr
    assert not answer.stderr


@needs("systemd-analyze")
@pytest.mark.parametrize("name", UNITS)
def test_each_unit_is_in_a_sandbox(units, name):
    answer = analyze(units, "security", "--offline=true", "--threshold=20", units / name)
    assert answer.returncode == 0, answer.stdout[-300:]  # 20: at most 2.0 of 10 in systemd's own measure


@needs("nginx")
@needs("openssl")
@pytest.mark.skipif(not Path(PURGE_MODULE).exists(), reason="nginx's cache-purge module is not installed")
def test_nginx_takes_its_configuration(tmp_path):
    path = nginx_config(tmp_path, web=9, port=10, purge=11)
    answer = subprocess.run(["nginx", "-t", "-c", path, "-p", tmp_path], capture_output=True, text=True)
    assert "test is successful" in answer.stderr, answer.stderr
    assert "[warn]" not in answer.stderr


@pytest.mark.stack
@pytest.mark.django_db
@needs("nginx")
@needs("openssl")
@pytest.mark.skipif(not Path(PURGE_MODULE).exists(), reason="nginx's cache-purge module is not installed")
def test_no_log_of_nginx_tells_what_was_asked_for_or_who_asked(tmp_path, secrets):  # noqa: F811
    """The application is away, so that nginx has errors to tell of, too."""
    web, port, purge, plain = (free_port() for _number in range(4))
    path = nginx_config(tmp_path, web, port, purge, plain)
    command = ["nginx", "-c", path, "-p", tmp_path, "-g", "daemon off;"]
    nginx = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=(tmp_path / "stderr.log").open("w"))
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{plain}"), 20)
        number = 0
        for route in routes_with_text():
            for token in secrets.tokens:
                address = fill(route, token if number % 2 else token.upper()) + f"?email={ADDRESS}&next=/{token}"
                ask(plain, address, token)
                ask(port, address, token, tls=True)
                number += 1
        ask(port, f"/es/{secrets.tokens[0]}", secrets.tokens[0], tls=True, more="Content-Length: 99999999\r\n")
        ask(plain, f"{secrets.tokens[0]} {ADDRESS}", secrets.tokens[0])
        ask(purge, f"/{secrets.tokens[0]}", secrets.tokens[0], method="DELETE")
    finally:
        nginx.send_signal(signal.SIGQUIT)
        nginx.wait(20)
    written = {log.name: log.read_text() for log in tmp_path.glob("*.log")}
    lines = [json.loads(line) for line in written["clac.log"].splitlines()]
    assert len(lines) > number
    assert {"/es/subscription/leave/…", "/t/…", "/webhooks/…", "/admin/…"} <= {line["path"] for line in lines}
    assert {413, 503} <= {line["status"] for line in lines}
    for name, text in written.items():
        assert not secrets.found_in(text), name
        assert "127.0.0.1" not in text, name
    assert "access.log" not in written or not written["access.log"]


def ask(port, path, token, tls=False, method="GET", more=""):
    """Send a request as a browser does that follows a link, and wait for the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
        connection = UNTRUSTED.wrap_socket(plain, server_hostname="localhost") if tls else plain
        head = (
            f"Host: localhost\r\nReferer: https://localhost/{token}\r\nUser-Agent: {ADDRESS}\r\n{more}Connection: close"
        )
        connection.sendall(f"{method} {path} HTTP/1.1\r\n{head}\r\n\r\n".encode())
        connection.recv(4096)


def test_the_shell_takes_the_installer_and_each_step_is_in_the_document():
    script = DEPLOY / "server.sh"
    subprocess.run(["bash", "-n", script], check=True)
    steps = re.search(r"\n  ([a-z |]+)\) \"\$@\"", script.read_text())[1].split(" | ")
    document = (ROOT / "docs/operators/deploying.md").read_text()
    assert all(f"deploy/server.sh {step}" in document for step in steps)


def test_the_container_file_and_the_installer_need_the_same_python():
    assert re.search(r"^FROM .*debian:12", (DEPLOY / "Containerfile").read_text(), re.M)


def test_nginx_asks_nobody_but_the_application():
    text = (DEPLOY / "nginx/clac.conf").read_text()
    assert set(re.findall(r"proxy_pass (\S+);", text)) == {"http://clac"}
    assert re.findall(r"^    server (\S+);", text, re.M) == ["127.0.0.1:8000"]


def test_the_settings_are_roots_alone(tmp_path):
    """The installer's own step, run with another folder in the place of /etc/clac; then again, when nothing may change."""
    script = tmp_path / "deploy"
    shutil.copytree(DEPLOY, script)
    text = (script / "server.sh").read_text()
    (script / "server.sh").write_text(text.replace("/etc/clac", str(tmp_path / "etc")))
    kept = set()
    for _twice in range(2):
        subprocess.run(["bash", script / "server.sh", "settings", "clac.example"], check=True, capture_output=True)
        file = tmp_path / "etc/env"
        assert oct(file.stat().st_mode)[-3:] == "600"
        kept.add(file.read_text())
    (made,) = kept
    assert "SITE_URL=https://clac.example" in made
    assert len(re.search(r"^SECRET_KEY=(\S+)$", made, re.M)[1]) >= 50
