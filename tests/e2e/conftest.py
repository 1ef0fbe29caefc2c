"""The site as `make run` starts it, in a folder of its own, and a real browser."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """A running site: its address and the administrator's name and password, as it prints them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("var")
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
        "VAR_DIR": str(folder),
        "SECRET_KEY": "only-for-this-run-of-the-browser-tests",
        "SITE_URL": f"http://127.0.0.1:{port}",
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
    }
    log = folder / "start.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, ROOT / "manage.py", "start", "--port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    until = time.monotonic() + 180
    while "Ctrl-C" not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.3)
    name, password = re.search(r"log in as\s+(\S+)\s+password\s+(\S+)", log.read_text()).groups()
    yield SimpleNamespace(url=environment["SITE_URL"], name=name, password=password, var=folder)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    with socket.socket() as probe:  # Ctrl-C stops all that it started
        assert probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, site):
    """A phone's browser window; the test fails on any error in its console."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, base_url=site.url, locale="es-PE")
    page = context.new_page()
    errors = []

    def note(message):
        # Chromium calls every refusal (4xx) an error; those that a test asks for are none.
        if message.type == "error" and "the server responded with a status of 4" not in message.text:
            errors.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert not errors


@pytest.fixture
def admin(browser, site):
    """A desktop's browser window in which the administrator has logged in."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000}, base_url=site.url, locale="en")
    page = context.new_page()
    page.goto("/admin/login/")
    page.fill("input[name=username]", site.name)
    page.fill("input[name=password]", site.password)
    page.click("button[type=submit]")
    page.wait_for_url("**/admin/")
    yield page
    context.close()
