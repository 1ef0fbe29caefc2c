"""The worker's clock: the tick that looks for work which the task queue forgot."""

import logging
import threading
import time

from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.dispatch import Signal
from django.utils import timezone

logger = logging.getLogger(__name__)

# Sent by every worker every TICK_SECONDS and by `manage.py tick`: receivers look for work that the task queue forgot.
tick = Signal()


def send_tick():
    """Ask every app for forgotten work; one that fails does not keep the others from theirs."""
    for receiver, result in tick.send_robust(sender=None):
        if isinstance(result, Exception):
            logger.error("Tick %s failed: %r", getattr(receiver, "__name__", receiver), result)


def is_left_after(seconds, step):
    """Do `step` again and again, for some seconds at most; returns whether there may be more to do.

    What arrives without end would otherwise keep a worker for ever, and everything else waiting.
    """
    until = time.monotonic() + seconds
    while step():
        if time.monotonic() > until:
            return True
    return False


class Ticker(threading.Thread):
    """Ticks beside the worker's own loop, so also during a long task; it dies with the worker."""

    def __init__(self, is_worker=False):
        super().__init__(name="ticker", daemon=True)
        self.stopping = threading.Event()
        self.is_worker, self.started_at = is_worker, timezone.now()

    def run(self):
        while not self.stopping.wait(settings.TICK_SECONDS):
            close_old_connections()
            if self.is_worker:
                self._beat()
            send_tick()

    def _beat(self):
        from .operations import say_that_we_work

        try:
            say_that_we_work(self.started_at)
        except DatabaseError as error:
            logger.warning("The worker could not say that it is at work: %s", error)
