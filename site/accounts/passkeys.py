"""Passkeys (WebAuthn level 3): how one is made, and how one signs in.

django-otp-webauthn stores them and py_webauthn verifies what the browser sends. This module decides what is asked for: the person
is verified every time, a challenge serves one purpose, once, for five minutes, and a passkey's row is locked while it is used.
"""

import json
import logging
from datetime import timedelta

from core import rate_limits
from core.sites import passkey_origin
from django.core import signing
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _
from django_otp_webauthn.exceptions import OTPWebAuthnApiError
from django_otp_webauthn.helpers import WebAuthnHelper
from django_otp_webauthn.models import WebAuthnCredential, WebAuthnUserHandle
from django_otp_webauthn.settings import app_settings
from webauthn.helpers import parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import UserVerificationRequirement

logger = logging.getLogger(__name__)

SALT = "accounts.passkeys"
TIMEOUT = timedelta(seconds=app_settings.OTP_WEBAUTHN_TIMEOUT_SECONDS)
# What the libraries raise for an answer that is wrong, and for one that is no answer at all.
WRONG = (WebAuthnException, OTPWebAuthnApiError, ValueError, TypeError, KeyError, AttributeError)


class PasskeyError(Exception):
    """A passkey was not made, or proves nothing. Its text is for the person; `user` is whose passkey it was, if that is known."""

    def __init__(self, text, user=None):
        super().__init__(text)
        self.text, self.user = text, user


class Helper(WebAuthnHelper):
    """The library's, except that a new passkey, too, has to verify its owner: it can then replace the password."""

    def get_generate_registration_options_kwargs(self, *, user):
        options = super().get_generate_registration_options_kwargs(user=user)
        options["authenticator_selection"].user_verification = UserVerificationRequirement.REQUIRED
        return options


def work_here(request) -> bool:
    """Whether passkeys work at the address by which the browser asks."""
    return f"{request.scheme}://{request.get_host()}" == passkey_origin()


def begin_creation(request) -> dict:
    """What a browser needs to make a passkey for the User who is signed in."""
    options, state = Helper(request).register_begin(request.user)
    return {"options": options, "state": _seal("create", request.user, state)}


def begin_use(request, user=None) -> dict:
    """What a browser needs to prove with a passkey that this is `user`, or to say who it is."""
    options, state = Helper(request).authenticate_begin(user, require_user_verification=True)
    return {"options": options, "state": _seal("use", user, state)}


def create(request, name) -> WebAuthnCredential:
    """Store the passkey that the browser made. Raises PasskeyError."""
    state, answer = _read(request, "create", request.user)
    try:
        with transaction.atomic():
            key = Helper(request).register_complete(request.user, state, answer)
            key.name = name
            key.save(update_fields=["name"])
    except (*WRONG, IntegrityError) as error:  # IntegrityError: it is there already, whosever it is
        raise _refusal(error, _("This passkey could not be added. Try again, or use another device.")) from error
    return key


def use(request, user=None) -> WebAuthnCredential:
    """The passkey with which the browser proved who this is: `user`, or if None whoever owns it. Raises PasskeyError."""
    state, answer = _read(request, "use", user)
    owner = None
    try:
        with transaction.atomic():
            parsed = parse_authentication_credential_json(answer)
            digest = WebAuthnCredential.get_credential_id_sha256(parsed.raw_id)
            # Locked, so that two answers at once do not both pass the check of the counter.
            owner = WebAuthnCredential.objects.select_for_update().get(credential_id_sha256=digest).user
            key = Helper(request).authenticate_complete(user, state, answer)
            _check_owner(key, parsed.response.user_handle, must_be_told=user is None)
    except (*WRONG, WebAuthnCredential.DoesNotExist) as error:
        refusal = _("This passkey does not open this account. It may have been removed. Try another one.")
        raise _refusal(error, refusal, owner) from error
    return key


def _check_owner(key, handle, must_be_told):
    """WebAuthn level 3, section 7.2, step 6: the answer names the owner of the passkey. The library leaves this check, and these
    states, to its callers."""
    if not key.confirmed or not key.user.is_active:
        raise ValueError("switched off")
    if handle is None and not must_be_told:
        return
    if handle is None or handle != WebAuthnUserHandle.get_handle_for_user(key.user):
        raise ValueError("the user handle is another one's")


def _seal(purpose, user, state):
    return signing.dumps([purpose, user and user.pk, state], salt=SALT)


def _read(request, purpose, user):
    """(state, answer of the browser), if the challenge was given for this purpose and User and not used yet. Raises PasskeyError."""
    late = PasskeyError(_("That took too long, or was sent twice. Please try again."))
    try:
        was_for, whose, state = signing.loads(request.POST.get("state", ""), salt=SALT, max_age=TIMEOUT)
    except signing.BadSignature as error:
        raise late from error
    is_ours = (was_for, whose) == (purpose, user and user.pk)
    if not is_ours or not rate_limits.hit(f"passkey challenge {state['challenge']}", (1, TIMEOUT)):
        raise late
    try:
        answer = json.loads(request.POST.get("passkey", ""))
    except (ValueError, RecursionError):
        answer = None  # which the libraries refuse
    return state, answer


def _refusal(error, text, user=None):
    logger.warning("Passkey refused (%s: %r)", type(error).__name__, str(error)[:200])
    return PasskeyError(text, user)
