"""Joining, confirming, changing and leaving: every change of a subscription goes through here and leaves its consent event."""

import logging
import time
from datetime import timedelta

from core import goodbyes, limits
from core.leases import claim
from core.markup import absolute
from core.models import Topic, default_language
from django.conf import settings
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _

from . import addresses, mailing, tokens
from .errors import is_permanent, is_unclear
from .models import ConsentEvent, SignUpRequest, Subscriber, Suppression
from .rendering import render_mail

logger = logging.getLogger(__name__)
State, Kind, Way = Subscriber.State, ConsentEvent.Kind, ConsentEvent.Way
# Mails that a stranger can cause, to one mailbox from whichever source: pairs of (number, period).
MAILBOX_LIMITS = [(1, timedelta(hours=1)), (3, timedelta(days=1))]
REQUEST_LEASE_SECONDS = 60
MAX_ATTEMPTS = 10
MOST_UNCLEAR_ATTEMPTS = 2  # a mail that may have gone is sent once more at most


class Refusal(Exception):
    """A link that cannot do what it was made for, with a message for the reader."""

    def __init__(self, title, message):
        super().__init__(message)
        self.title, self.message = title, message


class Gone(Refusal):
    """A genuine link whose subscription no longer exists."""


ALTERED = (
    _("This link does not work"),
    _("It may have been cut in two by the mail program. Please open it again from the mail, or join anew."),
)
EXPIRED = (
    _("This link has expired"),
    _("For your safety a confirmation link works for two weeks. Please join again: we will send you a new one."),
)
USED = _("You have already confirmed"), _("Your subscription is active. There is nothing more to do.")
OUTDATED = (
    _("This link is no longer valid"),
    _("The subscription was changed or ended after this mail was sent. If you want the newsletter, please join again."),
)
TAKEN = (
    _("This address is already on the list"),
    _("It has a subscription of its own, so yours keeps its old address. Nothing was changed."),
)


def manage_url(subscriber, view="leave"):
    """The https address of the page to leave (or of another view that takes the same token), in the subscriber's language."""
    with override(subscriber.language):
        return absolute(reverse(f"newsletter_{view}", args=[subscriber.manage_token]))


# Asking


def process_requests(limit=20):
    """Turn sign-ups that wait into subscribers and confirmation mails. A request is kept until its mail was handed over.

    They are claimed one at a time, for longer than a mail server may take for its answer: nobody else mails it meanwhile.
    """
    seconds = settings.SMTP_REPLY_SECONDS["end"] + REQUEST_LEASE_SECONDS
    for number in range(limit):
        found = claim(SignUpRequest.objects.all(), 1, seconds)
        if not found:
            return number
        _answer(found[0])
    return limit


def _answer(request):
    """Answer one request, or keep it to be tried again after a pause that grows."""
    try:
        _process(request)
    except Exception as error:
        logger.warning("Sign-up %s could not be answered: %s", request.pk, type(error).__name__)
        most = MOST_UNCLEAR_ATTEMPTS if is_unclear(error) else MAX_ATTEMPTS
        if not is_permanent(error) and request.attempts < most:
            pause = timedelta(seconds=REQUEST_LEASE_SECONDS * 2**request.attempts)
            SignUpRequest.objects.filter(pk=request.pk).update(lease_until=timezone.now() + pause)
            return
    request.delete()


def _process(request):
    """Register what a SignUpRequest asks and mail the answer: none to suppressed addresses, few to any mailbox."""
    if Suppression.covers([request.email]):
        return
    if request.attempts <= 1 and not limits.take(f"mailbox {addresses.mailbox(request.email)}", *MAILBOX_LIMITS):
        return
    known = Subscriber.objects.filter(email=request.email).first()
    if request.changes_id:
        _process_change(request, known)
    elif known and known.state == State.ACTIVE:
        _mail_known(known)
    else:
        _mail_confirmation(_ask(request))


@transaction.atomic
def _ask(request):
    """The Subscriber of a request, pending, with what was typed last and the proof that it was asked for."""
    subscriber, _created = Subscriber.objects.select_for_update().get_or_create(
        email=request.email, defaults={"language": request.language}
    )
    if subscriber.state != State.ACTIVE:
        subscriber.state, subscriber.ended_at = State.PENDING, None
        subscriber.name, subscriber.language = request.name, request.language
        subscriber.is_disposable = addresses.is_disposable(request.email)
        subscriber.save()
        subscriber.topics.set(Topic.objects.filter(pk__in=request.topics, **default_language()))
        _record(
            subscriber,
            Kind.ASKED,
            Way.FORM,
            request.origin,
            at=request.created_at,
            language=request.language,
            wording=request.wording,
            wording_version=request.wording_version,
        )
    return subscriber


def _mail_confirmation(subscriber):
    """The mail with the link that confirms. It carries nothing that the visitor typed."""
    with override(subscriber.language):
        url = absolute(reverse("newsletter_confirm", args=[tokens.make(tokens.CONFIRM, subscriber)]))
        subject = gettext("One step left: confirm your subscription")
        _send(subscriber.email, "confirm", subject, {"url": url}, subscriber.language)


def _mail_known(subscriber):
    """To someone who joins a second time: you are in already, and here you change what you get."""
    with override(subscriber.language):
        context = {"url": manage_url(subscriber, "preferences"), "leave_url": manage_url(subscriber)}
        subject = gettext("You already receive the newsletter")
        _send(subscriber.email, "known", subject, context, subscriber.language)


def _send(email, name, subject, context, language):
    html, text = render_mail(name, {**context, "subject": subject}, language)
    headers = {"Auto-Submitted": "auto-generated"}
    mailing.send(mailing.message(subject, text, html, email, headers=headers))


# Confirming


def subscriber_of(purpose, token):
    """The (Subscriber, Token) that a link belongs to. Raises Refusal."""
    try:
        found = tokens.read(purpose, token)
        return Subscriber.objects.get(uuid=found.subscriber), found
    except tokens.BadToken:
        raise Refusal(*ALTERED) from None
    except Subscriber.DoesNotExist:
        raise Gone(*OUTDATED) from None


def _refuse_if_expired(found):
    if time.time() - found.made_at > settings.NEWSLETTER_CONFIRM_DAYS * 24 * 3600:
        raise Refusal(*EXPIRED)


def check_confirmation(token):
    """The Subscriber whom `token` may confirm now. Raises Refusal."""
    subscriber, found = subscriber_of(tokens.CONFIRM, token)
    if subscriber.state == State.ACTIVE:
        raise Refusal(*USED)
    if subscriber.state != State.PENDING or found.round != subscriber.confirmation_round:
        raise Refusal(*OUTDATED)
    _refuse_if_expired(found)
    return subscriber


@transaction.atomic
def confirm(token, origin=""):
    """Make the subscription active. Raises Refusal, also for the second of two simultaneous clicks."""
    waiting = check_confirmation(token)
    changed = Subscriber.objects.filter(
        pk=waiting.pk, state=State.PENDING, confirmation_round=waiting.confirmation_round
    ).update(state=State.ACTIVE, confirmed_at=timezone.now(), confirmation_round=waiting.confirmation_round + 1)
    if not changed:
        raise Refusal(*USED)
    _record(waiting, Kind.CONFIRMED, Way.MAIL, origin)
    waiting.refresh_from_db()
    return waiting


# Changing


@transaction.atomic
def change(form, origin=""):
    """Save a valid PreferencesForm; the consent event says what changed, not the values."""
    subscriber = form.save()
    if form.changed_data:
        _record(subscriber, Kind.CHANGED, Way.PREFERENCES, origin, detail=", ".join(form.changed_data))


def ask_for_new_address(subscriber, email, origin=""):
    """Keep the wish for a new address. It counts once it is confirmed from there; a worker sends the mail."""
    SignUpRequest.objects.create(email=email, language=subscriber.language, changes=subscriber, origin=origin)


def _process_change(request, known):
    """Mail the link that confirms a new address to it; if it has a subscription of its own, it is told so instead."""
    if known:
        if known.pk != request.changes_id and known.state == State.ACTIVE:
            _mail_known(known)
        return
    subscriber = request.changes
    Subscriber.objects.filter(pk=subscriber.pk).update(new_email=request.email)
    with override(subscriber.language):
        url = absolute(reverse("newsletter_new_address", args=[tokens.make(tokens.ADDRESS, subscriber)]))
        subject = gettext("Confirm your new address")
        _send(request.email, "new_address", subject, {"url": url}, subscriber.language)


def check_new_address(token):
    """The Subscriber whose new address `token` may confirm now. Raises Refusal."""
    subscriber, found = subscriber_of(tokens.ADDRESS, token)
    if subscriber.state != State.ACTIVE or not subscriber.new_email or found.round != subscriber.confirmation_round:
        raise Refusal(*OUTDATED)
    _refuse_if_expired(found)
    return subscriber


def confirm_new_address(token, origin=""):
    """Take the new address in the old one's place; links to confirm that went to the old one end. Raises Refusal."""
    try:
        with transaction.atomic():
            pk = check_new_address(token).pk
            subscriber = Subscriber.objects.select_for_update().get(pk=pk)
            subscriber.email, subscriber.new_email = subscriber.new_email, ""
            subscriber.is_disposable = addresses.is_disposable(subscriber.email)
            subscriber.confirmation_round += 1
            subscriber.save()
            _record(subscriber, Kind.CHANGED, Way.MAIL, origin, detail="email")
    except IntegrityError:
        raise Refusal(*TAKEN) from None
    return subscriber


# Ending

ENDS = {
    Kind.LEFT: (State.UNSUBSCRIBED, {State.PENDING, State.ACTIVE, State.BOUNCED}),
    Kind.BOUNCED: (State.BOUNCED, {State.PENDING, State.ACTIVE}),
    Kind.COMPLAINED: (State.COMPLAINED, {State.PENDING, State.ACTIVE, State.BOUNCED, State.UNSUBSCRIBED}),
}


@transaction.atomic
def end(subscriber, kind, way, origin="", detail="", at=None, campaign=None):
    """End a subscription as left, bounced or complained (`kind`). A stronger end is never undone by a weaker one,
    and doing it again changes nothing. Returns whether it did."""
    target, sources = ENDS[kind]
    row = Subscriber.objects.select_for_update().get(pk=subscriber.pk)
    if row.state not in sources:
        return False
    row.state, row.confirmation_round, row.ended_at = target, row.confirmation_round + 1, at or timezone.now()
    row.new_email = ""
    row.save(update_fields=["state", "confirmation_round", "ended_at", "new_email"])
    _record(row, kind, way, origin, detail=detail[:250], campaign=campaign, **({"at": at} if at else {}))
    goodbyes.note(goodbyes.LEFT, row.email)
    if kind == Kind.COMPLAINED:
        Suppression.add(row.email, Suppression.Reason.COMPLAINED)
    return True


def leave(subscriber, way, origin="", campaign=None):
    """End a subscription at once; doing it again changes nothing. `campaign` is the number of the one that led to it."""
    return end(subscriber, Kind.LEFT, way, origin, campaign=campaign)


def _record(subscriber, kind, way, origin="", **fields):
    ConsentEvent.objects.create(
        **{
            "subscriber": subscriber,
            "kind": kind,
            "way": way,
            "language": subscriber.language,
            "origin": origin,
            **fields,
        }
    )
