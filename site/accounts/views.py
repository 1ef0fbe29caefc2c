"""Views of signing in: the second step, passkeys, the app, recovery codes and sessions.

A passkey (accounts/passkeys.py) replaces password and second step. After a password, the second step is a passkey, a code of an app
(TOTP, RFC 6238) or a recovery code. accounts/middleware.py requires it.
"""

import logging
from base64 import b32encode
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

import qrcode
import qrcode.image.svg
from core.requests import AuthenticatedHttpRequest
from django.contrib.auth import get_user_model, login
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST
from django_otp import devices_for_user, user_has_device
from django_otp import login as otp_login
from django_otp.models import Device
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_otp_webauthn.models import WebAuthnCredential
from wagtail.admin import messages
from wagtail.admin.auth import permission_required

from accounts import passkeys, services
from accounts.forms import CodeForm, PasskeyForm, PasswordForm
from accounts.redirects import next_url, redirect_and_return, redirect_with_next, safe_url

logger = logging.getLogger(__name__)
P = ParamSpec("P")

INVITED = _("%(name)s gets a mail with a link to choose a password.")
LAST_SECOND_STEP = _("This is your only second step. Add a passkey or an app first, then remove this one.")


def _admin_view(
    function: Callable[Concatenate[AuthenticatedHttpRequest, P], HttpResponse],
) -> Callable[Concatenate[AuthenticatedHttpRequest, P], HttpResponse]:
    @never_cache
    @sensitive_post_parameters()
    @permission_required("wagtailadmin.access_admin")
    @wraps(function)
    def view(request: AuthenticatedHttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        return function(request, *args, **kwargs)

    return view


def _redirect_with_error(name: str, request: HttpRequest, error: str | Promise) -> HttpResponseRedirect:
    """Redirect to a view, which shows why the passkey was refused."""
    messages.error(request, error)
    return redirect_with_next(name, next_url(request))


# Signing in with a passkey


@never_cache
@require_POST
def use_options(request: HttpRequest) -> JsonResponse:
    """Return what the browser needs to authenticate with a passkey: one of the signed-in User, or anybody's."""
    user = request.user if request.user.is_authenticated else None
    return JsonResponse(passkeys.begin_authentication(request, user))


@never_cache
@sensitive_post_parameters()
@require_POST
def sign_in_with_passkey(request: HttpRequest) -> HttpResponse:
    """Sign in without a password. The passkey verifies its owner, so it is the second step as well."""
    if not services.allow_sign_in_from_origin(request):
        logger.warning("Sign-in throttled")
        return _redirect_with_error("wagtailadmin_login", request, services.TOO_MANY_ATTEMPTS)
    try:
        key = passkeys.authenticate(request)
    except passkeys.PasskeyError as error:
        if error.user:
            services.log_event(error.user, "passkey_refused", request=request)
        return _redirect_with_error("wagtailadmin_login", request, error.text)
    login(request, key.user, backend="django.contrib.auth.backends.ModelBackend")
    request.session.set_expiry(0)
    otp_login(request, key)
    return HttpResponseRedirect(next_url(request))


# The second step


def _is_accepted(form: Form, user: User, verify: Callable[[str], bool]) -> bool:
    """Return whether `verify` accepts the form's code, within the rate limit. If not, add an error to the form."""
    if not form.is_valid():
        return False
    if not services.allow_code(user):
        form.add_error("code", services.TOO_MANY_ATTEMPTS)
        return False
    if not verify(form.cleaned_data["code"]):
        form.add_error("code", _("That is not right. Try again with the code that the app shows now."))
        return False
    return True


@_admin_view
def ask(request: AuthenticatedHttpRequest) -> HttpResponse:
    """Verify the User's identity: as the second step of signing in, or again before a change of credentials."""
    if "passkey" in request.POST:
        return _verify_passkey(request)
    has_device = user_has_device(request.user)
    form = (CodeForm if has_device else PasswordForm)(request.POST or None)

    def verify(code: str) -> bool:
        if services.verify_code(request.user, code):
            return True
        services.log_event(request.user, "second_step_failed", by=request.user)
        return False

    if request.method == "POST" and _is_accepted(form, request.user, verify):
        return _complete_verification(request, next(devices_for_user(request.user), None))
    context = {
        "form": form,
        "next": next_url(request),
        "has_device": has_device,
        "has_app": services.has_app(request.user),
        "has_passkey": WebAuthnCredential.objects.filter(user=request.user).exists(),
        **passkeys.availability(request),
    }
    if has_device and not context["has_app"]:
        form.fields["code"].help_text = _("One of your recovery codes.")
    if context["has_passkey"] and context["passkeys_work"]:
        del form.fields["code"].widget.attrs["autofocus"]  # the page begins with the passkey
    return TemplateResponse(request, "accounts/ask.html", context)


def _verify_passkey(request: AuthenticatedHttpRequest) -> HttpResponseRedirect:
    if not services.allow_code(request.user):
        return _redirect_with_error("signin_ask", request, services.TOO_MANY_ATTEMPTS)
    try:
        key = passkeys.authenticate(request, request.user)
    except passkeys.PasskeyError as error:
        services.log_event(request.user, "passkey_refused", by=request.user)
        return _redirect_with_error("signin_ask", request, error.text)
    return _complete_verification(request, key)


def _complete_verification(request: AuthenticatedHttpRequest, device: Device | None) -> HttpResponseRedirect:
    """Mark the session as verified, and redirect to where the User was going."""
    services.reset_code_limit(request.user)
    services.mark_verified(request.session)
    if device:
        otp_login(request, device)
        if not request.user.recovery_codes.exists():
            messages.warning(request, _("You have no recovery codes left. Make new ones under “Signing in”."))
    return HttpResponseRedirect(safe_url(request, request.POST.get("next", "")))


# Setting up


@_admin_view
@require_POST
def create_options(request: AuthenticatedHttpRequest) -> JsonResponse:
    """Return what the browser needs to create a passkey for the signed-in User."""
    return JsonResponse(passkeys.begin_registration(request))


@_admin_view
def set_up(request: AuthenticatedHttpRequest) -> HttpResponse:
    """Add a passkey; the page also links to connecting an app."""
    form = PasskeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        number = WebAuthnCredential.objects.filter(user=request.user).count() + 1
        name = form.cleaned_data["name"] or gettext("Passkey %(number)d") % {"number": number}
        try:
            key = passkeys.register(request, name)
        except passkeys.PasskeyError as error:
            return _redirect_with_error("signin_set_up", request, error.text)
        text = format_lazy(_("The passkey “{name}” was added to your account."), name=key.name)
        return _complete_setup(request, key, "passkey_added", text)
    context = {
        "form": form,
        "next": next_url(request),
        "has_app": services.has_app(request.user),
        "may_leave": not services.needs_second_step(request.user),
    }
    return TemplateResponse(request, "accounts/set_up.html", context | passkeys.availability(request))


@_admin_view
def set_up_app(request: AuthenticatedHttpRequest) -> HttpResponse:
    """Connect an app, instead of the previous one if there is one: show a QR code and its key, and verify a code."""
    form = CodeForm(request.POST or None)
    form.fields["code"].help_text = _("Six digits from your app.")
    device = services.get_unconfirmed_app(request.user)
    if request.method == "POST" and _is_accepted(form, request.user, lambda code: services.confirm_app(device, code)):
        return _complete_setup(request, device, "second_step_set_up", _("An app was connected to your account."))
    image = qrcode.make(device.config_url, image_factory=qrcode.image.svg.SvgPathImage, border=2)
    context = {
        "form": form,
        "picture": image.to_string(encoding="unicode"),
        "key": b32encode(device.bin_key).decode(),
        "next": next_url(request),
        "may_leave": not services.needs_second_step(request.user),
    }
    return TemplateResponse(request, "accounts/set_up_app.html", context)


def _complete_setup(
    request: AuthenticatedHttpRequest, device: Device, action: str, text: str | Promise
) -> HttpResponse:
    """Mark the session as verified by the new passkey or app, and show recovery codes if the User has none."""
    services.finish_credential_change(request, action, text)
    otp_login(request, device)
    if not request.user.recovery_codes.exists():
        return _show_recovery_codes(request)
    messages.success(request, text)
    return HttpResponseRedirect(reverse("signin_manage"))


def _show_recovery_codes(request: AuthenticatedHttpRequest) -> TemplateResponse:
    context = {
        "codes": services.new_recovery_codes(request.user),
        "next": safe_url(request, request.POST.get("next") or reverse("signin_manage")),
    }
    return TemplateResponse(request, "accounts/codes.html", context)


# Managing one's own credentials and sessions


@_admin_view
def manage(request: AuthenticatedHttpRequest) -> HttpResponse:
    """Show the User's own passkeys, app, recovery codes and sessions."""
    sessions = [
        {
            "began_at": parse_datetime(data.get("began_at", "")),
            "browser": data.get("browser", ""),
            "is_this": key == request.session.session_key,
        }
        for key, data in services.active_sessions(request.user)
    ]
    context = {
        "has_app": services.has_app(request.user),
        "passkeys": WebAuthnCredential.objects.filter(user=request.user).order_by("created_at"),
        "codes_left": request.user.recovery_codes.count(),
        "sessions": sessions,
    }
    return TemplateResponse(request, "accounts/manage.html", context | passkeys.availability(request))


@_admin_view
def passkey(request: AuthenticatedHttpRequest, key_id: int) -> HttpResponse:
    """Rename or remove one of the User's own passkeys."""
    key = get_object_or_404(WebAuthnCredential, pk=key_id, user=request.user)
    form = PasskeyForm(request.POST or None, initial={"name": key.name})
    if "remove" in request.POST:
        if services.remove_devices(request.user, WebAuthnCredential.objects.filter(pk=key.pk)):
            text = format_lazy(_("The passkey “{name}” was removed from your account."), name=key.name)
            services.finish_credential_change(request, "passkey_removed", text)
            messages.success(request, text)
        else:
            messages.error(request, LAST_SECOND_STEP)
        return HttpResponseRedirect(reverse("signin_manage"))
    if request.method == "POST" and form.is_valid():
        WebAuthnCredential.objects.filter(pk=key.pk).update(name=form.cleaned_data["name"] or key.name)
        return HttpResponseRedirect(reverse("signin_manage"))
    return TemplateResponse(request, "accounts/passkey.html", {"form": form, "passkey": key})


@_admin_view
@require_POST
def change(request: AuthenticatedHttpRequest, what: str) -> HttpResponse:
    """Make new recovery codes (“codes”), disconnect the app (“remove”) or end the User's other sessions (“sessions”)."""
    if not services.is_recently_verified(request):
        return redirect_and_return("signin_ask", request)
    if what == "codes" and user_has_device(request.user):
        text = _("New recovery codes were made; the old ones no longer work.")
        services.finish_credential_change(request, "recovery_codes", text)
        return _show_recovery_codes(request)
    if what == "remove":
        if services.remove_devices(request.user, TOTPDevice.objects.filter(user=request.user)):
            text = _("The app was disconnected from your account.")
            services.finish_credential_change(request, "second_step_removed", text)
            messages.success(request, _("The app is disconnected."))
        else:
            messages.error(request, LAST_SECOND_STEP)
    elif what == "sessions":
        services.end_sessions(request.user, keep=request.session.session_key)
        services.log_event(request.user, "sessions_ended", by=request.user)
        messages.success(request, _("You are signed out everywhere else."))
    return HttpResponseRedirect(reverse("signin_manage"))


# For administrators


@permission_required("auth.change_user")
def reset(request: AuthenticatedHttpRequest, user_id: int) -> HttpResponse:
    """Let an administrator reset the second step of a User who lost passkeys, app and recovery codes."""
    user = get_object_or_404(get_user_model(), pk=user_id)
    if user.is_superuser and not request.user.is_superuser:
        raise PermissionDenied
    if request.method == "POST":
        services.reset_second_step(user, by=request.user)
        messages.success(
            request, _("%(name)s is signed out everywhere and sets up a new second step.") % {"name": user}
        )
        return HttpResponseRedirect(reverse("wagtailusers_users:edit", args=[user.pk]))
    context = {"person": user, "sessions": len(services.active_sessions(user))}
    return TemplateResponse(request, "accounts/reset.html", context)


@permission_required("auth.change_user")
def invite(request: AuthenticatedHttpRequest, user_id: int) -> HttpResponse:
    """Send a User who has not signed in yet the invitation again."""
    user = get_object_or_404(get_user_model(), pk=user_id)
    if not services.may_invite(request.user, user):
        raise PermissionDenied
    if request.method == "POST":
        services.send_invitation(user, by=request.user)
        messages.success(request, INVITED % {"name": user})
        return HttpResponseRedirect(reverse("wagtailusers_users:edit", args=[user.pk]))
    return TemplateResponse(request, "accounts/invite.html", {"person": user})
