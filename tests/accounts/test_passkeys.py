"""Passkeys: making them, signing in with them, and every answer of a browser that has to be refused."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from accounts import services
from accounts.models import RecoveryCode
from core.sites import passkey_origin
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_otp_webauthn.models import WebAuthnCredential
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wagtail.models import ModelLogEntry
from wagtail.users.models import UserProfile
from webauthn.helpers import bytes_to_base64url

from tests import starts
from tests.authenticator import PRESENT, Device
from tests.services import IN_SERVICES

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[2]
PASSWORD = "café con leche y pan"
LOGIN, HOME = reverse("wagtailadmin_login"), reverse("wagtailadmin_home")
ASK, MANAGE = reverse("signin_ask"), reverse("signin_manage")
SET_UP, SET_UP_APP = reverse("signin_set_up"), reverse("signin_set_up_app")
WITH_PASSKEY = reverse("signin_with_passkey")
CREATE_OPTIONS, USE_OPTIONS = reverse("signin_create_options"), reverse("signin_use_options")
REFUSED = "does not open this account"
LATE = "took too long, or was sent twice"


def browser():
    """A browser at the address where the test site's passkeys work."""
    return Client(HTTP_HOST="localhost:8000", headers={"accept-language": "en"})


@pytest.fixture
def client():
    return browser()


def someone(name):
    user = User.objects.create_superuser(name, f"{name}@example.org", PASSWORD)
    UserProfile.objects.create(user=user, preferred_language="en")
    return user


@pytest.fixture
def ana(db):
    return someone("ana")


@pytest.fixture
def required(settings):
    settings.TWO_FACTOR_REQUIRED = True


def with_password(client, name="ana"):
    return client.post(LOGIN, {"username": name, "password": PASSWORD})


def begin(client, address):
    return client.post(address).json()


def add(client, device, name="phone", **more):
    """Add a passkey as somebody who is signed in. Returns the response, and what was sent."""
    begun = begin(client, CREATE_OPTIONS)
    sent = {"name": name, "state": begun["state"], "passkey": device.create(begun["options"]), **more}
    return client.post(SET_UP, sent), sent


def use(client, device, address=WITH_PASSKEY, **more):
    """Sign in, or prove who it is, with a passkey. Returns the response, and what was sent."""
    begun = begin(client, USE_OPTIONS)
    sent = {"state": begun["state"], "passkey": device.get(begun["options"]), **more}
    return client.post(address, sent), sent


@pytest.fixture
def device(ana):
    """A device with a passkey of Ana's."""
    device, client = Device(), browser()
    client.force_login(ana)
    add(client, device)
    mail.outbox.clear()
    return device


def is_in(client):
    return client.get(HOME).status_code == 200


def said(client):
    """What the log-in page, or the question who it is, says."""
    return client.get(LOGIN, follow=True).content.decode()


def actions():
    return set(ModelLogEntry.objects.values_list("action", flat=True))


# Making one


def test_the_first_sign_in_offers_a_passkey_first_and_an_app_as_the_other_way(client, ana, required):
    with_password(client)
    html = client.get(HOME, follow=True).content.decode()
    assert html.index('data-passkey="create"') < html.index(SET_UP_APP)


def test_a_passkey_lets_in_at_once_and_brings_recovery_codes(client, ana, required):
    other = browser()
    with_password(client)
    with_password(other)
    session = other.session.session_key
    answer, _sent = add(client, Device(), next="/admin/images/")
    assert answer.content.decode().count("<code>") == 10
    assert 'href="/admin/images/"' in answer.content.decode()
    assert is_in(client)
    assert not Session.objects.filter(session_key=session).exists()
    assert "clac.passkey_added" in actions()
    assert "The passkey “phone” was added to your account." in mail.outbox[0].body
    assert RecoveryCode.objects.filter(user=ana).count() == 10


def test_the_second_passkey_keeps_the_recovery_codes(client, ana, device):
    use(client, device)
    before = set(RecoveryCode.objects.values_list("digest", flat=True))
    answer, _sent = add(client, Device(), "key on my key ring")
    assert answer.url == MANAGE
    assert before == set(RecoveryCode.objects.values_list("digest", flat=True))
    html = client.get(MANAGE).content.decode()
    assert ">phone<" in html
    assert ">key on my key ring<" in html


def test_a_passkey_without_a_name_gets_one(client, ana):
    with_password(client)
    add(client, Device(), name=" ")
    assert WebAuthnCredential.objects.get().name == "Passkey 1"


def test_what_is_asked_of_the_browser(client, ana):
    with_password(client)
    options = begin(client, CREATE_OPTIONS)["options"]
    assert options["rp"] == {"id": "localhost", "name": "CLAC"}
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["user"]["name"] == "ana"
    client.logout()
    options = begin(client, USE_OPTIONS)["options"]
    assert options["userVerification"] == "required"
    assert options["allowCredentials"] == []  # nothing about anybody's passkeys


def test_who_has_a_second_step_adds_none_before_having_taken_it(client, ana, device, required):
    with_password(client)
    assert client.post(CREATE_OPTIONS).status_code == 302
    for page in (SET_UP, SET_UP_APP, MANAGE):
        assert client.get(page).url.startswith(ASK)
        assert client.post(page, {"name": "thief", "code": "123456"}).url.startswith(ASK)
    assert WebAuthnCredential.objects.count() == 1
    assert not TOTPDevice.objects.exists()


def test_adding_one_asks_again_who_it_is(client, ana, device):
    use(client, device)
    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        assert client.post(CREATE_OPTIONS).url.startswith(ASK)
        assert client.get(SET_UP).url.startswith(ASK)
        answer, _sent = use(client, device, ASK, next=SET_UP)
        assert answer.url == SET_UP
        assert client.get(SET_UP).status_code == 200


@pytest.mark.parametrize(
    "bent", [{"origin": "https://evil.example"}, {"rp_id": "evil.example"}, {"flags": PRESENT}, {"flags": 0}], ids=str
)
def test_a_passkey_that_was_made_wrongly_is_not_kept(client, ana, bent):
    with_password(client)
    answer, _sent = add(client, Device(**bent))
    assert "could not be added" in client.get(answer.url).content.decode()
    assert not WebAuthnCredential.objects.exists()


def test_the_same_passkey_is_nobody_elses(client, ana, device):
    someone("rosa")
    with_password(client, "rosa")
    answer, _sent = add(client, device)
    assert "could not be added" in client.get(answer.url).content.decode()
    assert WebAuthnCredential.objects.get().user == ana


def test_what_was_begun_for_one_is_not_ended_by_another(client, ana):
    someone("rosa")
    rosa = browser()
    with_password(client)
    with_password(rosa, "rosa")
    begun = begin(client, CREATE_OPTIONS)
    answer = rosa.post(SET_UP, {"state": begun["state"], "passkey": Device().create(begun["options"])})
    assert LATE in rosa.get(answer.url).content.decode()
    assert not WebAuthnCredential.objects.exists()


# Using one


def test_without_a_password(client, ana, device, required):
    before = WebAuthnCredential.objects.get().last_used_at
    client.get(LOGIN)
    answer, _sent = use(client, device, next="/admin/images/")
    assert answer.url == "/admin/images/"
    assert is_in(client)
    assert client.session.get_expire_at_browser_close()
    assert "clac.sign_in" in actions()
    assert WebAuthnCredential.objects.get().last_used_at != before


def test_next_leads_nowhere_else(client, ana, device):
    assert use(client, device, next="https://evil.example/")[0].url == HOME


def test_as_the_second_step(client, ana, device):
    with_password(client)
    assert client.get(HOME).url.startswith(ASK)
    html = client.get(ASK).content.decode()
    assert html.index('data-passkey="get"') < html.index('name="code"')
    before = client.session.session_key
    answer, _sent = use(client, device, ASK, next="/admin/images/")
    assert answer.url == "/admin/images/"
    assert client.session.session_key != before
    assert is_in(client)


def test_a_recovery_code_instead(client, ana, device):
    code = services.new_recovery_codes(ana)[0]
    with_password(client)
    client.post(ASK, {"code": code})
    assert is_in(client)


def test_the_password_alone_is_not_enough(client, ana, device):
    with_password(client)
    client.post(ASK, {"code": PASSWORD})
    assert not is_in(client)


BENT = {
    "another origin": {"origin": "https://evil.example"},
    "the number instead of the name": {"origin": "http://127.0.0.1:8000"},
    "another relying party": {"rp_id": "evil.example"},
    "nobody verified": {"flags": PRESENT},
    "nobody there": {"flags": 0},
    "a counter that goes back": {"counter": -1},
    "another user's handle": {"user_handle": b"x" * 64},
    "no handle": {"user_handle": None},
    "another key": {"key": Device().key},
    "a passkey that nobody has": {"credential_id": b"x" * 32},
}


@pytest.mark.parametrize("bent", BENT.values(), ids=BENT)
def test_an_answer_that_is_not_right_lets_nobody_in(client, ana, device, bent):
    device.counter = 5
    use(client, device)
    assert is_in(client)
    client = browser()
    for name, value in bent.items():
        setattr(device, name, value)
    if bent.keys() == {"counter"}:
        device.counter = 4  # the next answer says 5 again
    use(client, device)
    assert REFUSED in said(client)
    assert not is_in(client)
    assert ("clac.passkey_refused" in actions()) == (bent.keys() != {"credential_id"})


def test_as_the_second_step_only_ones_own(client, ana, device):
    someone("rosa")
    rosas, rosa = Device(), browser()
    with_password(rosa, "rosa")
    add(rosa, rosas)
    with_password(client)
    answer, _sent = use(client, rosas, ASK)
    assert REFUSED in client.get(answer.url).content.decode()
    assert not is_in(client)


@pytest.mark.parametrize("address", [WITH_PASSKEY, ASK])
def test_an_answer_counts_once(client, ana, device, address):
    if address == ASK:
        with_password(client)
    _answer, sent = use(client, device, address)
    assert is_in(client)
    client.post(reverse("wagtailadmin_logout"))
    if address == ASK:
        with_password(client)
    WebAuthnCredential.objects.update(sign_count=0)  # a passkey that counts nothing, as those kept in clouds
    answer = client.post(address, sent)
    assert LATE in client.get(answer.url, follow=True).content.decode()
    assert not is_in(client)


def test_an_answer_counts_for_what_it_was_asked_for(client, ana, device):
    begun = begin(client, USE_OPTIONS)
    with_password(client)
    client.post(ASK, {"state": begun["state"], "passkey": device.get(begun["options"])})
    assert not is_in(client)
    begun = begin(client, USE_OPTIONS)
    other = browser()
    other.post(WITH_PASSKEY, {"state": begun["state"], "passkey": device.get(begun["options"])})
    assert not is_in(other)


def test_a_challenge_is_over_after_five_minutes(client, ana, device):
    begun = begin(client, USE_OPTIONS)
    answer = device.get(begun["options"])
    with time_machine.travel(timezone.now() + timedelta(minutes=5, seconds=1)):
        client.post(WITH_PASSKEY, {"state": begun["state"], "passkey": answer})
        assert LATE in said(client)


def test_a_challenge_of_ones_own_making_is_none(client, ana, device):
    begun = begin(client, USE_OPTIONS)
    begun["options"]["challenge"] = "AAAA"
    client.post(WITH_PASSKEY, {"state": begun["state"], "passkey": device.get(begun["options"])})
    assert REFUSED in said(client)
    client.post(WITH_PASSKEY, {"state": "AAAA", "passkey": device.get(begun["options"])})
    assert LATE in said(client)


def test_who_is_deactivated_does_not_get_in(client, ana, device):
    User.objects.update(is_active=False)
    use(client, device)
    assert REFUSED in said(client)


def test_a_passkey_that_is_switched_off_lets_nobody_in(client, ana, device):
    WebAuthnCredential.objects.update(confirmed=False)
    use(client, device)
    assert REFUSED in said(client)


def test_tries_are_limited(client, ana, device):
    begun = begin(client, USE_OPTIONS)
    for _number in range(100):
        client.post(WITH_PASSKEY, {"state": begun["state"], "passkey": "{}"})
    use(client, device)
    assert "Too many attempts" in said(client)
    other = Client(HTTP_HOST="localhost:8000", REMOTE_ADDR="203.0.113.9")
    with_password(other)
    for _number in range(10):
        other.post(ASK, {"passkey": "{}"})
    use(other, device, ASK)
    assert not is_in(other)


# What browsers never send


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)
PLACES = [
    (),
    ("id",),
    ("rawId",),
    ("type",),
    ("response",),
    ("clientExtensionResults",),
    ("clientExtensionResults", "credProps"),
    ("authenticatorAttachment",),
    *[("response", name) for name in ("clientDataJSON", "attestationObject", "authenticatorData", "signature")],
    *[("response", name) for name in ("userHandle", "transports")],
]


def replaced(answer, place, value):
    if not place:
        return json.dumps(value)
    answer = inner = json.loads(answer)
    for name in place[:-1]:
        inner = inner.setdefault(name, {})
    inner[place[-1]] = value
    return json.dumps(answer)


@settings(
    max_examples=80 if IN_SERVICES else 20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.sampled_from(PLACES), values)
def test_nonsense_is_refused_and_never_an_error(ana, place, value):
    """`transports` and the extensions are hints that are not signed: nonsense there may pass."""
    client, device = browser(), Device()
    client.force_login(ana)
    begun = begin(client, CREATE_OPTIONS)
    answer = client.post(
        SET_UP, {"state": begun["state"], "passkey": replaced(device.create(begun["options"]), place, value)}
    )
    assert answer.status_code in {200, 302}
    begun = begin(client, USE_OPTIONS)
    answer = client.post(
        WITH_PASSKEY, {"state": begun["state"], "passkey": replaced(device.get(begun["options"]), place, value)}
    )
    assert answer.status_code == 302
    WebAuthnCredential.objects.all().delete()


@pytest.mark.parametrize("text", ["", "[" * 100_000, "null", '"a"', "[1]", "{}", '{"id": 1}', "\x00", "1e999"])
def test_what_is_no_answer_is_refused(client, ana, text):
    with_password(client)
    for address, options in ((SET_UP, CREATE_OPTIONS), (WITH_PASSKEY, USE_OPTIONS), (ASK, USE_OPTIONS)):
        assert client.post(address, {"state": begin(client, options)["state"], "passkey": text}).status_code == 302


def test_a_nest_of_cbor_is_refused(client, ana):
    with_password(client)
    begun = begin(client, CREATE_OPTIONS)
    nest = bytes_to_base64url(b"\x81" * 100_000)
    answer = replaced(Device().create(begun["options"]), ("response", "attestationObject"), nest)
    sent = client.post(SET_UP, {"state": begun["state"], "passkey": answer})
    assert "could not be added" in client.get(sent.url).content.decode()


# Looking after them


def test_a_passkey_gets_another_name(client, ana, device):
    use(client, device)
    page = reverse("signin_passkey", args=[WebAuthnCredential.objects.get().pk])
    assert 'value="phone"' in client.get(page).content.decode()
    assert client.post(page, {"name": "<b>old</b> phone"}).url == MANAGE
    assert "&lt;b&gt;old&lt;/b&gt; phone" in client.get(MANAGE).content.decode()
    assert "at most 64" in client.post(page, {"name": "x" * 65}).content.decode()


def test_a_passkey_is_removed(client, ana, device):
    use(client, device)
    add(client, Device(), "other")
    mail.outbox.clear()
    page = reverse("signin_passkey", args=[WebAuthnCredential.objects.get(name="other").pk])
    assert "Yes, remove it" in client.get(page).content.decode()
    client.post(page, {"remove": "yes"})
    assert [key.name for key in WebAuthnCredential.objects.all()] == ["phone"]
    assert "The passkey “other” was removed from your account." in mail.outbox[0].body
    assert "clac.passkey_removed" in actions()
    assert RecoveryCode.objects.exists()


def remove_last(client):
    page = reverse("signin_passkey", args=[WebAuthnCredential.objects.get().pk])
    return client.post(page, {"remove": "yes"}, follow=True).content.decode()


def test_the_last_second_step_stays_where_it_is_required(client, ana, device, required):
    use(client, device)
    assert "This is your only second step" in remove_last(client)
    assert WebAuthnCredential.objects.exists()
    TOTPDevice.objects.create(user=ana, name="app", confirmed=False)
    assert "This is your only second step" in remove_last(client)
    TOTPDevice.objects.update(confirmed=True)
    assert "This is your only second step" not in remove_last(client)
    assert not WebAuthnCredential.objects.exists()
    answer = client.post(reverse("signin_change", args=["remove"]))
    assert answer.url.startswith(ASK)  # what the session was verified with is gone
    assert TOTPDevice.objects.exists()


def test_the_last_way_in_stays(client, ana, device):
    ana.set_unusable_password()
    ana.save(update_fields=["password"])
    use(client, device)
    assert "This is your only second step" in remove_last(client)


def test_where_it_is_not_required_the_last_one_goes_with_its_codes(client, ana, device):
    use(client, device)
    remove_last(client)
    assert not WebAuthnCredential.objects.exists()
    assert not RecoveryCode.objects.exists()
    assert is_in(client)


def test_another_persons_passkey_is_not_there(client, ana, device):
    someone("rosa")
    with_password(client, "rosa")
    page = reverse("signin_passkey", args=[WebAuthnCredential.objects.get().pk])
    assert client.get(page).status_code == 404
    assert client.post(page, {"remove": "yes"}).status_code == 404


def test_a_new_app_takes_the_place_of_the_old_one(client, ana, device):
    old = TOTPDevice.objects.create(user=ana, name="app", confirmed=True)
    use(client, device)
    client.get(SET_UP_APP)
    new = TOTPDevice.objects.get(confirmed=False)
    from tests.accounts.test_signin import code_now

    client.post(SET_UP_APP, {"code": code_now(new)})
    assert [app.pk for app in TOTPDevice.objects.all()] == [new.pk] != [old.pk]
    assert is_in(client)


@pytest.mark.parametrize("how", ["administrator", "operator"])
def test_starting_over_forgets_passkeys(client, ana, device, how):
    use(client, device)
    if how == "operator":
        call_command("reset_second_step", "ana")
    else:
        boss = browser()
        boss.force_login(someone("boss"))
        boss.post(reverse("signin_reset", args=[ana.pk]))
    assert not WebAuthnCredential.objects.exists()
    assert not is_in(client)
    assert "passkeys" in mail.outbox[0].body
    use(client, device)
    assert REFUSED in said(client)


# Where they work


@pytest.mark.parametrize(
    ("site", "name", "origin"),
    [
        ("https://example.org", "example.org", "https://example.org"),
        ("https://Example.org:443/", "example.org", "https://example.org"),
        ("https://example.org:8443", "example.org", "https://example.org:8443"),
        ("http://127.0.0.1:8001", "localhost", "http://localhost:8001"),
        ("http://[::1]:8001", "localhost", "http://localhost:8001"),
        ("http://localhost", "localhost", "http://localhost"),
        ("https://localhost:8443", "localhost", "https://localhost:8443"),
    ],
)
def test_the_relying_party_follows_the_sites_address(tmp_path, site, name, origin):
    show = "from config.settings import base as b; print(b.OTP_WEBAUTHN_RP_ID, *b.OTP_WEBAUTHN_ALLOWED_ORIGINS, b.ALLOWED_HOSTS)"
    run = starts.python(show, {**os.environ, "SITE_URL": site, "VAR_DIR": str(tmp_path)})
    assert run.stdout.startswith(f"{name} {origin} [")
    assert f"'{name}'" in run.stdout


@pytest.mark.parametrize(
    ("host", "shown"),
    [("localhost:8000", True), ("127.0.0.1:8000", False), ("localhost:8001", False), ("testserver", False)],
)
def test_passkeys_are_offered_where_they_work_and_elsewhere_it_says_where(ana, host, shown):
    client = Client(HTTP_HOST=host, headers={"accept-language": "en"})
    html = client.get(LOGIN).content.decode()
    assert ("data-passkey" in html) == shown
    assert ("http://localhost:8000/admin/" in html) != shown
    with_password(client)
    html = client.get(SET_UP).content.decode()
    assert ("data-passkey" in html) == shown
    assert ("http://localhost:8000/admin/" in html) != shown
    assert SET_UP_APP in html


@pytest.mark.parametrize(("host", "https"), [("192.0.2.1", True), ("2001:db8::1", True), ("example.org", False)])
def test_passkeys_are_offered_nowhere_without_https_and_a_domain_name(client, ana, settings, host, https):
    settings.OTP_WEBAUTHN_RP_ID, settings.HTTPS = host, https
    assert passkey_origin() == ""
    assert "data-passkey" not in client.get(LOGIN).content.decode()
    with_password(client)
    assert "Passkeys need https and a domain name" in client.get(SET_UP).content.decode()


@pytest.mark.parametrize("language", ["es", "pt-br"])
def test_the_log_in_page_speaks_the_browsers_language(client, ana, device, language):
    words = {"es": "Entrar con una llave de acceso", "pt-br": "Entrar com uma chave de acesso"}[language]
    client = Client(HTTP_HOST="localhost:8000", headers={"accept-language": language})
    assert words in client.get(LOGIN).content.decode()
    begun = begin(client, USE_OPTIONS)
    client.post(WITH_PASSKEY, {"state": begun["state"], "passkey": "{}"})
    assert {"es": "no abre esta cuenta", "pt-br": "não abre esta conta"}[language] in client.get(LOGIN).content.decode()
