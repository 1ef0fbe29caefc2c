"""Carriers whose calls block: a few threads, each with its own connection of Django's mail API."""

import logging
import queue
import threading
import time
import uuid

from django.core.mail import get_connection

from newsletter.delivery.errors import DeliveryError, ErrorAction
from newsletter.delivery.providers import CALL_MARGIN
from newsletter.delivery.transports.base import EXIT_SECONDS, SENT, Result, Transport, expired, failed

logger = logging.getLogger(__name__)
REPEAT_AFTER = 5  # seconds after which a call whose answer was lost is made once more, under its key
KEYS = uuid.UUID("5c1ac3a1-8f0e-4b7e-9d52-6f6c6c61636b")  # the namespace of our idempotency keys
REFUSED = {"rejected", "invalid", "failed"}  # of anymail_status


class Batch:
    """Mails of one call. It is committed when their results are in the ledger."""

    def __init__(self, mails):
        self.mails, self.committed = mails, threading.Event()
        for mail in mails:
            mail.batch = self


class ThreadTransport(Transport):
    """Threads that take batches from a queue. A class of this kind says how it makes batches and sends one."""

    channels = 4

    def __init__(self, provider):
        """`provider` is a providers.Provider."""
        super().__init__()
        self.provider = provider
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
            try:
                connection = connection or get_connection()
            except Exception as error:  # no mail could go out with these settings
                verdict = DeliveryError(ErrorAction.HALT, f"{type(error).__name__}: {error}")
                self.results.put([Result(mail, verdict) for mail in batch.mails])
            else:
                self.results.put(self.sent(connection, batch.mails))
            while not batch.committed.wait(1):
                if self._is_ending.is_set():
                    break
        close(connection)

    def sent(self, connection, mails):
        """The Results of mails, those that this worker no longer holds among them, whatever sending them raises."""
        held = [mail for mail in mails if mail.is_held()]
        results = [expired(mail) for mail in mails if mail not in held]
        try:
            return results + (self.send(connection, held) if held else [])
        except Exception as error:
            logger.exception("A call to the provider failed in an unexpected way")
            verdict = failed(held[0], error, is_begun=True).outcome
            return results + [Result(mail, verdict) for mail in held]

    def call(self, connection, message, mails):
        """Hand over `message`, which carries `mails`. Returns the Verdict if it was not taken, else None.

        Where the provider takes an idempotency key, a call whose answer was lost is made once more: the same message under the same
        key, while the provider knows the key and this worker holds the mails.
        """
        key = key_of(mails) if self.provider.key_seconds else ""
        until = time.time() + self.provider.key_seconds - CALL_MARGIN
        verdict = self._handed_over(connection, message, key)
        if key and is_unclear(verdict) and self._may_repeat(mails, until):
            again = self._handed_over(connection, message, key)
            # Only a clear answer settles what the first call left open.
            verdict = again if again is None or again.meaning == ErrorAction.NEVER else verdict
        if is_unclear(verdict):
            self.is_doubtful = True
        elif verdict is None or verdict.meaning == ErrorAction.NEVER:
            self.is_doubtful = False
        return verdict

    def _may_repeat(self, mails, until):
        """Wait a moment; returns whether a call may be made once more then, `until` when (time.time) its key is known."""
        is_ending = self._is_ending.wait(REPEAT_AFTER)
        return not is_ending and time.time() < until and all(mail.is_held() for mail in mails)

    def _handed_over(self, connection, message, key):
        """Make one call; returns the Verdict if the message was not taken, else None."""
        try:
            connection.open()
            if key:
                self.provider.add_key(connection, message, key)
            connection.send_messages([message])
        except Exception as error:
            close(connection)
            return None if key and self.provider.was_taken(error) else self.provider.verdict(error)


def is_unclear(verdict):
    """Whether the mails of a call may or may not have gone."""
    return verdict is not None and verdict.meaning == ErrorAction.UNCLEAR


def key_of(mails):
    """The idempotency key of a call: the same for the same mails, and for no others."""
    content = mails[0].content
    return str(uuid.uuid5(KEYS, " ".join(content.message_id(mail) for mail in mails)))


def result_of(mail, message):
    """The Result of a mail whose message the back end took, by Anymail's status for its recipient where there is one."""
    status = getattr(message, "anymail_status", None)
    if status is None or not status.recipients:  # another back end, or a repetition that was not needed
        return Result(mail)
    own = {email.casefold(): own for email, own in status.recipients.items()}.get(mail.recipient.email.casefold())
    if own is None and len(message.to) > 1:
        return Result(mail, DeliveryError(ErrorAction.UNCLEAR, "the provider says nothing about this address"))
    own = own or next(iter(status.recipients.values()))
    outcome = DeliveryError(ErrorAction.NEVER, f"the provider says: {own.status}") if own.status in REFUSED else SENT
    return Result(mail, outcome, str(own.message_id or ""))


def close(connection):
    """Close a connection of the mail API; one that was broken already is as good as closed."""
    try:
        if connection:
            connection.close()
    except Exception:
        return
