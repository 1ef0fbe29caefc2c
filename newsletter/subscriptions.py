"""Joining, confirming, changing and leaving: every change of a subscription goes through here and leaves its consent event."""

import logging
import time
from datetime import timedelta

from core.leases import claim
from core.markup import absolute
from core.models import Topic, default_language
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _

from . import tokens
from .errors import is_permanent
from .models import ConsentEvent, SignUpRequest, Subscriber, Suppression
from .rendering import render_mail

logger = logging.getLogger(__name__)
State, Kind, Way = Subscriber.State, ConsentEvent.Kind, ConsentEvent.Way
CONFIRMATION_PAUSE = timedelta(hours=1)  # between two confirmation mails to one mailbox
REQUEST_LEASE_SECONDS = 60
MAX_ATTEMPTS = 10


class Refusal(Exception):
    """A link that cannot do what it was made for, with a message for the reader."""

    def __init__(self, title, message):
        super().__init__(message)
        self.title, self.message = title, message


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


def manage_url(subscriber, view="leave"):
    """The https address of the page to leave (or of another view that takes the same token), in the subscriber's language."""
    with override(subscriber.language):
        return absolute(reverse(f"newsletter_{view}", args=[subscriber.manage_token]))


def process_requests(limit=20):
    """Turn sign-ups that wait into subscribers and confirmation mails. A request is kept until its mail was handed over."""
    requests = claim(SignUpRequest.objects.all(), limit, seconds=REQUEST_LEASE_SECONDS)
    for request in requests:
        try:
            _process(request)
        except Exception as error:
            # Kept: its lease runs out and it is tried again, with a growing pause.
            logger.warning("Sign-up %s could not be answered: %s", request.pk, type(error).__name__)
            if not (is_permanent(error) or request.attempts >= MAX_ATTEMPTS):
                pause = timedelta(seconds=REQUEST_LEASE_SECONDS * 2**request.attempts)
                SignUpRequest.objects.filter(pk=request.pk).update(lease_until=timezone.now() + pause)
                continue
        request.delete()
    return len(requests)


def _process(request):
    """Register what a SignUpRequest asks and mail the answer; no mail to suppressed addresses, nor twice within an hour."""
    if Suppression.covers([request.email]):
        return
    with transaction.atomic():
        subscriber, _created = Subscriber.objects.select_for_update().get_or_create(
            email=request.email, defaults={"language": request.language}
        )
        is_active = subscriber.state == State.ACTIVE
        if not is_active:
            _ask(subscriber, request)
    last = subscriber.confirmation_sent_at
    if last and timezone.now() - last < CONFIRMATION_PAUSE:
        return
    _mail_known(subscriber) if is_active else _mail_confirmation(subscriber)
    Subscriber.objects.filter(pk=subscriber.pk).update(confirmation_sent_at=timezone.now())


def _ask(subscriber, request):
    subscriber.state = State.PENDING
    subscriber.name, subscriber.language = request.name, request.language
    subscriber.save()
    subscriber.topics.set(Topic.objects.filter(pk__in=request.topics, **default_language()))
    ConsentEvent.objects.create(
        subscriber=subscriber,
        kind=Kind.ASKED,
        way=Way.FORM,
        at=request.created_at,
        language=request.language,
        wording=request.wording,
        wording_version=request.wording_version,
        origin=request.origin,
    )


def _mail_confirmation(subscriber):
    """The mail with the link that confirms. It carries nothing that the visitor typed."""
    with override(subscriber.language):
        url = absolute(reverse("newsletter_confirm", args=[tokens.make(tokens.CONFIRM, subscriber)]))
        _send(subscriber, "confirm", gettext("One step left: confirm your subscription"), {"url": url})


def _mail_known(subscriber):
    """To someone who joins a second time: you are in already, and here you change what you get."""
    with override(subscriber.language):
        context = {"url": manage_url(subscriber, "preferences"), "leave_url": manage_url(subscriber)}
        _send(subscriber, "known", gettext("You already receive the newsletter"), context)


def _send(subscriber, name, subject, context):
    html, text = render_mail(name, {**context, "subject": subject}, subscriber.language)
    message = EmailMultiAlternatives(subject, text, to=[subscriber.email], headers={"Auto-Submitted": "auto-generated"})
    message.attach_alternative(html, "text/html")
    message.send()


def subscriber_of(purpose, token):
    """The (Subscriber, Token) that a link belongs to. Raises Refusal."""
    try:
        found = tokens.read(purpose, token)
        return Subscriber.objects.get(uuid=found.subscriber), found
    except tokens.BadToken:
        raise Refusal(*ALTERED) from None
    except Subscriber.DoesNotExist:
        raise Refusal(*OUTDATED) from None


def check_confirmation(token):
    """The Subscriber whom `token` may confirm now. Raises Refusal."""
    subscriber, found = subscriber_of(tokens.CONFIRM, token)
    if subscriber.state == State.ACTIVE:
        raise Refusal(*USED)
    if subscriber.state != State.PENDING or found.round != subscriber.confirmation_round:
        raise Refusal(*OUTDATED)
    if time.time() - found.made_at > settings.NEWSLETTER_CONFIRM_DAYS * 24 * 3600:
        raise Refusal(*EXPIRED)
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


@transaction.atomic
def leave(subscriber, way, origin=""):
    """End a subscription at once; doing it again changes nothing."""
    row = Subscriber.objects.select_for_update().get(pk=subscriber.pk)
    if row.state in {State.PENDING, State.ACTIVE}:
        row.state, row.confirmation_round = State.UNSUBSCRIBED, row.confirmation_round + 1
        row.save(update_fields=["state", "confirmation_round"])
        _record(row, Kind.LEFT, way, origin)


@transaction.atomic
def change(form, origin=""):
    """Save a valid PreferencesForm."""
    subscriber = form.save()
    _record(subscriber, Kind.CHANGED, Way.PREFERENCES, origin)


def _record(subscriber, kind, way, origin):
    ConsentEvent.objects.create(subscriber=subscriber, kind=kind, way=way, language=subscriber.language, origin=origin)
