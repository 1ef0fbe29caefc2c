"""Who gets a newsletter, and how many they are."""

from django.conf import settings
from django.db.models import Case, CharField, F, Q, Sum, Value, When

from newsletter.models import Subscriber, SubscriberTally
from newsletter.subscribers.segments import query_of

TALLIED = {"language", "country", "source"}  # the conditions that the tally can answer


def audience(segment=None):
    """Everyone who may get a newsletter now, or those of them who are in a Segment."""
    people = Subscriber.objects.filter(state=Subscriber.State.ACTIVE)
    return people.filter(query_of(segment.match, segment.conditions)) if segment else people


def _is_tallied(conditions):
    """Whether each condition is about something that the tally knows."""
    return all(
        _is_tallied(child.value["conditions"]) if child.block_type == "group" else child.block_type in TALLIED
        for child in conditions
    )


def size(segment=None):
    """How many are in the audience; exact, and from the tally wherever it knows, so that a million take no longer than ten."""
    return sum(size_by_language(segment).values())


def size_by_language(segment=None):
    """{language: number} of the audience."""
    if segment and not _is_tallied(segment.conditions):
        from django.db.models import Count

        return dict(audience(segment).values_list("language").annotate(n=Count("pk")).order_by())
    chosen = query_of(segment.match, segment.conditions) if segment else Q()
    tally = SubscriberTally.objects.filter(chosen, state=Subscriber.State.ACTIVE)
    rows = tally.values_list("language").annotate(n=Sum("number")).order_by()
    return {language: number for language, number in rows if number}


def fallback_language(languages):
    """The language in which those get a mail who read in none of `languages`: the default one if it is among them."""
    return settings.LANGUAGE_CODE if settings.LANGUAGE_CODE in languages else next(iter(languages))


def mail_language(languages):
    """SQL: a subscriber's own language if the mail is written in it, else the fallback."""
    return Case(
        When(language__in=list(languages), then=F("language")),
        default=Value(fallback_language(languages)),
        output_field=CharField(),
    )


def size_by_mail_language(languages, segment=None):
    """{language of the mail: number of people}, for an edition that is published in `languages`."""
    if not languages:
        return {}
    numbers = dict.fromkeys(languages, 0)
    for language, number in size_by_language(segment).items():
        numbers[language if language in numbers else fallback_language(languages)] += number
    return numbers
