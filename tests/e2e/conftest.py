"""The site as `make run` starts it, in a folder of its own, and a real browser."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from base64 import b32decode
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from django_otp.oath import totp
from playwright.sync_api import TimeoutError, sync_playwright

from tests.stack import Stack, free_port

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--ignore-certificate-errors",  # a test's nginx has a certificate of its own; this counts for service workers, too
]


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """A running site: its address and the administrator's name and password. With E2E_STACK=1, as it stands on a server."""
    run = as_on_a_server if os.environ.get("E2E_STACK") else as_made_by_make_run
    yield from run(tmp_path_factory.mktemp("site"))


def as_on_a_server(folder):
    password = "only for the browser tests"
    with Stack(folder) as stack:
        made = ("createsuperuser", "--noinput", "--username", "admin", "--email", "admin@example.org")
        stack.manage(*made, DJANGO_SUPERUSER_PASSWORD=password)
        yield SimpleNamespace(url=stack.url, name="admin", password=password, var=folder / "var")


def as_made_by_make_run(folder):
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
        "VAR_DIR": str(folder),
        "SECRET_KEY": "only-for-this-run-of-the-browser-tests-" * 2,
        "SITE_URL": f"http://127.0.0.1:{port}",
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
    }
    log = folder / "start.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, ROOT / "manage.py", "run_all", "--port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        until = time.monotonic() + 400
        while "Ctrl-C" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.3)
        name, password = re.search(r"log in as\s+(\S+)\s+password\s+(\S+)", log.read_text()).groups()
        yield SimpleNamespace(url=environment["SITE_URL"], name=name, password=password, var=folder)
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(60)
    assert code == 0
    with socket.socket() as probe:  # Ctrl-C stops all that it started
        assert probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield browser
        browser.close()


# Chromium calls every refusal (4xx) an error; those that a test asks for are none. Nor are inline handlers, by which a library of
# Wagtail's asks what the browser can do: nothing of ours or of Wagtail's has one, and the policy stops them. Wagtail calls its findings so, too.
NO_ERRORS = ("the server responded with a status of 4", "Executing inline event handler", "axe.run results")


def watch(page):
    """A list into which the errors of a page's console go, violations of its policy among them."""
    errors = []

    def note(message):
        if message.type == "error" and not any(words in message.text for words in NO_ERRORS):
            errors.append(f"{page.url}: {message.text}")

    page.on("console", note)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return errors


@contextmanager
def window(browser, site, **options):
    """A browser window on the site; the test fails on any error in its console."""
    context = browser.new_context(base_url=site.url, ignore_https_errors=True, **options)
    page = context.new_page()
    errors = watch(page)
    yield page
    context.close()
    assert not errors


@pytest.fixture
def page(browser, site):
    """A phone's browser window."""
    with window(browser, site, viewport={"width": 390, "height": 844}, locale="es-PE") as page:
        yield page


@pytest.fixture
def admin(browser, site):
    """A desktop's browser window in which the administrator has signed in."""
    with window(browser, site, viewport={"width": 1400, "height": 1000}, locale="en") as page:
        sign_in(page, site)
        yield page


def arrive(page, path):
    """Wait until the path of a page's address is this (a regular expression). A glob would find it in "?next=", too."""
    page.wait_for_url(lambda url: re.fullmatch(path, urlsplit(url).path))


def sign_in(page, site):
    """Sign in, in one step or, where the site asks for it, in two; the app is connected the first time."""
    page.goto("/admin/login/")
    page.fill("input[name=username]", site.name)
    page.fill("input[name=password]", site.password)
    page.click("button[type=submit]")
    arrive(page, "/admin/(?!login/).*")
    if "/set-up/" in page.url:
        page.get_by_role("link", name="Connect an app").click()
        site.key = b32decode(page.locator(".signin-key").inner_text())
        page.fill("input[name=code]", f"{totp(site.key):06}")
        page.get_by_role("button", name="Connect").click()
        site.codes = page.locator(".signin-codes code").all_inner_texts()
        page.get_by_role("link", name="I have kept them").click()
    elif "/code/" in page.url:
        page.fill("input[name=code]", site.codes.pop())
        page.get_by_role("button", name="Go on").click()
    arrive(page, "/admin/")


def type_text(admin, text):
    """Type into the newest block of rich text, and wait for its form field: the editor (Draftail) fills it a quarter of a second later."""
    admin.locator(".public-DraftEditor-content").last.click()
    admin.keyboard.type(text)
    is_kept = "text => [...document.querySelectorAll('input[type=hidden]')].some(field => field.value.includes(text))"
    admin.wait_for_function(is_kept, arg=json.dumps(text, ensure_ascii=False)[1:-1])


def publish(admin):
    """Publish what stands in the editor, from the menu beside "Save draft", and wait for the message (a picture may have to be resized first)."""
    admin.locator("footer [data-w-dropdown-target=toggle]").click()
    admin.get_by_role("button", name="Publish").click()
    try:
        admin.locator(".messages li").filter(has_text=re.compile("published|goes live by itself")).first.wait_for()
    except TimeoutError as error:
        shown = admin.locator(".messages, .w-field__errors, #w-autosave-indicator, .w-dialog").filter(visible=True)
        raise AssertionError(f"not published: {admin.url} {shown.all_inner_texts()}") from error
