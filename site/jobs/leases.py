"""Leases: how several workers share rows of work without doing one twice, and without losing one when a worker dies."""

import uuid
from datetime import timedelta

from django.db import connections, models, transaction
from django.db.models import F, Q
from django.utils import timezone


class LeasedModel(models.Model):
    """A row of work. Whoever claims it holds it until `lease_until`; after that another worker may take it up.

    `lease_token` is new with each claim. Whoever was stopped for a while knows by it which rows are still theirs: only those
    may be prolonged, changed or given back.
    """

    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)

    class Meta:
        abstract = True


def free(queryset):
    """The rows of a LeasedModel `queryset` that nobody holds now."""
    return queryset.filter(Q(lease_until=None) | Q(lease_until__lte=timezone.now()))


def wake(task, rows, new=1):
    """Queue a task that works on free `rows` until none is left, of which `new` were just made (and committed).

    Where others waited before them the task is queued already: a flood of rows is no flood of tasks, behind which all
    other work would wait. The tick wakes what was lost.
    """
    if len(free(rows).values_list("pk")[: new + 1]) <= new:
        task.enqueue()


def claim_keys(queryset, limit, seconds, token=None, **changes):
    """Claim at most `limit` free rows of `queryset` for `seconds` under `token` (a UUID; a new one unless given) and return
    their primary keys, in order.

    The claim is committed on return, so call this outside of a transaction and touch the network only afterwards.
    PostgreSQL skips rows that another worker is claiming; SQLite's transactions are immediate, one writer at a time.
    `changes` are further fields to set on the claimed rows.
    """
    model = queryset.model
    with transaction.atomic(using=queryset.db):
        rows = free(queryset).order_by("pk")
        if connections[queryset.db].features.has_select_for_update_skip_locked:
            rows = rows.select_for_update(skip_locked=True, of=("self",))
        keys = list(rows.values_list("pk", flat=True)[:limit])
        if keys:
            model._default_manager.filter(pk__in=keys).update(
                lease_until=timezone.now() + timedelta(seconds=seconds),
                lease_token=token or uuid.uuid4(),
                attempts=F("attempts") + 1,
                **changes,
            )
    return keys


def claim(queryset, limit, seconds, **changes):
    """The same, returning the claimed rows themselves, freshly read."""
    keys = claim_keys(queryset, limit, seconds, **changes)
    return list(queryset.model._default_manager.filter(pk__in=keys).order_by("pk")) if keys else []
