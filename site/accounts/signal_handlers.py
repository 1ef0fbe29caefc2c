"""Record who signs in, who signs out, and failed attempts."""

import logging
from typing import Any

from core.client_ip import truncated_origin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from accounts import services
from accounts.tasks import record_failed_sign_in

logger = logging.getLogger(__name__)


@receiver(user_logged_in)
def record_sign_in(request: HttpRequest, user: User, **kwargs: object) -> None:
    """Store the start of the session in it, and log the sign-in."""
    now = timezone.now().isoformat()
    agent = request.META.get("HTTP_USER_AGENT", "")[:200]
    request.session.update({"began_at": now, "seen_at": now, "proved_at": now, "browser": agent})
    services.log_event(user, "sign_in", by=user, request=request)


@receiver(user_logged_out)
def record_sign_out(user: User | None, **kwargs: object) -> None:
    """Log the sign-out."""
    if user:
        services.log_event(user, "sign_out", by=user)


@receiver(user_login_failed)
def enqueue_failed_sign_in(credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: object) -> None:
    """Let a worker log the failed sign-in, so that the response takes the same time for known and unknown names.

    An unknown name is not stored: it may be a password that somebody typed into the wrong field.
    """
    user = get_user_model().objects.filter(username=credentials.get("username") or "").first()
    logger.warning("Sign-in failed (user %s)", user.pk if user else "unknown")
    if request:
        record_failed_sign_in.enqueue(user.pk if user else None, truncated_origin(request), timezone.now().isoformat())
