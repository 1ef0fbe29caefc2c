"""Background tasks of signing in. The queue stores a task by its module path, so moving one changes its name."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from core.i18n import site_time
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import override
from django_tasks import task
from wagtail.admin.forms.auth import PasswordResetForm
from wagtail.log_actions import log
from wagtail.users.models import UserProfile


@task()
def mail_password_link(user_ids: list[int], language: str) -> None:
    """Mail each active User the link to choose a password, in the language of their admin or else in `language`."""
    templates = [f"wagtailadmin/account/password_reset/{name}.txt" for name in ("email_subject", "email")]
    for user in get_user_model().objects.filter(pk__in=user_ids, is_active=True).select_related("wagtail_userprofile"):
        profile = getattr(user, "wagtail_userprofile", None)
        with override((profile and profile.preferred_language) or language):
            # logs a failure and continues
            PasswordResetForm().send_mail(*templates, _password_link(user), None, user.email)


@task()
def mail_invitation(user_id: int, by_id: int) -> None:
    """Mail an active User, in the language of their admin, the invitation of the User `by_id` with the link to choose a password."""
    users = get_user_model().objects
    user, by = users.filter(pk=user_id, is_active=True).exclude(email="").first(), users.filter(pk=by_id).first()
    if not user:
        return
    with override(UserProfile.get_for_user(user).get_preferred_language()):
        context = _password_link(user) | {
            "by": by,
            "roles": [str(group) for group in user.groups.order_by("name")],
            "until": site_time(timezone.now() + timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)),
            "site": settings.WAGTAIL_SITE_NAME,
        }
        subject = render_to_string("accounts/mail/invitation_subject.txt", context).strip()
        send_mail(subject, render_to_string("accounts/mail/invitation.txt", context), None, [user.email])


def _password_link(user: User) -> dict[str, Any]:
    """Return the template variables of the link to choose a password."""
    site = urlsplit(settings.SITE_URL)
    return {
        "user": user,
        "uid": urlsafe_base64_encode(force_bytes(user.pk)),
        "token": default_token_generator.make_token(user),
        "protocol": site.scheme,
        "domain": site.netloc,
    }


@task()
def record_failed_sign_in(user_id: int | None, network: str, at: str) -> None:
    """Add a failed sign-in at an ISO 8601 time to the site history of a User; do nothing if `user_id` is None."""
    if user_id and (user := get_user_model().objects.filter(pk=user_id).first()):
        log(user, "clac.sign_in_failed", data={"network": network}, timestamp=parse_datetime(at))
