"""Growth of the list, computed from the consent events."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date

from django.conf import settings
from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import TruncMonth
from django.utils import timezone
from django.utils.functional import Promise

from newsletter.models import ConsentEvent, Subscriber, SubscriberTally
from newsletter.subscribers.audiences import size_by_language

Kind = ConsentEvent.Kind
ENDED = [Kind.LEFT, Kind.BOUNCED, Kind.COMPLAINED]
MONTHS = 12
Counts = defaultdict[tuple[date, str], int]  # {(first day of a month, language): number}


@dataclass
class Month:
    """The figures of a month: subscribers gained and lost, and active ones by language at its end."""

    first: date
    gained: int
    lost: int
    active: dict[str, int]

    @property
    def total(self) -> int:
        """All active subscribers at the end of the month."""
        return sum(self.active.values())


def months(number: int = MONTHS) -> list[Month]:
    """Return the last `number` months, oldest first; past figures are computed backwards from today's."""
    gained, lost = _by_month([Kind.CONFIRMED], number), _by_month(ENDED, number)
    for (month, language), count in _imported_by_month(number).items():
        gained[month, language] += count
    active = dict.fromkeys(dict(settings.LANGUAGES), 0)
    active |= size_by_language()
    found = []
    for first in _first_days(number):
        came = {language: gained[first, language] for language in active}
        went = {language: lost[first, language] for language in active}
        found.append(Month(first, sum(came.values()), sum(went.values()), dict(active)))
        active = {language: max(0, active[language] - came[language] + went[language]) for language in active}
    return found[::-1]


def _first_days(number: int) -> Iterator[date]:
    """Yield the first days of the last months, newest first."""
    day = timezone.localdate().replace(day=1)
    for _month in range(number):
        yield day
        day = day.replace(year=day.year - (day.month == 1), month=(day.month - 2) % 12 + 1)


def _counted(events: QuerySet[ConsentEvent], number: int) -> Counts:
    since = list(_first_days(number))[-1]
    rows = (
        events.filter(happened_at__date__gte=since)
        .annotate(month=TruncMonth("happened_at"))
        .values_list("month", "language")
    )
    found: Counts = defaultdict(int)
    for month, language, count in rows.annotate(n=Count("pk")).order_by():
        found[timezone.localtime(month).date(), language] += count
    return found


def _by_month(kinds: Collection[ConsentEvent.Kind], number: int) -> Counts:
    return _counted(ConsentEvent.objects.filter(kind__in=kinds), number)


def _imported_by_month(number: int) -> Counts:
    """Return the subscribers imported as active by month and language."""
    events = ConsentEvent.objects.filter(kind=Kind.IMPORTED, subscriber__confirmed_at__isnull=False)
    return _counted(events, number)


def sources() -> list[tuple[str | Promise, int]]:
    """Return (source, number of active subscribers), the largest first."""
    rows = SubscriberTally.objects.filter(state=Subscriber.State.ACTIVE).values_list("source").annotate(n=Sum("number"))
    labels = dict(Subscriber.Source.choices)
    return [(labels.get(source, source), number) for source, number in rows.order_by("-n") if number]
