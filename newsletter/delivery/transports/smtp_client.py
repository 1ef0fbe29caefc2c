"""A client of SMTP (RFC 5321) that pipelines (RFC 2920). What a server says is read strictly: an answer that is not understood
never counts as a yes, and ends the connection.

aiosmtplib takes one command at a time; docs/performance.md has the measurement that decided for a client of our own.
"""

import asyncio
import base64
import re
import ssl
from collections import deque
from dataclasses import dataclass

from django.conf import settings
from django.core.mail.utils import DNS_NAME

from newsletter.delivery import errors
from newsletter.delivery.errors import DeliveryError, ErrorAction

LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
MOST_BYTES = 65536  # of one reply; RFC 5321 asks for 512 a line, and EHLO's lines are the longest in practice
OTHER_METHOD = {504, 534}  # replies to AUTH (RFC 4954): this way of signing in will not do, another may


class Broken(ConnectionError):
    """The connection ended, or the server said what SMTP does not know."""


class Refused(Exception):
    """The server let nobody in: greeting, EHLO, STARTTLS or AUTH failed."""

    def __init__(self, verdict):
        super().__init__(verdict.words)
        self.verdict = verdict


@dataclass(frozen=True)
class Reply:
    """A reply of the server: its code and its lines."""

    code: int
    lines: tuple

    @property
    def words(self):
        """What it says, on one line."""
        return " ".join(self.lines)

    @property
    def kind(self):
        """The first digit of the code: 2 done, 3 go on, 4 not now, 5 no."""
        return self.code // 100


class Connection(asyncio.Protocol):
    """A connection to an SMTP server. Each reply belongs to one `expect()`, in order; one that nobody expects ends it."""

    def __init__(self):
        self.transport = None
        self.features = {}  # EHLO's keywords: {keyword: parameters}
        self.mails = 0  # begun on this connection
        self._buffer = b""
        self._lines, self._bytes = [], 0
        self._expected = deque()
        self._error = None
        self._greeting = self.expect()

    # asyncio.Protocol

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        try:
            for line in lines:
                self._take(line.removesuffix(b"\r"))
            if self._bytes + len(self._buffer) > MOST_BYTES:
                raise Broken("the server's answer does not end")
        except Broken as error:
            self.abort(error)

    def connection_lost(self, error):
        self._fail(Broken(str(error or "the server closed the connection")))

    def _take(self, line):
        """Take one line of a reply. Raises Broken if it is none."""
        found = LINE.fullmatch(line)
        if not found or (self._lines and found[1] != self._lines[0][0]):
            raise Broken(f"the server's answer is not SMTP: {_text(line)}")
        self._lines.append((found[1], _text(found[3] or b"")))
        self._bytes += len(line)
        if found[2] == b"-":
            return
        reply = Reply(int(found[1]), tuple(text for _code, text in self._lines))
        self._lines, self._bytes = [], 0
        if not self._expected:
            raise Broken(f"the server said without being asked: {reply.code} {reply.words}")
        future = self._expected.popleft()
        if not future.done():
            future.set_result(reply)

    def _fail(self, error):
        self._error = self._error or error
        while self._expected:
            future = self._expected.popleft()
            if not future.done():
                future.set_exception(self._error)

    # Talking

    @property
    def is_usable(self):
        """Whether nothing has ended the connection yet."""
        return self._error is None

    def expect(self):
        """A future for the next reply. It raises Broken if the connection ends first."""
        future = asyncio.get_running_loop().create_future()
        future.add_done_callback(_look_at)
        if self._error:
            future.set_exception(self._error)
        else:
            self._expected.append(future)
        return future

    async def wait(self, future, seconds):
        """The reply of a future. Raises Broken, also when `seconds` are over: a later answer would be taken for the next one."""
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            self.abort(Broken(f"the server gave no answer within {seconds} seconds"))
            raise self._error from None

    async def command(self, line, seconds=None):
        """Send one command and wait for its reply, EMAIL_TIMEOUT unless told otherwise."""
        reply = self.expect()
        self.write(line.encode("ascii") + b"\r\n")
        return await self.wait(reply, seconds or settings.EMAIL_TIMEOUT)

    def write(self, data):
        """Send bytes; once the connection has ended they go nowhere."""
        if self.is_usable:
            self.transport.write(data)

    def abort(self, error):
        """End the connection at once; who waits for a reply gets `error`."""
        self._fail(error)
        if self.transport:
            self.transport.abort()

    def close(self):
        """Say goodbye without waiting for an answer."""
        if self.is_usable and self.transport:
            self.transport.write(b"QUIT\r\n")
            self._fail(Broken("the connection was closed"))
            self.transport.close()

    # Opening

    @classmethod
    async def open(cls):
        """A connection ready for mail, by Django's e-mail settings. Raises Refused, or OSError (Broken, TimeoutError)."""
        use_ssl = settings.EMAIL_USE_SSL
        context = ssl.create_default_context() if use_ssl or settings.EMAIL_USE_TLS else None
        connection = None
        try:
            async with asyncio.timeout(settings.EMAIL_TIMEOUT):
                _transport, connection = await asyncio.get_running_loop().create_connection(
                    cls, settings.EMAIL_HOST, settings.EMAIL_PORT, ssl=context if use_ssl else None
                )
            await connection._greet(None if use_ssl else context)
        except BaseException as error:
            if connection:
                connection.close()
            if isinstance(error, ssl.SSLCertVerificationError):
                raise Refused(
                    DeliveryError(ErrorAction.HALT, f"{settings.EMAIL_HOST}: {error.verify_message}")
                ) from error
            raise
        return connection

    async def _greet(self, context):
        _check(await self.wait(self._greeting, settings.SMTP_REPLY_SECONDS["greeting"]), 220)
        await self._hello()
        if context:
            await self._start_tls(context)
            await self._hello()
        if settings.EMAIL_HOST_USER:
            await self._log_in()

    async def _hello(self):
        reply = _check(await self.command(f"EHLO {DNS_NAME.get_fqdn()}"), 250)
        # The first line greets; the others are a keyword and its parameters (RFC 5321, 4.1.1.1).
        words = [line.upper().replace("AUTH=", "AUTH ").split() for line in reply.lines[1:]]
        self.features = {keyword: parameters for keyword, *parameters in filter(None, words)}

    async def _start_tls(self, context):
        """Go on under TLS (RFC 3207). What came before it, in the open, is no answer to anything that follows."""
        if "STARTTLS" not in self.features:
            raise Refused(DeliveryError(ErrorAction.HALT, "the server offers no TLS (STARTTLS)"))
        _check(await self.command("STARTTLS"), 220)
        if self._buffer or self._lines or not self.is_usable:
            self.abort(Broken("the server said more than it was asked before TLS began"))
            raise Refused(DeliveryError(ErrorAction.HALT, str(self._error)))
        self.transport = await asyncio.get_running_loop().start_tls(
            self.transport,
            self,
            context,
            server_hostname=settings.EMAIL_HOST,
            ssl_handshake_timeout=settings.EMAIL_TIMEOUT,
        )

    async def _log_in(self):
        """Sign in by AUTH PLAIN or AUTH LOGIN (RFC 4954), the first of them that the server offers and takes."""
        ways = {"PLAIN": self._log_in_plain, "LOGIN": self._log_in_login}
        offered = [way for way in ways if way in self.features.get("AUTH", [])]
        if not offered:
            words = f"the server offers no AUTH PLAIN or LOGIN: {' '.join(self.features.get('AUTH', ['no AUTH']))}"
            raise Refused(DeliveryError(ErrorAction.HALT, words))
        for way in offered:
            reply = await ways[way]()
            if reply.code not in OTHER_METHOD:
                break
        _check(reply, 235)

    async def _log_in_plain(self):
        secret = f"\0{settings.EMAIL_HOST_USER}\0{settings.EMAIL_HOST_PASSWORD}"
        return await self.command(f"AUTH PLAIN {_base64(secret)}")

    async def _log_in_login(self):
        reply = await self.command("AUTH LOGIN")
        for part in (settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD):
            if reply.code != 334:
                break
            reply = await self.command(_base64(part))
        return reply

    # What the server offers

    @property
    def pipelines(self):
        """Whether the server takes several commands at once."""
        return "PIPELINING" in self.features

    @property
    def most_bytes(self):
        """The size of a mail that the server takes at most (RFC 1870); None where it names none."""
        size = "".join(self.features.get("SIZE", [])[:1])
        return int(size) or None if size.isdecimal() else None

    def is_too_big(self, body):
        """Whether the server says that it takes no mail of this size."""
        return bool(self.most_bytes) and len(body) > self.most_bytes


def _check(reply, code):
    """The reply, if it has this code. Raises Refused."""
    if reply.code == code:
        return reply
    if reply.kind < 4:
        raise Refused(
            DeliveryError(ErrorAction.AWAY, f"the server's answer makes no sense here: {reply.code} {reply.words}")
        )
    raise Refused(errors.of_reply(reply.code, reply.words, "connect"))


def _base64(text):
    return base64.b64encode(text.encode()).decode()


def _text(raw):
    return raw[:1000].decode(errors="replace")


def _look_at(future):
    """Take note of a future's exception, so that asyncio does not complain about those nobody waits for any more."""
    if not future.cancelled():
        future.exception()
