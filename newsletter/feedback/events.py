"""What a provider says about a mail: kept at once, acted on by a task.

Events come twice, out of order, and before the ledger knows the mail. So each is one row, known by its fingerprint; a state
only grows stronger; and an event whose mail is not known yet is tried again for PATIENCE, then kept and shown as unmatched.

What a bounce means for a subscription is decided by bounce_policy.py, whoever reports it.
"""

import hashlib
import logging
import re
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr

from anymail.signals import AnymailTrackingEvent, EventType, RejectReason
from core import rate_limits
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone
from jobs.leases import claim
from operations.alerts import raise_alert

from newsletter.delivery import providers
from newsletter.feedback import bounce_policy
from newsletter.feedback.bounce_policy import Subject
from newsletter.models import ConsentEvent, Delivery, ProviderEvent, Subscriber, Suppression
from newsletter.subscribers import email_addresses, subscriptions

logger = logging.getLogger(__name__)
State, Kind, Way = Delivery.State, ConsentEvent.Kind, ConsentEvent.Way
PATIENCE = timedelta(minutes=5)
LEASE_SECONDS = 60
# Kinds of bounces beside Anymail's, which is for good: about the mailbox, about the sender, about anything else.
SOFT, BLOCKED, UNDELIVERED = "soft bounce", "policy bounce", "system bounce"
SENDING = "sending"  # who reports what a receiver answered while a mail was being sent
OLDEST = timedelta(days=365)  # what claims to be older has a wrong clock
ALARMING = 3  # policy bounces of one receiving domain within ALARM_PERIOD
ALARM_PERIOD = timedelta(hours=1)
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
# Bounces for any other reason say “not now” rather than “never”.
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


def kind_of_cause(cause):
    """The kind of event that a bounce_policy.Cause amounts to."""
    if cause.ends_subscription:
        return EventType.BOUNCED
    return KINDS_OF_SUBJECTS.get(cause.subject, UNDELIVERED)


def store_event(provider, event):
    """Keep an AnymailTrackingEvent; a repetition changes nothing. Returns whether it was new."""
    recipient = _normalised(parseaddr(_text(event.recipient))[1])
    provider_id, event_id = _text(event.message_id), _text(event.event_id)
    kind, at = _text(event.event_type), _moment(event.timestamp) or timezone.now()
    if event_id:
        identity = f"{provider} {event_id} {kind} {recipient}"
    else:
        # Without a time of its own, an event is the same as any other of its kind about its mail.
        identity = f"{provider} {provider_id} {recipient} {kind} {_text(event.timestamp)}"
    metadata = event.metadata if isinstance(event.metadata, dict) else {}
    row, is_new = ProviderEvent.objects.get_or_create(
        fingerprint=hashlib.sha256(identity.encode()).hexdigest(),
        defaults={
            "provider": provider,
            "kind": _kind_of(provider, event),
            "at": min(at, timezone.now()),
            "provider_id": provider_id[:255],
            "recipient": recipient,
            "reason": _text(event.reject_reason)[:20],
            "description": _words(event)[:2000],
            "delivery_hint": _text(metadata.get("delivery"))[:40],
        },
    )
    # Once it is written: an erasure that is not committed yet looks for what was, after its own commit.
    if is_new and _is_erased(recipient):
        ProviderEvent.objects.filter(pk=row.pk).update(recipient="")
    return is_new


def store_refusal(mail, words):
    """Keep what a receiver answered (“550 5.1.1 …”) when it refused an Outgoing for good, so that it counts like a bounce."""
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


def _text(value):
    """What a provider sends for a text, as the database takes it: without NUL and halves of characters (lone surrogates)."""
    return "" if value is None else str(value).replace("\0", "").encode("utf-8", "replace").decode()


def _words(event):
    return " ".join(filter(None, map(_text, [event.description, event.mta_response])))


def _moment(value):
    """The time that a provider or a mail names, in UTC, which is meant where no zone is given; None if it cannot be right."""
    try:
        at = (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    except (AttributeError, TypeError, ValueError, OverflowError):
        return None
    return at if at > datetime.now(UTC) - OLDEST else None


def _is_erased(recipient):
    """Whether an address was erased and is nobody's here: a provider goes on reporting what was sent before."""
    return bool(Suppression.covers([recipient])) and not Subscriber.objects.filter(email=recipient).exists()


def _kind_of(provider, event):
    """Anymail's kind of an event; bounces are told apart, which Anymail does not do for all providers."""
    is_bounce = event.event_type == EventType.BOUNCED or event.event_type in providers.by_name(provider).final_failures
    return _kind_of_bounce(provider, event) if is_bounce else _text(event.event_type or "unknown")[:20]


def _kind_of_bounce(provider, event):
    """The kind of a bounce by the receiver's words; by what the provider makes of it where there are none. Words that are not
    understood count as “not now”: providers call a server that is away a hard bounce, too."""
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


def _is_soft(provider, event):
    """Whether the provider's own words say that a bounce is for now rather than for good."""
    try:
        return providers.by_name(provider).is_soft_bounce(event.esp_event)
    except Exception:  # whatever a provider sends where its words are expected
        return False


def process(limit=200):
    """Act on events that wait, each alone: one at which our own code fails is left for a person. Returns how many were in
    hand."""
    waiting = ProviderEvent.objects.filter(state=ProviderEvent.State.WAITING)
    batch = claim(waiting, limit, LEASE_SECONDS)
    for event in batch:
        try:
            _process(event)
        except (OperationalError, InterfaceError):  # the database is away: it is tried again
            raise
        except Exception:
            logger.exception("Message %s of the provider cannot be acted on", event.pk)
            _close(event, ProviderEvent.State.UNMATCHED)
    return len(batch)


def _process(event):
    delivery = _delivery_of(event)
    if delivery is not None:
        with transaction.atomic():
            domain = _apply(event, delivery)
    elif timezone.now() - event.received_at < PATIENCE:
        # Its ledger row may still come; looked at again when the lease runs out.
        _lease(event, seconds=10 * event.attempts)
        return
    else:
        with transaction.atomic():
            domain = _apply_to_address(event)
    if event.kind == BLOCKED and domain:
        _count_policy_bounce(domain, event.description)


def _count_policy_bounce(domain, words):
    """Tell the operators when a receiving domain refuses mail for who sends it: nothing that a subscriber could mend."""
    if not rate_limits.hit(f"policy-bounces {domain}", (ALARMING - 1, ALARM_PERIOD)):
        raise_alert(
            f"mail is refused by {domain}", f"{domain} refuses mail for reasons of policy or reputation: {words}"
        )


def _lease(event, seconds):
    ProviderEvent.objects.filter(pk=event.pk).update(lease_until=timezone.now() + timedelta(seconds=seconds))


def _delivery_of(event):
    deliveries = Delivery.objects.all()
    if event.delivery_hint.isdecimal() and len(event.delivery_hint) < 19:  # no number of the database's is longer
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
    """Let an event change its delivery and its subscriber, each only towards something stronger. Returns the domain that the
    mail went to."""
    # The subscriber is locked before the delivery, as by an erasure: two that wait for each other would both fail.
    subscriber = Subscriber.objects.select_for_update(of=("self",)).filter(deliveries=delivery.pk).first()
    row = Delivery.objects.select_for_update().get(pk=delivery.pk)
    target = STATES.get(event.kind) if event.provider != SENDING else None  # sending has said so itself
    if target and (row.state == State.SKIPPED or STRENGTH.index(target) > STRENGTH.index(row.state)):
        words = event.description if target in {State.BOUNCED, State.FAILED, State.DEFERRED} else row.error
        Delivery.objects.filter(pk=row.pk).update(state=target, error=words, lease_until=None)
    _close(event, ProviderEvent.State.APPLIED, row)
    if subscriber:
        _apply_to_subscriber(event, subscriber, row)
    return _domain(event.recipient or (subscriber.email if subscriber else ""))


def _apply_to_address(event):
    """An event about a mail that is not in the ledger, such as a confirmation: its address may still be a subscriber's. Returns
    the domain that the mail went to."""
    subscriber = Subscriber.objects.filter(email=event.recipient).first() if event.recipient else None
    if subscriber:
        _apply_to_subscriber(event, subscriber)
    _close(event, ProviderEvent.State.UNMATCHED)
    return _domain(event.recipient)


def _domain(email):
    return email.rpartition("@")[2]


def _normalised(address):
    try:
        return email_addresses.normalise(address)
    except Exception:  # whatever a provider sends for an address
        return ""


def _apply_to_subscriber(event, subscriber, delivery=None):
    kind = _end_of(event, subscriber)
    if kind == Kind.BOUNCED and _is_about_old_address(event, subscriber, delivery):
        return
    if kind:
        words = event.description or event.reason
        subscriptions.end(subscriber, kind, Way.PROVIDER, detail=words, at=event.at)


def _end_of(event, subscriber):
    """The kind of end that an event puts to a subscription, or None."""
    if event.kind == EventType.REJECTED:
        return REJECTIONS.get(event.reason)
    if event.kind == SOFT:
        return Kind.BOUNCED if _refused_often(subscriber) else None
    return ENDS.get(event.kind)


def _is_about_old_address(event, subscriber, delivery):
    """Whether a mail went to an address that the subscriber has left since. Of returned mail the address itself says
    little: it may be the one that a mailbox forwards to."""
    moved_at = _moved_at(subscriber)
    if moved_at is None:
        return False
    if event.recipient:
        return event.recipient != subscriber.email
    return bool(delivery and delivery.sent_at and delivery.sent_at < moved_at)


def _moved_at(subscriber):
    """When a subscriber's address last changed, or None."""
    moves = subscriber.consent_events.filter(kind=Kind.CHANGED, way=Way.MAIL, detail__startswith="email")
    return moves.order_by("-at").values_list("at", flat=True).first()


def _refused_often(subscriber):
    """Whether mails to a subscriber's present address were refused for a while in SOFT_BOUNCES deliveries within
    SOFT_BOUNCE_DAYS."""
    since = timezone.now() - timedelta(days=settings.SOFT_BOUNCE_DAYS)
    soft = ProviderEvent.objects.filter(delivery__subscriber=subscriber, kind=SOFT, at__gte=since)
    if moved_at := _moved_at(subscriber):
        soft = soft.filter(delivery__sent_at__gte=moved_at)
    return soft.values("delivery").distinct().count() >= settings.SOFT_BOUNCES
