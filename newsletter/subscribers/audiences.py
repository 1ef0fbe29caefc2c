"""Audiences: the subscribers who get a newsletter, and their number."""

from collections.abc import Collection

from django.conf import settings
from django.db.models import Case, CharField, Count, F, Q, Sum, Value, When
from wagtail.blocks import StreamValue

from newsletter.models import Segment, Subscriber, SubscriberTally
from newsletter.models.subscribers import SubscriberQuerySet
from newsletter.subscribers.segments import segment_query

TALLIED = {"language", "country", "source"}  # the conditions that the tally can answer


def audience(segment: Segment | None = None) -> SubscriberQuerySet:
    """Return the active subscribers, or those of them in a Segment."""
    people = Subscriber.objects.filter(state=Subscriber.State.ACTIVE)
    return people.filter(segment_query(segment.match, segment.conditions)) if segment else people


def _is_tallied(conditions: StreamValue) -> bool:
    """Return whether the tally can answer all conditions."""
    return all(
        _is_tallied(child.value["conditions"]) if child.block_type == "group" else child.block_type in TALLIED
        for child in conditions
    )


def size(segment: Segment | None = None) -> int:
    """Return the size of the audience; exact, and from the tally where possible, so that it takes constant time."""
    return sum(size_by_language(segment).values())


def size_by_language(segment: Segment | None = None) -> dict[str, int]:
    """Return the size of the audience by language: {language: number}."""
    if segment and not _is_tallied(segment.conditions):
        return dict(audience(segment).values_list("language").annotate(n=Count("pk")).order_by())
    chosen = segment_query(segment.match, segment.conditions) if segment else Q()
    tally = SubscriberTally.objects.filter(chosen, state=Subscriber.State.ACTIVE)
    rows = tally.values_list("language").annotate(n=Sum("number")).order_by()
    return {language: number for language, number in rows if number}


def fallback_language(languages: Collection[str]) -> str:
    """Return the language for subscribers whose own is not in `languages`: the default language if it is."""
    return settings.LANGUAGE_CODE if settings.LANGUAGE_CODE in languages else next(iter(languages))


def mail_language(languages: Collection[str]) -> Case:
    """SQL: a subscriber's own language if the mail exists in it, else the fallback."""
    return Case(
        When(language__in=list(languages), then=F("language")),
        default=Value(fallback_language(languages)),
        output_field=CharField(),
    )


def size_by_mail_language(languages: Collection[str], segment: Segment | None = None) -> dict[str, int]:
    """Return {language of the mail: number of people} for an edition published in `languages`."""
    if not languages:
        return {}
    numbers = dict.fromkeys(languages, 0)
    for language, number in size_by_language(segment).items():
        numbers[language if language in numbers else fallback_language(languages)] += number
    return numbers
