"""SMTP with several connections that pipeline their commands (RFC 2920), fed with mails prepared as bytes.

A channel writes a mail's body together with the next mail's envelope, and waits for the result of the one to be committed
before it writes the body of the other: one round trip for each mail, and never more than one in doubt.
"""

import asyncio
import base64
import logging
import ssl
import threading
from collections import deque
from dataclasses import dataclass

from django.conf import settings
from django.core.mail.utils import DNS_NAME

from newsletter import errors
from newsletter.errors import Meaning, Verdict

from .base import Carrier, Result, expired

logger = logging.getLogger(__name__)
BATCH = 400
PLACES = ("sender", "recipient", "data")
MOST_PER_CONNECTION = 1000  # some servers ask for a new connection now and then; none minds


class Dropped(ConnectionError):
    """The connection broke."""


class Refused(Exception):
    """The server refused the connection itself: greeting, EHLO, STARTTLS or AUTH."""

    def __init__(self, verdict):
        super().__init__(verdict.words)
        self.verdict = verdict


@dataclass(frozen=True)
class Reply:
    """A reply of the server: its code and its words."""

    code: int
    words: str

    @property
    def is_good(self):
        return self.code < 400


class Connection(asyncio.Protocol):
    """A connection to an SMTP server (RFC 5321). `expect()` gives the next reply, in order."""

    def __init__(self):
        self.transport = None
        self.features = set()
        self.mails = 0
        self._rest = b""
        self._lines = []
        self._waiting = deque()
        self._early = deque()
        self._error = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        for line in lines:
            self._lines.append(line)
            if line[3:4] != b"-":
                self._complete()

    def _complete(self):
        lines, self._lines = self._lines, []
        code = int(lines[-1][:3]) if lines[-1][:3].isdigit() else 500
        reply = Reply(code, " ".join(line[4:].decode(errors="replace") for line in lines))
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(reply)
                return
        self._early.append(reply)

    def connection_lost(self, error):
        self._error = Dropped(str(error or "the server closed the connection"))
        for future in self._waiting:
            if not future.done():
                future.set_exception(self._error)
        self._waiting.clear()

    def expect(self):
        """A future for the next reply. It raises Dropped if the connection breaks first."""
        future = asyncio.get_running_loop().create_future()
        future.add_done_callback(_look_at)
        if self._early:
            future.set_result(self._early.popleft())
        elif self._error:
            future.set_exception(self._error)
        else:
            self._waiting.append(future)
        return future

    async def command(self, line):
        """Send one command and wait for its reply."""
        self.transport.write(line.encode("ascii") + b"\r\n")
        return await asyncio.wait_for(self.expect(), settings.EMAIL_TIMEOUT)

    # Opening

    @classmethod
    async def open(cls):
        """A connection ready for mail, by Django's e-mail settings. Raises Refused, OSError or TimeoutError."""
        loop, use_ssl = asyncio.get_running_loop(), getattr(settings, "EMAIL_USE_SSL", False)
        context = ssl.create_default_context() if use_ssl or settings.EMAIL_USE_TLS else None
        _transport, connection = await asyncio.wait_for(
            loop.create_connection(cls, settings.EMAIL_HOST, settings.EMAIL_PORT, ssl=context if use_ssl else None),
            settings.EMAIL_TIMEOUT,
        )
        try:
            await connection._greet(context if not use_ssl else None)
        except BaseException:
            connection.close()
            raise
        return connection

    async def _greet(self, context):
        self._check(await asyncio.wait_for(self.expect(), settings.EMAIL_TIMEOUT))
        await self._hello()
        if context:
            self._check(await self.command("STARTTLS"))
            loop = asyncio.get_running_loop()
            self.transport = await loop.start_tls(self.transport, self, context, server_hostname=settings.EMAIL_HOST)
            await self._hello()
        if settings.EMAIL_HOST_USER:
            await self._log_in()

    async def _hello(self):
        reply = await self.command(f"EHLO {DNS_NAME.get_fqdn()}")
        self._check(reply)
        self.features = {word.upper() for word in reply.words.split()}

    async def _log_in(self):
        secret = f"\0{settings.EMAIL_HOST_USER}\0{settings.EMAIL_HOST_PASSWORD}".encode()
        if "PLAIN" in self.features:
            self._check(await self.command("AUTH PLAIN " + base64.b64encode(secret).decode()))
            return
        self._check(await self.command("AUTH LOGIN"))
        for part in (settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD):
            reply = await self.command(base64.b64encode(part.encode()).decode())
        self._check(reply)

    @staticmethod
    def _check(reply):
        if not reply.is_good:
            raise Refused(errors.of_reply(reply.code, reply.words, "connect"))

    # Sending

    @property
    def pipelines(self):
        """Whether the server takes several commands at once."""
        return "PIPELINING" in self.features

    @staticmethod
    def _commands(mail):
        sender = mail.content.return_path(mail) or settings.DEFAULT_FROM_EMAIL.rpartition("<")[2].rstrip(">")
        return [f"MAIL FROM:<{sender}>", f"RCPT TO:<{mail.recipient.email}>", "DATA"]

    def write_envelope(self, mail, before=b""):
        """Write `before` and the commands that open a mail; return the futures of the replies to the latter."""
        self.mails += 1
        self.transport.write(before + "".join(f"{line}\r\n" for line in self._commands(mail)).encode("ascii"))
        return [self.expect() for _command in range(3)]

    async def open_mail(self, mail):
        """The Verdict of a mail's opening, command by command, or None if its body may follow."""
        self.mails += 1
        for line, place in zip(self._commands(mail), PLACES, strict=True):
            reply = await self.command(line)
            if not reply.is_good:
                return errors.of_reply(reply.code, reply.words, place)
        return None

    async def opened(self, replies):
        """The same for commands that were written at once, by their replies."""
        got = await asyncio.wait_for(asyncio.gather(*replies), settings.EMAIL_TIMEOUT)
        for reply, place in zip(got, PLACES, strict=True):
            if not reply.is_good:
                if got[-1].is_good:
                    # The server waits for a body all the same (RFC 2920, 3.1); it gets an empty one.
                    self.transport.write(b".\r\n")
                    self.expect()
                return errors.of_reply(reply.code, reply.words, place)
        return None

    def close(self):
        """Say goodbye without waiting for an answer."""
        if self.transport and not self.transport.is_closing():
            self.transport.write(b"QUIT\r\n")
            self.transport.close()


class SMTPCarrier(Carrier):
    """Several channels in one thread, each with its own connection."""

    batch_size = BATCH

    def __init__(self, provider):
        super().__init__()
        self._waiting = deque()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="carrier", daemon=True)
        self._is_ending = False
        self._connected = 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._loop.call_soon_threadsafe(self._end)
        self._thread.join()
        self._loop.close()

    def submit(self, mails):
        self._loop.call_soon_threadsafe(self._take, mails)

    def withdraw(self):
        async def take_back():
            mails = list(self._waiting)
            self._waiting.clear()
            return mails

        return asyncio.run_coroutine_threadsafe(take_back(), self._loop).result()

    def committed(self, results):
        self._loop.call_soon_threadsafe(self._go_on, results)

    def is_alive(self):
        return self._thread.is_alive()

    # In the carrier's own thread

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._news = asyncio.Event()
        self._loop.run_until_complete(self._work())

    async def _work(self):
        await asyncio.gather(*(self._channel() for _number in range(settings.SMTP_CONNECTIONS)))

    def _end(self):
        self._is_ending = True
        self._wake()

    def _wake(self):
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _take(self, mails):
        for mail in mails:
            mail.committed = self._loop.create_future()
        self._waiting.extend(mails)
        self._wake()

    @staticmethod
    def _go_on(results):
        for result in results:
            if not result.mail.committed.done():
                result.mail.committed.set_result(None)

    async def _next(self):
        """The next mail to be begun, or None when the work is over."""
        while True:
            while self._waiting:
                mail = self._waiting.popleft()
                if mail.is_held():
                    return mail
                self.results.put(expired(mail))
            if self._is_ending:
                return None
            await self._news.wait()

    async def _report(self, mail, outcome=None):
        """Tell the loop around what became of a mail, and wait until that is in the ledger."""
        self.results.put(Result(mail) if outcome is None else Result(mail, outcome))
        await mail.committed

    async def _channel(self):
        """Send mails over one connection after another until the work is over."""
        while (mail := await self._next()) is not None:
            try:
                connection = await Connection.open()
            except (Refused, OSError, TimeoutError) as error:
                if self._connected:
                    # The others have theirs; perhaps the server takes no more than those.
                    self._waiting.appendleft(mail)
                    self._wake()
                    return
                verdict = error.verdict if isinstance(error, Refused) else Verdict(Meaning.AWAY, _words(error))
                await self._report(mail, verdict)
                continue
            self._connected += 1
            try:
                await self._use(connection, mail)
            finally:
                self._connected -= 1
                connection.close()

    async def _use(self, connection, mail):
        """Send `mail` and then others over a connection, until it breaks, is used up, or the work is over."""
        replies = None
        while mail is not None:
            verdict = await self._envelope(connection, mail, replies)
            if verdict:
                await self._report(mail, verdict)
                if verdict.meaning == Meaning.AWAY:
                    return
                # The transaction is still open for the server.
                connection.transport.write(b"RSET\r\n")
                connection.expect()
                mail, replies = await self._next(), None
                continue
            following = self._waiting.popleft() if self._may_pipeline(connection) else None
            body = mail.content.as_bytes(mail) + b".\r\n"
            end = connection.expect()
            if following:
                replies = connection.write_envelope(following, body)
            else:
                connection.transport.write(body)
                replies = None
            outcome, is_broken = await self._end_of(end)
            if is_broken:
                if following:
                    self._waiting.appendleft(following)
                    self._wake()
                await self._report(mail, outcome)
                return
            await self._report(mail, outcome)
            if following is None and connection.mails >= MOST_PER_CONNECTION:
                return
            mail = following or await self._next()

    def _may_pipeline(self, connection):
        return (
            connection.pipelines
            and bool(self._waiting)
            and self._waiting[0].is_held()
            and connection.mails < MOST_PER_CONNECTION
        )

    @staticmethod
    async def _envelope(connection, mail, replies):
        """The Verdict of a mail's opening, or None if its body may follow; `replies` if it was written already."""
        try:
            if replies is None and connection.pipelines:
                replies = connection.write_envelope(mail)
            return await (connection.opened(replies) if replies else connection.open_mail(mail))
        except (Dropped, TimeoutError) as error:
            return Verdict(Meaning.AWAY, _words(error))

    @staticmethod
    async def _end_of(end):
        """(outcome, whether the connection is broken) of a mail whose body was written."""
        try:
            reply = await asyncio.wait_for(end, settings.EMAIL_TIMEOUT)
        except (Dropped, TimeoutError) as error:
            return Verdict(Meaning.UNCLEAR, _words(error)), True
        if reply.is_good:
            return None, False
        verdict = errors.of_reply(reply.code, reply.words, "end")
        return verdict, reply.code == 421


def _look_at(future):
    """Take note of a future's exception, so that asyncio does not complain about those nobody waits for any more."""
    if not future.cancelled():
        future.exception()


def _words(error):
    return str(error) or type(error).__name__
