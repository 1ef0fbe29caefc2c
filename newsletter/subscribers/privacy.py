"""The places where the newsletter stores personal data, for export and erasure; after an erasure only a keyed hash is
left, which prevents further mail."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from core.models import Topic
from django.db import transaction
from django.db.models import Q, QuerySet
from django.dispatch import receiver
from privacy import erasure_log
from privacy.places import CODES, PUBLISHED, REDACTED, log_by_id
from privacy.registry import Place, Texts, declare, register
from redaction.text import AddressPattern

from newsletter.feedback import bounce_mailbox, incoming
from newsletter.imports import runner
from newsletter.models import ConsentEvent, Delivery, ProviderEvent, SignUpRequest, Subscriber, Suppression
from newsletter.subscribers import subscriptions, triggers

State = Subscriber.State


def _moment(value: datetime | None) -> str | None:
    return value.isoformat(timespec="seconds") if value else None


class Suppressed(Place):
    """The suppression list. Erased first, so that it waits for transactions that are writing the subscriber."""

    name, where, is_kept = "suppression", "`newsletter_suppression`", True
    forgets = "stays: a keyed hash, which tells nobody whose it was and keeps the promise never to write again"
    columns = {"newsletter.Suppression": ["address_hash"]}

    def export(self, pattern: AddressPattern) -> list[dict[str, Any]]:
        return [{"reason": row.reason, "since": _moment(row.created_at)} for row in Suppression.of(pattern.email)]

    def forget(self, pattern: AddressPattern) -> int:
        # Locked first, as confirm_new_address does: it holds this row while it waits for the suppressions.
        list(Subscriber.objects.select_for_update().filter(new_email=pattern.email).order_by("pk"))
        Suppression.add(pattern.email, Suppression.Reason.ERASED)
        return 0


class SignUps(Place):
    """Waiting sign-ups and address changes."""

    name, where, forgets = "sign_ups", "`newsletter_signuprequest`", "deleted"
    columns = {
        "newsletter.SignUpRequest": [
            "email",
            "name",
            "language",
            "country",
            "topics",
            "wording",
            "wording_version",
            "origin",
        ]
    }

    def export(self, pattern: AddressPattern) -> list[dict[str, Any]]:
        rows = SignUpRequest.objects.filter(email=pattern.email)
        return [{"name": row.name, "language": row.language, "sent": _moment(row.created_at)} for row in rows]

    def forget(self, pattern: AddressPattern) -> int:
        return SignUpRequest.objects.filter(email=pattern.email).delete()[0]

    def held(self) -> Iterable[str]:
        return SignUpRequest.objects.values_list("email", flat=True)


class ProviderMessages(Place):
    """Provider events, found by the mail and by the recipient."""

    name, where = "provider_messages", "`newsletter_providerevent`"
    forgets = "recipient, words and the provider's number are emptied; kind and time stay. Words never hold an address"
    columns = {"newsletter.ProviderEvent": ["recipient", "description", "provider_id", "reason", "delivery_hint"]}

    def _rows(self, pattern: AddressPattern) -> QuerySet[ProviderEvent]:
        return ProviderEvent.objects.filter(
            Q(pk__in=ProviderEvent.objects.filter(recipient=pattern.email).values("pk"))
            | Q(delivery__in=Delivery.objects.filter(subscriber__email=pattern.email).values("pk"))
        )

    def export(self, pattern: AddressPattern) -> list[dict[str, Any]]:
        rows = self._rows(pattern).exclude(recipient="", description="").order_by("pk")
        return [{"kind": row.kind, "when": _moment(row.happened_at), "words": row.description} for row in rows]

    def forget(self, pattern: AddressPattern) -> int:
        return self._rows(pattern).update(recipient="", description="", provider_id="", reason="")

    def held(self) -> Iterable[str]:
        return ProviderEvent.objects.exclude(recipient="").values_list("recipient", flat=True).distinct().iterator()


class IncomingReports(Place):
    """Waiting webhook calls, and unreadable items of calls and bounces."""

    name, where = "incoming_reports", "`newsletter_incomingreport`"
    forgets = "what cannot be read is deleted; in what waits to be read, within seconds, the address is blanked"
    columns = {"newsletter.IncomingReport": ["body", "headers"]}

    def export(self, pattern: AddressPattern) -> list[dict[str, Any]]:
        return incoming.mentions(pattern)

    def forget(self, pattern: AddressPattern) -> int:
        return incoming.forget(pattern)

    def held(self) -> Iterable[str]:
        return incoming.held()


class Mails(Place):
    """The deliveries of a subscriber."""

    name, where = "mails", "`newsletter_delivery`"
    forgets = "the mail belongs to nobody any more; its words and the provider's number are emptied. Words never hold an address"
    columns = {"newsletter.Delivery": ["error", "provider_id", "language", "variant"]}

    def _rows(self, pattern: AddressPattern) -> QuerySet[Delivery]:
        return Delivery.objects.filter(subscriber__email=pattern.email)

    def export(self, pattern: AddressPattern) -> list[dict[str, Any]]:
        rows = self._rows(pattern).select_related("campaign__issue").order_by("pk")
        return [
            {"edition": row.campaign.issue.title, "state": row.state, "sent": _moment(row.sent_at), "words": row.error}
            for row in rows
        ]

    def forget(self, pattern: AddressPattern) -> int:
        return self._rows(pattern).update(error="", provider_id="", subscriber=None)


class Subscription(Place):
    """The subscription and its history."""

    name, where = "subscription", "`newsletter_subscriber` with its topics and index, `newsletter_consentevent`"
    forgets = "deleted, with the consent events"
    columns = {
        "newsletter.Subscriber": ["email", "name", "language", "country"],
        "newsletter.ConsentEvent": ["language", "wording", "wording_version", "origin", "detail", "form_data"],
    }

    def export(self, pattern: AddressPattern) -> list[dict[str, Any]]:
        return [_subscriber_data(row) for row in Subscriber.objects.filter(email=pattern.email)]

    def forget(self, pattern: AddressPattern) -> int:
        number = Subscriber.objects.select_for_update().filter(email=pattern.email).delete_with_consent()
        if number:
            triggers.optimise_search_index()
        return number

    def held(self) -> Iterable[str]:
        return Subscriber.objects.values_list("email", flat=True).iterator(10000)


def _subscriber_data(subscriber: Subscriber) -> dict[str, Any]:
    return {
        "email": subscriber.email,
        "name": subscriber.name,
        "language": subscriber.language,
        "country": subscriber.country,
        "topics": [topic.name for topic in subscriber.topics.all()],
        "state": subscriber.state,
        "source": subscriber.source,
        "new_email": subscriber.new_email,
        "asked": _moment(subscriber.created_at),
        "confirmed": _moment(subscriber.confirmed_at),
        "ended": _moment(subscriber.ended_at),
        "last_click": _moment(subscriber.engaged_at),
        "consent": [
            {
                "what": event.kind,
                "when": _moment(event.happened_at),
                "how": event.method,
                "language": event.language,
                "wording": event.wording,
                "wording_version": event.wording_version,
                "network": event.origin,
                "name": event.form_data.get("name", ""),
                "topics": [topic.name for topic in Topic.objects.filter(pk__in=event.form_data.get("topics", []))],
                "detail": event.detail,
            }
            for event in subscriber.consent_events.all()
        ],
    }


class RequestedAddresses(Place):
    """New addresses that subscribers asked for and have not confirmed."""

    name, where, forgets = "wished_address", "`newsletter_subscriber.new_email` of somebody else", "emptied"
    columns = {"newsletter.Subscriber": ["new_email"]}

    def export(self, pattern: AddressPattern) -> list[dict[str, Any]]:
        number = Subscriber.objects.filter(new_email=pattern.email).count()
        return [{"asked": "somebody asked for a subscription to move to this address"}] * number

    def forget(self, pattern: AddressPattern) -> int:
        return Subscriber.objects.filter(new_email=pattern.email).update(new_email="")

    def held(self) -> Iterable[str]:
        return Subscriber.objects.exclude(new_email="").values_list("new_email", flat=True)


class Imports(Place):
    """Subscriber imports: the file, until its import ends, and the refused lines."""

    name, where = "imports", "`newsletter_subscriberimport`, `newsletter_importline`, `VAR_DIR/private/imports` or S3"
    forgets = (
        "the person's lines are emptied, also in a file that is still needed; other people's lines stay as they are"
    )
    columns = {
        "newsletter.SubscriberImport": ["file", "file_name", "headings", "sample", "provenance", "problem"],
        "newsletter.ImportLine": ["cells", "reason"],
    }

    def export(self, pattern: AddressPattern) -> list[dict[str, Any]]:
        return runner.mentions(pattern)

    def forget(self, pattern: AddressPattern) -> int:
        return runner.forget(pattern)

    def held(self) -> Iterable[str]:
        return runner.held()


class BounceMailbox(Place):
    """Bounce messages left in the mailbox for a person."""

    name, where, forgets = (
        "bounce_mailbox",
        "the mailbox `BOUNCE_IMAP_USER` (if set)",
        "messages that name it are deleted",
    )
    is_outside = True

    def export(self, pattern: AddressPattern) -> list[dict[str, Any]]:
        return [{"message": int(number)} for _mailbox, number in bounce_mailbox.mentions(pattern)]

    def forget(self, pattern: AddressPattern) -> int:
        return bounce_mailbox.forget(pattern)


register(
    Suppressed(),
    SignUps(),
    ProviderMessages(),
    IncomingReports(),
    Mails(),
    Subscription(),
    RequestedAddresses(),
    Imports(),
    Texts(
        "names_by_staff",
        "`newsletter_segment`, `newsletter_subscriberexport`",
        {"newsletter.Segment": ["name"], "newsletter.SubscriberExport": ["choice"]},
    ),
    BounceMailbox(),
)
log_by_id(Subscriber, ConsentEvent, SignUpRequest, Delivery)
declare(
    PUBLISHED,
    {
        "newsletter.NewsletterPage": ["introduction"],
        "newsletter.IssuePage": ["subject", "subject_b", "preheader", "body"],
        "newsletter.IssueTemplate": ["name", "subject", "preheader", "body"],
        "newsletter.CampaignContent": ["language", "variant", "subject", "preheader", "html", "text"],
        "newsletter.CampaignLink": ["url"],
    },
)
declare(
    CODES,
    {
        "newsletter.SendAllowance": ["name", "recent"],
        "newsletter.LeftOutList": ["block_id"],
        "newsletter.ImportLine": ["outcome"],
        "newsletter.IncomingReport": ["source"],
        "newsletter.ProviderEvent": ["provider", "kind"],
        "newsletter.Segment": ["conditions"],  # languages, countries, dates, topics, editions
        "newsletter.SubscriberImport": [
            "encoding",
            "delimiter",
            "origin",
            "mapping",
            "values",
            "meanings",
            "dates",
            "date_order",
            "counts",
            "editor_language",
        ],
        "newsletter.SubscriberTally": ["state", "language", "country", "source"],
    },
)
declare(REDACTED, {"newsletter.Campaign": ["problem_words"], "newsletter.IncomingReport": ["problem"]})
declare(
    "a hash over the provider's own number or over all that was said, which tells repetitions apart",
    {"newsletter.ProviderEvent": ["fingerprint"], "newsletter.IncomingReport": ["fingerprint"]},
)


@receiver(subscriptions.address_left)
def erase_former_address(email: str, **kwargs: object) -> None:
    """Erase the address that a subscriber moved away from, where an erasure of the new one would not find it."""
    pattern = AddressPattern(email)
    with transaction.atomic():
        for place in (ProviderMessages(), IncomingReports(), Imports()):
            place.forget(pattern)


@receiver(erasure_log.replay_entry)
def unsubscribe_restored(kind: str, email: str, **kwargs: object) -> None:
    """Unsubscribe an address that a restored backup brought back."""
    if kind == erasure_log.UNSUBSCRIBED:
        SignUpRequest.objects.filter(email=email).delete()
        for subscriber in Subscriber.objects.filter(email=email):
            subscriptions.leave(subscriber, ConsentEvent.Method.RESTORED)
