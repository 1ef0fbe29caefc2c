"""Carriers whose calls block: a few threads, each with its own connection of Django's mail API."""

import logging
import queue
import threading
import time

from django.core.mail import get_connection

from newsletter.errors import Meaning, Verdict

from .base import EXIT_SECONDS, Carrier, Result, expired, failed

logger = logging.getLogger(__name__)


class Batch:
    """Mails of one call. It is committed when their results are in the ledger."""

    def __init__(self, mails):
        self.mails, self.committed = mails, threading.Event()
        for mail in mails:
            mail.batch = self


class ThreadCarrier(Carrier):
    """Threads that take batches from a queue. A class of this kind says how it makes batches and sends one."""

    channels = 4

    def __init__(self, provider):
        super().__init__()
        self._waiting = queue.SimpleQueue()
        self._is_ending = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name=f"carrier-{number}", daemon=True)
            for number in range(self.channels)
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self._is_ending.set()
        for _thread in self._threads:
            self._waiting.put(None)
        until = time.monotonic() + EXIT_SECONDS
        for thread in self._threads:
            thread.join(max(0, until - time.monotonic()))
        if self.is_alive():
            logger.error("A call to the provider hangs; its mails are taken up when their leases run out")

    def submit(self, mails):
        for batch in self.batches(mails):
            self._waiting.put(batch)

    def withdraw(self):
        found = []
        while True:
            try:
                found += self._waiting.get_nowait().mails
            except queue.Empty:
                return found

    def committed(self, results):
        for result in results:
            result.mail.batch.committed.set()

    def is_alive(self):
        return all(thread.is_alive() for thread in self._threads)

    def batches(self, mails):
        """Make Batches of `mails`, one for each call."""
        raise NotImplementedError

    def send(self, connection, mails):
        """Send `mails` in one call; returns their Results."""
        raise NotImplementedError

    # In the threads

    def _work(self):
        connection = None
        while (batch := self._waiting.get()) is not None and not self._is_ending.is_set():
            held = [mail for mail in batch.mails if mail.is_held()]
            results = [expired(mail) for mail in batch.mails if mail not in held]
            try:
                connection = connection or get_connection()
            except Exception as error:  # no mail could go out with these settings
                verdict = Verdict(Meaning.HALT, f"{type(error).__name__}: {error}")
                results += [Result(mail, verdict) for mail in held]
            else:
                results += self._sent(connection, held)
            self.results.put(results)
            while not batch.committed.wait(1):
                if self._is_ending.is_set():
                    break
        close(connection)

    def _sent(self, connection, mails):
        """The Results of mails, whatever sending them raises."""
        try:
            return self.send(connection, mails) if mails else []
        except Exception as error:
            logger.exception("A call to the provider failed in an unexpected way")
            return [failed(mail, error, is_begun=True) for mail in mails]


def close(connection):
    """Close a connection of the mail API; one that was broken already is as good as closed."""
    try:
        if connection:
            connection.close()
    except Exception:
        return
