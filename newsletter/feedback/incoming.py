"""Incoming reports: a webhook call is stored as one row and answered at once; a task parses it item by item.

An item that cannot be read is set aside unchanged for a person, and the others are processed. The same holds for
messages in the bounce mailbox that are not understood (bounce_mailbox.py).
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlencode

from anymail.exceptions import AnymailConfigurationError
from django.core.handlers.wsgi import WSGIRequest
from django.db import InterfaceError, OperationalError, transaction
from jobs.leases import claim
from redaction.text import AddressPattern, addresses_in, storable

from newsletter.delivery import providers
from newsletter.feedback import events
from newsletter.models import IncomingReport, Subscriber, Suppression

logger = logging.getLogger(__name__)
State = IncomingReport.State
LEASE_SECONDS = 120
MAX_ATTEMPTS = 3  # a report that crashes the worker each time is set aside
FORM = "application/x-www-form-urlencoded"
HEADERS = {
    "content-type": "CONTENT_TYPE",
    "svix-id": "HTTP_SVIX_ID",
}  # the headers that Anymail's parsers read besides the body


def store_report(source: str, body: bytes, headers: Mapping[str, str], identity: bytes | None = None) -> bool:
    """Store a webhook call unchanged; a repetition changes nothing. `identity` identifies repetitions, by
    default the whole call. Return whether it was new."""
    stored = {name: headers[name][:255] for name in HEADERS if name in headers}
    _row, is_new = IncomingReport.objects.get_or_create(
        fingerprint=_fingerprint(source, identity or body), defaults={"source": source, "body": body, "headers": stored}
    )
    return is_new


def set_aside(source: str, body: bytes, problem: str | Exception) -> None:
    """Store an unreadable item for a person."""
    row, _is_new = IncomingReport.objects.get_or_create(
        fingerprint=_fingerprint(f"{source}, set aside", body),
        defaults={"source": source, "body": body, "state": State.UNREADABLE, "problem": _problem(problem)},
    )
    # After writing: a concurrent erasure scans the rows after its own commit.
    addresses = addresses_in(row.text)
    known = Subscriber.objects.filter(email__in=addresses).values_list("email", flat=True)
    if Suppression.covers(addresses - set(known)):
        row.delete()


def _fingerprint(source: str, identity: bytes) -> str:
    return hashlib.sha256(source.encode() + b" " + identity).hexdigest()


def _problem(problem: str | Exception) -> str:
    if isinstance(problem, Exception):
        problem = f"{type(problem).__name__}: {problem}"
    return storable(problem)[:200]


def process(limit: int = 20) -> int:
    """Process waiting reports. Return the number claimed."""
    batch = claim(IncomingReport.objects.filter(state=State.WAITING), limit, LEASE_SECONDS)
    for row in batch:
        try:
            if row.attempts > MAX_ATTEMPTS:
                raise RuntimeError("reading it ends the worker")
            _read_items(row)
        except (OperationalError, InterfaceError):  # the database is unavailable: retried
            raise
        except Exception as error:  # not text, not JSON, or not a list of items
            logger.warning("A report of %s cannot be read: %s", row.source, type(error).__name__)
            _close(row, state=State.UNREADABLE, problem=_problem(error))
        else:
            _close(row, state=State.READ, body=b"", headers={})
    return len(batch)


def _close(row: IncomingReport, **changes: object) -> None:
    IncomingReport.objects.filter(pk=row.pk).update(lease_until=None, **changes)


def _read_items(row: IncomingReport) -> None:
    view = providers.by_name(row.source).view()  # outside of the loop: without its key no item can be read
    is_form = row.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json"
    for item in _items(row.source, bytes(row.body), is_form):
        try:
            with transaction.atomic():
                _store_item(row, view, item)
        except (OperationalError, InterfaceError):
            raise
        except AnymailConfigurationError as error:
            logger.error("Webhook of %s: not a kind of message for this address (%s)", row.source, type(error).__name__)
        except Exception as error:  # malformed item
            logger.warning("An item of a report of %s cannot be read: %s", row.source, type(error).__name__)
            set_aside(row.source, item, error)


def _store_item(row: IncomingReport, view: Any, item: bytes) -> None:
    """Store the events of one item, parsed by Anymail's view."""
    values = {HEADERS[name]: value for name, value in row.headers.items()}
    environment = {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": str(len(item)), "wsgi.input": BytesIO(item), **values}
    provider = providers.by_name(row.source)
    for event in view.parse_events(WSGIRequest(environment)):
        # Inbound mail and other events have no recipient of ours; only tracking events are stored.
        if hasattr(event, "recipient"):
            provider.normalise_event(event)
            events.store_event(row.source, event)


def _items(provider: str, body: bytes, is_form: bool) -> list[bytes]:
    """Return the items of a call, each as the body of a separate call. Invalid UTF-8 is replaced, and control characters
    within texts are accepted."""
    text = body.decode("utf-8-sig", "replace")
    if is_form and provider == "mandrill":
        sent = json.loads(parse_qs(text, strict_parsing=True)["mandrill_events"][0], strict=False)
        return [urlencode({"mandrill_events": json.dumps([item])}).encode() for item in sent]
    if is_form and provider == "mailgun":
        return [body]
    data = json.loads(text, strict=False)
    parts: list[Any]
    if isinstance(data, list):
        parts = [[item] for item in data]
    elif isinstance(data, dict) and isinstance(data.get("events"), list):
        parts = [{**data, "events": [item]} for item in data["events"]]
    elif isinstance(data, dict) and isinstance(data.get("events_by_user"), list):
        users = [part for user in data["events_by_user"] for part in _items_of_user(user)]
        parts = [{**data, "events_by_user": [user]} for user in users]
    else:
        parts = [data]
    return [json.dumps(part).encode() for part in parts]


def _items_of_user(user: object) -> list[object]:
    """Return an entry of Unisender Go's `events_by_user` once for each event; unchanged if it holds no list of events."""
    if not isinstance(user, dict) or not isinstance(user.get("events"), list):
        return [user]
    return [{**user, "events": [item]} for item in user["events"]]


def _rows_naming(pattern: AddressPattern) -> Iterator[IncomingReport]:
    """Return the rows with content that name an AddressPattern."""
    rows = IncomingReport.objects.exclude(state=State.READ).order_by("pk").iterator(50)
    return (row for row in rows if pattern.mentioned_in(row.text) or pattern.mentioned_in_mail(bytes(row.body)))


def mentions(pattern: AddressPattern) -> list[dict[str, str]]:
    """Return what is stored about an AddressPattern."""
    return [
        {"source": row.source, "received": row.received_at.isoformat(timespec="seconds")}
        for row in _rows_naming(pattern)
    ]


def forget(pattern: AddressPattern) -> int:
    """Remove an AddressPattern from waiting reports, so that other people's items are still read; delete unreadable
    ones. Return the number of rows."""
    number = 0
    for row in list(_rows_naming(pattern)):
        if row.state == State.WAITING:
            text = bytes(row.body).decode("utf-8", "surrogateescape")
            IncomingReport.objects.filter(pk=row.pk, state=State.WAITING).update(
                body=pattern.removed_from(text).encode("utf-8", "surrogateescape")
            )
        else:
            row.delete()
        number += 1
    return number


def held() -> Iterator[str]:
    """Yield the addresses in unreadable reports."""
    for row in IncomingReport.objects.filter(state=State.UNREADABLE).iterator(50):
        yield from addresses_in(row.text)
