"""The one way out: every mail of the newsletter is made and handed over here, and none to a suppressed address.

What people typed stands in headers as RFC 2047 writes it; addresses are ASCII, with the domain in IDNA.
"""

import re
import unicodedata
from email.header import Header
from email.utils import quote

from core import mailboxes
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

from newsletter.models import Suppression

PLAIN = re.compile(r"[\w !#$%&'*+/=?^`{|}~-]*", re.ASCII)  # what needs no quotes before <…>
NO_LINE = {"Cc", "Cs", "Zl", "Zp"}  # letters that would end a header, or cannot be encoded


class Suppressed(Exception):
    """The address asked, or has to be taken as asking, never to be mailed again."""


def message(subject, text, html, email, headers=None):
    """A mail with a text part and an HTML part to one normalised address."""
    mail = EmailMultiAlternatives(header_text(subject), text, str(sender()), [email], headers=headers or {})
    mail.attach_alternative(html, "text/html")
    return mail


def send(mail, connection=None):
    """Hand one mail over. Raises Suppressed, and whatever the back end raises."""
    if Suppression.covers(mail.to):
        raise Suppressed
    (connection or get_connection()).send_messages([mail])


def header_text(text):
    """Text as it may stand in a header: on one line."""
    text = "".join(" " if unicodedata.category(letter) in NO_LINE else letter for letter in text)
    return " ".join(text.split())


def encoded(text, name):
    """Text as the value of the header `name`: folded, and in encoded words (RFC 2047) where it is not ASCII."""
    text = header_text(text)
    return Header(text, "us-ascii" if text.isascii() else "utf-8", header_name=name).encode(linesep="\r\n")


def phrase(text):
    """Text as it stands before <…> in a header (RFC 5322), on one line: as it is, quoted, or in encoded words."""
    text = header_text(text)
    if not text.isascii():
        return Header(text, "utf-8").encode(linesep="")
    return text if PLAIN.fullmatch(text) else f'"{quote(text)}"'


def sender():
    """DEFAULT_FROM_EMAIL as an Address."""
    return mailboxes.parse(settings.DEFAULT_FROM_EMAIL)


def sender_header():
    """DEFAULT_FROM_EMAIL as the value of From."""
    address = sender()
    return f"{phrase(address.display_name)} <{address.addr_spec}>".lstrip()


def list_id(name):
    """The value of List-Id (RFC 2919) for the list of this name, described by the sender's."""
    address = sender()
    return f"{phrase(address.display_name)} <{name}.{address.domain}>".lstrip()


def sender_domain():
    """The domain of DEFAULT_FROM_EMAIL."""
    return sender().domain


def sender_address():
    """The address of DEFAULT_FROM_EMAIL, without a name."""
    return sender().addr_spec
