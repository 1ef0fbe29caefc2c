"""Alarms: what a person should look at soon. Written to the log, and mailed at most once an hour for each kind."""

import logging
from datetime import timedelta

from core import rate_limits
from django.conf import settings
from django.core.mail import send_mail
from django_tasks import task
from redaction.text import blank

logger = logging.getLogger(__name__)


def raise_alert(kind, text, at_once=False):
    """Tell the operators `text`; `kind` is a short name under which repetitions are held back. A worker mails it,
    unless `at_once`."""
    text = blank(text)
    if rate_limits.hit(f"alarm {kind}", (1, timedelta(hours=1))):
        logger.error("Alarm (%s): %s", kind, text)
        if settings.ALARM_EMAILS:
            (mail_alarm.call if at_once else mail_alarm.enqueue)(kind, text)


@task()
def mail_alarm(kind, text):
    """Mail an alarm to ALARM_EMAILS."""
    send_mail(f"[{settings.WAGTAIL_SITE_NAME}] {kind}", f"{text}\n\n{settings.SITE_URL}\n", None, settings.ALARM_EMAILS)
