"""What the contact form kept of an address, its erasure, and how long it is kept."""

from core import goodbyes, privacy, retention
from django.dispatch import receiver

from .models import ContactMessage


@receiver(privacy.asked_for)
def data_of(email, **kwargs):
    """The messages from an address."""
    messages = ContactMessage.objects.filter(email__iexact=email).order_by("created_at")
    return {
        "messages": [
            {"name": message.name, "message": message.message, "sent": message.created_at.isoformat(timespec="seconds")}
            for message in messages
        ]
    }


@receiver(privacy.erased)
def erase(email, **kwargs):
    """Delete the messages from an address."""
    return ContactMessage.objects.filter(email__iexact=email).delete()[0]


@receiver(goodbyes.held)
def addresses(**kwargs):
    """The addresses from which messages came."""
    return [email.lower() for email in ContactMessage.objects.values_list("email", flat=True).distinct()]


def forget_old_messages():
    """Delete the messages that have been kept long enough (settings.RETENTION_DAYS). Returns their number."""
    return ContactMessage.objects.filter(created_at__lt=retention.cutoff("contact_messages")).delete()[0]
