"""A worker process: the tick that looks for work which the task queue forgot, how the process ends, and its watchdog."""

import logging
import os
import signal
import threading
import time

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection
from django.dispatch import Signal
from django.utils import timezone

from jobs.heartbeat import record_heartbeat
from jobs.signals import alert

logger = logging.getLogger(__name__)

# Sent by every worker every TICK_SECONDS and by `manage.py run_due_jobs`: receivers look for work that the task queue forgot.
tick = Signal()
# Set when the process was told to end: what works in turns makes way at once.
stopping = threading.Event()
STOP_SECONDS = 35  # after this a process that was told to end does so, whatever it is doing


def stop_by_signal(stop):
    """Have SIGTERM and SIGINT set `stopping` and call `stop`. A second signal ends the process at once, as do STOP_SECONDS."""

    def handle(number, frame):
        if stopping.is_set():
            os._exit(1)
        stopping.set()
        timer = threading.Timer(STOP_SECONDS, os._exit, [1])
        timer.daemon = True
        timer.start()
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)


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
        if time.monotonic() > until or stopping.is_set():
            return True
    return False


class Watchdog(threading.Thread):
    """Ends the process if what runs inside of it, as a context manager, makes no progress for `seconds`.

    Whoever hangs cannot help themselves: locks and connections go with the process, and its supervisor starts another. Only
    seconds in which the process runs count, so a machine that slept is given time to recover.
    """

    ALARM_SECONDS = 5

    def __init__(self, name, seconds):
        super().__init__(name="watchdog", daemon=True)
        self.what, self.seconds = name, seconds
        self._is_over = threading.Event()
        self._idle = 0

    def progress(self):
        """Something was done."""
        self._idle = 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self._is_over.set()

    def run(self):
        while not self._is_over.wait(1):
            self._idle += 1
            if self._idle > self.seconds:
                self._end()

    def _end(self):
        text = (
            f"No progress for {self.seconds:.0f} seconds ({self.what}): the worker ends, so that another can take over."
        )
        logger.critical(text)
        alarm = threading.Thread(
            target=alert.send, args=[None], kwargs={"kind": "worker hangs", "text": text}, daemon=True
        )
        alarm.start()
        alarm.join(self.ALARM_SECONDS)  # it takes the database, which may be what hangs
        os._exit(1)


class Ticker(threading.Thread):
    """Ticks beside the worker's own loop, so also during a long task; it dies with the worker."""

    def __init__(self, is_worker=False):
        super().__init__(name="ticker", daemon=True)
        self.is_worker, self.started_at = is_worker, timezone.now()

    def run(self):
        while not stopping.is_set():
            self._try_to_tick()
            stopping.wait(settings.TICK_SECONDS)

    def _try_to_tick(self):
        try:
            self._tick()
        except DatabaseError as error:
            logger.warning("No tick: the database is away (%s)", " ".join(str(error).split()))
        except Exception:
            logger.exception("The tick failed")

    def _tick(self):
        close_old_connections()
        connection.ensure_connection()
        if self.is_worker:
            self._beat()
        send_tick()

    def _beat(self):
        record_heartbeat(self.started_at)
