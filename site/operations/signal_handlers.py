"""Mails alerts of other apps, and watches the queue when the scheduler says so."""

from django.dispatch import receiver
from jobs.signals import alert, watch

from operations.alerts import raise_alert
from operations.status import check_queue


@receiver(alert)
def mail_alert(kind: str, text: str, **kwargs):
    """Tell the operators."""
    raise_alert(kind, text)


@receiver(watch)
def watch_queue(**kwargs):
    """Raise an alarm if nobody works."""
    check_queue()
