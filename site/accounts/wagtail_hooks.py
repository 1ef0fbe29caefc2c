"""Wagtail hooks of signing in: admin URLs, log actions, menu items and buttons."""

from collections.abc import Iterator
from typing import Any

from core.requests import AuthenticatedHttpRequest
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin import messages
from wagtail.admin.widgets import Button
from wagtail.log_actions import LogActionRegistry

from accounts import services, views


@hooks.register("register_admin_urls")
def admin_urls() -> list[URLPattern]:
    """Add the pages of signing in to the admin."""
    return [
        path("sign-in/", views.manage, name="signin_manage"),
        path("sign-in/code/", views.ask, name="signin_ask"),
        path("sign-in/set-up/", views.set_up, name="signin_set_up"),
        path("sign-in/set-up/app/", views.set_up_app, name="signin_set_up_app"),
        path("sign-in/set-up/options/", views.create_options, name="signin_create_options"),
        path("sign-in/passkey/<int:key_id>/", views.passkey, name="signin_passkey"),
        path("sign-in/change/<slug:what>/", views.change, name="signin_change"),
        path("sign-in/reset/<int:user_id>/", views.reset, name="signin_reset"),
        path("sign-in/invite/<int:user_id>/", views.invite, name="signin_invite"),
    ]


@hooks.register("register_log_actions")
def log_actions(actions: LogActionRegistry) -> None:
    """Register sign-ins and changes of credentials for the site history."""
    for name, label, text in [
        ("sign_in", _("Sign in"), _("Signed in")),
        ("sign_out", _("Sign out"), _("Signed out")),
        ("sign_in_failed", _("Sign in"), _("Could not sign in: wrong password")),
        ("second_step_failed", _("Second step"), _("Wrong code at the second step")),
        ("second_step_set_up", _("Second step"), _("Connected an app")),
        ("second_step_removed", _("Second step"), _("Disconnected the app")),
        ("second_step_reset", _("Second step"), _("Passkeys, app and recovery codes were reset")),
        ("passkey_added", _("Passkey"), _("Added a passkey")),
        ("passkey_removed", _("Passkey"), _("Removed a passkey")),
        ("passkey_refused", _("Passkey"), _("Could not sign in: the passkey was refused")),
        ("recovery_codes", _("Recovery codes"), _("Made new recovery codes")),
        ("invited", _("Invitation"), _("Sent an invitation")),
        ("sessions_ended", _("Sessions"), _("Ended all other sessions")),
    ]:
        actions.register_action(f"clac.{name}", label, text)


@hooks.register("after_create_user")
def invite(request: AuthenticatedHttpRequest, user: User) -> None:
    """Mail a new User an invitation."""
    services.send_invitation(user, by=request.user)
    messages.success(request, views.INVITED % {"name": user})


@hooks.register("register_account_menu_item")
def account_menu_item(request: HttpRequest) -> dict[str, Any]:
    """Link to the page of passkeys, app, recovery codes and sessions."""
    return {
        "url": reverse("signin_manage"),
        "label": _("Signing in"),
        "help_text": _("Your passkeys, your app, recovery codes, and where you are signed in."),
    }


@hooks.register("register_user_listing_buttons")
def user_buttons(user: User, request_user: User) -> Iterator[Button]:
    """Add the button “Reset signing in” for administrators."""
    if request_user.has_perm("auth.change_user"):
        yield Button(_("Reset signing in"), reverse("signin_reset", args=[user.pk]), icon_name="lock-open", priority=90)
