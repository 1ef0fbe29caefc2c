"""Passkeys (WebAuthn level 3): registration and authentication.

django-otp-webauthn stores passkeys, and py_webauthn verifies the browser's response. This module sets the rules: every ceremony
requires user verification, a challenge is valid for one purpose, once, for five minutes, and a transaction that uses a passkey
locks its row.
"""

import json
import logging
from datetime import timedelta
from typing import Any

from core import rate_limits
from core.requests import AuthenticatedHttpRequest
from core.sites import passkey_origin
from django.contrib.auth.models import User
from django.core import signing
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
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
# The libraries raise these for a wrong response and for one that they cannot parse.
INVALID_RESPONSE_ERRORS = (WebAuthnException, OTPWebAuthnApiError, ValueError, TypeError, KeyError, AttributeError)


class PasskeyError(Exception):
    """Registration or authentication failed. `text` explains it to the person; `user` owns the passkey, if the owner is known."""

    def __init__(self, text: str | Promise, user: User | None = None):
        super().__init__(text)
        self.text, self.user = text, user


class PasskeyHelper(WebAuthnHelper):
    """Requires user verification at registration too, so that the passkey can replace the password."""

    def get_generate_registration_options_kwargs(self, *, user: User) -> dict[str, Any]:
        """Return the library's options, with user verification required."""
        options = super().get_generate_registration_options_kwargs(user=user)
        options["authenticator_selection"].user_verification = UserVerificationRequirement.REQUIRED
        return options


def availability(request: HttpRequest) -> dict[str, Any]:
    """Return template variables: whether passkeys work at the request's origin, and if not, the URL where they do."""
    address = passkey_origin()
    is_here = f"{request.scheme}://{request.get_host()}" == address
    return {
        "passkeys_work": is_here,
        "passkeys_at": "" if is_here or not address else address + reverse("wagtailadmin_home"),
    }


def begin_registration(request: AuthenticatedHttpRequest) -> dict[str, Any]:
    """Return what a browser needs to create a passkey for the signed-in User."""
    options, state = PasskeyHelper(request).register_begin(request.user)
    return {"options": options, "state": _sign_state("create", request.user, state)}


def begin_authentication(request: HttpRequest, user: User | None = None) -> dict[str, Any]:
    """Return what a browser needs to authenticate with a passkey of `user`, or if None with anybody's."""
    options, state = PasskeyHelper(request).authenticate_begin(user, require_user_verification=True)
    return {"options": options, "state": _sign_state("use", user, state)}


def register(request: AuthenticatedHttpRequest, name: str) -> WebAuthnCredential:
    """Verify and store the passkey that the browser created. Raises PasskeyError."""
    state, response = _read_response(request, "create", request.user)
    try:
        with transaction.atomic():
            key = PasskeyHelper(request).register_complete(request.user, state, response)
            key.name = name
            key.save(update_fields=["name"])
    except (*INVALID_RESPONSE_ERRORS, IntegrityError) as error:  # IntegrityError: somebody has already registered it
        raise _logged_error(error, _("This passkey could not be added. Try again, or use another device.")) from error
    return key


def authenticate(request: HttpRequest, user: User | None = None) -> WebAuthnCredential:
    """Verify the browser's response and return the passkey: one of `user`, or if None anybody's. Raises PasskeyError."""
    state, response = _read_response(request, "use", user)
    owner = None
    try:
        with transaction.atomic():
            parsed = parse_authentication_credential_json(response)
            digest = WebAuthnCredential.get_credential_id_sha256(parsed.raw_id)
            # The lock keeps two concurrent responses from both passing the check of the counter.
            owner = WebAuthnCredential.objects.select_for_update().get(credential_id_sha256=digest).user
            key = PasskeyHelper(request).authenticate_complete(user, state, response)
            _check_owner(key, parsed.response.user_handle, is_handle_required=user is None)
    except (*INVALID_RESPONSE_ERRORS, WebAuthnCredential.DoesNotExist) as error:
        refusal = _("This passkey does not open this account. It may have been removed. Try another one.")
        raise _logged_error(error, refusal, owner) from error
    return key


def _check_owner(key: WebAuthnCredential, handle: bytes | None, is_handle_required: bool) -> None:
    """Check that the response names the owner of the passkey (WebAuthn level 3, section 7.2, step 6). The library leaves this
    check, and those of the passkey's and the User's state, to its callers."""
    if not key.confirmed or not key.user.is_active:
        raise ValueError("inactive passkey or user")
    if handle is None and not is_handle_required:
        return
    if handle is None or handle != WebAuthnUserHandle.get_handle_for_user(key.user):
        raise ValueError("wrong or missing user handle")


def _sign_state(purpose: str, user: User | None, state: dict[str, Any]) -> str:
    return signing.dumps([purpose, user and user.pk, state], salt=SALT)


def _read_response(request: HttpRequest, purpose: str, user: User | None) -> tuple[dict[str, Any], Any]:
    """Return (state, response) if the challenge is for this purpose and User, is fresh and is unused. Raises PasskeyError."""
    expired = PasskeyError(_("That took too long, or was sent twice. Please try again."))
    try:
        signed_purpose, user_id, state = signing.loads(request.POST.get("state", ""), salt=SALT, max_age=TIMEOUT)
    except signing.BadSignature as error:
        raise expired from error
    is_valid = (signed_purpose, user_id) == (purpose, user and user.pk)
    if not is_valid or not rate_limits.hit(f"passkey challenge {state['challenge']}", (1, TIMEOUT)):
        raise expired
    try:
        response = json.loads(request.POST.get("passkey", ""))
    except (ValueError, RecursionError):
        response = None  # the libraries reject it
    return state, response


def _logged_error(error: Exception, text: str | Promise, user: User | None = None) -> PasskeyError:
    """Log why a ceremony failed, and return the PasskeyError to raise."""
    logger.warning("Passkey refused (%s: %r)", type(error).__name__, str(error)[:200])
    return PasskeyError(text, user)
