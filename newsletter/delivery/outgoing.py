"""Builds and sends the newsletter's transactional mails; never to suppressed addresses.

Header text is encoded as RFC 2047 requires; addresses are ASCII, with IDNA domains.
"""

import re
import unicodedata
from email.header import Header
from email.headerregistry import Address
from email.utils import quote

from core import mailboxes
from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from newsletter.models import Suppression

PLAIN = re.compile(r"[\w !#$%&'*+/=?^`{|}~-]*", re.ASCII)  # a display name that needs no quotes
NO_LINE = {"Cc", "Cs", "Zl", "Zp"}  # characters that would end a header or cannot be encoded


class Suppressed(Exception):
    """The address is suppressed: it must never be mailed."""


class Message(EmailMultiAlternatives):
    """A mail with the attributes that Anymail reads where they are set."""

    metadata: dict[str, str]
    merge_data: dict[str, dict[str, str]]
    merge_headers: dict[str, dict[str, str]]
    merge_metadata: dict[str, dict[str, str]]
    esp_extra: dict[str, str]


def message(subject: str, text: str, html: str, email: str, headers: dict[str, str] | None = None) -> Message:
    """Build a mail with a text and an HTML part to one normalised address."""
    mail = Message(header_text(subject), text, str(sender()), [email], headers=headers or {})
    mail.attach_alternative(html, "text/html")
    return mail


def send(mail: EmailMessage, connection: BaseEmailBackend | None = None) -> None:
    """Send one mail. Raises Suppressed, and whatever the mail back end raises."""
    if Suppression.covers(mail.to):
        raise Suppressed
    (connection or get_connection()).send_messages([mail])


def header_text(text: str) -> str:
    """Return text for a header: on one line, without control characters."""
    text = "".join(" " if unicodedata.category(letter) in NO_LINE else letter for letter in text)
    return " ".join(text.split())


def encoded(text: str, name: str) -> str:
    """Return text as the folded value of header `name`, in encoded words (RFC 2047) if it is not ASCII."""
    text = header_text(text)
    return Header(text, "us-ascii" if text.isascii() else "utf-8", header_name=name).encode(linesep="\r\n")


def phrase(text: str) -> str:
    """Return a display name for an address header (RFC 5322), quoted or in encoded words where needed."""
    text = header_text(text)
    if not text.isascii():
        return Header(text, "utf-8").encode(linesep="")
    return text if PLAIN.fullmatch(text) else f'"{quote(text)}"'


def sender() -> Address:
    """Return DEFAULT_FROM_EMAIL as an Address."""
    return mailboxes.parse(settings.DEFAULT_FROM_EMAIL)


def sender_header() -> str:
    """Return DEFAULT_FROM_EMAIL as the value of the From header."""
    address = sender()
    name = phrase(address.display_name)
    return f"{name} <{address.addr_spec}>" if name else address.addr_spec


def list_id(name: str) -> str:
    """Return the List-Id value (RFC 2919) of the list `name`, described by the sender's display name."""
    address = sender()
    return f"{phrase(address.display_name)} <{name}.{address.domain}>".lstrip()


def sender_domain() -> str:
    """Return the domain of DEFAULT_FROM_EMAIL."""
    return sender().domain


def sender_address() -> str:
    """Return the address of DEFAULT_FROM_EMAIL without the display name."""
    return sender().addr_spec
