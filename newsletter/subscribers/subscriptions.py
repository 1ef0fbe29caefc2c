"""Subscription services: sign up, confirm, change, unsubscribe. Every change of a subscription is made here and
records a consent event."""

import json
import logging
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from core import rate_limits
from core.html import absolute
from core.models import Topic, default_language
from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.dispatch import Signal
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _
from jobs import clock
from jobs.leases import claim
from privacy import erasure_log, registry

from newsletter.delivery import outgoing, providers
from newsletter.delivery.errors import ErrorAction
from newsletter.editions.rendering import render_mail
from newsletter.models import ConsentEvent, SignUpRequest, Subscriber, Suppression
from newsletter.subscribers import email_addresses, tokens

if TYPE_CHECKING:
    from newsletter.forms import PreferencesForm

logger = logging.getLogger(__name__)
address_left = Signal()  # with `email`: a subscriber moved away from this address
State, Kind, Method = Subscriber.State, ConsentEvent.Kind, ConsentEvent.Method
# Limits of mails that a stranger can cause to one mailbox: pairs of (number, period).
MAILBOX_LIMITS = [(1, timedelta(hours=1)), (3, timedelta(days=1))]
REQUEST_LEASE_SECONDS = 60
MAX_ATTEMPTS = 10
MAX_UNCLEAR_ATTEMPTS = 2  # an uncertain mail is sent again once at most


class LinkProblem(Exception):
    """A link that does not work, with a message for the reader, who may be offered to join again."""

    def __init__(self, title: str | Promise, message: str | Promise, may_join: bool = False) -> None:
        super().__init__(message)
        self.title, self.message, self.may_join = title, message, may_join


class LinkGone(LinkProblem):
    """A valid link whose subscription no longer exists."""


ALTERED = (
    _("This link does not work"),
    _("It may have been cut in two by the mail program. Please open it again from the mail, or sign up again."),
    True,
)
EXPIRED = (
    _("This link has expired"),
    _("For your safety a confirmation link works for two weeks. Please join again: we will send you a new one."),
    True,
)
USED = _("You have already confirmed"), _("Your subscription is active. There is nothing more to do.")
OUTDATED = (
    _("This link is no longer valid"),
    _("The subscription was changed or ended after this mail was sent. If you want the newsletter, please join again."),
    True,
)
MOVED = (
    _("This link is no longer valid"),
    _("The newsletter now goes to another address. Please use the link in a mail that reached you there."),
)
NOTHING_SAVED = (
    _("Nothing was saved"),
    _(
        "The subscription ended, or moved to another address, while this page was open. If you want the newsletter, please join again."
    ),
    True,
)
SUPPRESSED = (
    _("We do not write to this address"),
    _(
        "Its owner asked us never to write to it again, so the newsletter cannot come here. If that is you and you have changed your mind, please write to us."
    ),
)
TAKEN = (
    _("This address is already on the list"),
    _("It has a subscription of its own, so yours keeps its old address. Nothing was changed."),
)


def manage_url(subscriber: Subscriber, view: str = "leave") -> str:
    """Return the URL of the unsubscribe page (or another view that takes the same token), in the subscriber's
    language."""
    with override(subscriber.language):
        return absolute(reverse(f"newsletter_{view}", args=[subscriber.manage_token]))


# Sign-up


def process_requests(limit: int = 20) -> int:
    """Process waiting sign-ups: create subscribers and send confirmation mails. Return the number processed.

    A request is kept until its mail was sent. Requests are claimed one at a time, for longer than a mail server's
    reply may take, so that no other worker mails the address meanwhile.
    """
    seconds = settings.SMTP_REPLY_SECONDS["end"] + REQUEST_LEASE_SECONDS
    for number in range(limit):
        found = claim(SignUpRequest.objects.all(), 1, seconds)
        if not found:
            return number
        _process_or_postpone(found[0])
    return limit


def _process_or_postpone(request: SignUpRequest) -> None:
    """Process one request, or postpone it with a growing pause."""
    try:
        _process(request)
    except (OperationalError, InterfaceError):  # the database is unavailable: retried when the lease expires
        raise
    except Exception as error:
        logger.warning("Sign-up %s could not be processed: %s", request.pk, type(error).__name__)
        action = providers.current().classify_error(error).action
        max_attempts = MAX_UNCLEAR_ATTEMPTS if action == ErrorAction.UNCLEAR else MAX_ATTEMPTS
        # Permanent refusals are not retried; a wrong sender or key is corrected by somebody, and the mail is sent
        # then.
        if action != ErrorAction.NEVER and request.attempts < max_attempts:
            pause = timedelta(seconds=REQUEST_LEASE_SECONDS * 2**request.attempts)
            SignUpRequest.objects.filter(pk=request.pk).update(lease_until=clock.now() + pause)
            return
    request.delete()


def _process(request: SignUpRequest) -> None:
    """Register a SignUpRequest and mail the answer: never to suppressed addresses, and rate-limited per mailbox."""
    if Suppression.covers([request.email]):
        return
    if request.attempts <= 1 and not rate_limits.hit(
        f"mailbox {email_addresses.mailbox(request.email)}", *MAILBOX_LIMITS
    ):
        return
    try:
        if request.changes_id:
            _process_change(request, request.changes_id)
            return
        subscriber, request_event = _register_request(request)
    except outgoing.Suppressed:
        return
    if request_event:
        _mail_confirmation(subscriber, request_event)
    else:
        _mail_already_subscribed(subscriber)


@transaction.atomic
def _register_request(request: SignUpRequest) -> tuple[Subscriber, ConsentEvent | None]:
    """Return the Subscriber of a request and the ConsentEvent of what was requested; None if the subscription is
    active.

    An ended state stays, and so do name, language and topics: the request takes effect once it is confirmed. Raises
    outgoing.Suppressed.
    """
    subscriber, _created = Subscriber.objects.select_for_update().get_or_create(
        email=request.email,
        defaults={"language": request.language, "is_disposable": email_addresses.is_disposable(request.email)},
    )
    if subscriber.state == State.ACTIVE:
        return subscriber, None
    request_event, _created = ConsentEvent.objects.get_or_create(
        subscriber=subscriber,
        kind=Kind.ASKED,
        happened_at=request.created_at,
        defaults={
            "method": Method.FORM,
            "origin": request.origin,
            "language": request.language,
            "wording": request.wording,
            "wording_version": request.wording_version,
            "form_data": {"name": request.name, "topics": request.topics},
        },
    )
    if Suppression.covers_until_commit([request.email]):
        raise outgoing.Suppressed
    return subscriber, request_event


def _mail_confirmation(subscriber: Subscriber, request_event: ConsentEvent) -> None:
    """Mail the link that confirms a request. It contains nothing that the visitor typed."""
    token = tokens.make(tokens.CONFIRM, subscriber, _consent(subscriber, request_event))
    with override(request_event.language):
        url = absolute(reverse("newsletter_confirm", args=[token]))
        subject = gettext("One step left: confirm your subscription")
        _send(subscriber.email, "confirm", subject, {"url": url}, request_event.language)


def _consent(subscriber: Subscriber, request_event: ConsentEvent) -> str:
    """Return what a confirmation link covers as text: the address and all requested values."""
    return json.dumps(
        [
            subscriber.email,
            request_event.language,
            request_event.wording,
            request_event.wording_version,
            request_event.form_data,
        ],
        sort_keys=True,
    )


def _mail_already_subscribed(subscriber: Subscriber) -> None:
    """Tell an active subscriber who joins again that they are subscribed, with a link to the preferences."""
    with override(subscriber.language):
        context = {"url": manage_url(subscriber, "preferences"), "leave_url": manage_url(subscriber)}
        subject = gettext("You already receive the newsletter")
        _send(subscriber.email, "known", subject, context, subscriber.language)


def _send(email: str, name: str, subject: str, context: Mapping[str, str], language: str) -> None:
    html, text = render_mail(name, {**context, "subject": subject}, language)
    headers = {"Auto-Submitted": "auto-generated"}
    outgoing.send(outgoing.message(subject, text, html, email, headers=headers))


# Links


def subscriber_for_link(purpose: bytes, token: str, for_update: bool = False) -> tuple[Subscriber, tokens.Token]:
    """Return the (Subscriber, Token) of a link; with `for_update`, locked until the transaction ends. Raises
    LinkProblem."""
    rows = Subscriber.objects.select_for_update() if for_update else Subscriber.objects
    try:
        found = tokens.read(purpose, token)
        return rows.get(uuid=found.subscriber), found
    except tokens.BadToken:
        raise LinkProblem(*ALTERED) from None
    except Subscriber.DoesNotExist:
        raise LinkGone(*OUTDATED) from None


def own_subscriber(token: str, for_update: bool = False) -> Subscriber:
    """Return the Subscriber of a management link if it was mailed to their present address. Raises LinkProblem."""
    subscriber, found = subscriber_for_link(tokens.MANAGE, token, for_update)
    if not found.is_about(subscriber.email):
        raise LinkProblem(*MOVED)
    return subscriber


def _refuse_if_expired(found: tokens.Token) -> None:
    if time.time() - found.made_at > settings.NEWSLETTER_CONFIRM_DAYS * 24 * 3600:
        raise LinkProblem(*EXPIRED)


# Confirming


def check_confirmation(token: str, for_update: bool = False) -> tuple[Subscriber, ConsentEvent]:
    """Return the (Subscriber, ConsentEvent) that `token` may confirm now. Raises LinkProblem."""
    subscriber, found = subscriber_for_link(tokens.CONFIRM, token, for_update)
    if subscriber.state == State.ACTIVE:
        raise LinkProblem(*USED)
    events = subscriber.consent_events.filter(kind=Kind.ASKED).order_by("-happened_at")
    request_event = next((event for event in events if found.is_about(_consent(subscriber, event))), None)
    if request_event is None or found.round != subscriber.confirmation_round:
        raise LinkProblem(*OUTDATED)
    _refuse_if_expired(found)
    if Suppression.covers([subscriber.email]):
        raise LinkProblem(*SUPPRESSED)
    return subscriber, request_event


@transaction.atomic
def confirm(token: str, origin: str = "") -> Subscriber:
    """Activate the subscription with the requested values. Raises LinkProblem, also for the second of two
    simultaneous clicks."""
    subscriber, request_event = check_confirmation(token, for_update=True)
    subscriber.state, subscriber.confirmed_at, subscriber.ended_at = State.ACTIVE, timezone.now(), None
    subscriber.name, subscriber.language = request_event.form_data["name"], request_event.language
    subscriber.confirmation_round += 1
    subscriber.save(update_fields=["state", "confirmed_at", "ended_at", "name", "language", "confirmation_round"])
    subscriber.topics.set(Topic.objects.filter(pk__in=request_event.form_data["topics"], **default_language()))
    _record(
        subscriber,
        Kind.CONFIRMED,
        Method.MAIL,
        origin,
        wording=request_event.wording,
        wording_version=request_event.wording_version,
        form_data=request_event.form_data,
    )
    return subscriber


# Changing


def _own_active_row(subscriber: Subscriber) -> Subscriber:
    """Return the locked row of an active Subscriber. Raises LinkProblem if the state or address changed since it was
    read."""
    rows = Subscriber.objects.select_for_update()
    row = rows.filter(pk=subscriber.pk, state=State.ACTIVE, email=subscriber.email).first()
    if row is None:
        raise LinkProblem(*NOTHING_SAVED)
    return row


@transaction.atomic
def change(form: "PreferencesForm", origin: str = "") -> None:
    """Save a valid PreferencesForm; the consent event names the changed fields, not the values.

    Raises LinkProblem if the subscription ended, or moved to another address, while the form was open.
    """
    _own_active_row(form.instance)
    subscriber = form.save()
    if form.changed_data:
        _record(subscriber, Kind.CHANGED, Method.PREFERENCES, origin, detail=", ".join(form.changed_data))


@transaction.atomic
def request_address_change(subscriber: Subscriber, email: str, origin: str = "") -> None:
    """Store a request for a new address, which has to be confirmed from there; a worker sends the mail. Raises
    LinkProblem."""
    row = _own_active_row(subscriber)
    SignUpRequest.objects.create(email=email, language=row.language, changes=row, origin=origin)


def _process_change(request: SignUpRequest, subscriber_id: int) -> None:
    """Mail the confirmation link to a new address; if it has an active subscription of its own, mail that instead.

    Raises outgoing.Suppressed.
    """
    with transaction.atomic():  # rolled back by Suppressed
        subscriber = Subscriber.objects.select_for_update().filter(pk=subscriber_id, state=State.ACTIVE).first()
        if subscriber is None:
            return  # unsubscribed meanwhile
        other = Subscriber.objects.filter(email=request.email, state=State.ACTIVE).first()
        if other is None:
            subscriber.new_email = request.email
            subscriber.save(update_fields=["new_email"])
        if Suppression.covers_until_commit([request.email]):
            raise outgoing.Suppressed
    if other is None:
        _mail_new_address(subscriber)
    elif other.pk != subscriber.pk:
        _mail_already_subscribed(other)


def _mail_new_address(subscriber: Subscriber) -> None:
    token = tokens.make(tokens.ADDRESS, subscriber, subscriber.new_email)
    with override(subscriber.language):
        url = absolute(reverse("newsletter_new_address", args=[token]))
        subject = gettext("Confirm your new address")
        _send(subscriber.new_email, "new_address", subject, {"url": url}, subscriber.language)


def check_new_address(token: str, for_update: bool = False) -> Subscriber:
    """Return the Subscriber whose new address `token` may confirm now. Raises LinkProblem.

    Only the last requested address can be confirmed, and only with the link mailed there.
    """
    subscriber, found = subscriber_for_link(tokens.ADDRESS, token, for_update)
    is_outdated = subscriber.state != State.ACTIVE or found.round != subscriber.confirmation_round
    if is_outdated or not subscriber.new_email or not found.is_about(subscriber.new_email):
        raise LinkProblem(*OUTDATED)
    _refuse_if_expired(found)
    if Suppression.covers([subscriber.new_email]):
        raise LinkProblem(*SUPPRESSED)
    return subscriber


def has_ended_at(email: str) -> bool:
    """Return whether an address had a subscription that ended."""
    return Subscriber.objects.filter(email=email).exclude(state__in=[State.PENDING, State.ACTIVE]).exists()


def confirm_new_address(token: str, origin: str = "") -> Subscriber:
    """Replace a subscriber's address with the confirmed new one; pending confirmation links become invalid. Raises
    LinkProblem.

    An ended or unconfirmed subscription of the new address is deleted. The old address is suppressed as ENDED, so
    that no import adds it again.
    """
    try:
        with transaction.atomic():
            subscriber = check_new_address(token, for_update=True)
            old, detail = subscriber.email, _delete_former_subscription(subscriber.new_email)
            subscriber.email, subscriber.new_email = subscriber.new_email, ""
            subscriber.is_disposable = email_addresses.is_disposable(subscriber.email)
            subscriber.confirmation_round += 1
            subscriber.save(update_fields=["email", "new_email", "is_disposable", "confirmation_round"])
            _record(subscriber, Kind.CHANGED, Method.MAIL, origin, detail=detail)
            if Suppression.covers_until_commit([subscriber.email]):
                raise LinkProblem(*SUPPRESSED)
            Suppression.add(old, Suppression.Reason.ENDED)
            transaction.on_commit(partial(address_left.send, Subscriber, email=old))
    except IntegrityError:
        raise LinkProblem(*TAKEN) from None
    return subscriber


def _delete_former_subscription(email: str) -> str:
    """Delete the ended subscription of an address that another one moves to. Return the detail for the consent event.
    Raises LinkProblem."""
    former = Subscriber.objects.select_for_update().filter(email=email).first()
    if former is None:
        return "email"
    if former.state == State.ACTIVE:
        raise LinkProblem(*TAKEN)
    former.deliveries.update(error="")
    Subscriber.objects.filter(pk=former.pk).delete_with_consent()
    return f"email (there: {former.state})"


# Unsubscribing

ENDS = {
    Kind.LEFT: (State.UNSUBSCRIBED, {State.PENDING, State.ACTIVE, State.BOUNCED}),
    Kind.BOUNCED: (State.BOUNCED, {State.PENDING, State.ACTIVE}),
    Kind.COMPLAINED: (State.COMPLAINED, {State.PENDING, State.ACTIVE, State.BOUNCED, State.UNSUBSCRIBED}),
}


@transaction.atomic
def end(
    subscriber: Subscriber,
    kind: ConsentEvent.Kind,
    method: ConsentEvent.Method,
    origin: str = "",
    detail: str = "",
    happened_at: datetime | None = None,
    campaign: int | None = None,
) -> bool:
    """End a subscription as left, bounced or complained (`kind`). A weaker end never replaces a stronger one, and
    repeating a call changes nothing. Return whether it changed the state."""
    target, sources = ENDS[kind]
    row = Subscriber.objects.select_for_update().filter(pk=subscriber.pk).first()
    if row is None or row.state not in sources:
        return False
    row.state, row.confirmation_round, row.ended_at = target, row.confirmation_round + 1, happened_at or timezone.now()
    row.new_email = ""
    row.save(update_fields=["state", "confirmation_round", "ended_at", "new_email"])
    _record(
        row,
        kind,
        method,
        origin,
        detail=detail[:250],
        campaign=campaign,
        **({"happened_at": happened_at} if happened_at else {}),
    )
    erasure_log.record(erasure_log.UNSUBSCRIBED, row.email)
    if kind == Kind.COMPLAINED:
        Suppression.add(row.email, Suppression.Reason.COMPLAINED)
    return True


def leave(subscriber: Subscriber, method: ConsentEvent.Method, origin: str = "", campaign: int | None = None) -> bool:
    """End a subscription at once; repeating it changes nothing. `campaign` is the id of the campaign whose link was
    used."""
    return end(subscriber, Kind.LEFT, method, origin, campaign=campaign)


@transaction.atomic
def erase(token: str) -> None:
    """Erase all data about the address of a management link. Raises LinkProblem."""
    registry.erase(own_subscriber(token, for_update=True).email)


def _record(
    subscriber: Subscriber, kind: ConsentEvent.Kind, method: ConsentEvent.Method, origin: str = "", **fields: Any
) -> None:
    ConsentEvent.objects.create(
        **{
            "subscriber": subscriber,
            "kind": kind,
            "method": method,
            "language": subscriber.language,
            "origin": origin,
            **fields,
        }
    )
