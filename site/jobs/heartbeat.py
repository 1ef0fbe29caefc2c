"""Heartbeats of worker processes."""

import os
import socket
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from jobs.models import WorkerHeartbeat

WORKER_TIMEOUT = timedelta(minutes=1)  # workers without a heartbeat for longer count as stopped
HEARTBEAT_RETENTION = timedelta(days=1)


def record_heartbeat(started_at: datetime) -> None:
    """Store the heartbeat of this process, started at `started_at` (a datetime), and delete those of past processes."""
    name = f"{socket.gethostname()}:{os.getpid()}"
    now = timezone.now()
    WorkerHeartbeat.objects.update_or_create(name=name, defaults={"started_at": started_at, "seen_at": now})
    WorkerHeartbeat.objects.filter(seen_at__lt=now - HEARTBEAT_RETENTION).delete()


def active_workers() -> QuerySet[WorkerHeartbeat]:
    """Return the WorkerHeartbeats of running workers, as a queryset."""
    return WorkerHeartbeat.objects.filter(seen_at__gt=timezone.now() - WORKER_TIMEOUT)
