"""Signing in to the admin: throttled, in two steps, for a limited time, and written down.

A passkey (accounts/passkeys.py) takes both steps at once. After a password, the second step is a passkey, a code of an app (TOTP, RFC 6238)
or a recovery code; until it succeeds, the request is anonymous.
"""

import hashlib
import logging
import secrets
from base64 import b32encode
from datetime import timedelta
from functools import wraps
from urllib.parse import urlencode, urlsplit

import qrcode
import qrcode.image.svg
from core import rate_limits
from core.client_ip import origin, truncated_origin
from core.routes import loggable_path
from core.sites import passkey_origin
from django import forms
from django.conf import settings
from django.contrib.auth import get_user_model, login, logout
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.contrib.auth.tokens import default_token_generator
from django.contrib.sessions.models import Session
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.mail import send_mail
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import Resolver404, resolve, reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.encoding import force_bytes
from django.utils.http import url_has_allowed_host_and_scheme, urlsafe_base64_encode
from django.utils.text import format_lazy
from django.utils.translation import get_language, gettext, override
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST
from django_otp import devices_for_user, match_token, user_has_device
from django_otp import login as otp_login
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_otp_webauthn.models import WebAuthnCredential
from django_tasks import task
from wagtail.admin import messages
from wagtail.admin.auth import permission_required
from wagtail.admin.forms import auth as wagtail_forms
from wagtail.log_actions import log
from wagtail.users.models import UserProfile

from accounts import passkeys
from accounts.models import RecoveryCode

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
SETTING_UP = {"signin_set_up", "signin_set_up_app", "signin_create_options"}
RECENT_ONLY = {"wagtailadmin_account", "signin_manage", "signin_reset", "signin_passkey", *SETTING_UP}

RECOVERY_CODES = 10
RECOVERY_BYTES = 20  # 160 bits, so that a plain hash protects them
OPEN = {
    "wagtailadmin_login",
    "wagtailadmin_logout",
    "wagtailadmin_javascript_catalog",
    "wagtailadmin_sprite",
    "signin_with_passkey",
    "signin_use_options",
}


# The first step


class LoginForm(wagtail_forms.LoginForm):
    """Name and password, so many times in so long."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["password"].label = _("Password")  # Wagtail has no translation of it

    def where_passkeys_work(self):
        """For the template."""
        return _where_passkeys_work(self.request)

    def clean(self):
        key = f"sign-in {self.cleaned_data.get('username', '').lower()} {origin(self.request)}"
        if not (
            rate_limits.hit(key, TRIES_BY_NAME_AND_ORIGIN)
            and rate_limits.hit(f"sign-in from {origin(self.request)}", TRIES_BY_ORIGIN)
        ):
            logger.warning("Sign-in throttled")
            raise ValidationError(THROTTLED, code="throttled")
        cleaned = super().clean()
        rate_limits.reset(key)
        return cleaned


class PasswordResetForm(wagtail_forms.PasswordResetForm):
    """Asks for the mail with which a password is set anew, a few times an hour. Says and does the same whether anybody has the
    address or not: a worker sends the mail, so that the time of the answer tells nothing."""

    def save(self, request=None, **options):
        email = self.cleaned_data["email"]
        if rate_limits.hit(f"reset {email.lower()}", RESETS_BY_ADDRESS) and rate_limits.hit(
            f"reset from {origin(request)}", RESETS_BY_ORIGIN
        ):
            found = get_user_model().objects.filter(email__iexact=email, is_active=True).values_list("pk", flat=True)
            mail_password_link.enqueue(list(found), get_language())


@task()
def mail_password_link(user_ids, language):
    """Mail each of these Users, if active, the link with which they choose a password: in the language of their admin, or if they
    have not chosen one, in `language`."""
    templates = [f"wagtailadmin/account/password_reset/{name}.txt" for name in ("email_subject", "email")]
    site = urlsplit(settings.SITE_URL)
    for user in get_user_model().objects.filter(pk__in=user_ids, is_active=True).select_related("wagtail_userprofile"):
        profile = getattr(user, "wagtail_userprofile", None)
        context = {
            "user": user,
            "uid": urlsafe_base64_encode(force_bytes(user.pk)),
            "token": default_token_generator.make_token(user),
            "protocol": site.scheme,
            "domain": site.netloc,
        }
        with override((profile and profile.preferred_language) or language):
            PasswordResetForm().send_mail(*templates, context, None, user.email)  # logs a failure, and goes on


def _write(person, action, by=None, request=None):
    """An entry of the site history about a User, with the network that the request came from."""
    # What a request calls its user is a proxy, of which Wagtail's log knows nothing.
    person = get_user_model().objects.get(pk=person.pk)
    data = {"network": truncated_origin(request)} if request else {}
    log(instance=person, action=f"clac.{action}", user=person if by and by.pk == person.pk else by, data=data)


def invite(user):
    """Mail a new User the link with which they choose their password."""
    if user.email:
        mail_password_link.enqueue([user.pk], get_language())


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
    """Have a worker write down who could not sign in, so that the answer takes no longer for a name that somebody has. A name that
    nobody has may be a password in the wrong field: it is not kept."""
    user = get_user_model().objects.filter(username=credentials.get("username") or "").first()
    logger.warning("Sign-in failed (user %s)", user.pk if user else "unknown")
    if request:
        record_failed_sign_in.enqueue(user and user.pk, truncated_origin(request), timezone.now().isoformat())


@task()
def record_failed_sign_in(user_id, network, at):
    """An entry of the site history: somebody in `network` could not sign in as a User, at an ISO 8601 time. No entry for None."""
    if user := get_user_model().objects.filter(pk=user_id).first():
        log(user, "clac.sign_in_failed", data={"network": network}, timestamp=parse_datetime(at))


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
            logger.warning("Denied to user %s: %s %s", user.pk, request.method, loggable_path(request))

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
        is_admin, user = request.path_info.startswith("/admin/"), request.user
        if is_half_signed_in(user):
            first, pages = ("signin_ask", {"signin_ask"}) if user_has_device(user) else ("signin_set_up", SETTING_UP)
            if not is_admin:
                request.user = AnonymousUser()
            elif name not in OPEN | pages:
                return _go(first, request)
        elif name in RECENT_ONLY and not _is_recent(request):
            return _go("signin_ask", request)
        return None


def has_app(user):
    """Whether somebody uses an app for the second step."""
    return TOTPDevice.objects.filter(user=user, confirmed=True).exists()


def is_half_signed_in(user):
    """Whether the second step is still to be taken: by who has a passkey or an app, and by everybody where it is required."""
    return not user.is_verified() and (settings.TWO_FACTOR_REQUIRED or user_has_device(user))


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
    """A code of the app, or a recovery code."""

    code = forms.CharField(
        label=_("Code"),
        max_length=64,
        help_text=_("Six digits from your app, or one of your recovery codes."),
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "text", "autofocus": ""}),
    )


class PasswordForm(forms.Form):
    """The password once more, for who has no second step."""

    code = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": ""}),
    )


class PasskeyForm(forms.Form):
    """What somebody calls a passkey."""

    name = forms.CharField(
        label=_("Name"),
        max_length=64,
        required=False,
        help_text=_("A name that you will recognise, such as “my phone” or “security key”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
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
    """Whether a code, used up by that, or without a second step the password, shows that this is the User."""
    if not user_has_device(user):
        return user.check_password(code)
    if match_token(user, code.replace(" ", "")):
        return True
    return bool(RecoveryCode.objects.filter(user=user, digest=_digest(code)).delete()[0])


def _accepts(form, user, is_right):
    """Whether the code of a form passes `is_right`, so many times in so long. If not, the form says why."""
    if not form.is_valid():
        return False
    if not rate_limits.hit(f"code of {user.pk}", TRIES_OF_CODES):
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


def _next(request):
    return _safe(request, request.POST.get("next") or request.GET.get("next", ""))


def _again(name, request, error):
    """Back to a page, which shows why the passkey did not do."""
    messages.error(request, error)
    return HttpResponseRedirect(f"{reverse(name)}?{urlencode({'next': _next(request)})}")


def _where_passkeys_work(request):
    """For templates: whether passkeys work at this address, and if not, where they do."""
    here, address = passkeys.work_here(request), passkey_origin()
    return {"passkeys_work": here, "passkeys_at": "" if here or not address else address + reverse("wagtailadmin_home")}


@never_cache
@require_POST
def use_options(request):
    """What the browser needs to ask for a passkey: of whoever is signed in, or else of anybody."""
    return JsonResponse(passkeys.begin_use(request, request.user if request.user.is_authenticated else None))


@never_cache
@sensitive_post_parameters()
@require_POST
def sign_in_with_passkey(request):
    """Sign in without a password. The passkey has verified its owner, so it counts as both steps."""
    if not rate_limits.hit(f"sign-in from {origin(request)}", TRIES_BY_ORIGIN):
        logger.warning("Sign-in throttled")
        return _again("wagtailadmin_login", request, THROTTLED)
    try:
        key = passkeys.use(request)
    except passkeys.PasskeyError as error:
        if error.user:
            _write(error.user, "passkey_refused", request=request)
        return _again("wagtailadmin_login", request, error.text)
    login(request, key.user, backend="django.contrib.auth.backends.ModelBackend")
    request.session.set_expiry(0)
    otp_login(request, key)
    return HttpResponseRedirect(_next(request))


@_view
def ask(request):
    """The second step of signing in, or the question who it is before something that matters."""
    if "passkey" in request.POST:
        return _ask_passkey(request)
    has_device = user_has_device(request.user)
    form = (CodeForm if has_device else PasswordForm)(request.POST or None)

    def is_right(code):
        if _proves(request.user, code):
            return True
        _write(request.user, "second_step_failed", by=request.user)
        return False

    if request.method == "POST" and _accepts(form, request.user, is_right):
        return _proved(request, next(devices_for_user(request.user), None))
    context = {
        "form": form,
        "next": _next(request),
        "has_device": has_device,
        "has_app": has_app(request.user),
        "has_passkey": WebAuthnCredential.objects.filter(user=request.user).exists(),
        **_where_passkeys_work(request),
    }
    if has_device and not context["has_app"]:
        form.fields["code"].help_text = _("One of your recovery codes.")
    if context["has_passkey"] and context["passkeys_work"]:
        del form.fields["code"].widget.attrs["autofocus"]  # the passkey comes first
    return TemplateResponse(request, "accounts/ask.html", context)


def _ask_passkey(request):
    if not rate_limits.hit(f"code of {request.user.pk}", TRIES_OF_CODES):
        return _again("signin_ask", request, THROTTLED)
    try:
        key = passkeys.use(request, request.user)
    except passkeys.PasskeyError as error:
        _write(request.user, "passkey_refused", by=request.user)
        return _again("signin_ask", request, error.text)
    return _proved(request, key)


def _proved(request, device):
    """Let the session in, under a new key."""
    rate_limits.reset(f"code of {request.user.pk}")
    request.session.cycle_key()
    request.session["proved_at"] = timezone.now().isoformat()
    if device:
        otp_login(request, device)
        if not request.user.recovery_codes.exists():
            messages.warning(request, _("You have no recovery codes left. Make new ones under “Signing in”."))
    return HttpResponseRedirect(_safe(request, request.POST.get("next", "")))


@_view
@require_POST
def create_options(request):
    """What the browser needs to make a passkey for whoever is signed in."""
    return JsonResponse(passkeys.begin_creation(request))


@_view
def set_up(request):
    """Add a passkey; the app is the other way."""
    form = PasskeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        number = WebAuthnCredential.objects.filter(user=request.user).count() + 1
        name = form.cleaned_data["name"] or gettext("Passkey %(number)d") % {"number": number}
        try:
            key = passkeys.create(request, name)
        except passkeys.PasskeyError as error:
            return _again("signin_set_up", request, error.text)
        text = format_lazy(_("The passkey “{name}” was added to your account."), name=key.name)
        return _added(request, key, "passkey_added", text)
    context = {
        "form": form,
        "next": _next(request),
        "has_app": has_app(request.user),
        "may_leave": not is_half_signed_in(request.user),
    }
    return TemplateResponse(request, "accounts/set_up.html", context | _where_passkeys_work(request))


@_view
def set_up_app(request):
    """Connect an app, in the place of another one if there is one: show its picture and its key, and see that it works before
    it counts."""
    form = CodeForm(request.POST or None)
    form.fields["code"].help_text = _("Six digits from your app.")
    device = _new_app(request.user)
    if request.method == "POST" and _accepts(form, request.user, lambda code: _confirm(device, code)):
        return _added(request, device, "second_step_set_up", _("An app was connected to your account."))
    image = qrcode.make(device.config_url, image_factory=qrcode.image.svg.SvgPathImage, border=2)
    context = {
        "form": form,
        "picture": image.to_string(encoding="unicode"),
        "key": b32encode(device.bin_key).decode(),
        "next": _next(request),
        "may_leave": not is_half_signed_in(request.user),
    }
    return TemplateResponse(request, "accounts/set_up_app.html", context)


def _locked(user):
    """Lock a User's row until the transaction ends: how somebody signs in changes one request at a time."""
    return get_user_model().objects.select_for_update().get(pk=user.pk)


def _new_app(user):
    """The one app that is about to be connected, the same in every tab."""
    with transaction.atomic():
        _locked(user)
        device, *others = TOTPDevice.objects.filter(user=user, confirmed=False).order_by("pk") or [
            TOTPDevice.objects.create(user=user, name="app", confirmed=False)
        ]
        for other in others:
            other.delete()
    return device


def _confirm(device, code):
    """Whether the app shows this code; it then takes the place of the one before."""
    with transaction.atomic():
        user = _locked(device.user)
        device = TOTPDevice.objects.filter(pk=device.pk, confirmed=False).first()
        if device is None or not device.verify_token(code.replace(" ", "")):
            return False
        TOTPDevice.objects.filter(user=user).exclude(pk=device.pk).delete()
        TOTPDevice.objects.filter(pk=device.pk).update(confirmed=True)
    return True


def _added(request, device, action, text):
    """After a passkey or an app was added: it has just been used, so the session counts as verified."""
    _changed(request, action, text)
    otp_login(request, device)
    if not request.user.recovery_codes.exists():
        return _show_codes(request)
    messages.success(request, text)
    return HttpResponseRedirect(reverse("signin_manage"))


def _show_codes(request):
    context = {
        "codes": new_recovery_codes(request.user),
        "next": _safe(request, request.POST.get("next") or reverse("signin_manage")),
    }
    return TemplateResponse(request, "accounts/codes.html", context)


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
    """One's own passkeys, app, recovery codes and sessions."""
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
        "passkeys": WebAuthnCredential.objects.filter(user=request.user).order_by("created_at"),
        "codes_left": request.user.recovery_codes.count(),
        "sessions": sessions,
    }
    return TemplateResponse(request, "accounts/manage.html", context | _where_passkeys_work(request))


LAST_WAY = _("This is your only second step. Add a passkey or an app first, then remove this one.")


@_view
def passkey(request, key_id):
    """Give one's own passkey another name, or remove it."""
    key = get_object_or_404(WebAuthnCredential, pk=key_id, user=request.user)
    form = PasskeyForm(request.POST or None, initial={"name": key.name})
    if "remove" in request.POST:
        if _remove(request.user, WebAuthnCredential.objects.filter(pk=key.pk)):
            text = format_lazy(_("The passkey “{name}” was removed from your account."), name=key.name)
            _changed(request, "passkey_removed", text)
            messages.success(request, text)
        else:
            messages.error(request, LAST_WAY)
        return HttpResponseRedirect(reverse("signin_manage"))
    if request.method == "POST" and form.is_valid():
        WebAuthnCredential.objects.filter(pk=key.pk).update(name=form.cleaned_data["name"] or key.name)
        return HttpResponseRedirect(reverse("signin_manage"))
    return TemplateResponse(request, "accounts/passkey.html", {"form": form, "passkey": key})


@_view
@require_POST
def change(request, what):
    """“codes”: new recovery codes. “remove”: disconnect the app. “sessions”: end the others."""
    if not _is_recent(request):
        return _go("signin_ask", request)
    if what == "codes" and user_has_device(request.user):
        _changed(request, "recovery_codes", _("New recovery codes were made; the old ones no longer work."))
        return _show_codes(request)
    if what == "remove":
        if _remove(request.user, TOTPDevice.objects.filter(user=request.user)):
            _changed(request, "second_step_removed", _("The app was disconnected from your account."))
            messages.success(request, _("The app is disconnected."))
        else:
            messages.error(request, LAST_WAY)
    elif what == "sessions":
        end_sessions(request.user, keep=request.session.session_key)
        _write(request.user, "sessions_ended", by=request.user)
        messages.success(request, _("You are signed out everywhere else."))
    return HttpResponseRedirect(reverse("signin_manage"))


def _remove(user, devices):
    """Remove devices (a queryset) of a User, unless nothing would be left to sign in with: no second step where it is required, or
    no password. Returns whether they are gone. The recovery codes go with the last device, which they stood in for."""
    with transaction.atomic():
        user = _locked(user)
        is_last = not set(devices_for_user(user)) - set(devices)
        if is_last and (settings.TWO_FACTOR_REQUIRED or not user.has_usable_password()):
            return False
        devices.delete()
        if is_last:
            RecoveryCode.objects.filter(user=user).delete()
    return True


def _forget_second_step(user):
    for model in (WebAuthnCredential, TOTPDevice, RecoveryCode):
        model.objects.filter(user=user).delete()


@permission_required("auth.change_user")
def reset(request, user_id):
    """For somebody who lost passkeys, app and codes: an administrator forgets them and signs the person out everywhere."""
    user = get_object_or_404(get_user_model(), pk=user_id)
    if user.is_superuser and not request.user.is_superuser:
        raise PermissionDenied
    if request.method == "POST":
        start_over(user, by=request.user)
        messages.success(
            request, _("%(name)s is signed out everywhere and sets up a new second step.") % {"name": user}
        )
        return HttpResponseRedirect(reverse("wagtailusers_users:edit", args=[user.pk]))
    return TemplateResponse(request, "accounts/reset.html", {"person": user, "sessions": len(sessions_of(user))})


def start_over(user, by=None):
    """Forget a User's passkeys, app and recovery codes, end their sessions, and tell them."""
    _forget_second_step(user)
    end_sessions(user)
    _write(user, "second_step_reset", by=by)
    tell(user, _("Your passkeys, your app and your recovery codes were reset, and you were signed out everywhere."))
