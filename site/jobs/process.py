"""Lifetime of a worker process: stop signals, time-limited batches, and a watchdog."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn, Self

from jobs.signals import alert

logger = logging.getLogger(__name__)

# Set once the process was told to stop: long-running loops check it and return early.
stopping = threading.Event()
STOP_SECONDS = 35  # deadline of the process after the first stop signal


def install_stop_handlers(stop: Callable[[], object]) -> None:
    """Make SIGTERM and SIGINT set `stopping` and call `stop()`.

    A second signal exits at once; so does the process when it is still running STOP_SECONDS after the first.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        if stopping.is_set():
            os._exit(1)
        stopping.set()
        timer = threading.Timer(STOP_SECONDS, os._exit, [1])
        timer.daemon = True
        timer.start()
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)


def run_batches(seconds: float, run_batch: Callable[[], object]) -> bool:
    """Call `run_batch()` until it returns a false value, `seconds` have passed or the process is stopping.

    Returns whether work may be left. The limit keeps a steady stream of new work from blocking all other tasks.
    """
    deadline = time.monotonic() + seconds
    while run_batch():
        if time.monotonic() > deadline or stopping.is_set():
            return True
    return False


class Watchdog(threading.Thread):
    """Context manager that exits the process if its body does not call `progress()` for `seconds`.

    A hung thread cannot be stopped from inside the process; exiting releases its locks and connections, and the supervisor
    starts a new process. Only seconds in which the process runs are counted, so resuming from suspend does not trigger it.
    """

    ALERT_SECONDS = 5  # for sending the alert; it needs the database, which may be what hangs

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(name="watchdog", daemon=True)
        self.subject, self.seconds = name, seconds
        self._done = threading.Event()
        self._idle = 0

    def progress(self) -> None:
        """Reset the timer."""
        self._idle = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()

    def run(self) -> None:
        while not self._done.wait(1):
            self._idle += 1
            if self._idle > self.seconds:
                self._exit_process()

    def _exit_process(self) -> NoReturn:
        text = f"No progress for {self.seconds:.0f} seconds ({self.subject}): the worker ends, so that another can take over."
        logger.critical(text)
        thread = threading.Thread(
            target=alert.send, args=[None], kwargs={"kind": "worker hangs", "text": text}, daemon=True
        )
        thread.start()
        thread.join(self.ALERT_SECONDS)
        os._exit(1)
