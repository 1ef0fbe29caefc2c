"""What a provider says about a mail: kept at once, acted on by a task.

Events come twice, out of order, and before the ledger knows the mail. So each is one row, known by its fingerprint; a state
only grows stronger; and an event whose mail is not known yet is tried again for PATIENCE, then kept and shown as unmatched.
"""

import hashlib
from datetime import timedelta
from email.utils import parseaddr

from anymail.signals import EventType, RejectReason
from core.leases import claim
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from . import addresses, providers, subscriptions
from .models import ConsentEvent, Delivery, ProviderEvent, Subscriber, Suppression

State, Kind, Way = Delivery.State, ConsentEvent.Kind, ConsentEvent.Way
PATIENCE = timedelta(minutes=5)
LEASE_SECONDS = 60
SOFT = "soft bounce"
# From weak to strong; a state is only ever replaced by a stronger one.
STRENGTH = [
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
# Bounces for any other reason say “not now” rather than “never”: a full mailbox, a block, a time-out.
HARD_REASONS = {None, RejectReason.INVALID, RejectReason.BOUNCED}
STATES = {
    EventType.SENT: State.SENT,
    EventType.QUEUED: State.SENT,
    EventType.DEFERRED: State.DEFERRED,
    EventType.DELIVERED: State.DELIVERED,
    EventType.BOUNCED: State.BOUNCED,
    SOFT: State.BOUNCED,
    EventType.REJECTED: State.BOUNCED,
    EventType.FAILED: State.FAILED,
    EventType.COMPLAINED: State.COMPLAINED,
    # Somebody who opens, clicks or leaves has the mail.
    EventType.UNSUBSCRIBED: State.DELIVERED,
    EventType.OPENED: State.DELIVERED,
    EventType.CLICKED: State.DELIVERED,
}
ENDS = {
    EventType.COMPLAINED: Kind.COMPLAINED,
    EventType.UNSUBSCRIBED: Kind.LEFT,
    EventType.BOUNCED: Kind.BOUNCED,
}
# What a provider's own list of refused addresses says about one.
REJECTIONS = {
    RejectReason.SPAM: Kind.COMPLAINED,
    RejectReason.UNSUBSCRIBED: Kind.LEFT,
    RejectReason.INVALID: Kind.BOUNCED,
    RejectReason.BOUNCED: Kind.BOUNCED,
}


def keep(provider, event):
    """Keep an AnymailTrackingEvent; a repetition changes nothing. Returns whether it was new."""
    recipient = _normalised(parseaddr(event.recipient or "")[1])
    at = event.timestamp or timezone.now()
    if event.event_id:
        identity = f"{provider} {event.event_id} {event.event_type} {recipient}"
    else:
        # Without a time of its own, an event is the same as any other of its kind about its mail.
        identity = f"{provider} {event.message_id} {recipient} {event.event_type} {event.timestamp or ''}"
    row, is_new = ProviderEvent.objects.get_or_create(
        fingerprint=hashlib.sha256(identity.encode()).hexdigest(),
        defaults={
            "provider": provider,
            "kind": _kind_of(provider, event),
            "at": min(at, timezone.now()),
            "provider_id": str(event.message_id or "")[:255],
            "recipient": recipient,
            "reason": str(event.reject_reason or "")[:20],
            "description": " ".join(filter(None, [event.description, event.mta_response]))[:2000],
            "delivery_hint": str((event.metadata or {}).get("delivery", ""))[:40],
        },
    )
    # Once it is written: an erasure that is not committed yet looks for what was, after its own commit.
    if is_new and _is_erased(recipient):
        ProviderEvent.objects.filter(pk=row.pk).update(recipient="")
    return is_new


def _is_erased(recipient):
    """Whether an address was erased and is nobody's here: a provider goes on reporting what was sent before."""
    return bool(Suppression.covers([recipient])) and not Subscriber.objects.filter(email=recipient).exists()


def _kind_of(provider, event):
    """Anymail's kind of an event; bounces are told apart into hard and soft, which Anymail does not do for all providers."""
    if event.event_type in providers.named(provider).final_failures:
        return EventType.BOUNCED
    if event.event_type == EventType.BOUNCED and (event.reject_reason not in HARD_REASONS or _is_soft(provider, event)):
        return SOFT
    return str(event.event_type or "unknown")[:20]


def _is_soft(provider, event):
    """Whether the provider's own words say that a bounce is for now rather than for good."""
    try:
        return providers.named(provider).says_soft(event.esp_event)
    except (KeyError, TypeError, AttributeError, StopIteration):
        return False


def process(limit=200):
    """Act on events that wait. Returns how many were in hand."""
    waiting = ProviderEvent.objects.filter(state=ProviderEvent.State.WAITING)
    batch = claim(waiting, limit, LEASE_SECONDS)
    for event in batch:
        delivery = _delivery_of(event)
        if delivery is not None:
            with transaction.atomic():
                _apply(event, delivery)
        elif timezone.now() - event.received_at < PATIENCE:
            # Its ledger row may still come; looked at again when the lease runs out.
            _lease(event, seconds=10 * event.attempts)
        else:
            with transaction.atomic():
                _apply_to_address(event)
    return len(batch)


def _lease(event, seconds):
    ProviderEvent.objects.filter(pk=event.pk).update(lease_until=timezone.now() + timedelta(seconds=seconds))


def _delivery_of(event):
    deliveries = Delivery.objects.all()
    if event.delivery_hint.isdecimal():
        found = deliveries.filter(pk=int(event.delivery_hint)).first()
        if found:
            return found
    if event.provider_id:
        found = deliveries.filter(provider_id=event.provider_id)
        # Some providers give one number to a whole batch.
        return (found.filter(subscriber__email=event.recipient).first() if event.recipient else None) or (
            found.first() if found.count() == 1 else None
        )
    return None


def _close(event, state, delivery=None):
    ProviderEvent.objects.filter(pk=event.pk).update(state=state, delivery=delivery, lease_until=None)


def _apply(event, delivery):
    """Let an event change its delivery and its subscriber, each only towards something stronger."""
    # The subscriber is locked before the delivery, as by an erasure: two that wait for each other would both fail.
    subscriber = Subscriber.objects.select_for_update(of=("self",)).filter(deliveries=delivery.pk).first()
    row = Delivery.objects.select_for_update().get(pk=delivery.pk)
    target = STATES.get(event.kind)
    if target and (row.state == State.SKIPPED or STRENGTH.index(target) > STRENGTH.index(row.state)):
        words = event.description if target in {State.BOUNCED, State.FAILED, State.DEFERRED} else row.error
        Delivery.objects.filter(pk=row.pk).update(state=target, error=words, lease_until=None)
    _close(event, ProviderEvent.State.APPLIED, row)
    if subscriber:
        _apply_to_subscriber(event, subscriber)


def _apply_to_address(event):
    """An event about a mail that is not in the ledger, such as a confirmation: its address may still be a subscriber's."""
    subscriber = Subscriber.objects.filter(email=_normalised(event.recipient)).first()
    if subscriber:
        _apply_to_subscriber(event, subscriber)
    _close(event, ProviderEvent.State.UNMATCHED)


def _normalised(address):
    try:
        return addresses.normalise(address)
    except Exception:  # whatever a provider sends for an address
        return ""


def _apply_to_subscriber(event, subscriber):
    if kind := _end_of(event, subscriber):
        words = event.description or event.reason
        subscriptions.end(subscriber, kind, Way.PROVIDER, detail=words, at=event.at)


def _end_of(event, subscriber):
    """The kind of end that an event puts to a subscription, or None."""
    if event.kind == EventType.REJECTED:
        return REJECTIONS.get(event.reason)
    if event.kind == SOFT:
        return Kind.BOUNCED if _refused_often(subscriber) else None
    return ENDS.get(event.kind)


def _refused_often(subscriber):
    """Whether mails to a subscriber were refused for a while in SOFT_BOUNCES deliveries within SOFT_BOUNCE_DAYS."""
    since = timezone.now() - timedelta(days=settings.SOFT_BOUNCE_DAYS)
    soft = ProviderEvent.objects.filter(delivery__subscriber=subscriber, kind=SOFT, at__gte=since)
    return soft.values("delivery").distinct().count() >= settings.SOFT_BOUNCES
