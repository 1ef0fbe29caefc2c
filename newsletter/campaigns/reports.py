"""Campaign figures: progress while it runs, and the report afterwards."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from anymail.signals import EventType
from core.svg_charts import Chart, line_chart
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Trunc
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timesince import timeuntil
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from newsletter.models import Campaign, ConsentEvent, Delivery, ProviderEvent

State = Delivery.State
RATE_SECONDS = 60  # the period over which the rate is measured
COMPARED = 6  # number of earlier editions to compare with


@dataclass
class Progress:
    """A campaign's progress: deliveries by state, (done, total) by language, mails per second, time left (None:
    unknown)."""

    states: Counter[str] = field(default_factory=Counter)
    languages: dict[str, tuple[int, int]] = field(default_factory=dict)
    rate: float = 0
    left: timedelta | None = None

    @property
    def total(self) -> int:
        return sum(self.states.values())

    @property
    def done(self) -> int:
        return self.total - sum(self.states[state] for state in Delivery.OPEN)

    @property
    def percent(self) -> int:
        return 100 * self.done // self.total if self.total else 100

    @property
    def time_left(self) -> str:
        """The remaining time at the current rate, as text; empty if it is unknown."""
        if self.left is None:
            return ""
        now = timezone.now()
        return timeuntil(now + max(self.left, timedelta(minutes=1)), now)


def progress(campaign: Campaign) -> Progress:
    """Return the Progress of a campaign, from one query."""
    now = timezone.now()
    recently = Q(sent_at__gte=now - timedelta(seconds=RATE_SECONDS))
    rows = campaign.deliveries.values_list("language", "state").annotate(
        n=Count("pk"), recent=Count("pk", filter=recently)
    )
    found, sent = Progress(), 0
    for language, state, number, recent in rows.order_by("language"):
        done, total = found.languages.get(language, (0, 0))
        found.languages[language] = (done + (state not in Delivery.OPEN) * number, total + number)
        found.states[state] += number
        sent += recent
    if campaign.state == Campaign.State.SENDING and campaign.started_at:
        passed = min(RATE_SECONDS, max(1, (now - campaign.started_at).total_seconds()))
        found.rate = sent / passed
        if found.rate:
            found.left = timedelta(seconds=(found.total - found.done) / found.rate)
    return found


@dataclass
class Summary:
    """The results of a campaign in numbers of recipients. `has_delivery_reports`: whether the provider reports
    deliveries."""

    campaign: Campaign
    total: int = 0
    sent: int = 0
    delivered: int = 0
    bounced: int = 0
    complained: int = 0
    left: int = 0
    opened: int = 0
    clicked: int = 0
    has_delivery_reports: bool = False

    @property
    def shares(self) -> list[tuple[str, int | None, float | None]]:
        """(name, number, percent of sent mails) of each result after “sent”; None where unknown."""
        known = {
            "delivered": self.has_delivery_reports,
            "bounced": True,
            "complained": True,
            "left": True,
            "opened": self.opened > 0,
            "clicked": self.clicked > 0,
        }
        return [
            (name, getattr(self, name), 100 * getattr(self, name) / self.sent if self.sent else None)
            if is_known
            else (name, None, None)
            for name, is_known in known.items()
        ]


COUNTS = {
    "total": Q(),
    "sent": Q(sent_at__isnull=False),
    "delivered": Q(state__in=[State.DELIVERED, State.COMPLAINED]),
    "bounced": Q(state=State.BOUNCED),
    "complained": Q(state=State.COMPLAINED),
    "opened": Q(opened_at__isnull=False),
    "clicked": Q(clicked_at__isnull=False),
}


def _counted(deliveries: QuerySet[Delivery], *by: str) -> QuerySet[Delivery, dict[str, Any]]:
    """Group deliveries `by` fields, with the figures of COUNTS."""
    return deliveries.values(*by).annotate(**{name: Count("pk", filter=query) for name, query in COUNTS.items()})


def summaries(campaigns: Iterable[Campaign]) -> list[Summary]:
    """Return the Summary of each campaign, in their order."""
    campaigns = list(campaigns)
    found = {campaign.pk: Summary(campaign) for campaign in campaigns}
    for row in _counted(Delivery.objects.filter(campaign__in=found), "campaign").order_by():
        summary = found[row.pop("campaign")]
        for name, number in row.items():
            setattr(summary, name, number)
        summary.has_delivery_reports = summary.delivered > 0
    left = ConsentEvent.objects.filter(campaign__in=found, kind=ConsentEvent.Kind.LEFT).values_list("campaign")
    for number, people in left.annotate(n=Count("pk")).order_by():
        found[number].left = people
    return [found[campaign.pk] for campaign in campaigns]


def compare_with_earlier(campaign: Campaign) -> list[Summary]:
    """Return the Summaries of this campaign and earlier ones, newest first."""
    if not campaign.started_at:
        return []
    before = Campaign.objects.filter(started_at__lt=campaign.started_at).select_related("issue").order_by("-started_at")
    return summaries([campaign, *before[:COMPARED]])


def variants(campaign: Campaign) -> list[dict[str, Any]]:
    """Return the figures of both subjects, if there are two: rows of language, subject, sent, opened, clicked."""
    contents = {(row.language, row.variant): row.subject for row in campaign.contents.all()}
    if not any(variant for _language, variant in contents):
        return []
    rows = _counted(campaign.deliveries.all(), "language", "variant").order_by("language", "variant")
    return [row | {"subject": contents.get((row["language"], row["variant"]), "")} for row in rows]


@dataclass
class Timeline:
    """A campaign over time: its chart, the names of its lines, and table rows of (time label, numbers)."""

    chart: Chart
    names: list[str]
    rows: list[tuple[str, tuple[int, ...]]]


def timeline(campaign: Campaign) -> Timeline | None:
    """Return the Timeline of a campaign from its start, or None without sent mails."""
    times = campaign.deliveries.filter(sent_at__isnull=False).order_by("-sent_at").values_list("sent_at", flat=True)
    last = times.first()
    if not campaign.started_at or not last:
        return None
    kind, step, format_name = _step(max(last, campaign.finished_at or last) - campaign.started_at)
    events = ProviderEvent.objects.filter(delivery__campaign=campaign)
    lines = {
        pgettext("mail", "sent"): _by_time(campaign.deliveries.filter(sent_at__isnull=False), "sent_at", kind),
        _("delivered"): _by_time(events.filter(kind=EventType.DELIVERED), "happened_at", kind),
        _("bounced"): _by_time(events.filter(kind=EventType.BOUNCED), "happened_at", kind),
    }
    lines = {name: line for name, line in lines.items() if line}
    moments = _moments(lines, step)
    if len(moments) < 2:
        return None
    labels = [date_format(timezone.localtime(moment), format_name) for moment in moments]
    series = [[line.get(moment, 0) for moment in moments] for line in lines.values()]
    return Timeline(
        line_chart(list(lines), series, labels), list(lines), list(zip(labels, zip(*series, strict=True), strict=True))
    )


def _step(duration: timedelta) -> tuple[str, timedelta, str]:
    """Return the resolution for a duration: (kind of Trunc, timedelta, date format)."""
    if duration <= timedelta(minutes=1):
        return "second", timedelta(seconds=1), "H:i:s"
    if duration <= timedelta(hours=1):
        return "minute", timedelta(minutes=1), "TIME_FORMAT"
    if duration <= timedelta(days=3):
        return "hour", timedelta(hours=1), "SHORT_DATETIME_FORMAT"
    return "day", timedelta(days=1), "SHORT_DATE_FORMAT"


def _by_time(rows: QuerySet[Delivery] | QuerySet[ProviderEvent], name: str, kind: str) -> dict[datetime, int]:
    """Return {time: number} of rows by their field `name`."""
    return dict(rows.annotate(moment=Trunc(name, kind)).values_list("moment").annotate(n=Count("pk")).order_by())


def _moments(lines: Mapping[str, Iterable[datetime]], step: timedelta) -> list[datetime]:
    """Return up to sixty consecutive times from the first; late provider events do not stretch the chart."""
    seen = sorted({moment for line in lines.values() for moment in line})
    found = [seen[0]]
    while found[-1] < seen[-1] and len(found) < 60:
        found.append(found[-1] + step)
    return found
