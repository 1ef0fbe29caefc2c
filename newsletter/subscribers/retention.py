"""Deletes the newsletter's expired data once a day (privacy/retention.py)."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from privacy.retention import cutoff

from newsletter.imports import runner
from newsletter.models import (
    ConsentEvent,
    Delivery,
    ImportLine,
    IncomingReport,
    ProviderEvent,
    Subscriber,
    SubscriberImport,
    Suppression,
)

State, Kind = Subscriber.State, ConsentEvent.Kind
KINDS = ["pending", "ended", "deliveries", "provider_events", "import_files"]
CHUNK = 1000  # rows per transaction


def apply() -> dict[str, int]:
    """Delete expired data. Return {kind: number of rows}.

    Raises ImproperlyConfigured, and deletes nothing, if any of the settings is below one day.
    """
    before = {kind: cutoff(kind) for kind in KINDS}
    ended = Subscriber.objects.filter(ended_at__lt=before["ended"]).exclude(state=State.ACTIVE)
    deliveries = Delivery.objects.filter(campaign__finished_at__lt=before["deliveries"], subscriber__isnull=False)
    files, lines = _delete_imports(before["import_files"])
    return {
        "sign-ups never confirmed": _delete_in_chunks(_never_confirmed(before["pending"])),
        "ended subscriptions": _delete_in_chunks(ended),
        "recipients of mails": deliveries.update(subscriber=None, error=""),
        "messages of the provider": ProviderEvent.objects.filter(received_at__lt=before["provider_events"]).delete()[0],
        "reports as they came": _old_reports(before["provider_events"]).delete()[0],
        "uploaded lists": files,
        "lines of lists": lines,
    }


def _old_reports(before: datetime) -> QuerySet[IncomingReport]:
    """Return the expired reports. Those already read only serve to detect repetitions, for which a day is enough; the
    others are kept as long as events."""
    is_read = Q(state=IncomingReport.State.READ, received_at__lt=timezone.now() - timedelta(days=1))
    return IncomingReport.objects.filter(is_read | Q(received_at__lt=before))


def _never_confirmed(before: datetime) -> QuerySet[Subscriber]:
    """Return the subscribers who never confirmed, except those whose subscription ended before."""
    requests = ConsentEvent.objects.filter(subscriber=OuterRef("pk"), kind=Kind.ASKED)
    last = requests.order_by().values("subscriber").annotate(last=Max("happened_at")).values("last")
    old = Q(last_asked__lt=before) | Q(last_asked=None, created_at__lt=before)
    return Subscriber.objects.filter(state=State.PENDING).annotate(last_asked=Subquery(last)).filter(old)


def _delete_in_chunks(subscribers: QuerySet[Subscriber]) -> int:
    """Delete a Subscriber queryset in chunks; ended subscriptions leave a suppression (Suppression.Reason.ENDED)."""
    number = 0
    while True:
        with transaction.atomic():
            rows = list(subscribers.select_for_update(of=("self",)).order_by("pk")[:CHUNK])
            for row in rows:
                if row.state != State.PENDING:
                    Suppression.add(row.email, Suppression.Reason.ENDED)
            Subscriber.objects.filter(pk__in=[row.pk for row in rows]).delete_with_consent()
        number += len(rows)
        if len(rows) < CHUNK:
            return number


def _delete_imports(before: datetime) -> tuple[int, int]:
    """Delete uploaded files and refused lines; the import and its counts stay.

    Return the numbers of (files, lines). A running import is left until it has ended; an abandoned one is cancelled.
    """
    old = SubscriberImport.objects.filter(created_at__lt=before).exclude(state__in=SubscriberImport.WORKING)
    lines = ImportLine.objects.filter(job__in=old).delete()[0]
    files = sum(runner.cancel(job) for job in old.exclude(file=""))
    return files + runner.delete_orphans(), lines
