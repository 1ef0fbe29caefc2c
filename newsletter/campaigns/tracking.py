"""Counting who opens a mail and follows its links: off unless TRACK_OPENS and TRACK_CLICKS are set.

What is kept is how often each link was followed, whether a mail was opened or led to a click, and when a subscriber last
followed one; not who followed which. Mail scanners follow links too: HEAD requests, programs that name themselves, and whoever
follows several links of a mail within two seconds count for nothing. An opened mail proves little (docs/developers/newsletter.md).
"""

import re
import time
from collections import Counter, defaultdict
from datetime import timedelta

from core import rate_limits
from core.client_ip import origin
from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, OuterRef, Subquery
from django.db.models.functions import Coalesce, Greatest
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from newsletter.models import CampaignLink, Click, Delivery, Subscriber
from newsletter.subscribers import tokens

PROGRAMS = re.compile(
    r"bot|crawl|spider|scan|preview|proofpoint|mimecast|barracuda|safelinks|symantec|virus|python|curl|wget|java|go-http|headless",
    re.IGNORECASE,
)
TOGETHER = timedelta(seconds=2)
PATIENCE = timedelta(seconds=10)  # after that no further click belongs to the same moment
JUDGE_SECONDS = 5  # how long clicks are counted at a time
BATCH = 500  # mails whose clicks are counted in one transaction
COUNTED = (120, timedelta(hours=1))  # clicks and opens that one place may have counted; it is led on all the same
PIXEL = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")


def _delivery(token):
    try:
        return tokens.read_tracking(token)
    except tokens.BadToken as error:
        raise Http404 from error


def _counts(request):
    """Whether a request counts: it seems to come from a person, and not too many came from the same place."""
    is_person = request.method == "GET" and not PROGRAMS.search(request.headers.get("User-Agent", "python"))
    return is_person and rate_limits.hit(f"tracking {origin(request)}", COUNTED)


@never_cache
@require_safe
def follow(request, token, number):
    """Lead on to a link of this mail, and of no other: whatever else is asked for is not found."""
    delivery = _delivery(token)
    link = CampaignLink.objects.filter(number=number, campaign__deliveries=delivery).first()
    if link is None:
        raise Http404
    if settings.TRACK_CLICKS and _counts(request):
        Click.objects.create(delivery_id=delivery, link=link)
    return HttpResponseRedirect(link.url)


@never_cache
@require_safe
def opened(request, token):
    """A picture of one see-through pixel."""
    delivery = _delivery(token)
    if settings.TRACK_OPENS and _counts(request):
        Delivery.objects.filter(pk=delivery, opened_at=None).update(opened_at=timezone.now())
    return HttpResponse(PIXEL, content_type="image/gif")


def judge():
    """Count the clicks of people, and forget all whose moment is over. Returns how many were counted.

    A mail's clicks are judged together, once none came for a while; what is left after JUDGE_SECONDS waits for the next time.
    """
    counted, until = 0, time.monotonic() + JUDGE_SECONDS
    while time.monotonic() < until:
        last = Click.objects.values("delivery").annotate(last=Max("at"))
        at_rest = last.filter(last__lt=timezone.now() - PATIENCE)
        deliveries = list(at_rest.values_list("delivery", flat=True)[:BATCH])
        if not deliveries:
            break
        counted += _judge_clicks_of(deliveries)
    return counted


def _judge_clicks_of(deliveries):
    with transaction.atomic():
        by_delivery = defaultdict(list)
        for click in Click.objects.filter(delivery__in=deliveries).select_for_update().order_by("at", "pk"):
            by_delivery[click.delivery_id].append(click)
        counted = [click for clicks in by_delivery.values() for click in _by_people(clicks)]
        for link, number in Counter(click.link_id for click in counted).items():
            CampaignLink.objects.filter(pk=link).update(clicks=F("clicks") + number)
        _mark_clicked(counted)
        Click.objects.filter(pk__in=[click.pk for clicks in by_delivery.values() for click in clicks]).delete()
    return len(counted)


def _mark_clicked(counted):
    """Note on each delivery its first click, and on each subscriber their last."""
    clicks = Click.objects.filter(pk__in=[click.pk for click in counted])
    last = Subquery(clicks.filter(delivery__subscriber=OuterRef("pk")).order_by("-at").values("at")[:1])
    people = Subscriber.objects.filter(deliveries__in=[click.delivery_id for click in counted])
    # Subscribers before deliveries, as everywhere: two that lock in other orders wait for each other.
    people.update(engaged_at=Greatest(Coalesce("engaged_at", last), last))
    first = clicks.filter(delivery=OuterRef("pk")).order_by("at").values("at")[:1]
    Delivery.objects.filter(pk__in=[click.delivery_id for click in counted], clicked_at=None).update(
        clicked_at=Subquery(first)
    )


def _by_people(clicks):
    """Of a mail's clicks, in order of time, once for each link: those that no click on another link is too close to."""
    found = {}
    before, after = _gaps(clicks), _gaps(clicks[::-1])[::-1]
    for click, earlier, later in zip(clicks, before, after, strict=True):
        if min(earlier, later) > TOGETHER:
            found.setdefault(click.link_id, click)
    return list(found.values())


def _gaps(clicks):
    """For each click, how far from it the last click on another link was."""
    gaps, last, other = [], None, None  # the last click, and the last one on another link than that
    for click in clicks:
        if last and last.link_id != click.link_id:
            other = last
        gaps.append(abs(click.at - other.at) if other else timedelta.max)
        last = click
    return gaps
