"""The SMTP transport: several connections with pipelining (RFC 2920), fed with preserialised mails.

A channel writes a mail's body together with the next mail's envelope, and waits until the first result is committed
before it writes the second body: one round trip per mail, and never more than one uncertain mail per channel.
"""

import asyncio
import logging
import re
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from django.conf import settings

from newsletter.delivery import errors
from newsletter.delivery.errors import DeliveryError, ErrorAction
from newsletter.delivery.providers import Provider
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
from newsletter.delivery.transports.pool import pool_for
from newsletter.delivery.transports.smtp_client import Broken, Connection, Refused, Reply

logger = logging.getLogger(__name__)
MAX_MAILS_PER_CONNECTION = 1000  # some servers require a new connection from time to time
ADDRESS = re.compile(
    r"[!-;=?-~]+@[!-;=?-~]+"
)  # allowed between < and > without quoting: no space, control character, < or >
CLOSING = 421  # reply: the server closes the connection
BAD_SEQUENCE = 503  # reply: bad sequence of commands
EXPECTED_REPLIES = {
    "sender": 2,
    "recipient": 2,
    "data": 3,
}  # the commands of a mail, and the expected reply class
QUIT_SECONDS = 0.05  # seconds to let QUIT go out when the transport ends
POLL_SECONDS = 1  # seconds until a channel that may not connect tries again


class RetryOnNewConnection(Exception):
    """The mail was not started on this connection and needs another one."""


@dataclass
class PreparedMail:
    """A mail ready to be sent: its envelope commands, its body, and the replies to the commands once they are
    written."""

    mail: OutgoingMessage
    envelope: list[str]
    body: bytes
    replies: list[asyncio.Future[Reply]] = field(default_factory=list)


def prepare(mail: OutgoingMessage) -> PreparedMail:
    """Return the PreparedMail of a mail. Raises ValueError, and whatever rendering its body raises."""
    sender = mail.content.envelope_sender(mail)
    for address in (sender, mail.recipient.email):
        if not ADDRESS.fullmatch(address):
            raise ValueError(f"SMTP cannot carry the address {address!a}")
    envelope = [f"MAIL FROM:<{sender}>", f"RCPT TO:<{mail.recipient.email}>", "DATA"]
    return PreparedMail(mail, envelope, mail.content.as_bytes(mail) + b".\r\n")


class SMTPTransport(Transport):
    """Runs several channels in one thread, each with its own connection."""

    batch_size = 400

    def __init__(self, provider: Provider) -> None:
        super().__init__()
        self.pool = pool_for(settings.EMAIL_HOST, settings.EMAIL_PORT, settings.SMTP_CONNECTIONS)
        self.may_pipeline = True
        self._waiting: deque[OutgoingMessage] = deque()
        self._channels: list[asyncio.Task[None]] = []
        self._is_ending = False
        self._mail_available = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="transport", daemon=True)

    @property
    def result_timeout(self) -> float:
        """Seconds: the sum of the timeouts until a mail's reply, for connecting and for each command."""
        return sum(settings.SMTP_REPLY_SECONDS.values()) + 10 * settings.EMAIL_TIMEOUT

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._end)
        self._thread.join(EXIT_SECONDS)
        if self.is_alive():
            logger.error("The connections to the SMTP server do not close")

    def submit(self, mails: Sequence[OutgoingMessage]) -> None:
        self._loop.call_soon_threadsafe(self._enqueue, mails)

    def withdraw(self) -> list[OutgoingMessage]:
        given_back: Future[list[OutgoingMessage]] = Future()

        def give_back() -> None:
            if given_back.set_running_or_notify_cancel():
                mails = list(self._waiting)
                self._waiting.clear()
                given_back.set_result(mails)

        try:
            self._loop.call_soon_threadsafe(give_back)
            return given_back.result(EXIT_SECONDS)
        except (RuntimeError, TimeoutError):
            given_back.cancel()
            return []

    def committed(self, results: Iterable[Result]) -> None:
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._mark_committed, results)

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    # In the transport's thread

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._work())
        finally:
            self._loop.close()

    async def _work(self) -> None:
        self._channels = [asyncio.create_task(Channel(self).run()) for _number in range(settings.SMTP_CONNECTIONS)]
        if self._is_ending:
            self._end()
        await asyncio.wait(self._channels)
        await asyncio.sleep(QUIT_SECONDS)

    def _end(self) -> None:
        self._is_ending = True
        for channel in self._channels:
            channel.cancel()

    def _enqueue(self, mails: Sequence[OutgoingMessage]) -> None:
        for mail in mails:
            mail.committed = self._loop.create_future()
        self._waiting.extend(mails)
        self._mail_available.set()

    @staticmethod
    def _mark_committed(results: Iterable[Result]) -> None:
        for result in results:
            if not result.mail.committed.done():
                result.mail.committed.set_result(None)

    # Called by the channels

    async def wait_for_mail(self) -> None:
        """Wait until a mail is queued."""
        while not self._waiting:
            self._mail_available.clear()
            await self._mail_available.wait()

    def next_mail(self) -> OutgoingMessage | None:
        """Return the next mail that may be started, or None. Mails whose lease is lost are reported and skipped."""
        while self._waiting:
            mail = self._waiting.popleft()
            if mail.is_held():
                return mail
            self.results.put(released_result(mail))
        return None

    def put_back(self, mail: OutgoingMessage) -> None:
        """Return a mail that was not started to the head of the queue."""
        self._waiting.appendleft(mail)
        self._mail_available.set()

    async def report(self, result: Result) -> None:
        """Report a result to the worker and wait until it is committed."""
        self.results.put(result)
        await result.mail.committed


class Channel:
    """Sends mails one at a time over a connection, which it replaces when needed."""

    def __init__(self, transport: SMTPTransport) -> None:
        self._transport = transport
        self._connection: Connection | None = None
        self._mail: OutgoingMessage | None = None  # the current mail
        self._following: PreparedMail | None = None  # the mail whose envelope is already written
        self._is_begun = False  # whether any byte of the current body was written

    async def run(self) -> None:
        """Send mails until cancelled. An exception becomes the result of the current mail, and the next one gets a
        new connection."""
        try:
            while True:
                try:
                    await self._step()
                except Exception as error:
                    logger.exception("An error while a mail was sent")
                    await self._report_failure(error)
        finally:
            self._disconnect()

    async def _step(self) -> None:
        """Connect, or send one mail."""
        if not self._is_connected():
            self._disconnect()
            await self._transport.wait_for_mail()
            if not await self._connect():
                return
        self._is_begun = False
        prepared, self._following = self._following, None
        mail = self._mail = prepared.mail if prepared else self._transport.next_mail()
        if mail is None:
            await self._transport.wait_for_mail()
            return
        try:
            outcome = await self._send(mail, prepared)
        except RetryOnNewConnection:
            self._transport.put_back(mail)
            self._mail = None
            self._disconnect()
            return
        if not self._current_connection.is_usable:
            self._disconnect()
        await self._transport.report(Result(mail, outcome))
        self._mail = None

    async def _report_failure(self, error: Exception) -> None:
        mail, self._mail = self._mail, None
        self._disconnect()
        if mail:
            await self._transport.report(failure_result(mail, error, self._is_begun))
        else:
            await asyncio.sleep(POLL_SECONDS)

    # Connecting

    @property
    def _current_connection(self) -> Connection:
        """The connection of a step that has connected."""
        if self._connection is None:
            raise RuntimeError("the channel is not connected")
        return self._connection

    def _is_connected(self) -> bool:
        """Return whether there is a connection for the next mail."""
        connection = self._connection
        if connection is None:
            return False
        is_used_up = connection.mails >= MAX_MAILS_PER_CONNECTION and not self._following
        return connection.is_usable and not is_used_up

    async def _connect(self) -> bool:
        """Open a connection if the pool allows it. Return whether there is one."""
        pool = self._transport.pool
        if not pool.may_open():
            await asyncio.sleep(POLL_SECONDS)
            return False
        pool.start_opening()
        try:
            self._connection = await Connection.open()
        except Exception as error:
            # While other channels are connected, the server is only at its limit. Otherwise one mail reports the
            # outage.
            if pool.refused() and (mail := self._transport.next_mail()):
                await self._transport.report(Result(mail, _error_of_failed_connection(error)))
            return False
        except asyncio.CancelledError:  # cancelled: not a refusal by the server
            pool.opened()
            pool.closed()
            raise
        pool.opened()
        return True

    def _disconnect(self) -> None:
        """Close the connection; a mail whose envelope is already written is requeued."""
        if self._following:
            self._transport.put_back(self._following.mail)
            self._following = None
        if self._connection:
            self._connection.close()
            self._connection = None
            self._transport.pool.closed()

    # Sending

    async def _send(self, mail: OutgoingMessage, prepared: PreparedMail | None) -> Outcome:
        """Send the current mail; `prepared` is given if its envelope is already written.

        Returns SENT or a DeliveryError. Raises RetryOnNewConnection.
        """
        connection = self._current_connection
        prepared = prepared or prepare(mail)
        if connection.is_too_big(prepared.body):
            words = f"the server takes mails of {connection.max_bytes} bytes at most; this one has {len(prepared.body)}"
            return DeliveryError(ErrorAction.NEVER, words)
        is_new = connection.mails == 0
        connection.mails += 1
        delivery_error = await self._open(prepared)
        if delivery_error and delivery_error.action == ErrorAction.AWAY and not connection.is_usable and not is_new:
            raise RetryOnNewConnection  # the server closed an idle or old connection; only a new one that closes is an error
        if delivery_error:
            return delivery_error
        if not prepared.mail.is_held():
            connection.abort(Broken("the lease on a mail is lost"))  # the server waits for a body, which is not sent
            return DeliveryError(ErrorAction.RELEASED)
        if not connection.is_usable and is_new:  # each new one may close like this
            return DeliveryError(ErrorAction.LATER, "the server closed the connection before the mail")
        if not connection.is_usable:  # it closed while the previous mail was committed
            raise RetryOnNewConnection
        return await self._write(prepared)

    async def _open(self, prepared: PreparedMail) -> DeliveryError | None:
        """Send the envelope. Return a DeliveryError, or None if the body may follow. Raises RetryOnNewConnection."""
        if prepared.replies or (self._current_connection.pipelines and self._transport.may_pipeline):
            if not prepared.replies:
                self._write_envelope(prepared)
            return await self._opened_at_once(prepared)
        replies: dict[str, Reply] = {}
        for line, (place, kind) in zip(prepared.envelope, EXPECTED_REPLIES.items(), strict=True):
            try:
                replies[place] = await self._current_connection.command(line, settings.SMTP_REPLY_SECONDS[place])
            except Broken as error:
                return _error_of_lost_connection(error, replies)
            if replies[place].kind != kind:
                delivery_error = self._classify_reply(replies[place], place)
                with suppress(Broken):
                    await self._current_connection.command("RSET")
                return delivery_error
        return None

    def _write_envelope(self, prepared: PreparedMail, before: bytes = b"") -> None:
        """Write `before` and the envelope commands."""
        prepared.replies = [self._current_connection.expect() for _command in prepared.envelope]
        self._current_connection.write(before + "".join(f"{line}\r\n" for line in prepared.envelope).encode("ascii"))

    async def _opened_at_once(self, prepared: PreparedMail) -> DeliveryError | None:
        """Evaluate the replies to pipelined envelope commands; results as for `_open`."""
        connection = self._current_connection
        replies: dict[str, Reply] = {}
        broken: Broken | None = None
        try:
            for command, reply in zip(EXPECTED_REPLIES, prepared.replies, strict=True):
                replies[command] = await connection.wait(reply, settings.SMTP_REPLY_SECONDS[command])
        except Broken as error:
            broken = error
        place = next((place for place, reply in replies.items() if reply.kind != EXPECTED_REPLIES[place]), None)
        if place is None:
            return _error_of_lost_connection(broken, replies) if broken else None
        if replies[place].code == BAD_SEQUENCE:
            logger.warning("The server offers PIPELINING but refuses it; continuing without pipelining")
            self._transport.may_pipeline = False
            connection.abort(Broken("pipelining refused"))
            raise RetryOnNewConnection
        delivery_error = self._classify_reply(replies[place], place)
        if broken:
            return delivery_error
        if replies["data"].kind != EXPECTED_REPLIES["data"]:
            connection.expect()
            connection.write(b"RSET\r\n")
        elif place == "recipient":
            # The server still waits for a body: send an empty one, for no recipient (RFC 2920, 3.1).
            connection.expect()
            connection.write(b".\r\n")
        else:
            connection.abort(Broken("the server asks for a mail that it refused"))
        return delivery_error

    def _classify_reply(self, reply: Reply, place: str) -> DeliveryError:
        """Return the DeliveryError of an unexpected reply. After 421 or an invalid reply the connection is aborted."""
        words = f"{reply.code} {reply.words}"
        if reply.kind < 4:
            words = f"the server's answer makes no sense here: {words}"
        if reply.kind < 4 or reply.code == CLOSING:
            self._current_connection.abort(Broken(words))
        if reply.kind < 4:
            return DeliveryError(ErrorAction.UNCLEAR if place == "end" else ErrorAction.AWAY, words)
        return errors.of_reply(reply.code, reply.words, place)

    async def _write(self, prepared: PreparedMail) -> Outcome:
        """Write a mail's body, and the next envelope if it can be pipelined. Return SENT or a DeliveryError."""
        connection = self._current_connection
        end = connection.expect()
        self._following = self._next_to_pipeline()
        self._is_begun = True
        if self._following:
            self._write_envelope(self._following, before=prepared.body)
        else:
            connection.write(prepared.body)
        try:
            reply = await connection.wait(end, settings.SMTP_REPLY_SECONDS["end"])
        except Broken as error:
            return DeliveryError(ErrorAction.UNCLEAR, str(error))
        if reply.kind == 2:
            return SENT
        return self._classify_reply(reply, "end")

    def _next_to_pipeline(self) -> PreparedMail | None:
        """Return the PreparedMail whose envelope can be written with the current body, or None. Mails that cannot be
        prepared are handled at their turn."""
        connection = self._current_connection
        if not (connection.pipelines and self._transport.may_pipeline) or connection.mails >= MAX_MAILS_PER_CONNECTION:
            return None
        mail = self._transport.next_mail()
        if mail is None:
            return None
        with suppress(Exception):
            prepared = prepare(mail)
            if not connection.is_too_big(prepared.body):
                return prepared
        self._transport.put_back(mail)
        return None


def _error_of_lost_connection(error: Broken, replies: Iterable[str]) -> DeliveryError:
    """Return the DeliveryError of a connection lost during the envelope, after `replies`. If the server had accepted
    the sender, the mail itself may be the cause: only this mail is retried later."""
    return DeliveryError(ErrorAction.LATER if "sender" in replies else ErrorAction.AWAY, str(error))


def _error_of_failed_connection(error: Exception) -> DeliveryError:
    """Return the DeliveryError of a connection that could not be opened."""
    if isinstance(error, Refused):
        return error.delivery_error
    if isinstance(error, OSError):
        return DeliveryError(ErrorAction.AWAY, str(error) or type(error).__name__)
    logger.error("An error while a connection was opened", exc_info=error)
    # Invalid settings, such as a malformed host name, need a person.
    is_settings = isinstance(error, ValueError | LookupError | TypeError)
    return DeliveryError(ErrorAction.HALT if is_settings else ErrorAction.AWAY, f"{type(error).__name__}: {error}")
