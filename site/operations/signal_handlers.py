"""Mails alerts of other apps, and watches the queue when the scheduler says so."""

from django.dispatch import receiver
from jobs.signals import alert, watch

from operations.alerts import raise_alarm
from operations.status import look_after_the_queue


@receiver(alert)
def mail_alert(kind: str, text: str, **kwargs):
    """Tell the operators."""
    raise_alarm(kind, text)


@receiver(watch)
def watch_queue(**kwargs):
    """Raise an alarm if nobody works."""
    look_after_the_queue()
