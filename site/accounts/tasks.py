"""Background tasks of signing in. The queue stores a task by its module path, so moving one changes its name."""

from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.tokens import default_token_generator
from django.utils.dateparse import parse_datetime
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import override
from django_tasks import task
from wagtail.admin.forms.auth import PasswordResetForm
from wagtail.log_actions import log


@task()
def mail_password_link(user_ids: list[int], language: str) -> None:
    """Mail each active User the link to choose a password, in the language of their admin or else in `language`."""
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
            PasswordResetForm().send_mail(*templates, context, None, user.email)  # logs a failure and continues


@task()
def record_failed_sign_in(user_id: int | None, network: str, at: str) -> None:
    """Add a failed sign-in at an ISO 8601 time to the site history of a User; do nothing if `user_id` is None."""
    if user_id and (user := get_user_model().objects.filter(pk=user_id).first()):
        log(user, "clac.sign_in_failed", data={"network": network}, timestamp=parse_datetime(at))
