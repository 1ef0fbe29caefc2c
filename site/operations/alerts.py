"""Alerts for operators: written to the log, and mailed at most once an hour for each kind."""

import logging
from datetime import timedelta

from core import rate_limits
from django.conf import settings
from django.core.mail import send_mail
from django_tasks import task
from redaction.text import blank

logger = logging.getLogger(__name__)


def raise_alert(kind: str, text: str, at_once: bool = False) -> None:
    """Log `text` and mail it to ALERT_EMAILS, unless an alert of the same `kind` (a short name) was raised within an hour.

    A worker sends the mail; with `at_once`, this process does.
    """
    text = blank(text)
    if rate_limits.hit(f"alert {kind}", (1, timedelta(hours=1))):
        logger.error("Alert (%s): %s", kind, text)
        if settings.ALERT_EMAILS:
            (send_alert_email.call if at_once else send_alert_email.enqueue)(kind, text)


@task()
def send_alert_email(kind: str, text: str) -> None:
    """Mail an alert to ALERT_EMAILS."""
    send_mail(f"[{settings.WAGTAIL_SITE_NAME}] {kind}", f"{text}\n\n{settings.SITE_URL}\n", None, settings.ALERT_EMAILS)
