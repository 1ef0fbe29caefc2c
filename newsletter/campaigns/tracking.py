"""Counts opens and clicks; off unless TRACK_OPENS and TRACK_CLICKS are set.

Stored are the clicks per link, whether a mail was opened or clicked, and the time of a subscriber's last click, but
not who followed which link. Mail scanners follow links too: HEAD requests, known bots, and clicks on several links of
a mail within two seconds are not counted. Opens are an unreliable figure (docs/developers/newsletter.md).
"""

import re
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from core import rate_limits
from core.client_ip import origin
from django.conf import settings
from django.db import transaction
from django.db.models import F, Max
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from newsletter.models import CampaignLink, Click, Delivery, Subscriber
from newsletter.subscribers import tokens

BOT_USER_AGENTS = re.compile(
    r"bot|crawl|spider|scan|preview|proofpoint|mimecast|barracuda|safelinks|symantec|virus|python|curl|wget|java|go-http|headless",
    re.IGNORECASE,
)
SCANNER_INTERVAL = timedelta(seconds=2)
CLICK_WINDOW = timedelta(seconds=10)  # clicks are evaluated when none followed for this long
COUNT_SECONDS = 5  # time limit of one run
BATCH = 500  # mails per transaction
COUNTING_LIMIT = (
    120,
    timedelta(hours=1),
)  # clicks and opens counted per client network; further ones are redirected but not counted
PIXEL = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")


def _delivery(token: str) -> int:
    try:
        return tokens.read_tracking(token)
    except tokens.BadToken as error:
        raise Http404 from error


def _is_counted(request: HttpRequest) -> bool:
    """Return whether a request counts: it seems to come from a person, and not too many came from the same network."""
    is_person = request.method == "GET" and not BOT_USER_AGENTS.search(request.headers.get("User-Agent", "python"))
    return is_person and rate_limits.hit(f"tracking {origin(request)}", COUNTING_LIMIT)


@never_cache
@require_safe
def follow(request: HttpRequest, token: str, number: int) -> HttpResponse:
    """Redirect to a link of this mail. Any other link is a 404."""
    delivery = _delivery(token)
    link = CampaignLink.objects.filter(number=number, campaign__deliveries=delivery).first()
    if link is None:
        raise Http404
    if settings.TRACK_CLICKS and _is_counted(request):
        Click.objects.create(delivery_id=delivery, link=link)
    return HttpResponseRedirect(link.url)


@never_cache
@require_safe
def opened(request: HttpRequest, token: str) -> HttpResponse:
    """Return a transparent pixel."""
    delivery = _delivery(token)
    if settings.TRACK_OPENS and _is_counted(request):
        Delivery.objects.filter(pk=delivery, opened_at=None).update(opened_at=timezone.now())
    return HttpResponse(PIXEL, content_type="image/gif")


def count_clicks() -> int:
    """Count human clicks and delete the evaluated ones. Return the number counted.

    A mail's clicks are evaluated together, CLICK_WINDOW after the last one. What is left after COUNT_SECONDS waits
    for the next run.
    """
    counted, until = 0, time.monotonic() + COUNT_SECONDS
    while time.monotonic() < until:
        last = Click.objects.values("delivery").annotate(last=Max("happened_at"))
        at_rest = last.filter(last__lt=timezone.now() - CLICK_WINDOW)
        deliveries = list(at_rest.values_list("delivery", flat=True)[:BATCH])
        if not deliveries:
            break
        counted += _count_clicks_of(deliveries)
    return counted


def _count_clicks_of(deliveries: Collection[int]) -> int:
    with transaction.atomic():
        by_delivery: defaultdict[int, list[Click]] = defaultdict(list)
        for click in Click.objects.filter(delivery__in=deliveries).select_for_update().order_by("happened_at", "pk"):
            by_delivery[click.delivery_id].append(click)
        counted = [click for clicks in by_delivery.values() for click in _human_clicks(clicks)]
        for link, number in Counter(click.link_id for click in counted).items():
            CampaignLink.objects.filter(pk=link).update(clicks=F("clicks") + number)
        _mark_clicked(counted)
        Click.objects.filter(pk__in=[click.pk for clicks in by_delivery.values() for click in clicks]).delete()
    return len(counted)


def _mark_clicked(clicks: Iterable[Click]) -> None:
    """Store each delivery's first click and each subscriber's last. Clicks come in the order in which they happened."""
    first: dict[int, datetime] = {}  # by delivery
    last: dict[int, datetime] = {}
    for click in clicks:
        first.setdefault(click.delivery_id, click.happened_at)
        last[click.delivery_id] = click.happened_at
    subscriber_of = dict(Delivery.objects.filter(pk__in=first).values_list("pk", "subscriber"))
    # Lock subscribers before deliveries, as everywhere, to avoid deadlocks.
    people = Subscriber.objects.select_for_update().order_by("pk").in_bulk(filter(None, subscriber_of.values()))
    for pk, moment in last.items():
        if person := people.get(subscriber_of[pk]):
            person.engaged_at = max(moment, person.engaged_at or moment)
    Subscriber.objects.bulk_update(people.values(), ["engaged_at"])
    unmarked = Delivery.objects.select_for_update().filter(clicked_at=None).order_by("pk").in_bulk(first)
    for pk, delivery in unmarked.items():
        delivery.clicked_at = first[pk]
    Delivery.objects.bulk_update(unmarked.values(), ["clicked_at"])


def _human_clicks(clicks: Sequence[Click]) -> list[Click]:
    """Return a mail's human clicks, one per link: those not too close to a click on another link."""
    found: dict[int, Click] = {}  # by link
    before, after = _gaps(clicks), _gaps(clicks[::-1])[::-1]
    for click, earlier, later in zip(clicks, before, after, strict=True):
        if min(earlier, later) > SCANNER_INTERVAL:
            found.setdefault(click.link_id, click)
    return list(found.values())


def _gaps(clicks: Iterable[Click]) -> list[timedelta]:
    """Return for each click the time since the last click on another link."""
    gaps: list[timedelta] = []
    last: Click | None = None
    other: Click | None = None  # the last one on another link
    for click in clicks:
        if last and last.link_id != click.link_id:
            other = last
        gaps.append(abs(click.happened_at - other.happened_at) if other else timedelta.max)
        last = click
    return gaps
