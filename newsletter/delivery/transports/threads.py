"""Base for transports with blocking calls: a few threads, each with its own connection of Django's mail API."""

import logging
import queue
import threading
import time
import uuid
from collections.abc import Iterable, Sequence
from typing import Self

from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend

from newsletter.delivery import outgoing
from newsletter.delivery.errors import DeliveryError, ErrorAction
from newsletter.delivery.providers import CALL_MARGIN, UNTOLD, Provider
from newsletter.delivery.transports.base import (
    EXIT_SECONDS,
    SENT,
    Outcome,
    OutgoingMessage,
    Result,
    Transport,
    failure_result,
    released_result,
)

logger = logging.getLogger(__name__)
REPEAT_AFTER = 5  # seconds before a call whose response was lost is repeated with the same key
KEYS = uuid.UUID("5c1ac3a1-8f0e-4b7e-9d52-6f6c6c61636b")  # namespace of the idempotency keys
REFUSED = {"rejected", "invalid", "failed"}  # values of anymail_status


class Batch:
    """The mails of one call; `committed` is set once their results are committed."""

    def __init__(self, mails: Sequence[OutgoingMessage]) -> None:
        self.mails, self.committed = mails, threading.Event()
        for mail in mails:
            mail.batch = self


class ThreadTransport(Transport):
    """Threads that take batches from a queue. Subclasses build the batches and send them."""

    channels = 4

    def __init__(self, provider: Provider) -> None:
        super().__init__()
        self.provider = provider
        self._waiting: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()  # None ends a thread
        self._is_ending = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name=f"transport-{number}", daemon=True)
            for number in range(self.channels)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._is_ending.set()
        for _thread in self._threads:
            self._waiting.put(None)
        until = time.monotonic() + EXIT_SECONDS
        for thread in self._threads:
            thread.join(max(0, until - time.monotonic()))
        if self.is_alive():
            logger.error("A call to the provider hangs; its mails are retried when their leases expire")

    def submit(self, mails: Sequence[OutgoingMessage]) -> None:
        for batch in self.batches(mails):
            self._waiting.put(batch)

    def withdraw(self) -> list[OutgoingMessage]:
        found: list[OutgoingMessage] = []
        while True:
            try:
                batch = self._waiting.get_nowait()
            except queue.Empty:
                return found
            if batch is not None:
                found += batch.mails

    def committed(self, results: Iterable[Result]) -> None:
        for result in results:
            result.mail.batch.committed.set()

    def is_alive(self) -> bool:
        return all(thread.is_alive() for thread in self._threads)

    def batches(self, mails: Sequence[OutgoingMessage]) -> list[Batch]:
        """Split `mails` into Batches, one per call."""
        raise NotImplementedError

    def send(self, connection: BaseEmailBackend, mails: Sequence[OutgoingMessage]) -> list[Result]:
        """Send `mails` in one call. Return their Results."""
        raise NotImplementedError

    # In the transport's threads

    def _work(self) -> None:
        connection: BaseEmailBackend | None = None
        while (batch := self._waiting.get()) is not None and not self._is_ending.is_set():
            try:
                connection = connection or get_connection()
            except Exception as error:  # no mail can be sent with these settings
                delivery_error = DeliveryError(ErrorAction.HALT, f"{type(error).__name__}: {error}")
                self.results.put([Result(mail, delivery_error) for mail in batch.mails])
            else:
                self.results.put(self.send_held(connection, batch.mails))
            while not batch.committed.wait(1):
                if self._is_ending.is_set():
                    break
        close(connection)

    def send_held(self, connection: BaseEmailBackend, mails: Sequence[OutgoingMessage]) -> list[Result]:
        """Send the mails that are still held and return the Results of all, whatever sending raises."""
        held = [mail for mail in mails if mail.is_held()]
        results = [released_result(mail) for mail in mails if mail not in held]
        try:
            return results + (self.send(connection, held) if held else [])
        except Exception as error:
            logger.exception("A call to the provider failed in an unexpected way")
            delivery_error = failure_result(held[0], error, is_begun=True).outcome
            return results + [Result(mail, delivery_error) for mail in held]

    def call(
        self, connection: BaseEmailBackend, message: outgoing.Message, mails: Sequence[OutgoingMessage]
    ) -> DeliveryError | None:
        """Send `message`, which carries `mails`. Return the DeliveryError if it was not accepted, else None.

        With an idempotency key, a call whose response was lost is repeated once: same message, same key, as long as
        the provider remembers the key and this worker holds the mails.
        """
        key = idempotency_key(mails) if self.provider.key_seconds else ""
        until = time.time() + self.provider.key_seconds - CALL_MARGIN
        delivery_error = self._send_once(connection, message, key)
        if key and is_unclear(delivery_error) and self._may_repeat(mails, until):
            again = self._send_once(connection, message, key)
            # Only a clear response settles what the first call left open.
            delivery_error = again if again is None or again.action == ErrorAction.NEVER else delivery_error
        if is_unclear(delivery_error):
            self.is_doubtful = True
        elif delivery_error is None or delivery_error.action == ErrorAction.NEVER:
            self.is_doubtful = False
        return delivery_error

    def _may_repeat(self, mails: Iterable[OutgoingMessage], until: float) -> bool:
        """Wait REPEAT_AFTER seconds. Return whether a call may be repeated then; its key expires at `until`
        (time.time)."""
        is_ending = self._is_ending.wait(REPEAT_AFTER)
        return not is_ending and time.time() < until and all(mail.is_held() for mail in mails)

    def _send_once(self, connection: BaseEmailBackend, message: outgoing.Message, key: str) -> DeliveryError | None:
        """Make one call. Return the DeliveryError if the message was not accepted, else None."""
        try:
            connection.open()
            if key:
                self.provider.add_key(connection, message, key)
            connection.send_messages([message])
        except Exception as error:
            close(connection)
            return None if key and self.provider.is_duplicate(error) else self.provider.classify_error(error)
        status = getattr(message, "anymail_status", None)
        if status is not None and not self.provider.is_acceptance(status):
            return DeliveryError(ErrorAction.UNCLEAR, "the answer does not say that the provider took the mail")
        return None


def is_unclear(delivery_error: DeliveryError | None) -> bool:
    """Return whether the mails of a call may or may not have been sent."""
    return delivery_error is not None and delivery_error.action == ErrorAction.UNCLEAR


def idempotency_key(mails: Sequence[OutgoingMessage]) -> str:
    """Return the idempotency key of a call, derived from its mails."""
    content = mails[0].content
    return str(uuid.uuid5(KEYS, " ".join(content.message_id(mail) for mail in mails)))


def result_of(mail: OutgoingMessage, message: outgoing.Message) -> Result:
    """Return the Result of a mail whose message the back end accepted, by Anymail's recipient status where there is
    one."""
    status = getattr(message, "anymail_status", None)
    if status is None or not status.recipients:  # another back end, or a repetition that was refused as one
        return Result(mail)
    own = {email.casefold(): own for email, own in status.recipients.items()}.get(mail.recipient.email.casefold())
    own = own or (next(iter(status.recipients.values())) if len(message.to) == 1 else None)
    if own is None or own.status in UNTOLD:
        return Result(mail, DeliveryError(ErrorAction.UNCLEAR, "the provider says nothing about this address"))
    is_refused = own.status in REFUSED
    outcome: Outcome = DeliveryError(ErrorAction.NEVER, f"the provider says: {own.status}") if is_refused else SENT
    return Result(mail, outcome, str(own.message_id or ""))


def close(connection: BaseEmailBackend | None) -> None:
    """Close a connection of the mail API, ignoring errors."""
    try:
        if connection:
            connection.close()
    except Exception:
        return
