"""Bounced mail for providers without webhooks: a mailbox is polled, and each message says whose mail came back.

Mails go out with a return path of their own (VERP): bounces+TOKEN@example.org, where TOKEN is signed and names the
delivery. So whose mail came back is known whatever the returned message looks like; what it says (RFC 3464) tells a mailbox
that does not exist from one that is full.
"""

import email
import email.policy
import hashlib
import imaplib
import logging
import re
import ssl
from email.utils import parsedate_to_datetime

from anymail.signals import AnymailTrackingEvent, EventType, RejectReason
from core import keyed
from django.conf import settings

from . import events

logger = logging.getLogger(__name__)
PURPOSE = "newsletter.bounces"
STATUS = re.compile(r"^([245])\.\d{1,3}\.\d{1,3}")
FULL = "5.2.2"  # a permanent code by its form, but the mailbox may be emptied
PROVIDER = "mailbox"
TIMEOUT_SECONDS = 30
BATCH = 200


def return_path(delivery_number):
    """The envelope sender of a delivery's mail."""
    return _return_paths(delivery_number)[0]


def _return_paths(delivery_number):
    """The return paths of a delivery's mail: under the current key first, then under each older one."""
    local, _at, domain = settings.BOUNCE_ADDRESS.partition("@")
    digests = keyed.hashes(PURPOSE, str(delivery_number))
    return [f"{local}+{delivery_number}-{digest[:12]}@{domain}" for digest in digests]


def delivery_of(address):
    """The number of the delivery that a return path belongs to, or None if it was not made here."""
    number, _dash, _mark = address.partition("@")[0].rpartition("+")[2].partition("-")
    if not number.isdecimal():
        return None
    return int(number) if address.strip().lower() in map(str.lower, _return_paths(number)) else None


def event_of(raw):
    """The AnymailTrackingEvent that a returned message (bytes) amounts to, or None if it is about no mail of ours."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    headers = [str(value) for name in ("Delivered-To", "X-Original-To", "To") for value in message.get_all(name, [])]
    found = [address for header in headers for address in re.findall(r"[\w.+-]+@[\w.-]+", header)]
    number = next((number for address in found if (number := delivery_of(address)) is not None), None)
    if number is None:
        return None
    status, words = _report(message)
    kind, reason = _meaning(status, message)
    return AnymailTrackingEvent(
        event_type=kind,
        timestamp=_date(message),
        event_id=hashlib.sha256(raw).hexdigest(),
        reject_reason=reason,
        description=words,
        metadata={"delivery": str(number)},
    )


def _report(message):
    """(status code, words) of a delivery report; ("", subject) of anything else."""
    for part in message.walk():
        if part.get_content_type() == "message/delivery-status":
            for block in part.get_payload():
                if block.get("Status"):
                    words = block.get("Diagnostic-Code") or block.get("Action") or ""
                    return str(block["Status"]).strip(), " ".join(str(words).split())
    return "", str(message.get("Subject", ""))


def _meaning(status, message):
    code = STATUS.match(status)
    if message.get("Auto-Submitted", "no").lower() == "auto-replied" and not code:
        return EventType.AUTORESPONDED, None
    if not code:
        return "unknown", None
    if code[1] == "2":
        return EventType.DELIVERED, None
    if code[1] == "4" or status.startswith(FULL):
        return EventType.BOUNCED, RejectReason.OTHER
    return EventType.BOUNCED, RejectReason.BOUNCED


def _date(message):
    try:
        return parsedate_to_datetime(message["Date"])
    except (TypeError, ValueError):
        return None


def _connect():
    """A connection to the mailbox; with TLS, to nobody else's."""
    place = (settings.BOUNCE_IMAP_HOST, settings.BOUNCE_IMAP_PORT)
    if settings.BOUNCE_IMAP_TLS:
        return imaplib.IMAP4_SSL(*place, ssl_context=ssl.create_default_context(), timeout=TIMEOUT_SECONDS)
    return imaplib.IMAP4(*place, timeout=TIMEOUT_SECONDS)


def _opened():
    """The inbox, as a context: signed in and selected."""
    mailbox = _connect()
    mailbox.login(settings.BOUNCE_IMAP_USER, settings.BOUNCE_IMAP_PASSWORD)
    mailbox.select("INBOX")
    return mailbox


def mentions(pattern):
    """The (mailbox, number) of each message in the mailbox that names an AddressPattern."""
    if not settings.BOUNCE_IMAP_HOST:
        return
    with _opened() as mailbox:
        _answer, (numbers,) = mailbox.uid("SEARCH", None, "UNDELETED", "TEXT", f'"{pattern.clue}"')
        for number in numbers.split():
            _answer, data = mailbox.uid("FETCH", number, "(BODY.PEEK[])")
            if data[0] and pattern.mentioned_in_mail(data[0][1]):
                yield mailbox, number


def forget(pattern):
    """Delete the messages that were left in the mailbox and name an AddressPattern. Returns their number."""
    deleted = 0
    for mailbox, number in mentions(pattern):
        mailbox.uid("STORE", number, "+FLAGS", r"(\Deleted)")
        mailbox.expunge()
        deleted += 1
    return deleted


def poll():
    """Read the mailbox: keep what is about mails of ours, delete it there; leave the rest unread. Returns what was done."""
    if not settings.BOUNCE_IMAP_HOST:
        return None
    kept = others = 0
    with _opened() as mailbox:
        _answer, (numbers,) = mailbox.uid("SEARCH", None, "UNDELETED", "UNFLAGGED")
        for number in numbers.split()[:BATCH]:
            _answer, data = mailbox.uid("FETCH", number, "(BODY.PEEK[])")
            event = event_of(data[0][1])
            if event is None:
                # Not ours to judge: marked, so that it is not read again each time, and left for a person.
                mailbox.uid("STORE", number, "+FLAGS", r"(\Flagged)")
                others += 1
                continue
            events.keep(PROVIDER, event)  # kept before it is deleted: at worst it is read twice
            mailbox.uid("STORE", number, "+FLAGS", r"(\Deleted)")
            kept += 1
        mailbox.expunge()
    return f"{kept} kept, {others} left in the mailbox"
