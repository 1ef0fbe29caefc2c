"""The worker's clock: the tick that looks for work which the task queue forgot."""

import logging
import threading

from django.conf import settings
from django.db import close_old_connections
from django.dispatch import Signal

logger = logging.getLogger(__name__)

# Sent by every worker every TICK_SECONDS and by `manage.py tick`: receivers look for work that the task queue forgot.
tick = Signal()


def send_tick():
    """Ask every app for forgotten work; one that fails does not keep the others from theirs."""
    for receiver, result in tick.send_robust(sender=None):
        if isinstance(result, Exception):
            logger.error("Tick %s failed: %r", getattr(receiver, "__name__", receiver), result)


class Ticker(threading.Thread):
    """Ticks beside the worker's own loop, so also during a long task; it dies with the worker."""

    def __init__(self):
        super().__init__(name="ticker", daemon=True)
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.wait(settings.TICK_SECONDS):
            close_old_connections()
            send_tick()
