"""Passkeys in a real browser, with Chromium's virtual authenticator: the first sign-in, without a password, as the second step."""

import os
import secrets
import subprocess
import sys
import time
from base64 import b64encode
from contextlib import contextmanager
from types import SimpleNamespace
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.e2e.conftest import ROOT, arrive, window
from tests.stack import free_port

pytestmark = pytest.mark.e2e
PASSWORD = "only for the browser tests"
PEOPLE = ["rosa", "ines", "luis"]


@pytest.fixture(scope="module")
def strict(site):
    """A second web server on the site's data, which asks everybody for a second step: its address, by name."""
    port = free_port()
    environment = {
        **os.environ,
        "VAR_DIR": str(site.var),
        "SECRET_KEY": "only-for-this-run-of-the-browser-tests-" * 2,
        "SITE_URL": f"http://127.0.0.1:{port}",
        "TWO_FACTOR_REQUIRED": "1",
        "WEB_PROCESSES": "1",
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
    }
    environment.pop("DATABASE_URL", None)
    manage = [sys.executable, str(ROOT / "manage.py")]
    make = "from django.contrib.auth.models import User\n" + "\n".join(
        f"User.objects.create_superuser({name!r}, '{name}@example.org', {PASSWORD!r})" for name in PEOPLE
    )
    subprocess.run([*manage, "shell", "-c", make], cwd=ROOT, env=environment, check=True, capture_output=True)
    process = subprocess.Popen([*manage, "web", "--port", str(port)], cwd=ROOT, env=environment)
    wait_for(f"http://127.0.0.1:{port}/healthz")
    yield SimpleNamespace(url=f"http://localhost:{port}", by_number=f"http://127.0.0.1:{port}")
    process.terminate()
    process.wait(30)


def wait_for(url):
    until = time.monotonic() + 60
    while True:
        try:
            return urlopen(url, timeout=1).close()  # noqa: S310
        except (URLError, OSError):
            assert time.monotonic() < until
            time.sleep(0.2)


@contextmanager
def device(page, **options):
    """A virtual authenticator in a window, as a phone or a computer has one. Yields what changes it."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    kind = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    answer = session.send(
        "WebAuthn.addVirtualAuthenticator",
        {"options": {**kind, "isUserVerified": True, "automaticPresenceSimulation": True, **options}},
    )
    yield SimpleNamespace(send=lambda name, **more: session.send(f"WebAuthn.{name}", {**answer, **more}))
    session.send("WebAuthn.disable")


def foreign_key():
    """A passkey for the site that the site has never seen."""
    form = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return {
        "credentialId": b64encode(secrets.token_bytes(32)).decode(),
        "isResidentCredential": True,
        "rpId": "localhost",
        "privateKey": b64encode(ec.generate_private_key(ec.SECP256R1()).private_bytes(*form)).decode(),
        "userHandle": b64encode(secrets.token_bytes(64)).decode(),
        "signCount": 1,
    }


def with_password(page, name):
    page.goto("/admin/login/")
    page.fill("input[name=username]", name)
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")


def sign_out(page):
    page.context.clear_cookies()


def test_a_passkeys_life(browser, strict):
    with window(browser, strict, viewport={"width": 1280, "height": 900}, locale="en") as page, device(page):
        # The first sign-in: the passkey comes first, named on the way, and the keyboard is enough.
        with_password(page, "rosa")
        arrive(page, "/admin/sign-in/set-up/.*")
        page.get_by_label("Name").fill("my phone")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Your recovery codes").wait_for()
        page.get_by_role("link", name="I have kept them").click()
        arrive(page, "/admin/")

        # Without a password.
        sign_out(page)
        page.goto("/admin/login/?next=/admin/images/")
        page.get_by_role("button", name="Sign in with a passkey").click()
        arrive(page, "/admin/images/")

        # As the second step.
        sign_out(page)
        with_password(page, "rosa")
        page.get_by_role("button", name="Use a passkey").click()
        arrive(page, "/admin/")

        # This device has one already.
        page.goto("/admin/sign-in/set-up/")
        page.get_by_role("button", name="Add a passkey").click()
        page.get_by_text("This device already has a passkey for your account.").wait_for()

        # Another name; the last one stays.
        page.goto("/admin/sign-in/")
        page.get_by_role("link", name="my phone").click()
        page.get_by_label("Name").fill("old phone")
        page.get_by_role("button", name="Save").click()
        page.get_by_role("link", name="old phone").click()
        page.get_by_role("button", name="Yes, remove it").click()
        page.get_by_text("This is your only second step.").wait_for()


def test_a_passkey_is_removed(browser, strict):
    with window(browser, strict, viewport={"width": 360, "height": 740}, locale="en") as page:
        with device(page):
            with_password(page, "ines")
            page.get_by_role("button", name="Add a passkey").click()
            page.get_by_role("link", name="I have kept them").click()
        with device(page):
            page.goto("/admin/sign-in/set-up/")
            page.get_by_label("Name").fill("key")
            page.get_by_role("button", name="Add a passkey").click()
            page.get_by_text("The passkey “key” was added to your account.").wait_for()
            page.get_by_role("link", name="Passkey 1").click()
            page.get_by_role("button", name="Yes, remove it").click()
            page.get_by_text("The passkey “Passkey 1” was removed from your account.").wait_for()


def test_a_ceremony_that_is_cancelled_a_foreign_key_and_nobody_verified(browser, strict):
    with window(browser, strict, locale="en") as page:
        page.goto("/admin/login/")
        button = page.get_by_role("button", name="Sign in with a passkey")
        with device(page) as phone:
            # No passkey for this site: the browser gives up, the page says so, and the way of before is still there.
            button.click()
            page.get_by_role("status").get_by_text("Cancelled, or it took too long.").wait_for()
            # A passkey that the site does not know, as after it was removed there.
            phone.send("addCredential", credential=foreign_key())
            button.click()
            page.get_by_text("This passkey does not open this account.").wait_for()
            # A finger that is not the owner's.
            phone.send("setUserVerified", isUserVerified=False)
            button.click()
            page.get_by_role("status").get_by_text("Cancelled, or it took too long.").wait_for()
        with_password(page, "luis")
        page.get_by_role("link", name="Connect an app").click()
        page.locator(".signin-key").wait_for()


def test_without_passkeys_in_the_browser(browser, strict):
    with window(browser, strict, locale="es-PE") as page:
        page.add_init_script("delete window.PublicKeyCredential")
        page.goto("/admin/login/")
        assert page.locator("form[data-passkey]").is_hidden()
        with_password(page, "luis")
        page.get_by_text("Este navegador no tiene llaves de acceso").wait_for()
        page.get_by_role("link", name="Conectar una aplicación").wait_for()


def test_under_a_number_the_page_says_where_passkeys_work(browser, strict):
    with window(browser, SimpleNamespace(url=strict.by_number), locale="pt-BR") as page:
        page.goto("/admin/login/")
        page.get_by_role("link", name=f"{strict.url}/admin/").click()
        page.get_by_role("button", name="Entrar com uma chave de acesso").wait_for()
