"""Session limits, and the second step for every request."""

import logging
from collections.abc import Callable

from core.routes import loggable_path
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve, reverse
from django.utils import timezone
from django.utils.translation import activate
from django.utils.translation import gettext_lazy as _
from django_otp import user_has_device
from wagtail.admin import messages

from accounts import services
from accounts.redirects import redirect_and_return

logger = logging.getLogger(__name__)

# Names of views: those that need no second step, those that set one up, and those that need a recent verification.
PUBLIC_VIEWS = {
    "wagtailadmin_login",
    "wagtailadmin_logout",
    "wagtailadmin_javascript_catalog",
    "wagtailadmin_sprite",
    "signin_with_passkey",
    "signin_use_options",
}
SETUP_VIEWS = {"signin_set_up", "signin_set_up_app", "signin_create_options"}
REAUTHENTICATION_VIEWS = {"wagtailadmin_account", "signin_manage", "signin_reset", "signin_passkey", *SETUP_VIEWS}


class SignInMiddleware:
    """Ends expired sessions and requires the second step.

    Until the second step succeeds, the request is anonymous, and the admin redirects to the page of the second step.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
            self._end_if_expired(request)
            if request.user.is_authenticated and (response := self._require_verification(request, request.user)):
                return response
        user = request.user
        if request.path_info.startswith("/admin/"):
            self._activate_language(user)
        response = self.get_response(request)
        if request.path_info.startswith("/admin/"):
            self._log_denial(request, user, response)
            if request.path_info == reverse("wagtailadmin_logout") and request.method == "POST":
                response["Clear-Site-Data"] = '"cache", "storage"'
        return response

    @staticmethod
    def _activate_language(user: User | AnonymousUser) -> None:
        """Use the language of the User's admin for the whole request.

        Wagtail uses it for its views only: what it says of a missing permission, and lazy texts of messages, are evaluated later.
        """
        profile = getattr(user, "wagtail_userprofile", None)
        if profile and profile.preferred_language:
            activate(profile.preferred_language)

    @staticmethod
    def _log_denial(request: HttpRequest, user: User | AnonymousUser, response: HttpResponse) -> None:
        """Log a request without the permission that it needs; Wagtail answers 403 or redirects to the dashboard."""
        is_sent_home = response.status_code == 302 and response["Location"] == reverse("wagtailadmin_home")
        is_signing_in = request.path_info.startswith((reverse("wagtailadmin_login"), reverse("signin_manage")))
        if user.is_authenticated and (response.status_code == 403 or (is_sent_home and not is_signing_in)):
            logger.warning("Denied to user %s: %s %s", user.pk, request.method, loggable_path(request))

    @staticmethod
    def _end_if_expired(request: HttpRequest) -> None:
        """Sign out if the session is too old or idle for too long; otherwise store when it was last used."""
        session, now = request.session, timezone.now()
        age, idle = (now - services.session_time(session, key) for key in ("began_at", "seen_at"))
        if age > services.SESSION_MAX_AGE or idle > services.SESSION_IDLE_TIMEOUT:
            logout(request)
            messages.warning(request, _("Your session has ended after a while. Please sign in again."))
        elif idle > services.SESSION_REFRESH_INTERVAL:
            session["seen_at"] = now.isoformat()

    @staticmethod
    def _require_verification(request: HttpRequest, user: User) -> HttpResponse | None:
        """Return a redirect to the page that verifies the User's identity, or None if the request may go on."""
        try:
            name = resolve(request.path_info).url_name
        except Resolver404:
            name = None
        is_admin = request.path_info.startswith("/admin/")
        if services.needs_second_step(user):
            target, views = ("signin_ask", {"signin_ask"}) if user_has_device(user) else ("signin_set_up", SETUP_VIEWS)
            if not is_admin:
                request.user = AnonymousUser()
            elif name not in PUBLIC_VIEWS | views:
                return redirect_and_return(target, request)
        elif name in REAUTHENTICATION_VIEWS and not services.is_recently_verified(request):
            return redirect_and_return("signin_ask", request)
        return None
