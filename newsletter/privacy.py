"""What the newsletter knows of an address, and its erasure: only a keyed hash is left, so that it is never mailed again."""

from core import goodbyes, privacy
from core.models import Topic
from django.dispatch import receiver

from . import subscriptions
from .models import ConsentEvent, Delivery, ProviderEvent, SignUpRequest, Subscriber, Suppression

State = Subscriber.State


def _moment(value):
    return value.isoformat(timespec="seconds") if value else None


@receiver(privacy.asked_for)
def data_of(email, **kwargs):
    """The subscription, its whole story and the mails sent, for the one whom they are about."""
    subscriber = Subscriber.objects.filter(email=email).first()
    if subscriber is None:
        return {}
    return {
        "newsletter": {
            "email": subscriber.email,
            "name": subscriber.name,
            "language": subscriber.language,
            "country": subscriber.country,
            "topics": [topic.name for topic in subscriber.topics.all()],
            "state": subscriber.state,
            "source": subscriber.source,
            "asked": _moment(subscriber.created_at),
            "confirmed": _moment(subscriber.confirmed_at),
            "ended": _moment(subscriber.ended_at),
            "last_click": _moment(subscriber.engaged_at),
            "consent": [
                {
                    "what": event.kind,
                    "when": _moment(event.at),
                    "how": event.way,
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
            "mails": [
                {"edition": delivery.campaign.issue.title, "state": delivery.state, "sent": _moment(delivery.sent_at)}
                for delivery in subscriber.deliveries.select_related("campaign__issue").order_by("pk")
            ],
        }
    }


@receiver(privacy.erased)
def erase(email, **kwargs):
    """Delete the subscription, its story and the words of providers about it; suppress the address."""
    Suppression.add(email, Suppression.Reason.ERASED)  # first: it waits for whoever is about to write a subscriber
    rows = SignUpRequest.objects.filter(email=email).delete()[0]
    rows += ProviderEvent.objects.filter(recipient=email).update(recipient="", description="")
    for subscriber in Subscriber.objects.select_for_update().filter(email=email):
        Delivery.objects.filter(subscriber=subscriber).update(error="")
        remove(Subscriber.objects.filter(pk=subscriber.pk))
        rows += 1
    return rows


@receiver(goodbyes.held)
def held(**kwargs):
    """The addresses of subscribers, and of those who are about to become one."""
    return {
        *Subscriber.objects.values_list("email", flat=True).iterator(10000),
        *SignUpRequest.objects.values_list("email", flat=True),
    }


@receiver(goodbyes.again)
def leave_again(kind, email, **kwargs):
    """End the subscription that a restored backup brought back."""
    if kind == goodbyes.LEFT:
        SignUpRequest.objects.filter(email=email).delete()
        for subscriber in Subscriber.objects.filter(email=email):
            subscriptions.leave(subscriber, ConsentEvent.Way.RESTORED)


def remove(subscribers):
    """Delete a Subscriber queryset with their consent events: marked as being erased first, which the triggers ask for."""
    keys = list(subscribers.values_list("pk", flat=True))
    chosen = Subscriber.objects.filter(pk__in=keys)
    chosen.update(state=State.ERASED)
    chosen.delete()
    return len(keys)
