"""Health checks and metrics of the newsletter: provider, running campaigns, waiting provider messages."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Min, QuerySet
from django.dispatch import receiver
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from operations import status
from operations.status import HealthCheck

from newsletter.delivery import providers

from .models import Campaign, Delivery, IncomingReport, ProviderEvent

WEBHOOK_SLOW_SECONDS = 600


def _oldest_message() -> datetime | None:
    """Return when the oldest waiting provider message was received, or None."""
    waiting = (
        ProviderEvent.objects.filter(state=ProviderEvent.State.WAITING),
        IncomingReport.objects.filter(state=IncomingReport.State.WAITING),
    )
    moments = [rows.aggregate(oldest=Min("received_at"))["oldest"] for rows in waiting]
    return min(filter(None, moments), default=None)


def _unreadable() -> int:
    """Return the number of unreadable reports of the last week."""
    since = timezone.now() - timedelta(days=7)
    return IncomingReport.objects.filter(state=IncomingReport.State.UNREADABLE, received_at__gte=since).count()


def _in_hand() -> QuerySet[Campaign]:
    """Return the campaigns that are not finished."""
    return Campaign.objects.filter(state__in=[Campaign.State.SENDING, Campaign.State.PAUSED])


@receiver(status.health_checks)
def facts(**kwargs: object) -> list[HealthCheck]:
    """Return the health checks: the provider's state as seen by campaigns, running campaigns, and the backlog of
    provider messages."""
    campaigns = list(_in_hand().select_related("issue"))
    waiting = [campaign for campaign in campaigns if campaign.is_waiting]
    paused = [campaign for campaign in campaigns if campaign.problem]
    oldest, unreadable = _oldest_message(), _unreadable()
    titles = ", ".join(campaign.issue.title for campaign in campaigns)
    sending = ngettext("%(number)s campaign in hand", "%(number)s campaigns in hand", len(campaigns))
    troubles = [str(campaign.get_problem_display()) for campaign in paused]
    if waiting:
        troubles.append(gettext("does not answer; it is tried again by itself"))
    provider = f"{settings.EMAIL_PROVIDER}{': ' if troubles else ''}{' '.join(troubles)}"
    warning = providers.current().warning
    return [
        HealthCheck(_("E-mail provider"), provider, not troubles, _("Open the campaign: it says what to do.")),
        *([HealthCheck(_("About this provider"), str(warning))] if warning else []),
        HealthCheck(_("Sending"), f"{sending % {'number': len(campaigns)}}{': ' if titles else ''}{titles}"),
        HealthCheck(
            _("Messages of the provider"),
            gettext("the oldest waits since %(time)s") % {"time": timesince(oldest)}
            if oldest
            else gettext("none waits"),
            status.seconds_since(oldest) < WEBHOOK_SLOW_SECONDS,
            _("Look whether the workers run; start another one if they cannot keep up."),
        ),
        HealthCheck(
            _("Reports that cannot be read"),
            ngettext("%(number)s in the last week", "%(number)s in the last week", unreadable) % {"number": unreadable},
            not unreadable,
            _("Look at them under Newsletter › Reports that cannot be read. Everything else was read."),
        ),
    ]


@receiver(status.collect_metrics)
def measured(**kwargs: object) -> list[tuple[str, str, str, Mapping[str, float]]]:
    """Return the metrics: deliveries of running campaigns by state, and the webhook backlog in seconds."""
    rows = Delivery.objects.filter(campaign__in=_in_hand()).values_list("state").annotate(number=Count("pk"))
    states = dict.fromkeys(Delivery.State.values, 0) | dict(rows)
    return [
        ("deliveries", "Mails of the campaigns in hand", "state", states),
        (
            "webhook_lag_seconds",
            "How long the oldest message of the provider has waited",
            "",
            {"": status.seconds_since(_oldest_message())},
        ),
    ]
