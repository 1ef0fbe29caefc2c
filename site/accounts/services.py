"""Operations of signing in: rate limits, sessions, the second step, recovery codes and invitations.

Nothing here builds a response. The views and the middleware call these functions, and so do commands.
"""

import hashlib
import secrets
from base64 import b32encode
from datetime import datetime, timedelta
from typing import Any

from core import rate_limits
from core.client_ip import origin, truncated_origin
from core.requests import AuthenticatedHttpRequest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _
from django_otp import devices_for_user, match_token, user_has_device
from django_otp.middleware import is_verified
from django_otp.models import Device
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_otp_webauthn.models import WebAuthnCredential
from wagtail.log_actions import log
from wagtail.users.models import UserProfile

from accounts.models import RecoveryCode
from accounts.tasks import mail_invitation

# Rate limits, as (number, period). They slow brute force down without locking the owner out.
SIGN_IN_LIMIT_BY_NAME_AND_ORIGIN = (10, timedelta(minutes=15))
SIGN_IN_LIMIT_BY_ORIGIN = (100, timedelta(hours=1))
CODE_LIMIT = (10, timedelta(minutes=15))
RESET_LIMIT_BY_ADDRESS = (3, timedelta(hours=1))
RESET_LIMIT_BY_ORIGIN = (20, timedelta(hours=1))
TOO_MANY_ATTEMPTS = _("Too many attempts. Wait a quarter of an hour and try again.")

SESSION_MAX_AGE = timedelta(hours=12)
SESSION_IDLE_TIMEOUT = timedelta(hours=2)  # an open page editor sends a request every few seconds
SESSION_REFRESH_INTERVAL = timedelta(minutes=1)
# A change of credentials requires a verification within this time; a submitted form has longer, because people need time to
# fill it in.
REAUTHENTICATE_AFTER = timedelta(minutes=10)
REAUTHENTICATE_AFTER_ON_SUBMIT = timedelta(hours=1)

RECOVERY_CODES = 10
RECOVERY_CODE_BYTES = 20  # 160 bits, enough for an unsalted hash


def log_event(user: User, action: str, by: User | None = None, request: HttpRequest | None = None) -> None:
    """Add an entry about a User to the site history, with the network of the request."""
    # request.user is a lazy proxy, and Wagtail's log finds no model for a proxy.
    user = get_user_model().objects.get(pk=user.pk)
    data = {"network": truncated_origin(request)} if request else {}
    log(instance=user, action=f"clac.{action}", user=user if by and by.pk == user.pk else by, data=data)


def may_invite(by: User, user: User) -> bool:
    """Return whether `by` may invite a User: one who is active, has an address and has never signed in."""
    is_permitted = by.has_perm("auth.change_user") and (by.is_superuser or not user.is_superuser)
    return bool(is_permitted and user.is_active and user.email and user.last_login is None)


def send_invitation(user: User, by: User) -> None:
    """Mail a User, in their language, who invites them to what, and the link to choose a password."""
    mail_invitation.enqueue(user.pk, by.pk)
    log_event(user, "invited", by=by)


def notify_user(user: User, text: str | Promise) -> None:
    """Mail a User about a change of their credentials, in the language of their admin."""
    if not user.email:
        return
    with override(UserProfile.get_for_user(user).get_preferred_language()):
        subject = gettext("Signing in to %(site)s changed") % {"site": settings.WAGTAIL_SITE_NAME}
        advice = gettext("If that was not you, write to whoever looks after the site, and change your password.")
        send_mail(
            subject, f"{text}\n\n{advice}\n\n{settings.SITE_URL}/admin/\n", None, [user.email], fail_silently=True
        )


# Rate limits


def _sign_in_key(request: HttpRequest, name: str) -> str:
    return f"sign-in {name.lower()} {origin(request)}"


def allow_sign_in_from_origin(request: HttpRequest) -> bool:
    """Count a sign-in attempt from the request's origin and return whether the limit allows it."""
    return rate_limits.hit(f"sign-in from {origin(request)}", SIGN_IN_LIMIT_BY_ORIGIN)


def allow_sign_in(request: HttpRequest, name: str) -> bool:
    """Count a sign-in attempt with a user name and return whether the limits allow it."""
    is_allowed = rate_limits.hit(_sign_in_key(request, name), SIGN_IN_LIMIT_BY_NAME_AND_ORIGIN)
    return is_allowed and allow_sign_in_from_origin(request)


def reset_sign_in_limit(request: HttpRequest, name: str) -> None:
    """Clear the attempts with a user name from the request's origin, after a success."""
    rate_limits.reset(_sign_in_key(request, name))


def allow_password_reset(request: HttpRequest, email: str) -> bool:
    """Count a request for a password reset mail and return whether the limits allow it."""
    return rate_limits.hit(f"reset {email.lower()}", RESET_LIMIT_BY_ADDRESS) and rate_limits.hit(
        f"reset from {origin(request)}", RESET_LIMIT_BY_ORIGIN
    )


def allow_code(user: User) -> bool:
    """Count an attempt at a User's second step and return whether the limit allows it."""
    return rate_limits.hit(f"code of {user.pk}", CODE_LIMIT)


def reset_code_limit(user: User) -> None:
    """Clear the attempts at a User's second step, after a success."""
    rate_limits.reset(f"code of {user.pk}")


# Sessions


def session_time(session: SessionBase, key: str) -> datetime:
    """Return a time that a session stores, or if it stores none, a time before any limit."""
    return parse_datetime(session.get(key) or "") or timezone.now() - SESSION_MAX_AGE * 2


def is_recently_verified(request: HttpRequest) -> bool:
    """Return whether the User verified their identity recently enough to change credentials."""
    max_age = REAUTHENTICATE_AFTER if request.method in {"GET", "HEAD"} else REAUTHENTICATE_AFTER_ON_SUBMIT
    return timezone.now() - session_time(request.session, "proved_at") < max_age


def mark_verified(session: SessionBase) -> None:
    """Store that the User has just verified their identity, and give the session a new key."""
    session.cycle_key()
    session["proved_at"] = timezone.now().isoformat()


def active_sessions(user: User) -> list[tuple[str, dict[str, Any]]]:
    """Return a User's unexpired sessions as (key, data) pairs, the newest first."""
    found = [
        (session.session_key, data)
        for session in Session.objects.filter(expire_date__gt=timezone.now())
        if (data := session.get_decoded()).get("_auth_user_id") == str(user.pk)
    ]
    return sorted(found, key=lambda pair: pair[1].get("began_at", ""), reverse=True)


def end_sessions(user: User, keep: str | None = None) -> int:
    """Sign a User out everywhere except in the session `keep`, and return the number of ended sessions."""
    keys = [key for key, _data in active_sessions(user) if key != keep]
    return Session.objects.filter(session_key__in=keys).delete()[0]


# The second step


def has_app(user: User) -> bool:
    """Return whether a User has connected an authenticator app."""
    return TOTPDevice.objects.filter(user=user, confirmed=True).exists()


def needs_second_step(user: User) -> bool:
    """Return whether the second step is missing: users with a passkey or an app need it, and everybody if it is required."""
    return not is_verified(user) and (settings.TWO_FACTOR_REQUIRED or user_has_device(user))


def verify_code(user: User, code: str) -> bool:
    """Verify a code of the app or a recovery code, which works only once. A User without a second step types the password."""
    if not user_has_device(user):
        return user.check_password(code)
    if match_token(user, code.replace(" ", "")):
        return True
    return bool(RecoveryCode.objects.filter(user=user, digest=_digest(code)).delete()[0])


def _lock(user: User) -> User:
    """Lock a User's row until the transaction ends, so that concurrent requests change credentials one after the other."""
    return get_user_model().objects.select_for_update().get(pk=user.pk)


def get_unconfirmed_app(user: User) -> TOTPDevice:
    """Return the app that the User is connecting, the same one in every tab; create it if there is none."""
    with transaction.atomic():
        _lock(user)
        device, *others = TOTPDevice.objects.filter(user=user, confirmed=False).order_by("pk") or [
            TOTPDevice.objects.create(user=user, name="app", confirmed=False)
        ]
        for other in others:
            other.delete()
    return device


def confirm_app(device: TOTPDevice, code: str) -> bool:
    """Confirm an app if the code is right, and replace the User's previous app. Return whether the app is confirmed."""
    with transaction.atomic():
        user = _lock(device.user)
        device = TOTPDevice.objects.filter(pk=device.pk, confirmed=False).first()
        if device is None or not device.verify_token(code.replace(" ", "")):
            return False
        TOTPDevice.objects.filter(user=user).exclude(pk=device.pk).delete()
        TOTPDevice.objects.filter(pk=device.pk).update(confirmed=True)
    return True


def remove_devices(user: User, devices: QuerySet[Device]) -> bool:
    """Remove some of a User's devices and return whether they are removed.

    The last device stays if a second step is required or the User has no password. The recovery codes are deleted with the last
    device, because they only replace devices.
    """
    with transaction.atomic():
        user = _lock(user)
        is_last = not set(devices_for_user(user)) - set(devices)
        if is_last and (settings.TWO_FACTOR_REQUIRED or not user.has_usable_password()):
            return False
        devices.delete()
        if is_last:
            RecoveryCode.objects.filter(user=user).delete()
    return True


def finish_credential_change(request: AuthenticatedHttpRequest, action: str, text: str | Promise) -> None:
    """After a change of credentials, renew the session, end the User's other sessions, log the change and mail the User."""
    mark_verified(request.session)
    end_sessions(request.user, keep=request.session.session_key)
    log_event(request.user, action, by=request.user)
    notify_user(request.user, text)


def reset_second_step(user: User, by: User | None = None) -> None:
    """Delete a User's passkeys, app and recovery codes, end their sessions and mail them."""
    for model in (WebAuthnCredential, TOTPDevice, RecoveryCode):
        model.objects.filter(user=user).delete()
    end_sessions(user)
    log_event(user, "second_step_reset", by=by)
    notify_user(
        user, _("Your passkeys, your app and your recovery codes were reset, and you were signed out everywhere.")
    )


# Recovery codes


def _digest(code: str) -> str:
    return hashlib.sha256(code.replace("-", "").replace(" ", "").upper().encode()).hexdigest()


def new_recovery_codes(user: User) -> list[str]:
    """Replace a User's recovery codes and return the new ones. The database stores only their hashes."""
    raw = [b32encode(secrets.token_bytes(RECOVERY_CODE_BYTES)).decode() for _number in range(RECOVERY_CODES)]
    with transaction.atomic():
        RecoveryCode.objects.filter(user=user).delete()
        RecoveryCode.objects.bulk_create([RecoveryCode(user=user, digest=_digest(code)) for code in raw])
    return ["-".join(code[start : start + 4] for start in range(0, len(code), 4)) for code in raw]
