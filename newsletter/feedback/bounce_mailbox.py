"""Reads bounces from a mailbox over IMAP, for providers without webhooks.

Mails have an individual return path (VERP): bounces+TOKEN@example.org, where TOKEN is signed and names the delivery.
So a bounce can be attributed whatever it looks like. Its machine-readable part is parsed (RFC 3464, RFC 6533, or RFC
5965 for complaints); without one, flufl.bounce decides whether it is a bounce at all. bounce_policy.py classifies it.
Messages that are not understood are set aside for a person.
"""

import base64
import binascii
import email
import hashlib
import imaplib
import logging
import re
import ssl
from collections.abc import Iterator
from datetime import datetime
from email.message import Message
from email.parser import HeaderParser
from email.utils import parseaddr, parsedate_to_datetime

from anymail.signals import AnymailTrackingEvent, EventType
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from flufl.bounce import all_failures
from privacy import digests as privacy_digests
from redaction.text import AddressPattern

from newsletter.feedback import bounce_policy, events, incoming

logger = logging.getLogger(__name__)
PURPOSE = "newsletter.feedback.bounce_mailbox"
PROVIDER = "mailbox"
TIMEOUT_SECONDS = 30
BATCH = 200
MAX_BYTES = 1_000_000  # bytes read of a message; the report comes first, the returned mail last
AUTOMATIC_SENDERS = re.compile(r"mailer.?daemon|postmaster|mail.?delivery|mdaemon|double-bounce", re.IGNORECASE)
STATUS_TYPES = {"message/delivery-status", "message/global-delivery-status"}
REPORT_TYPES = {"delivery-status", "global-delivery-status"}
ORIGINAL_TYPES = {"message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers"}
FIELD = re.compile(r"^(?:Final-Recipient|Original-Recipient|Action|Status) *:", re.IGNORECASE | re.MULTILINE)
# Where the returned mail starts in a message without MIME parts; its text is ours and not about the bounce.
ORIGINAL = re.compile(
    r"^\W*-{2,}.*(?:original|copy of|returned|unsent|message (?:text|body|header))"
    r"|^.{0,40}(?:original|returned|unsent) (?:message|mail) (?:follows|attached)|^(?:Return-Path|Received|DKIM-Signature) *:",
    re.IGNORECASE | re.MULTILINE,
)
# Feedback types of complaints (RFC 5965, IANA's registry); other types have other subjects.
FEEDBACK = {"abuse": EventType.COMPLAINED, "fraud": EventType.COMPLAINED, "opt-out": EventType.UNSUBSCRIBED}
UNKNOWN = "unknown"
# From mild to severe: of several recipients behind one address, the mildest report counts.
SEVERITY = [EventType.DELIVERED, EventType.DEFERRED, events.UNDELIVERED, events.BLOCKED, events.SOFT, EventType.BOUNCED]


def return_path(delivery_number: int) -> str:
    """Return the envelope sender of a delivery's mail."""
    return _return_paths(delivery_number)[0]


def _return_paths(delivery_number: int | str) -> list[str]:
    """Return the return paths of a delivery's mail: under the current key first, then under each older one."""
    local, _at, domain = settings.BOUNCE_ADDRESS.partition("@")
    digests = privacy_digests.hashes(PURPOSE, str(delivery_number))
    return [f"{local}+{delivery_number}-{digest[:12]}@{domain}" for digest in digests]


def delivery_from_return_path(address: str) -> int | None:
    """Return the id of the delivery that a return path belongs to, or None if its signature is invalid."""
    number, _dash, _mark = address.partition("@")[0].rpartition("+")[2].partition("-")
    if not number.isdecimal():
        return None
    return int(number) if address.strip().lower() in map(str.lower, _return_paths(number)) else None


def parse_bounce(raw: bytes) -> AnymailTrackingEvent | None:
    """Return the event of a bounce message, or None if it is about no mail of ours. Its type
    is "unknown" if the message is not understood."""
    number = _find_delivery(raw)
    if number is None:
        return None
    message = email.message_from_bytes(raw)  # the legacy policy accepts malformed messages
    kind, words = _feedback(message) or _delivery_report(message) or _classify_text(message)
    return AnymailTrackingEvent(
        event_type=kind,
        timestamp=_date(message),
        event_id=hashlib.sha256(raw).hexdigest(),
        description=" ".join(words.split()),
        metadata={"delivery": str(number)},
    )


def _find_delivery(raw: bytes) -> int | None:
    """Return the id of the delivery whose return path a message names first."""
    local, _at, domain = settings.BOUNCE_ADDRESS.partition("@")
    own = rf"{re.escape(local)}\+\d{{1,18}}-[0-9a-f]+@{re.escape(domain)}"
    found = re.findall(own, raw.decode("latin-1"), re.IGNORECASE)
    return next((number for address in found if (number := delivery_from_return_path(address)) is not None), None)


def _feedback(message: Message) -> tuple[str, str] | None:
    """Return (kind, text) of a complaint (ARF, RFC 5965), or None."""
    for part in message.walk():
        if part.get_content_type() == "message/feedback-report":
            feedback_type = next((str(block["Feedback-Type"]) for block in _blocks(part) if block["Feedback-Type"]), "")
            return FEEDBACK.get(feedback_type.strip().lower(), UNKNOWN), f"feedback report: {feedback_type}"
    return None


def _delivery_report(message: Message) -> tuple[str, str] | None:
    """Return (kind, text) of a delivery report (RFC 3464, RFC 6533), also without proper MIME types; or None."""
    text = _text(message)
    found = [
        block for part in _own_parts(message) if part.get_content_type() in STATUS_TYPES for block in _blocks(part)
    ]
    has_status = any(block["Action"] or block["Status"] for block in found)
    # Ticket systems write “Status: open”, too.
    if not has_status and _is_from_server(message) and (field := FIELD.search(text)):
        found = _field_groups(text[field.start() :])
    reports = [_classify_block(block, text) for block in found if block["Action"] or block["Status"]]
    return min(reports, key=lambda report: SEVERITY.index(report[0]), default=None)


def _classify_block(block: Message, text: str) -> tuple[str, str]:
    """Return (kind, text) of one recipient's part of a report."""
    action, status = str(block["Action"] or "").strip().lower(), str(block["Status"] or "").strip()
    words = _raw_field(block, "Diagnostic-Code")
    if action.startswith("delayed"):
        return EventType.DEFERRED, words or status
    if action.startswith(("delivered", "relayed", "expanded")) or status.startswith("2."):
        return EventType.DELIVERED, words or status
    final = status if bounce_policy.ENHANCED.match(status) else "5.0.0"
    cause = bounce_policy.classify(final, text=words)
    if cause.subject == bounce_policy.Subject.UNKNOWN:
        cause = bounce_policy.classify(final, text=f"{words}\n{_before_original(text)}")
    return events.kind_of_cause(cause), words or status or action


def _raw_field(block: Message, name: str) -> str:
    """Return a field as it was sent: servers write their accents without any encoding, which `block[name]` loses."""
    value = next((value for key, value in block.raw_items() if key.lower() == name.lower()), "")
    octets = str(value).encode("utf-8", "surrogateescape")
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def _classify_text(message: Message) -> tuple[str, str]:
    """Return (kind, text) of a message without a machine-readable part."""
    text = _before_original(_text(message))
    # People, autoresponders and helpdesks mention unknown users, too: only text of a mail server counts.
    if not _is_from_server(message):
        is_automatic = str(message["Auto-Submitted"] or "no").strip().lower() != "no"
        return (EventType.AUTORESPONDED, "") if is_automatic else (UNKNOWN, text)
    temporary, permanent = _failures(message)
    if temporary and not permanent:
        return EventType.DEFERRED, text
    cause = bounce_policy.classify("5.0.0", text=text)
    if permanent or cause.subject != bounce_policy.Subject.UNKNOWN:
        return events.kind_of_cause(cause), text
    return UNKNOWN, text


def _is_from_server(message: Message) -> bool:
    """Return whether a mail server wrote a message: it is a delivery report, or its From says so. An empty
    Return-Path and Auto-Submitted prove nothing: automatic replies (RFC 3834) have both, too."""
    if message.get_content_type() == "multipart/report" and (kind := message.get_param("report-type")):
        return str(kind).strip().lower() in REPORT_TYPES
    name, address = parseaddr(str(message["From"] or ""))
    return bool(AUTOMATIC_SENDERS.search(f"{name} {address.partition('@')[0]}"))


def _failures(message: Message) -> tuple[frozenset[bytes], frozenset[bytes]]:
    """Return flufl.bounce's result: the addresses that failed temporarily and permanently."""
    try:
        return all_failures(message)
    except Exception:  # some of its detectors fail on unusual messages
        return frozenset(), frozenset()


def _blocks(part: Message) -> list[Message]:
    """Return the field groups of a machine-readable part, as Messages."""
    payload = part.get_payload()
    if isinstance(payload, str):
        return _field_groups(payload)
    found: list[Message] = []
    for block in _parts(part):
        found.append(block)
        if isinstance(rest := block.get_payload(), str) and rest.strip():
            found += _field_groups(_decoded(rest, part))
    return found


def _parts(message: Message) -> list[Message]:
    """Return the parts of a multipart message."""
    payload = message.get_payload()
    return [part for part in payload if isinstance(part, Message)] if isinstance(payload, list) else []


def _decoded(text: str, part: Message) -> str:
    if str(part["Content-Transfer-Encoding"] or "").strip().lower() != "base64":
        return text
    try:
        return base64.b64decode(text).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return text


def _field_groups(text: str) -> list[Message]:
    """Return the field groups of a text, separated by empty lines."""
    groups = re.split(r"\r?\n[ \t]*\r?\n", text.strip())
    return [HeaderParser().parsestr(group.strip()) for group in groups]


def _text(message: Message) -> str:
    """Return the text of a message: its plain text, else its HTML without tags; the returned mail excluded."""
    found: dict[str, list[str]] = {"text/plain": [], "text/html": []}
    for part in _own_parts(message):
        if part.get_content_type() in found:
            found[part.get_content_type()].append(_words(part))
    plain, html = ("\n".join(parts) for parts in found.values())
    return plain if plain.strip() else re.sub(r"<[^>]*>", " ", html)


def _own_parts(message: Message) -> Iterator[Message]:
    """Yield the parts of a message, the returned mail excluded."""
    if message.get_content_type() in ORIGINAL_TYPES:
        return
    if message.get_content_maintype() == "multipart" and message.is_multipart():
        for part in _parts(message):
            yield from _own_parts(part)
    else:
        yield message


def _words(part: Message) -> str:
    payload = part.get_payload(decode=True)
    octets = payload if isinstance(payload, bytes) else b""
    try:
        return octets.decode(part.get_content_charset("utf-8"), "replace")
    except (LookupError, ValueError):  # an unknown character set
        return octets.decode("latin-1")


def _before_original(text: str) -> str:
    """Return a message's text up to the returned mail."""
    return ORIGINAL.split(text, maxsplit=1)[0][: bounce_policy.MAX_CHARACTERS]


def _date(message: Message) -> datetime | None:
    try:
        return parsedate_to_datetime(str(message["Date"]))
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def _connect() -> imaplib.IMAP4:
    """Return a connection to the mailbox; with TLS, the certificate is verified."""
    place = (settings.BOUNCE_IMAP_HOST, settings.BOUNCE_IMAP_PORT)
    if settings.BOUNCE_IMAP_TLS:
        return imaplib.IMAP4_SSL(*place, ssl_context=ssl.create_default_context(), timeout=TIMEOUT_SECONDS)
    return imaplib.IMAP4(*place, timeout=TIMEOUT_SECONDS)


def _open_inbox() -> imaplib.IMAP4:
    """Return the mailbox, signed in and with the inbox selected."""
    mailbox = _connect()
    mailbox.login(settings.BOUNCE_IMAP_USER, settings.BOUNCE_IMAP_PASSWORD)
    mailbox.select("INBOX")
    return mailbox


def mentions(pattern: AddressPattern) -> Iterator[tuple[imaplib.IMAP4, str]]:
    """Yield (mailbox, number) of each message that names an AddressPattern."""
    if not settings.BOUNCE_IMAP_HOST:
        return
    with _open_inbox() as mailbox:
        _answer, (numbers,) = mailbox.uid("SEARCH", "UNDELETED", "TEXT", f'"{pattern.clue}"')
        for number in numbers.decode().split():
            _answer, data = mailbox.uid("FETCH", number, "(BODY.PEEK[])")
            if data[0] and pattern.mentioned_in_mail(data[0][1]):
                yield mailbox, number


def forget(pattern: AddressPattern) -> int:
    """Delete the remaining messages that name an AddressPattern. Return their number."""
    deleted = 0
    for mailbox, number in mentions(pattern):
        mailbox.uid("STORE", number, "+FLAGS", r"(\Deleted)")
        mailbox.expunge()
        deleted += 1
    return deleted


def poll() -> str | None:
    """Read the mailbox: store and delete messages about our mails, leave the rest. Return a summary.

    Each message is handled on its own: one that cannot be read or understood is set aside for a person.
    """
    if not settings.BOUNCE_IMAP_HOST:
        return None
    done = {"kept": 0, "set aside": 0, "left in the mailbox": 0}
    with _open_inbox() as mailbox:
        _answer, (numbers,) = mailbox.uid("SEARCH", "UNDELETED", "UNFLAGGED")
        for number in numbers.split()[:BATCH]:
            _answer, data = mailbox.uid("FETCH", number, f"(BODY.PEEK[]<0.{MAX_BYTES}>)")
            if not isinstance(data[0], tuple):
                continue  # deleted meanwhile
            outcome = _store_message(data[0][1])
            # Stored before it is deleted: at worst it is read twice. Messages about other mail are flagged, so
            # that they are not read again, and left for a person.
            flag = r"(\Flagged)" if outcome == "left in the mailbox" else r"(\Deleted)"
            mailbox.uid("STORE", number, "+FLAGS", flag)
            done[outcome] += 1
        mailbox.expunge()
    aside = f", {done['set aside']} set aside" if done["set aside"] else ""
    return f"{done['kept']} kept, {done['left in the mailbox']} left in the mailbox{aside}"


def _store_message(raw: bytes) -> str:
    """Store the event of a message. Return what was done with it."""
    try:
        with transaction.atomic():
            event = parse_bounce(raw)
            if event is None:
                return "left in the mailbox"
            if event.event_type != UNKNOWN:
                events.store_event(PROVIDER, event)
                return "kept"
            problem: str | Exception = "not understood"
    except (OperationalError, InterfaceError):  # the database is unavailable: nothing is wrong with the message
        raise
    except Exception as error:  # whatever the parsers raise
        logger.warning("A message in the mailbox for bounces cannot be read: %s", type(error).__name__)
        problem = error
    incoming.set_aside(PROVIDER, raw, problem)
    return "set aside"
