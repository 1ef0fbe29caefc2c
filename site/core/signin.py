"""Signing in to the admin: throttled, in two steps, for a limited time, and written down.

The second step is a code of an app (TOTP, RFC 6238) or one of the recovery codes. Until it is taken, a session is nobody's.
"""

import hashlib
import logging
import secrets
from base64 import b32encode
from datetime import timedelta
from functools import wraps
from urllib.parse import urlencode

import qrcode
import qrcode.image.svg
from django import forms
from django.conf import settings
from django.contrib.auth import get_user_model, logout
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.contrib.sessions.models import Session
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.mail import send_mail
from django.db import models, transaction
from django.dispatch import receiver
from django.http import HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import Resolver404, resolve, reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST
from django_otp import login as otp_login
from django_otp import match_token
from django_otp.plugins.otp_totp.models import TOTPDevice
from wagtail.admin import messages
from wagtail.admin.auth import permission_required
from wagtail.admin.forms import auth as wagtail_forms
from wagtail.log_actions import log
from wagtail.users.models import UserProfile

from . import limits
from .clients import origin, truncated_origin
from .logs import route

logger = logging.getLogger(__name__)

# How often somebody may try: the right person who mistypes is never kept out for long, a machine gets nowhere, and
# whoever attacks a name from elsewhere does not keep its owner out.
TRIES_BY_NAME_AND_ORIGIN = (10, timedelta(minutes=15))
TRIES_BY_ORIGIN = (100, timedelta(hours=1))
TRIES_OF_CODES = (10, timedelta(minutes=15))
RESETS_BY_ADDRESS = (3, timedelta(hours=1))
RESETS_BY_ORIGIN = (20, timedelta(hours=1))
THROTTLED = _("Too many attempts. Wait a quarter of an hour and try again.")

SESSION_AT_MOST = timedelta(hours=12)
SESSION_IDLE = timedelta(hours=2)  # the editor of an open page says every few seconds that somebody is there
SEEN_EVERY = timedelta(minutes=1)
# What changes how somebody signs in asks again who it is, unless that was said just now.
RECENT, RECENT_WHILE_TYPING = timedelta(minutes=10), timedelta(hours=1)
RECENT_ONLY = {"wagtailadmin_account", "signin_manage", "signin_set_up", "signin_reset"}

RECOVERY_CODES = 10
RECOVERY_BYTES = 20  # 160 bits, so that a plain hash protects them
OPEN = {"wagtailadmin_login", "wagtailadmin_logout", "wagtailadmin_javascript_catalog", "wagtailadmin_sprite"}
HALF_OPEN = {*OPEN, "signin_ask", "signin_set_up"}


class RecoveryCode(models.Model):
    """A code that replaces the app once, known only by its hash."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="recovery_codes")
    digest = models.CharField(max_length=64)

    def __str__(self):
        return self.digest[:6]


# The first step


class LoginForm(wagtail_forms.LoginForm):
    """Name and password, so many times in so long."""

    def clean(self):
        key = f"sign-in {self.cleaned_data.get('username', '').lower()} {origin(self.request)}"
        if not (
            limits.take(key, TRIES_BY_NAME_AND_ORIGIN)
            and limits.take(f"sign-in from {origin(self.request)}", TRIES_BY_ORIGIN)
        ):
            logger.warning("Sign-in throttled")
            raise ValidationError(THROTTLED, code="throttled")
        cleaned = super().clean()
        limits.forget(key)
        return cleaned


class PasswordResetForm(wagtail_forms.PasswordResetForm):
    """Asks for the mail with which a password is set anew; says the same whoever asks, and mails a few times an hour."""

    def get_users(self, email):
        """Those who may sign in under an address; also who has no password yet."""
        return get_user_model().objects.filter(email__iexact=email, is_active=True)

    def save(self, **options):
        if limits.take(f"reset {self.cleaned_data['email'].lower()}", RESETS_BY_ADDRESS) and limits.take(
            f"reset from {origin(options.get('request'))}", RESETS_BY_ORIGIN
        ):
            super().save(**options)


def _write(person, action, by=None, request=None):
    """An entry of the site history about a User, with the network that the request came from."""
    # What a request calls its user is a proxy, of which Wagtail's log knows nothing.
    person = get_user_model().objects.get(pk=person.pk)
    data = {"network": truncated_origin(request)} if request else {}
    log(instance=person, action=f"clac.{action}", user=person if by and by.pk == person.pk else by, data=data)


def invite(user, request):
    """Mail a new User the link with which they choose their password."""
    form = PasswordResetForm({"email": user.email})
    if user.email and form.is_valid():
        super(PasswordResetForm, form).save(
            request=request,
            email_template_name="wagtailadmin/account/password_reset/email.txt",
            subject_template_name="wagtailadmin/account/password_reset/email_subject.txt",
        )


@receiver(user_logged_in)
def note_sign_in(request, user, **kwargs):
    """Remember when the session began, and write it down."""
    now = timezone.now().isoformat()
    agent = request.META.get("HTTP_USER_AGENT", "")[:200]
    request.session.update({"began_at": now, "seen_at": now, "proved_at": now, "browser": agent})
    _write(user, "sign_in", by=user, request=request)


@receiver(user_logged_out)
def note_sign_out(user, **kwargs):
    """Write down that somebody signed out."""
    if user:
        _write(user, "sign_out", by=user)


@receiver(user_login_failed)
def note_failure(credentials, request=None, **kwargs):
    """Write down who could not sign in. A name that nobody has may be a password in the wrong field: it is not kept."""
    user = get_user_model().objects.filter(username=credentials.get("username") or "").first()
    logger.warning("Sign-in failed (user %s)", user.pk if user else "unknown")
    if user and request:
        _write(user, "sign_in_failed", request=request)


# Sessions


def _moment(session, name):
    return parse_datetime(session.get(name) or "") or timezone.now() - SESSION_AT_MOST * 2


class SignInMiddleware:
    """Ends sessions that are too old, asks for the second step, and keeps half-signed-in people out of everything else."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
            self._end_if_old(request)
            if request.user.is_authenticated and (answer := self._check(request)):
                return answer
        user = request.user
        response = self.get_response(request)
        if request.path_info.startswith("/admin/"):
            self._note_denial(request, user, response)
            if request.path_info == reverse("wagtailadmin_logout") and request.method == "POST":
                response["Clear-Site-Data"] = '"cache", "storage"'
        return response

    @staticmethod
    def _note_denial(request, user, response):
        """Write down that somebody may not do what they tried; Wagtail then answers 403 or sends them to the dashboard."""
        is_sent_home = response.status_code == 302 and response["Location"] == reverse("wagtailadmin_home")
        is_signing_in = request.path_info.startswith((reverse("wagtailadmin_login"), reverse("signin_manage")))
        if user.is_authenticated and (response.status_code == 403 or (is_sent_home and not is_signing_in)):
            logger.warning("Denied to user %s: %s %s", user.pk, request.method, route(request))

    def _end_if_old(self, request):
        session, now = request.session, timezone.now()
        seen = _moment(session, "seen_at")
        if now - _moment(session, "began_at") > SESSION_AT_MOST or now - seen > SESSION_IDLE:
            logout(request)
            messages.warning(request, _("Your session has ended after a while. Please sign in again."))
        elif now - seen > SEEN_EVERY:
            session["seen_at"] = now.isoformat()

    def _check(self, request):
        """Where the user has to go first, or None."""
        try:
            name = resolve(request.path_info).url_name
        except Resolver404:
            name = None
        is_admin = request.path_info.startswith("/admin/")
        if is_half_signed_in(request.user):
            if not is_admin:
                request.user = AnonymousUser()
            elif name not in HALF_OPEN:
                return _go("signin_ask" if has_app(request.user) else "signin_set_up", request)
        elif name in RECENT_ONLY and not _is_recent(request):
            return _go("signin_ask", request)
        return None


def has_app(user):
    """Whether somebody uses an app for the second step."""
    return TOTPDevice.objects.filter(user=user, confirmed=True).exists()


def is_half_signed_in(user):
    """Whether the second step is still to be taken: by who has an app, and by everybody where it is required."""
    return not user.is_verified() and (settings.TWO_FACTOR_REQUIRED or has_app(user))


def _is_recent(request):
    patience = RECENT if request.method in {"GET", "HEAD"} else RECENT_WHILE_TYPING
    return timezone.now() - _moment(request.session, "proved_at") < patience


def _go(name, request):
    after = request.get_full_path() if request.method == "GET" else request.META.get("HTTP_REFERER", "")
    return HttpResponseRedirect(f"{reverse(name)}?{urlencode({'next': _safe(request, after)})}")


def _safe(request, address):
    is_ours = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
    return address if is_ours else reverse("wagtailadmin_home")


def sessions_of(user):
    """The sessions of a User that have not ended, as (key, data) pairs, the newest first."""
    found = [
        (session.session_key, data)
        for session in Session.objects.filter(expire_date__gt=timezone.now())
        if (data := session.get_decoded()).get("_auth_user_id") == str(user.pk)
    ]
    return sorted(found, key=lambda pair: pair[1].get("began_at", ""), reverse=True)


def end_sessions(user, keep=None):
    """Sign a User out everywhere, except in the session `keep`. Returns how many sessions that were."""
    keys = [key for key, _data in sessions_of(user) if key != keep]
    return Session.objects.filter(session_key__in=keys).delete()[0]


# The second step


class CodeForm(forms.Form):
    """A code of the app, or a recovery code. Who has no app says the password again."""

    code = forms.CharField(
        label=_("Code"),
        max_length=64,
        help_text=_("Six digits from your app, or one of your recovery codes."),
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "text", "autofocus": ""}),
    )


class PasswordForm(forms.Form):
    """The password once more."""

    code = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": ""}),
    )


def _digest(code):
    return hashlib.sha256(code.replace("-", "").replace(" ", "").upper().encode()).hexdigest()


def new_recovery_codes(user):
    """Give a User new recovery codes in the place of the old ones; returns them, the only time that they are known."""
    raw = [b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode() for _number in range(RECOVERY_CODES)]
    with transaction.atomic():
        RecoveryCode.objects.filter(user=user).delete()
        RecoveryCode.objects.bulk_create([RecoveryCode(user=user, digest=_digest(code)) for code in raw])
    return ["-".join(code[start : start + 4] for start in range(0, len(code), 4)) for code in raw]


def _proves(user, code):
    """Whether a code, used up by that, or without an app the password, shows that this is the User."""
    if not has_app(user):
        return user.check_password(code)
    if match_token(user, code.replace(" ", "")):
        return True
    return bool(RecoveryCode.objects.filter(user=user, digest=_digest(code)).delete()[0])


def _accepts(form, user, is_right):
    """Whether the code of a form passes `is_right`, so many times in so long. If not, the form says why."""
    if not form.is_valid():
        return False
    if not limits.take(f"code of {user.pk}", TRIES_OF_CODES):
        form.add_error("code", THROTTLED)
        return False
    if not is_right(form.cleaned_data["code"]):
        form.add_error("code", _("That is not right. Try again with the code that the app shows now."))
        return False
    return True


signed_in = permission_required("wagtailadmin.access_admin")


def _view(function):
    @never_cache
    @sensitive_post_parameters()
    @signed_in
    @wraps(function)
    def view(request, *args, **kwargs):
        return function(request, *args, **kwargs)

    return view


@_view
def ask(request):
    """The second step of signing in, or the question who it is before something that matters."""
    uses_app = has_app(request.user)
    form = (CodeForm if uses_app else PasswordForm)(request.POST or None)

    def is_right(code):
        if _proves(request.user, code):
            return True
        _write(request.user, "second_step_failed", by=request.user)
        return False

    if request.method == "POST" and _accepts(form, request.user, is_right):
        return _proved(request)
    address = _safe(request, request.POST.get("next") or request.GET.get("next", ""))
    context = {"form": form, "next": address, "has_app": uses_app}
    return TemplateResponse(request, "core/signin/ask.html", context)


def _proved(request):
    """Let the session in, under a new key."""
    limits.forget(f"code of {request.user.pk}")
    request.session.cycle_key()
    request.session["proved_at"] = timezone.now().isoformat()
    if device := TOTPDevice.objects.filter(user=request.user, confirmed=True).first():
        otp_login(request, device)
        if not request.user.recovery_codes.exists():
            messages.warning(request, _("You have no recovery codes left. Make new ones under “Signing in”."))
    return HttpResponseRedirect(_safe(request, request.POST.get("next", "")))


@_view
def set_up(request):
    """Connect an app: show its picture and its key, and see that it works before it counts."""
    if has_app(request.user):
        return HttpResponseRedirect(reverse("signin_manage"))
    device, _is_new = TOTPDevice.objects.get_or_create(user=request.user, confirmed=False, defaults={"name": "app"})
    form = CodeForm(request.POST or None)
    form.fields["code"].help_text = _("Six digits from your app.")
    if request.method == "POST" and _accepts(
        form, request.user, lambda code: device.verify_token(code.replace(" ", ""))
    ):
        device.confirmed = True
        device.save()
        _changed(request, "second_step_set_up", _("An app was connected to your account."))
        otp_login(request, device)
        return _show_codes(request)
    image = qrcode.make(device.config_url, image_factory=qrcode.image.svg.SvgPathImage, border=2)
    context = {
        "form": form,
        "picture": image.to_string(encoding="unicode"),
        "key": b32encode(device.bin_key).decode(),
        "next": _safe(request, request.POST.get("next") or request.GET.get("next", "")),
    }
    return TemplateResponse(request, "core/signin/set_up.html", context)


def _show_codes(request):
    context = {
        "codes": new_recovery_codes(request.user),
        "next": _safe(request, request.POST.get("next") or reverse("signin_manage")),
    }
    return TemplateResponse(request, "core/signin/codes.html", context)


def _changed(request, action, text):
    """After a change of how somebody signs in: log it, end their other sessions, and tell them by mail."""
    request.session.cycle_key()
    request.session["proved_at"] = timezone.now().isoformat()
    end_sessions(request.user, keep=request.session.session_key)
    _write(request.user, action, by=request.user)
    tell(request.user, text)


def tell(user, text):
    """Mail a User that something about signing in changed, in the language of their admin."""
    if not user.email:
        return
    with override(UserProfile.get_for_user(user).get_preferred_language()):
        subject = gettext("Signing in to %(site)s changed") % {"site": settings.WAGTAIL_SITE_NAME}
        advice = gettext("If that was not you, write to whoever looks after the site, and change your password.")
        send_mail(
            subject, f"{text}\n\n{advice}\n\n{settings.SITE_URL}/admin/\n", None, [user.email], fail_silently=True
        )


@_view
def manage(request):
    """One's own app, recovery codes and sessions."""
    sessions = [
        {
            "began_at": parse_datetime(data.get("began_at", "")),
            "browser": data.get("browser", ""),
            "is_this": key == request.session.session_key,
        }
        for key, data in sessions_of(request.user)
    ]
    context = {
        "has_app": has_app(request.user),
        "codes_left": request.user.recovery_codes.count(),
        "sessions": sessions,
        "required": settings.TWO_FACTOR_REQUIRED,
    }
    return TemplateResponse(request, "core/signin/manage.html", context)


@_view
@require_POST
def change(request, what):
    """“codes”: new recovery codes. “remove”: disconnect the app. “sessions”: end the others."""
    if not _is_recent(request):
        return _go("signin_ask", request)
    if what == "codes" and has_app(request.user):
        _changed(request, "recovery_codes", _("New recovery codes were made; the old ones no longer work."))
        return _show_codes(request)
    if what == "remove":
        _forget_second_step(request.user)
        _changed(request, "second_step_removed", _("The app was disconnected from your account."))
        messages.success(request, _("The app is disconnected."))
    elif what == "sessions":
        end_sessions(request.user, keep=request.session.session_key)
        _write(request.user, "sessions_ended", by=request.user)
        messages.success(request, _("You are signed out everywhere else."))
    return HttpResponseRedirect(reverse("signin_manage"))


def _forget_second_step(user):
    TOTPDevice.objects.filter(user=user).delete()
    RecoveryCode.objects.filter(user=user).delete()


@permission_required("auth.change_user")
def reset(request, user_id):
    """For somebody who lost app and codes: an administrator forgets them and signs the person out everywhere."""
    user = get_object_or_404(get_user_model(), pk=user_id)
    if user.is_superuser and not request.user.is_superuser:
        raise PermissionDenied
    if request.method == "POST":
        start_over(user, by=request.user)
        messages.success(request, _("%(name)s is signed out everywhere and sets up a new app.") % {"name": user})
        return HttpResponseRedirect(reverse("wagtailusers_users:edit", args=[user.pk]))
    return TemplateResponse(request, "core/signin/reset.html", {"person": user, "sessions": len(sessions_of(user))})


def start_over(user, by=None):
    """Forget a User's app and recovery codes, end their sessions, and tell them."""
    _forget_second_step(user)
    end_sessions(user)
    _write(user, "second_step_reset", by=by)
    tell(user, _("Your app and your recovery codes were reset, and you were signed out everywhere."))
