"""Background tasks of the contact form."""

import logging
from datetime import timedelta

from core.models import SiteSettings
from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import QuerySet
from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override
from django_tasks import task
from jobs.leases import claim, unleased
from jobs.periodic import every, removal_report
from jobs.recovery import worker_poll
from operations.alerts import raise_alert

from . import privacy
from .models import ContactMessage

logger = logging.getLogger(__name__)
LEASE_SECONDS = 60
LONGEST_PAUSE = timedelta(hours=4)
MAX_ATTEMPTS = 12  # about a day, with the pauses


def waiting() -> QuerySet[ContactMessage]:
    """Return the messages that are not forwarded yet."""
    return ContactMessage.objects.filter(forwarded_at=None, problem="")


@task()
def forward_messages() -> None:
    """Mail the messages of the contact form to the address in the site settings, each on its own."""
    recipient = SiteSettings.current(settings.LANGUAGE_CODE).contact_email
    if not recipient:
        return
    while messages := claim(waiting(), 20, LEASE_SECONDS):
        for message in messages:
            try:
                _forward(message, recipient)
            except Exception as error:
                # The other messages are forwarded all the same.
                _postpone(message, error)


def _forward(message: ContactMessage, recipient: str) -> None:
    with override(settings.LANGUAGE_CODE):
        subject = str(_("Message from the website"))
    body = f"{message.name} <{message.email}> ({message.language})\n\n{message.message}\n"
    EmailMessage(subject, body, to=[recipient], reply_to=[message.email]).send()
    waiting().filter(pk=message.pk).update(forwarded_at=timezone.now(), lease_until=None)


def _postpone(message: ContactMessage, error: Exception) -> None:
    """Postpone a message with a growing pause; after MAX_ATTEMPTS leave it to the editors and alert the operators."""
    logger.warning("Message %s could not be forwarded: %s", message.pk, type(error).__name__)
    if message.attempts >= MAX_ATTEMPTS:
        waiting().filter(pk=message.pk).update(problem=type(error).__name__, lease_until=None)
        raise_alert(
            "contact messages", f"Message {message.pk} of the contact form could not be forwarded; it is in the admin."
        )
        return
    pause = min(timedelta(seconds=LEASE_SECONDS * 2**message.attempts), LONGEST_PAUSE)
    waiting().filter(pk=message.pk).update(lease_until=timezone.now() + pause)


@receiver(worker_poll)
def enqueue_waiting_messages(**kwargs: object) -> None:
    """Enqueue messages not forwarded within a minute, and those due for a retry."""
    old = timezone.now() - timedelta(minutes=1)
    is_waiting = unleased(waiting().filter(created_at__lt=old)).exists()
    if is_waiting and SiteSettings.current(settings.LANGUAGE_CODE).contact_email:
        forward_messages.enqueue()


@every(timedelta(days=1), _("delete old messages of the contact form"))
def forget_old_messages() -> str:
    """Apply RETENTION_DAYS to the messages of the contact form."""
    return removal_report({"contact messages": privacy.forget_old_messages()})
