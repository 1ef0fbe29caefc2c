"""Raises the alerts of other apps, and checks the queue for the scheduler."""

from django.dispatch import receiver
from jobs.signals import alert, worker_check

from operations.alerts import raise_alert
from operations.status import alert_if_queue_stalls


@receiver(alert)
def mail_alert(kind: str, text: str, **kwargs: object) -> None:
    """Raise an alert that another app sent."""
    raise_alert(kind, text)


@receiver(worker_check)
def check_queue(**kwargs: object) -> None:
    """Raise an alert if no worker runs."""
    alert_if_queue_stalls()
