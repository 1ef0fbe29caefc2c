"""Provider events: stored at once, processed by a task.

Events arrive twice, out of order, and before the delivery is committed. So each is one row, identified by its
fingerprint; states only get stronger; and an event without a known delivery is retried for MATCH_TIMEOUT, then kept
and shown as unmatched.

bounce_policy.py decides what a bounce means for a subscription, whoever reports it.
"""

import hashlib
import logging
import re
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from typing import TYPE_CHECKING, Any

from anymail.signals import AnymailTrackingEvent, EventType, RejectReason
from core import rate_limits
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone
from jobs import clock
from jobs.leases import claim
from operations.alerts import raise_alert
from redaction.text import storable

from newsletter.delivery import providers
from newsletter.feedback import bounce_policy
from newsletter.feedback.bounce_policy import Subject
from newsletter.models import ConsentEvent, Delivery, ProviderEvent, Subscriber, Suppression
from newsletter.subscribers import email_addresses, subscriptions

if TYPE_CHECKING:
    from newsletter.delivery.transports.base import OutgoingMessage

logger = logging.getLogger(__name__)
State, Kind, Method = Delivery.State, ConsentEvent.Kind, ConsentEvent.Method
MATCH_TIMEOUT = timedelta(minutes=5)
LEASE_SECONDS = 60
# Kinds of bounces besides Anymail's permanent one: about the mailbox, about the sender, about anything else.
SOFT, BLOCKED, UNDELIVERED = "soft bounce", "policy bounce", "system bounce"
SENDING = "sending"  # provider of events stored during sending
MAX_AGE = timedelta(days=365)  # older timestamps are considered wrong
ALERT_THRESHOLD = 3  # policy bounces of one receiving domain within ALERT_PERIOD
ALERT_PERIOD = timedelta(hours=1)
# From weak to strong; a state is only replaced by a stronger one.
STRENGTH: list[str] = [
    State.QUEUED,
    State.SENDING,
    State.UNKNOWN,
    State.FAILED,
    State.SENT,
    State.DEFERRED,
    State.DELIVERED,
    State.BOUNCED,
    State.COMPLAINED,
]
# Bounces for any other reason are temporary.
HARD_REASONS = {None, RejectReason.INVALID, RejectReason.BOUNCED}
KINDS_OF_REASONS = {
    RejectReason.BLOCKED: BLOCKED,
    RejectReason.SPAM: BLOCKED,
    RejectReason.TIMED_OUT: UNDELIVERED,
}
KINDS_OF_SUBJECTS = {Subject.MAILBOX: SOFT, Subject.POLICY: BLOCKED}
STATES = {
    EventType.SENT: State.SENT,
    EventType.QUEUED: State.SENT,
    EventType.DEFERRED: State.DEFERRED,
    EventType.DELIVERED: State.DELIVERED,
    EventType.BOUNCED: State.BOUNCED,
    SOFT: State.BOUNCED,
    BLOCKED: State.BOUNCED,
    UNDELIVERED: State.BOUNCED,
    EventType.REJECTED: State.BOUNCED,
    EventType.FAILED: State.FAILED,
    EventType.COMPLAINED: State.COMPLAINED,
    # Opening, clicking or unsubscribing proves delivery.
    EventType.UNSUBSCRIBED: State.DELIVERED,
    EventType.OPENED: State.DELIVERED,
    EventType.CLICKED: State.DELIVERED,
}
ENDS = {
    EventType.COMPLAINED: Kind.COMPLAINED,
    EventType.UNSUBSCRIBED: Kind.LEFT,
    EventType.BOUNCED: Kind.BOUNCED,
}
# The reasons in a provider's own suppression list.
REJECTIONS = {
    RejectReason.SPAM: Kind.COMPLAINED,
    RejectReason.UNSUBSCRIBED: Kind.LEFT,
    RejectReason.INVALID: Kind.BOUNCED,
    RejectReason.BOUNCED: Kind.BOUNCED,
}


def kind_of_cause(cause: bounce_policy.Cause) -> str:
    """Return the event kind of a bounce's cause."""
    if cause.ends_subscription:
        return EventType.BOUNCED
    return KINDS_OF_SUBJECTS.get(cause.subject, UNDELIVERED)


def store_event(provider: str, event: AnymailTrackingEvent) -> bool:
    """Store an event; a repetition changes nothing. Return whether it was new."""
    recipient = _normalised(parseaddr(_text(event.recipient))[1])
    provider_id, event_id = _text(event.message_id), _text(event.event_id)
    kind, at = _text(event.event_type), _plausible_time(event.timestamp) or timezone.now()
    if event_id:
        identity = f"{provider} {event_id} {kind} {recipient}"
    else:
        # Without a timestamp, events of the same kind about the same mail are identical.
        identity = f"{provider} {provider_id} {recipient} {kind} {_text(event.timestamp)}"
    metadata = event.metadata if isinstance(event.metadata, dict) else {}
    row, is_new = ProviderEvent.objects.get_or_create(
        fingerprint=hashlib.sha256(identity.encode()).hexdigest(),
        defaults={
            "provider": provider,
            "kind": _kind_of(provider, event),
            "happened_at": min(at, timezone.now()),
            "provider_id": provider_id[:255],
            "recipient": recipient,
            "reason": _text(event.reject_reason)[:20],
            "description": _words(event)[:2000],
            "delivery_hint": _text(metadata.get("delivery"))[:40],
        },
    )
    # After writing: a concurrent erasure scans the rows after its own commit.
    if is_new and _is_erased(recipient):
        ProviderEvent.objects.filter(pk=row.pk).update(recipient="")
    return is_new


def store_refusal(mail: "OutgoingMessage", words: str) -> None:
    """Store a receiver's permanent refusal of a mail (“550 5.1.1 …”) as an event, so that it counts as a
    bounce."""
    cause = bounce_policy.classify(text=words)
    if cause.subject != Subject.UNKNOWN:
        event = AnymailTrackingEvent(
            event_type=kind_of_cause(cause),
            event_id=f"{mail.number} {mail.lease.token}",
            recipient=mail.recipient.email,
            description=words,
            metadata={"delivery": str(mail.number)},
        )
        store_event(SENDING, event)


def _text(value: object) -> str:
    """Return a provider's value as text that the database accepts."""
    return "" if value is None else storable(str(value))


def _words(event: AnymailTrackingEvent) -> str:
    return " ".join(filter(None, map(_text, [event.description, event.mta_response])))


def _plausible_time(value: Any) -> datetime | None:
    """Return the time named by a provider or a mail in UTC, which is assumed without a zone; None if it is
    implausible."""
    try:
        at = (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    except (AttributeError, TypeError, ValueError, OverflowError):
        return None
    return at if at > datetime.now(UTC) - MAX_AGE else None


def _is_erased(recipient: str) -> bool:
    """Return whether an address was erased and has no subscriber: providers still report on mails sent before."""
    return bool(Suppression.covers([recipient])) and not Subscriber.objects.filter(email=recipient).exists()


def _kind_of(provider: str, event: AnymailTrackingEvent) -> str:
    """Return Anymail's event type; bounces are classified further, which Anymail does not do for all providers."""
    is_bounce = event.event_type == EventType.BOUNCED or event.event_type in providers.by_name(provider).final_failures
    return _kind_of_bounce(provider, event) if is_bounce else _text(event.event_type or "unknown")[:20]


def _kind_of_bounce(provider: str, event: AnymailTrackingEvent) -> str:
    """Return the kind of a bounce by the receiver's text, or by the provider's classification without one. Text that
    is not understood counts as temporary: providers also report unavailable servers as hard bounces."""
    if kind := KINDS_OF_REASONS.get(event.reject_reason):
        return kind
    words, generic_descriptions = _words(event), providers.by_name(provider).generic_descriptions
    cause = bounce_policy.classify(text=words)
    if cause.is_permanent is False or cause.subject not in {Subject.ADDRESS, Subject.UNKNOWN}:
        return kind_of_cause(cause)
    has_no_words = not words.strip() or bool(
        generic_descriptions and re.fullmatch(generic_descriptions, words.strip(), re.DOTALL)
    )
    is_understood = cause.subject == Subject.ADDRESS or has_no_words
    is_hard = cause.ends_subscription or (is_understood and event.reject_reason in HARD_REASONS)
    return EventType.BOUNCED if is_hard and not _is_soft(provider, event) else SOFT


def _is_soft(provider: str, event: AnymailTrackingEvent) -> bool:
    """Return whether the provider reports a bounce as temporary."""
    try:
        return providers.by_name(provider).is_soft_bounce(event.esp_event)
    except Exception:  # malformed provider data
        return False


def process(limit: int = 200) -> int:
    """Process waiting events, each on its own: one for which our code fails is left for a person. Return the number
    claimed."""
    waiting = ProviderEvent.objects.filter(state=ProviderEvent.State.WAITING)
    batch = claim(waiting, limit, LEASE_SECONDS)
    for event in batch:
        try:
            _process(event)
        except (OperationalError, InterfaceError):  # the database is unavailable: retried
            raise
        except Exception:
            logger.exception("Provider event %s cannot be processed", event.pk)
            _close(event, ProviderEvent.State.UNMATCHED)
    return len(batch)


def _process(event: ProviderEvent) -> None:
    delivery = _delivery_of(event)
    if delivery is not None:
        with transaction.atomic():
            domain = _apply(event, delivery)
    elif timezone.now() - event.received_at < MATCH_TIMEOUT:
        # The delivery may not be committed yet; retried when the lease expires.
        _lease(event, seconds=10 * event.attempts)
        return
    else:
        with transaction.atomic():
            domain = _apply_to_address(event)
    if event.kind == BLOCKED and domain:
        _count_policy_bounce(domain, event.description)


def _count_policy_bounce(domain: str, words: str) -> None:
    """Alert the operators when a receiving domain refuses mail because of the sender."""
    if not rate_limits.hit(f"policy-bounces {domain}", (ALERT_THRESHOLD - 1, ALERT_PERIOD)):
        raise_alert(
            f"mail is refused by {domain}", f"{domain} refuses mail for reasons of policy or reputation: {words}"
        )


def _lease(event: ProviderEvent, seconds: float) -> None:
    ProviderEvent.objects.filter(pk=event.pk).update(lease_until=clock.now() + timedelta(seconds=seconds))


def _delivery_of(event: ProviderEvent) -> Delivery | None:
    deliveries = Delivery.objects.all()
    if event.delivery_hint.isdecimal() and len(event.delivery_hint) < 19:  # longer than any id of the database
        hinted = deliveries.filter(pk=int(event.delivery_hint)).first()
        if hinted:
            return hinted
    if event.provider_id:
        found = deliveries.filter(provider_id=event.provider_id)
        # Some providers use one id for a whole batch.
        return (found.filter(subscriber__email=event.recipient).first() if event.recipient else None) or (
            found.first() if found.count() == 1 else None
        )
    return None


def _close(event: ProviderEvent, state: ProviderEvent.State, delivery: Delivery | None = None) -> None:
    ProviderEvent.objects.filter(pk=event.pk).update(state=state, delivery=delivery, lease_until=None)


def _apply(event: ProviderEvent, delivery: Delivery) -> str:
    """Apply an event to its delivery and subscriber, each only towards a stronger state. Return the recipient's
    domain."""
    # Lock the subscriber before the delivery, as an erasure does, to avoid deadlocks.
    subscriber = Subscriber.objects.select_for_update(of=("self",)).filter(deliveries=delivery.pk).first()
    row = Delivery.objects.select_for_update().get(pk=delivery.pk)
    target = STATES.get(event.kind) if event.provider != SENDING else None  # sending has recorded it already
    if target and (row.state == State.SKIPPED or STRENGTH.index(target) > STRENGTH.index(row.state)):
        words = event.description if target in {State.BOUNCED, State.FAILED, State.DEFERRED} else row.error
        Delivery.objects.filter(pk=row.pk).update(state=target, error=words, lease_until=None)
    _close(event, ProviderEvent.State.APPLIED, row)
    if subscriber:
        _apply_to_subscriber(event, subscriber, row)
    return _domain(event.recipient or (subscriber.email if subscriber else ""))


def _apply_to_address(event: ProviderEvent) -> str:
    """Apply an event about a mail without a delivery, such as a confirmation, to the subscriber of its address.
    Return the recipient's domain."""
    subscriber = Subscriber.objects.filter(email=event.recipient).first() if event.recipient else None
    if subscriber:
        _apply_to_subscriber(event, subscriber)
    _close(event, ProviderEvent.State.UNMATCHED)
    return _domain(event.recipient)


def _domain(email: str) -> str:
    return email.rpartition("@")[2]


def _normalised(address: str) -> str:
    try:
        return email_addresses.normalise(address)
    except Exception:  # malformed provider data
        return ""


def _apply_to_subscriber(event: ProviderEvent, subscriber: Subscriber, delivery: Delivery | None = None) -> None:
    kind = _consent_kind(event, subscriber)
    if kind == Kind.BOUNCED and _is_for_former_address(event, subscriber, delivery):
        return
    if kind:
        words = event.description or event.reason
        subscriptions.end(subscriber, kind, Method.PROVIDER, detail=words, happened_at=event.happened_at)


def _consent_kind(event: ProviderEvent, subscriber: Subscriber) -> ConsentEvent.Kind | None:
    """Return the ConsentEvent.Kind with which an event ends a subscription, or None."""
    if event.kind == EventType.REJECTED:
        return REJECTIONS.get(event.reason)
    if event.kind == SOFT:
        return Kind.BOUNCED if _has_too_many_soft_bounces(subscriber) else None
    return ENDS.get(event.kind)


def _is_for_former_address(event: ProviderEvent, subscriber: Subscriber, delivery: Delivery | None) -> bool:
    """Return whether a mail went to the subscriber's former address. The recipient of returned mail proves little: it
    may be a forwarding target."""
    moved_at = _moved_at(subscriber)
    if moved_at is None:
        return False
    if event.recipient:
        return event.recipient != subscriber.email
    return bool(delivery and delivery.sent_at and delivery.sent_at < moved_at)


def _moved_at(subscriber: Subscriber) -> datetime | None:
    """Return when a subscriber's address last changed, or None."""
    moves = subscriber.consent_events.filter(kind=Kind.CHANGED, method=Method.MAIL, detail__startswith="email")
    return moves.order_by("-happened_at").values_list("happened_at", flat=True).first()


def _has_too_many_soft_bounces(subscriber: Subscriber) -> bool:
    """Return whether SOFT_BOUNCES deliveries to the present address bounced softly within SOFT_BOUNCE_DAYS."""
    since = timezone.now() - timedelta(days=settings.SOFT_BOUNCE_DAYS)
    soft = ProviderEvent.objects.filter(delivery__subscriber=subscriber, kind=SOFT, happened_at__gte=since)
    if moved_at := _moved_at(subscriber):
        soft = soft.filter(delivery__sent_at__gte=moved_at)
    return soft.values("delivery").distinct().count() >= settings.SOFT_BOUNCES
