"""Counting who opens a mail and follows its links: off unless TRACK_OPENS and TRACK_CLICKS are set.

What is kept is how often each link was followed, whether a mail was opened or led to a click, and when a subscriber last
followed one; not who followed which. Mail scanners follow links too: HEAD requests, programs that name themselves, and whoever
follows several links of a mail within two seconds count for nothing. An opened mail proves little (docs/newsletter.md).
"""

import re
from collections import defaultdict
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Greatest
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from . import tokens
from .models import CampaignLink, Click, Delivery, Subscriber

PROGRAMS = re.compile(
    r"bot|crawl|spider|scan|preview|proofpoint|mimecast|barracuda|safelinks|symantec|virus|python|curl|wget|java|go-http|headless",
    re.IGNORECASE,
)
TOGETHER = timedelta(seconds=2)
PATIENCE = timedelta(seconds=10)  # after that no further click belongs to the same moment
PIXEL = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")


def _delivery(token):
    try:
        return tokens.read_tracking(token)
    except tokens.BadToken as error:
        raise Http404 from error


def _is_person(request):
    return request.method == "GET" and not PROGRAMS.search(request.headers.get("User-Agent", "python"))


@never_cache
@require_safe
def follow(request, token, number):
    """Lead on to a link of this mail, and of no other: whatever else is asked for is not found."""
    delivery = _delivery(token)
    link = CampaignLink.objects.filter(number=number, campaign__deliveries=delivery).first()
    if link is None:
        raise Http404
    if settings.TRACK_CLICKS and _is_person(request):
        Click.objects.create(delivery_id=delivery, link=link)
    return HttpResponseRedirect(link.url)


@never_cache
@require_safe
def opened(request, token):
    """A picture of one see-through pixel."""
    delivery = _delivery(token)
    if settings.TRACK_OPENS and _is_person(request):
        Delivery.objects.filter(pk=delivery, opened_at=None).update(opened_at=timezone.now())
    return HttpResponse(PIXEL, content_type="image/gif")


def judge():
    """Count the clicks of people, and forget all whose moment is over. Returns how many were counted."""
    over = Click.objects.filter(at__lt=timezone.now() - PATIENCE)
    with transaction.atomic():
        by_delivery = defaultdict(list)
        for click in over.select_for_update().order_by("at"):
            by_delivery[click.delivery_id].append(click)
        counted = [click for clicks in by_delivery.values() for click in _by_people(clicks)]
        for click in counted:
            CampaignLink.objects.filter(pk=click.link_id).update(clicks=F("clicks") + 1)
            # The subscriber before the delivery, as everywhere: two that lock in other orders wait for each other.
            Subscriber.objects.filter(deliveries=click.delivery_id).update(
                engaged_at=Greatest(Coalesce("engaged_at", click.at), click.at)
            )
            Delivery.objects.filter(pk=click.delivery_id).update(clicked_at=Coalesce("clicked_at", click.at))
        Click.objects.filter(pk__in=[click.pk for clicks in by_delivery.values() for click in clicks]).delete()
    return len(counted)


def _by_people(clicks):
    """Of a mail's clicks, once for each link: those that no click on another link is too close to."""
    found = {}
    for click in clicks:
        is_alone = not any(other.link_id != click.link_id and abs(other.at - click.at) <= TOGETHER for other in clicks)
        if is_alone:
            found.setdefault(click.link_id, click)
    return list(found.values())
