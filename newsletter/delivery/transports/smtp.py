"""SMTP over several connections that pipeline their commands (RFC 2920), fed with mails prepared as bytes.

A channel writes a mail's body together with the next mail's envelope, and waits for the result of the one to be committed
before it writes the body of the other: one round trip for each mail, and never more than one in doubt.
"""

import asyncio
import logging
import re
import threading
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass

from django.conf import settings

from newsletter.delivery import errors
from newsletter.delivery.errors import DeliveryError, ErrorAction
from newsletter.delivery.transports.base import EXIT_SECONDS, SENT, OutgoingMessage, Result, Transport, expired, failed
from newsletter.delivery.transports.pool import pool_for
from newsletter.delivery.transports.smtp_client import Broken, Connection, Refused

logger = logging.getLogger(__name__)
MOST_PER_CONNECTION = 1000  # some servers ask for a new connection now and then; none minds
ADDRESS = re.compile(
    r"[!-;=?-~]+@[!-;=?-~]+"
)  # what may stand between < and > without quoting: no space, control letter, < or >
CLOSING = 421  # the reply of a server that closes the connection
OUT_OF_ORDER = 503  # the reply to a command that the server did not expect
PLACES = {"sender": 2, "recipient": 2, "data": 3}  # a mail's commands, and the kind of reply that each asks for
GOODBYE_SECONDS = 0.05  # for connections that are being closed when the carrier ends
LOOK_SECONDS = 1  # how often a channel that may not connect looks again


class Again(Exception):
    """This connection will not do; another one is to try the mail, of which nothing was sent."""


@dataclass
class Letter:
    """A mail ready to be written: its envelope's commands and its body; the replies to the commands once they are written."""

    mail: OutgoingMessage
    envelope: list
    body: bytes
    replies: list | None = None


def prepare(mail):
    """The Letter of a mail. Raises ValueError, and whatever the making of its body raises."""
    sender = mail.content.envelope_sender(mail)
    for address in (sender, mail.recipient.email):
        if not ADDRESS.fullmatch(address):
            raise ValueError(f"SMTP cannot carry the address {address!a}")
    envelope = [f"MAIL FROM:<{sender}>", f"RCPT TO:<{mail.recipient.email}>", "DATA"]
    return Letter(mail, envelope, mail.content.as_bytes(mail) + b".\r\n")


class SMTPTransport(Transport):
    """Several channels in one thread, each with its own connection."""

    batch_size = 400

    def __init__(self, provider):
        super().__init__()
        self.pool = pool_for(settings.EMAIL_HOST, settings.EMAIL_PORT, settings.SMTP_CONNECTIONS)
        self.may_pipeline = True
        self._waiting, self._channels, self._is_ending = deque(), [], False
        self._news = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="carrier", daemon=True)

    @property
    def patience(self):
        """The waits that may follow one after the other before a mail's answer is there: for a connection, then for each reply."""
        return sum(settings.SMTP_REPLY_SECONDS.values()) + 10 * settings.EMAIL_TIMEOUT

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        with suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._end)
        self._thread.join(EXIT_SECONDS)
        if self.is_alive():
            logger.error("The connections to the SMTP server do not end")

    def submit(self, mails):
        self._loop.call_soon_threadsafe(self._take, mails)

    def withdraw(self):
        given_back = Future()

        def give_back():
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

    def committed(self, results):
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._go_on, results)

    def is_alive(self):
        return self._thread.is_alive()

    # In the carrier's own thread

    def _run(self):
        try:
            self._loop.run_until_complete(self._work())
        finally:
            self._loop.close()

    async def _work(self):
        self._channels = [asyncio.create_task(Channel(self).run()) for _number in range(settings.SMTP_CONNECTIONS)]
        if self._is_ending:
            self._end()
        await asyncio.wait(self._channels)
        await asyncio.sleep(GOODBYE_SECONDS)

    def _end(self):
        self._is_ending = True
        for channel in self._channels:
            channel.cancel()

    def _take(self, mails):
        for mail in mails:
            mail.committed = self._loop.create_future()
        self._waiting.extend(mails)
        self._news.set()

    @staticmethod
    def _go_on(results):
        for result in results:
            if not result.mail.committed.done():
                result.mail.committed.set_result(None)

    # For the channels

    async def wait_for_mail(self):
        """Wait until a mail waits to be begun."""
        while not self._waiting:
            self._news.clear()
            await self._news.wait()

    def take(self):
        """The next mail that may be begun, or None. Those whose lease is lost are told on the way."""
        while self._waiting:
            mail = self._waiting.popleft()
            if mail.is_held():
                return mail
            self.results.put(expired(mail))
        return None

    def put_back(self, mail):
        """A mail that was not begun goes to the head of the queue."""
        self._waiting.appendleft(mail)
        self._news.set()

    async def report(self, result):
        """Tell the loop around what became of a mail, and wait until that is in the ledger."""
        self.results.put(result)
        await result.mail.committed


class Channel:
    """One connection after another, and the mails that go over it."""

    def __init__(self, carrier):
        self._carrier, self._connection = carrier, None
        self._mail = self._following = None  # in hand; and the Letter whose envelope is on its way already
        self._is_begun = False  # whether a byte of the body in hand was written

    async def run(self):
        """Send mails until cancelled. What raises is the result of the mail in hand; the next mail gets a new connection."""
        try:
            while True:
                try:
                    await self._step()
                except Exception as error:
                    logger.exception("An error while a mail was sent")
                    await self._set_aside(error)
        finally:
            self._hang_up()

    async def _step(self):
        """Connect, or send one mail."""
        if not self._is_connected():
            self._hang_up()
            await self._carrier.wait_for_mail()
            if not await self._connect():
                return
        self._is_begun = False
        letter, self._following = self._following, None
        self._mail = letter.mail if letter else self._carrier.take()
        if self._mail is None:
            await self._carrier.wait_for_mail()
            return
        try:
            outcome = await self._send(letter)
        except Again:
            self._carrier.put_back(self._mail)
            self._mail = None
            self._hang_up()
            return
        if not self._connection.is_usable:
            self._hang_up()
        await self._carrier.report(Result(self._mail, outcome))
        self._mail = None

    async def _set_aside(self, error):
        mail, self._mail = self._mail, None
        self._hang_up()
        if mail:
            await self._carrier.report(failed(mail, error, self._is_begun))
        else:
            await asyncio.sleep(LOOK_SECONDS)

    # Connecting

    def _is_connected(self):
        """Whether there is a connection that takes the next mail."""
        connection = self._connection
        is_used_up = connection and connection.mails >= MOST_PER_CONNECTION and not self._following
        return bool(connection) and connection.is_usable and not is_used_up

    async def _connect(self):
        """Open a connection if the pool allows one; returns whether there is one."""
        pool = self._carrier.pool
        if not pool.may_open():
            await asyncio.sleep(LOOK_SECONDS)
            return False
        pool.begin()
        try:
            self._connection = await Connection.open()
        except Exception as error:
            # While others are connected, the server only takes no more than those. Else one mail brings the news.
            if pool.refused() and (mail := self._carrier.take()):
                await self._carrier.report(Result(mail, _why_not(error)))
            return False
        except asyncio.CancelledError:  # says nothing about the server
            pool.opened()
            pool.closed()
            raise
        pool.opened()
        return True

    def _hang_up(self):
        """End the connection; a mail whose envelope is on its way goes back."""
        if self._following:
            self._carrier.put_back(self._following.mail)
            self._following = None
        if self._connection:
            self._connection.close()
            self._connection = None
            self._carrier.pool.closed()

    # Sending

    async def _send(self, letter):
        """Send the mail in hand, whose envelope is on its way if there is a `letter`. Returns SENT or a Verdict; raises Again."""
        connection = self._connection
        letter = letter or prepare(self._mail)
        if connection.is_too_big(letter.body):
            words = f"the server takes mails of {connection.most_bytes} bytes at most; this one has {len(letter.body)}"
            return DeliveryError(ErrorAction.NEVER, words)
        is_new = connection.mails == 0
        connection.mails += 1
        verdict = await self._open(letter)
        if verdict and verdict.meaning == ErrorAction.AWAY and not connection.is_usable and not is_new:
            raise Again  # the server closed a connection that was idle or old; the end of a new one is news
        if verdict:
            return verdict
        if not letter.mail.is_held():
            connection.abort(Broken("the lease on a mail is lost"))  # the server waits for a body, and gets none
            return DeliveryError(ErrorAction.RELEASED)
        if not connection.is_usable:  # it ended while the mail before was recorded
            raise Again
        return await self._write(letter)

    async def _open(self, letter):
        """The Verdict of a mail's opening, or None if its body may follow. Raises Again."""
        if letter.replies or (self._connection.pipelines and self._carrier.may_pipeline):
            if not letter.replies:
                self._write_envelope(letter)
            return await self._opened_at_once(letter)
        replies = {}
        for line, (place, kind) in zip(letter.envelope, PLACES.items(), strict=True):
            try:
                replies[place] = await self._connection.command(line, settings.SMTP_REPLY_SECONDS[place])
            except Broken as error:
                return _verdict_of_end(error, replies)
            if replies[place].kind != kind:
                verdict = self._refusal(replies[place], place)
                with suppress(Broken):
                    await self._connection.command("RSET")
                return verdict
        return None

    def _write_envelope(self, letter, before=b""):
        """Write `before` and the commands that open a mail."""
        letter.replies = [self._connection.expect() for _command in letter.envelope]
        self._connection.write(before + "".join(f"{line}\r\n" for line in letter.envelope).encode("ascii"))

    async def _opened_at_once(self, letter):
        """The same for commands that were written at once."""
        connection, replies, broken = self._connection, {}, None
        try:
            for place, reply in zip(PLACES, letter.replies, strict=True):
                replies[place] = await connection.wait(reply, settings.SMTP_REPLY_SECONDS[place])
        except Broken as error:
            broken = error
        place = next((place for place, reply in replies.items() if reply.kind != PLACES[place]), None)
        if place is None:
            return _verdict_of_end(broken, replies) if broken else None
        if replies[place].code == OUT_OF_ORDER:
            logger.warning("The server offers PIPELINING and refuses it; one command at a time from here")
            self._carrier.may_pipeline = False
            connection.abort(Broken("pipelining refused"))
            raise Again
        verdict = self._refusal(replies[place], place)
        if broken:
            return verdict
        if replies["data"].kind != PLACES["data"]:
            connection.expect()
            connection.write(b"RSET\r\n")
        elif place == "recipient":
            # The server waits for a body all the same, and gets an empty one: for nobody (RFC 2920, 3.1).
            connection.expect()
            connection.write(b".\r\n")
        else:
            connection.abort(Broken("the server asks for a mail that it refused"))
        return verdict

    def _refusal(self, reply, place):
        """The Verdict of a reply that is not the wanted one. After 421, or what makes no sense, the connection is of no more use."""
        words = f"{reply.code} {reply.words}"
        if reply.kind < 4:
            words = f"the server's answer makes no sense here: {words}"
        if reply.kind < 4 or reply.code == CLOSING:
            self._connection.abort(Broken(words))
        if reply.kind < 4:
            return DeliveryError(ErrorAction.UNCLEAR if place == "end" else ErrorAction.AWAY, words)
        return errors.of_reply(reply.code, reply.words, place)

    async def _write(self, letter):
        """Write a mail's body, and the next one's envelope if it may go along. Returns SENT or a Verdict."""
        connection = self._connection
        end = connection.expect()
        self._following = self._next_to_pipeline()
        self._is_begun = True
        if self._following:
            self._write_envelope(self._following, before=letter.body)
        else:
            connection.write(letter.body)
        try:
            reply = await connection.wait(end, settings.SMTP_REPLY_SECONDS["end"])
        except Broken as error:
            return DeliveryError(ErrorAction.UNCLEAR, str(error))
        if reply.kind == 2:
            return SENT
        return self._refusal(reply, "end")

    def _next_to_pipeline(self):
        """The Letter that may be opened together with a body, or None. A mail that cannot be made or sent is told at its turn."""
        connection = self._connection
        if not (connection.pipelines and self._carrier.may_pipeline) or connection.mails >= MOST_PER_CONNECTION:
            return None
        mail = self._carrier.take()
        if mail is None:
            return None
        with suppress(Exception):
            letter = prepare(mail)
            if not connection.is_too_big(letter.body):
                return letter
        self._carrier.put_back(mail)
        return None


def _verdict_of_end(error, replies):
    """The Verdict of a mail in whose opening the connection ended, after these replies. If the server had begun to take it, perhaps
    this mail is the reason: it is tried again later, and the others go on."""
    return DeliveryError(ErrorAction.LATER if "sender" in replies else ErrorAction.AWAY, str(error))


def _why_not(error):
    """The Verdict of a connection that could not be opened."""
    if isinstance(error, Refused):
        return error.verdict
    if isinstance(error, OSError):
        return DeliveryError(ErrorAction.AWAY, str(error) or type(error).__name__)
    logger.error("An error while a connection was opened", exc_info=error)
    # Settings that Python cannot do anything with, such as a host name that is none, do not mend themselves.
    is_settings = isinstance(error, ValueError | LookupError | TypeError)
    return DeliveryError(ErrorAction.HALT if is_settings else ErrorAction.AWAY, f"{type(error).__name__}: {error}")
