"""How long personal data is kept: settings.RETENTION_DAYS, applied by a task once a day (docs/operators.md)."""

from datetime import timedelta

from core import limits
from django.conf import settings
from django.db import transaction
from django.db.models import Max, OuterRef, Q, Subquery
from django.utils import timezone

from . import privacy
from .models import ConsentEvent, Delivery, ProviderEvent, Subscriber, SubscriberImport, Suppression

State, Kind = Subscriber.State, ConsentEvent.Kind
CHUNK = 1000  # rows in one transaction


def _before(what):
    return timezone.now() - timedelta(days=settings.RETENTION_DAYS[what])


def apply():
    """Delete what has been kept long enough. Returns {what: number of rows}."""
    limits.forget_old()
    return {
        "pending": _in_chunks(_never_confirmed()),
        "ended": _in_chunks(Subscriber.objects.filter(ended_at__lt=_before("ended")).exclude(state=State.ACTIVE)),
        "deliveries": Delivery.objects.filter(
            campaign__finished_at__lt=_before("deliveries"), subscriber__isnull=False
        ).update(subscriber=None, error=""),
        "provider_events": ProviderEvent.objects.filter(received_at__lt=_before("provider_events")).delete()[0],
        "import_files": _delete_import_files(),
    }


def _never_confirmed():
    """Subscribers who never confirmed; one whose subscription ended before is none of them, however often they ask."""
    asked = ConsentEvent.objects.filter(subscriber=OuterRef("pk"), kind=Kind.ASKED)
    asked = asked.order_by().values("subscriber").annotate(last=Max("at")).values("last")
    old = Q(last_asked__lt=_before("pending")) | Q(last_asked=None, created_at__lt=_before("pending"))
    return Subscriber.objects.filter(state=State.PENDING).annotate(last_asked=Subquery(asked)).filter(old)


def _in_chunks(subscribers):
    """Delete a Subscriber queryset; of those whose subscription ended, that stays known (Suppression.Reason.ENDED)."""
    number = 0
    while True:
        with transaction.atomic():
            rows = list(subscribers.select_for_update(of=("self",)).order_by("pk")[:CHUNK])
            for row in rows:
                if row.state != State.PENDING:
                    Suppression.add(row.email, Suppression.Reason.ENDED)
            privacy.remove(Subscriber.objects.filter(pk__in=[row.pk for row in rows]))
        number += len(rows)
        if len(rows) < CHUNK:
            return number


def _delete_import_files():
    """The uploaded files and the lines that were not taken go; that there was an import, and its counts, stays."""
    old = SubscriberImport.objects.filter(created_at__lt=_before("import_files")).exclude(file="")
    for found in old:
        found.bad_lines.all().delete()
        found.file.delete(save=True)
    return len(old)
