"""Joining, confirming, changing and leaving: every change of a subscription goes through here and leaves its consent event."""

import json
import logging
import time
from datetime import timedelta
from functools import partial

from core import rate_limits
from core.html import absolute
from core.models import Topic, default_language
from django.conf import settings
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _
from jobs.leases import claim
from privacy import erasure_log, registry

from newsletter.delivery import outgoing, providers
from newsletter.delivery.errors import ErrorAction
from newsletter.editions.rendering import render_mail
from newsletter.models import ConsentEvent, SignUpRequest, Subscriber, Suppression
from newsletter.subscribers import email_addresses, tokens

logger = logging.getLogger(__name__)
State, Kind, Way = Subscriber.State, ConsentEvent.Kind, ConsentEvent.Way
# Mails that a stranger can cause, to one mailbox from whichever source: pairs of (number, period).
MAILBOX_LIMITS = [(1, timedelta(hours=1)), (3, timedelta(days=1))]
REQUEST_LEASE_SECONDS = 60
MAX_ATTEMPTS = 10
MOST_UNCLEAR_ATTEMPTS = 2  # a mail that may have gone is sent once more at most


class LinkProblem(Exception):
    """A link that cannot do what it was made for, with a message for the reader, who may be offered to join again."""

    def __init__(self, title, message, may_join=False):
        super().__init__(message)
        self.title, self.message, self.may_join = title, message, may_join


class LinkGone(LinkProblem):
    """A genuine link whose subscription no longer exists."""


ALTERED = (
    _("This link does not work"),
    _("It may have been cut in two by the mail program. Please open it again from the mail, or join anew."),
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
        meaning = providers.current().verdict(error).meaning
        most = MOST_UNCLEAR_ATTEMPTS if meaning == ErrorAction.UNCLEAR else MAX_ATTEMPTS
        # What is refused for good is not tried again; a wrong sender or key is mended by somebody, and the mail goes out then.
        if meaning != ErrorAction.NEVER and request.attempts < most:
            pause = timedelta(seconds=REQUEST_LEASE_SECONDS * 2**request.attempts)
            SignUpRequest.objects.filter(pk=request.pk).update(lease_until=timezone.now() + pause)
            return
    request.delete()


def _process(request):
    """Register what a SignUpRequest asks and mail the answer: none to suppressed addresses, few to any mailbox."""
    if Suppression.covers([request.email]):
        return
    if request.attempts <= 1 and not rate_limits.hit(
        f"mailbox {email_addresses.mailbox(request.email)}", *MAILBOX_LIMITS
    ):
        return
    try:
        if request.changes_id:
            _process_change(request)
            return
        subscriber, asked = _ask(request)
    except outgoing.Suppressed:
        return
    if asked:
        _mail_confirmation(subscriber, asked)
    else:
        _mail_known(subscriber)


@transaction.atomic
def _ask(request):
    """The Subscriber of a request, and the ConsentEvent that says what was asked for; None if the subscription is active.

    A state that ended stays as it is, and so do name, language and topics: what is asked for counts once it is confirmed.
    Raises mailing.Suppressed.
    """
    subscriber, _created = Subscriber.objects.select_for_update().get_or_create(
        email=request.email,
        defaults={"language": request.language, "is_disposable": email_addresses.is_disposable(request.email)},
    )
    if subscriber.state == State.ACTIVE:
        return subscriber, None
    asked, _created = ConsentEvent.objects.get_or_create(
        subscriber=subscriber,
        kind=Kind.ASKED,
        at=request.created_at,
        defaults={
            "way": Way.FORM,
            "origin": request.origin,
            "language": request.language,
            "wording": request.wording,
            "wording_version": request.wording_version,
            "form_data": {"name": request.name, "topics": request.topics},
        },
    )
    if Suppression.covers_until_commit([request.email]):
        raise outgoing.Suppressed
    return subscriber, asked


def _mail_confirmation(subscriber, asked):
    """The mail with the link that confirms what `asked` says. It carries nothing that the visitor typed."""
    token = tokens.make(tokens.CONFIRM, subscriber, _consent(subscriber, asked))
    with override(asked.language):
        url = absolute(reverse("newsletter_confirm", args=[token]))
        subject = gettext("One step left: confirm your subscription")
        _send(subscriber.email, "confirm", subject, {"url": url}, asked.language)


def _consent(subscriber, asked):
    """What a link to confirm is about, as text: the address and all that was asked for."""
    return json.dumps(
        [subscriber.email, asked.language, asked.wording, asked.wording_version, asked.form_data], sort_keys=True
    )


def _mail_known(subscriber):
    """To someone who joins a second time: you are in already, and here you change what you get."""
    with override(subscriber.language):
        context = {"url": manage_url(subscriber, "preferences"), "leave_url": manage_url(subscriber)}
        subject = gettext("You already receive the newsletter")
        _send(subscriber.email, "known", subject, context, subscriber.language)


def _send(email, name, subject, context, language):
    html, text = render_mail(name, {**context, "subject": subject}, language)
    headers = {"Auto-Submitted": "auto-generated"}
    outgoing.send(outgoing.message(subject, text, html, email, headers=headers))


# Links


def subscriber_of(purpose, token, for_update=False):
    """The (Subscriber, Token) that a link belongs to; with `for_update`, locked until the transaction ends. Raises Refusal."""
    rows = Subscriber.objects.select_for_update() if for_update else Subscriber.objects
    try:
        found = tokens.read(purpose, token)
        return rows.get(uuid=found.subscriber), found
    except tokens.BadToken:
        raise LinkProblem(*ALTERED) from None
    except Subscriber.DoesNotExist:
        raise LinkGone(*OUTDATED) from None


def own_subscriber(token, for_update=False):
    """The Subscriber whose data a link to manage may show: one whose mail goes where the link was mailed. Raises Refusal."""
    subscriber, found = subscriber_of(tokens.MANAGE, token, for_update)
    if not found.is_about(subscriber.email):
        raise LinkProblem(*MOVED)
    return subscriber


def _refuse_if_expired(found):
    if time.time() - found.made_at > settings.NEWSLETTER_CONFIRM_DAYS * 24 * 3600:
        raise LinkProblem(*EXPIRED)


# Confirming


def check_confirmation(token, for_update=False):
    """The (Subscriber, ConsentEvent) that `token` may confirm now: who, and what was asked for. Raises Refusal."""
    subscriber, found = subscriber_of(tokens.CONFIRM, token, for_update)
    if subscriber.state == State.ACTIVE:
        raise LinkProblem(*USED)
    events = subscriber.consent_events.filter(kind=Kind.ASKED).order_by("-at")
    asked = next((event for event in events if found.is_about(_consent(subscriber, event))), None)
    if asked is None or found.round != subscriber.confirmation_round:
        raise LinkProblem(*OUTDATED)
    _refuse_if_expired(found)
    if Suppression.covers([subscriber.email]):
        raise LinkProblem(*SUPPRESSED)
    return subscriber, asked


@transaction.atomic
def confirm(token, origin=""):
    """Make the subscription active, with what was asked for. Raises Refusal, also for the second of two simultaneous clicks."""
    subscriber, asked = check_confirmation(token, for_update=True)
    subscriber.state, subscriber.confirmed_at, subscriber.ended_at = State.ACTIVE, timezone.now(), None
    subscriber.name, subscriber.language = asked.form_data["name"], asked.language
    subscriber.confirmation_round += 1
    subscriber.save(update_fields=["state", "confirmed_at", "ended_at", "name", "language", "confirmation_round"])
    subscriber.topics.set(Topic.objects.filter(pk__in=asked.form_data["topics"], **default_language()))
    _record(
        subscriber,
        Kind.CONFIRMED,
        Way.MAIL,
        origin,
        wording=asked.wording,
        wording_version=asked.wording_version,
        form_data=asked.form_data,
    )
    return subscriber


# Changing


def _own_active_row(subscriber):
    """The locked row of a Subscriber who was active when read. Raises Refusal if that, or the address, changed meanwhile."""
    rows = Subscriber.objects.select_for_update()
    row = rows.filter(pk=subscriber.pk, state=State.ACTIVE, email=subscriber.email).first()
    if row is None:
        raise LinkProblem(*NOTHING_SAVED)
    return row


@transaction.atomic
def change(form, origin=""):
    """Save a valid PreferencesForm; the consent event says what changed, not the values.

    Raises Refusal if the subscription ended, or moved to another address, while the form was open.
    """
    _own_active_row(form.instance)
    subscriber = form.save()
    if form.changed_data:
        _record(subscriber, Kind.CHANGED, Way.PREFERENCES, origin, detail=", ".join(form.changed_data))


@transaction.atomic
def ask_for_new_address(subscriber, email, origin=""):
    """Keep the wish for a new address. It counts once it is confirmed from there; a worker sends the mail. Raises Refusal."""
    row = _own_active_row(subscriber)
    SignUpRequest.objects.create(email=email, language=row.language, changes=row, origin=origin)


def _process_change(request):
    """Mail the link that confirms a new address to it; if it has an active subscription of its own, it is told so instead.

    Raises mailing.Suppressed.
    """
    with transaction.atomic():  # which Suppressed undoes
        subscriber = Subscriber.objects.select_for_update().filter(pk=request.changes_id, state=State.ACTIVE).first()
        if subscriber is None:
            return  # left meanwhile: there is nothing to move
        other = Subscriber.objects.filter(email=request.email, state=State.ACTIVE).first()
        if other is None:
            subscriber.new_email = request.email
            subscriber.save(update_fields=["new_email"])
        if Suppression.covers_until_commit([request.email]):
            raise outgoing.Suppressed
    if other is None:
        _mail_new_address(subscriber)
    elif other.pk != subscriber.pk:
        _mail_known(other)


def _mail_new_address(subscriber):
    token = tokens.make(tokens.ADDRESS, subscriber, subscriber.new_email)
    with override(subscriber.language):
        url = absolute(reverse("newsletter_new_address", args=[token]))
        subject = gettext("Confirm your new address")
        _send(subscriber.new_email, "new_address", subject, {"url": url}, subscriber.language)


def check_new_address(token, for_update=False):
    """The Subscriber whose new address `token` may confirm now. Raises Refusal.

    Only the address that was asked for last is confirmed, and only by the link that was mailed there.
    """
    subscriber, found = subscriber_of(tokens.ADDRESS, token, for_update)
    is_outdated = subscriber.state != State.ACTIVE or found.round != subscriber.confirmation_round
    if is_outdated or not subscriber.new_email or not found.is_about(subscriber.new_email):
        raise LinkProblem(*OUTDATED)
    _refuse_if_expired(found)
    if Suppression.covers([subscriber.new_email]):
        raise LinkProblem(*SUPPRESSED)
    return subscriber


def has_ended_at(email):
    """Whether an address had a subscription that ended."""
    return Subscriber.objects.filter(email=email).exclude(state__in=[State.PENDING, State.ACTIVE]).exists()


def confirm_new_address(token, origin=""):
    """Take the new address in the old one's place; links to confirm that went to the old one end. Raises Refusal.

    What the new address had of its own (a subscription that ended or was never confirmed) gives way to this one. No import
    takes the old address for a new subscriber.
    """
    from newsletter.subscribers.privacy import forget_former  # which imports this module

    try:
        with transaction.atomic():
            subscriber = check_new_address(token, for_update=True)
            old, detail = subscriber.email, _give_way(subscriber.new_email)
            subscriber.email, subscriber.new_email = subscriber.new_email, ""
            subscriber.is_disposable = email_addresses.is_disposable(subscriber.email)
            subscriber.confirmation_round += 1
            subscriber.save(update_fields=["email", "new_email", "is_disposable", "confirmation_round"])
            _record(subscriber, Kind.CHANGED, Way.MAIL, origin, detail=detail)
            if Suppression.covers_until_commit([subscriber.email]):
                raise LinkProblem(*SUPPRESSED)
            Suppression.add(old, Suppression.Reason.ENDED)
            transaction.on_commit(partial(forget_former, old))
    except IntegrityError:
        raise LinkProblem(*TAKEN) from None
    return subscriber


def _give_way(email):
    """Delete the subscription of an address that another one moves to; the words for the consent event. Raises Refusal."""
    from newsletter.subscribers.privacy import remove  # which imports this module

    former = Subscriber.objects.select_for_update().filter(email=email).first()
    if former is None:
        return "email"
    if former.state == State.ACTIVE:
        raise LinkProblem(*TAKEN)
    former.deliveries.update(error="")
    remove(Subscriber.objects.filter(pk=former.pk))
    return f"email (there: {former.state})"


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
    row = Subscriber.objects.select_for_update().filter(pk=subscriber.pk).first()
    if row is None or row.state not in sources:
        return False
    row.state, row.confirmation_round, row.ended_at = target, row.confirmation_round + 1, at or timezone.now()
    row.new_email = ""
    row.save(update_fields=["state", "confirmation_round", "ended_at", "new_email"])
    _record(row, kind, way, origin, detail=detail[:250], campaign=campaign, **({"at": at} if at else {}))
    erasure_log.record(erasure_log.UNSUBSCRIBED, row.email)
    if kind == Kind.COMPLAINED:
        Suppression.add(row.email, Suppression.Reason.COMPLAINED)
    return True


def leave(subscriber, way, origin="", campaign=None):
    """End a subscription at once; doing it again changes nothing. `campaign` is the number of the one that led to it."""
    return end(subscriber, Kind.LEFT, way, origin, campaign=campaign)


@transaction.atomic
def erase(token):
    """Erase all that is held of the address behind a link to manage. Raises Refusal."""
    registry.erase(own_subscriber(token, for_update=True).email)


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
