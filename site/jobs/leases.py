"""Leases: distribute rows of work among several workers.

Each row is processed by one worker at a time. If a worker dies, its leases expire and another worker takes over.
"""

import uuid
from datetime import timedelta
from typing import Any, TypeVar

from django.db import connections, models, transaction
from django.db.models import F, Q, QuerySet
from django_tasks.base import Task

from jobs import clock


class LeasedModel(models.Model):
    """A row of work that a worker claims until `lease_until`; afterwards another worker may claim it.

    Each claim sets a new `lease_token`. A worker that was suspended recognises by the token which rows it still holds: it may
    renew, change and release only those.
    """

    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)

    class Meta:
        abstract = True


Row = TypeVar("Row", bound=LeasedModel)


def unleased(queryset: QuerySet[Row]) -> QuerySet[Row]:
    """Return the rows of a LeasedModel `queryset` that no worker holds."""
    return queryset.filter(Q(lease_until=None) | Q(lease_until__lte=clock.now()))


def enqueue_once(task: Task[[], None], rows: QuerySet[Row], new: int = 1) -> None:
    """Enqueue `task`, which processes all unleased `rows`, after `new` rows were added and committed.

    If more rows than the new ones are waiting, the task is enqueued already and nothing happens: many new rows must not fill
    the queue with tasks and delay all others. `jobs.recovery` enqueues the task again if it was lost.
    """
    if len(unleased(rows).values_list("pk")[: new + 1]) <= new:
        task.enqueue()


def claim_keys(
    queryset: QuerySet[Row], limit: int, seconds: float, token: uuid.UUID | None = None, **changes: Any
) -> list[int]:
    """Claim up to `limit` unleased rows of `queryset` for `seconds` and return their primary keys in ascending order.

    `token` is the UUID of the lease (default: a new one); `changes` are further fields to set on the claimed rows. The claim
    is committed on return, so call this outside of a transaction and before any network access. PostgreSQL skips rows that
    another worker is claiming; SQLite allows one writer at a time.
    """
    model = queryset.model
    with transaction.atomic(using=queryset.db):
        rows = unleased(queryset).order_by("pk")
        if connections[queryset.db].features.has_select_for_update_skip_locked:
            rows = rows.select_for_update(skip_locked=True, of=("self",))
        keys = list(rows.values_list("pk", flat=True)[:limit])
        if keys:
            model._default_manager.filter(pk__in=keys).update(
                lease_until=clock.now() + timedelta(seconds=seconds),
                lease_token=token or uuid.uuid4(),
                attempts=F("attempts") + 1,
                **changes,
            )
    return keys


def claim(queryset: QuerySet[Row], limit: int, seconds: float, **changes: Any) -> list[Row]:
    """Claim rows like `claim_keys` and return the instances, read after the claim."""
    keys = claim_keys(queryset, limit, seconds, **changes)
    return list(queryset.model._default_manager.filter(pk__in=keys).order_by("pk")) if keys else []
