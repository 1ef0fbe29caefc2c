"""Background work of the institution's pages."""

from datetime import timedelta

from core.models import SiteTexts
from core.retention import report
from core.schedule import every
from core.work import tick
from django.conf import settings
from django.core.mail import EmailMessage
from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override
from django_tasks import task

from . import privacy
from .models import ContactMessage


@task()
def forward_messages():
    """Mail the messages of the contact form that were not yet forwarded to the address in the site settings."""
    recipient = SiteTexts.current(settings.LANGUAGE_CODE).contact_email
    if not recipient:
        return
    for message in ContactMessage.objects.filter(forwarded_at=None).order_by("pk"):
        with override(settings.LANGUAGE_CODE):
            subject = str(_("Message from the website"))
            body = f"{message.name} <{message.email}> ({message.language})\n\n{message.message}\n"
        EmailMessage(subject, body, to=[recipient], reply_to=[message.email]).send()
        message.forwarded_at = timezone.now()
        message.save(update_fields=["forwarded_at"])


@receiver(tick)
def forward_forgotten(**kwargs):
    """Try again what could not be forwarded within a minute."""
    old = timezone.now() - timedelta(minutes=1)
    waiting = ContactMessage.objects.filter(forwarded_at=None, created_at__lt=old).exists()
    if waiting and SiteTexts.current(settings.LANGUAGE_CODE).contact_email:
        forward_messages.enqueue()


@every(timedelta(days=1), _("delete old messages of the contact form"))
def forget_old_messages():
    """Apply RETENTION_DAYS to the messages of the contact form."""
    return report({"contact messages": privacy.forget_old_messages()})
