"""The one way out: every mail of the newsletter is made and handed over here, and none to a suppressed address."""

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

from .models import Suppression


class Suppressed(Exception):
    """The address asked, or has to be taken as asking, never to be mailed again."""


def message(subject, text, html, email, headers=None):
    """A mail with a text part and an HTML part to one normalised address."""
    mail = EmailMultiAlternatives(subject, text, to=[email], headers=headers or {})
    mail.attach_alternative(html, "text/html")
    return mail


def send(mail, connection=None):
    """Hand one mail over. Raises Suppressed, and whatever the back end raises."""
    if Suppression.covers(mail.to):
        raise Suppressed
    (connection or get_connection()).send_messages([mail])


def sender_domain():
    """The domain of DEFAULT_FROM_EMAIL."""
    return settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">")
