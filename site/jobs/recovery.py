"""Finds and re-enqueues work that the task queue lost."""

import logging
import threading

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection
from django.dispatch import Signal
from django.utils import timezone

from jobs import clock
from jobs.database import log_outage, log_return
from jobs.heartbeat import record_heartbeat
from jobs.process import stopping

logger = logging.getLogger(__name__)

# Sent by every worker and scheduler each JOBS_POLL_SECONDS, and by `manage.py run_due_jobs`. Receivers enqueue tasks for rows that
# are due but that no task is going to process.
worker_poll = Signal()


def recover_work() -> None:
    """Send `worker_poll`. The exception of one receiver is logged and does not keep the others from running."""
    for receiver, result in worker_poll.send_robust(sender=None):
        if isinstance(result, Exception):
            logger.error("Looking for due work failed in %s: %r", getattr(receiver, "__name__", receiver), result)


class PollThread(threading.Thread):
    """Daemon thread that calls `recover_work()` every JOBS_POLL_SECONDS, also while the worker runs a long task.

    With `is_worker`, it records the worker's heartbeat as well.
    """

    def __init__(self, is_worker: bool = False) -> None:
        super().__init__(name="worker-poll", daemon=True)
        self.is_worker, self.started_at = is_worker, timezone.now()

    def run(self) -> None:
        while not stopping.is_set():
            self._poll_and_log_errors()
            stopping.wait(settings.JOBS_POLL_SECONDS)

    def _poll_and_log_errors(self) -> None:
        try:
            self._poll()
        except DatabaseError as error:
            log_outage(error)
        except Exception:
            logger.exception("Looking for due work failed")
        else:
            log_return()

    def _poll(self) -> None:
        close_old_connections()
        connection.ensure_connection()
        clock.follow_database()  # on PostgreSQL the first statement: it raises before each receiver would
        if self.is_worker:
            record_heartbeat(self.started_at)
        recover_work()
