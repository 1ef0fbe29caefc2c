"""Changes of how one person signs in, made in two tabs at once: on PostgreSQL in `make test-services`, on SQLite in `make test`."""

import pytest
from accounts import services
from core.models import RateLimitHit
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_otp_webauthn.models import WebAuthnCredential
from wagtail.models import ModelLogEntry

from tests.accounts.test_passkeys import USE_OPTIONS, WITH_PASSKEY, add, begin, browser, is_in
from tests.accounts.test_signin import SET_UP_APP
from tests.authenticator import Device
from tests.transactional import _django_db_helper, race  # noqa: F401

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana(_django_db_helper):  # noqa: F811
    user = User.objects.create_superuser("ana", "ana@example.org", "café con leche y pan")
    yield user
    Session.objects.all().delete()
    ModelLogEntry.objects.filter(user=user).delete()
    user.delete()


def test_many_tabs_at_the_first_sign_in_leave_one_app(ana):
    for _round in range(5):
        TOTPDevice.objects.all().delete()
        assert len(set(race(*[lambda: services.get_unconfirmed_app(ana).pk for _tab in range(4)]))) == 1
        assert TOTPDevice.objects.filter(user=ana).count() == 1
    client = browser()
    client.force_login(ana)
    assert client.get(SET_UP_APP).status_code == 200


def test_two_passkeys_removed_at_once_leave_one(ana, settings):
    client = browser()
    client.force_login(ana)
    for name in ("phone", "key"):
        add(client, Device(), name)
    settings.TWO_FACTOR_REQUIRED = True
    keys = [WebAuthnCredential.objects.filter(pk=key.pk) for key in WebAuthnCredential.objects.filter(user=ana)]
    assert sorted(race(*[lambda key=key: services.remove_devices(ana, key) for key in keys])) == [False, True]
    assert WebAuthnCredential.objects.filter(user=ana).count() == 1


def test_an_answer_sent_twice_at_once_counts_once(ana):
    """From a passkey that counts nothing, as those that are kept in clouds."""
    client, device = browser(), Device()
    client.force_login(ana)
    add(client, device)
    device.counter = -1
    begun = begin(browser(), USE_OPTIONS)
    sent = {"state": begun["state"], "passkey": device.get(begun["options"])}
    RateLimitHit.objects.all().delete()

    def use():
        client = browser()
        client.post(WITH_PASSKEY, sent)
        return is_in(client)

    assert sorted(race(*[use] * 4)) == [False, False, False, True]


def test_a_counter_goes_up_even_if_two_challenges_are_answered_at_once(ana):
    """A copy of a passkey that says the same number as the original: one of them is refused."""
    client, device = browser(), Device(counter=5)
    client.force_login(ana)
    add(client, device)
    answers = []
    for _copy in range(4):
        device.counter = 5
        begun = begin(browser(), USE_OPTIONS)
        answers.append({"state": begun["state"], "passkey": device.get(begun["options"])})

    def use(sent):
        client = browser()
        client.post(WITH_PASSKEY, sent)
        return is_in(client)

    assert sorted(race(*[lambda sent=sent: use(sent) for sent in answers])) == [False, False, False, True]
