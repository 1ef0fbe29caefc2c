"""Heartbeats of worker processes."""

import os
import socket
from datetime import timedelta

from django.utils import timezone

from jobs.models import WorkerHeartbeat

WORKER_SILENT = timedelta(minutes=1)
WORKER_FORGOTTEN = timedelta(days=1)


def record_heartbeat(started_at):
    """Called by each worker's tick."""
    name = f"{socket.gethostname()}:{os.getpid()}"
    now = timezone.now()
    WorkerHeartbeat.objects.update_or_create(name=name, defaults={"started_at": started_at, "seen_at": now})
    WorkerHeartbeat.objects.filter(seen_at__lt=now - WORKER_FORGOTTEN).delete()


def workers():
    """The workers that are at work."""
    return WorkerHeartbeat.objects.filter(seen_at__gt=timezone.now() - WORKER_SILENT)
