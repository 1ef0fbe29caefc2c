"""An SMTP client (RFC 5321) with pipelining (RFC 2920). Replies are parsed strictly: an invalid reply is never
treated as success, and closes the connection.

aiosmtplib sends one command at a time; docs/performance.md has the measurement behind this client.
"""

import asyncio
import base64
import re
import ssl
from collections import deque
from dataclasses import dataclass
from typing import Self

from django.conf import settings
from django.core.mail.utils import DNS_NAME

from newsletter.delivery import errors
from newsletter.delivery.errors import DeliveryError, ErrorAction

LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
MAX_REPLY_BYTES = 65536  # of one reply; RFC 5321 allows 512 per line, and EHLO replies are the longest in practice
OTHER_METHOD = {504, 534}  # replies to AUTH (RFC 4954): mechanism refused, another one may work


class Broken(ConnectionError):
    """The connection ended, or the server's reply is not valid SMTP."""


class Refused(Exception):
    """The session could not be started: greeting, EHLO, STARTTLS or AUTH failed."""

    def __init__(self, delivery_error: DeliveryError) -> None:
        super().__init__(delivery_error.words)
        self.delivery_error = delivery_error


@dataclass(frozen=True)
class Reply:
    """A reply of the server: its code and its lines."""

    code: int
    lines: tuple[str, ...]

    @property
    def words(self) -> str:
        """The text on one line."""
        return " ".join(self.lines)

    @property
    def kind(self) -> int:
        """The first digit of the code: 2 success, 3 intermediate, 4 temporary failure, 5 permanent failure."""
        return self.code // 100


class Connection(asyncio.Protocol):
    """A connection to an SMTP server. Each reply belongs to one `expect()`, in order; an unexpected reply closes it."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.features: dict[str, list[str]] = {}  # EHLO's keywords: {keyword: parameters}
        self.mails = 0  # mails started on this connection
        self._buffer = b""
        self._lines: list[tuple[bytes, str]] = []  # (code, text) of the reply that is being read
        self._bytes = 0
        self._expected: deque[asyncio.Future[Reply]] = deque()
        self._error: Broken | None = None
        self._greeting = self.expect()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # the stub says BaseTransport, though a stream's Protocol gets a Transport
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        try:
            for line in lines:
                self._parse_line(line.removesuffix(b"\r"))
            if self._bytes + len(self._buffer) > MAX_REPLY_BYTES:
                raise Broken("the server's answer does not end")
        except Broken as error:
            self.abort(error)

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(Broken(str(error or "the server closed the connection")))

    def _parse_line(self, line: bytes) -> None:
        """Parse one line of a reply. Raises Broken if it is invalid."""
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

    def _fail(self, error: Broken) -> None:
        self._error = self._error or error
        while self._expected:
            future = self._expected.popleft()
            if not future.done():
                future.set_exception(self._error)

    # Commands and replies

    @property
    def is_usable(self) -> bool:
        """Whether the connection is still open."""
        return self._error is None

    def expect(self) -> asyncio.Future[Reply]:
        """Return a future for the next reply. It raises Broken if the connection ends first."""
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        future.add_done_callback(_retrieve_exception)
        if self._error:
            future.set_exception(self._error)
        else:
            self._expected.append(future)
        return future

    async def wait(self, future: asyncio.Future[Reply], seconds: float) -> Reply:
        """Return the reply of a future. Raises Broken, also after `seconds`, as a late reply would be taken for the
        next one."""
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            late = Broken(f"the server gave no answer within {seconds} seconds")
            self.abort(late)
            raise self._error or late from None

    async def command(self, line: str, seconds: float | None = None) -> Reply:
        """Send one command and wait for its reply, for EMAIL_TIMEOUT by default."""
        reply = self.expect()
        self.write(line.encode("ascii") + b"\r\n")
        return await self.wait(reply, seconds or settings.EMAIL_TIMEOUT)

    def write(self, data: bytes) -> None:
        """Write bytes; ignored once the connection has ended."""
        if self.is_usable and self.transport:
            self.transport.write(data)

    def abort(self, error: Broken) -> None:
        """Close the connection at once; pending replies raise `error`."""
        self._fail(error)
        if self.transport:
            self.transport.abort()

    def close(self) -> None:
        """Send QUIT and close without waiting for the reply."""
        if self.is_usable and self.transport:
            self.transport.write(b"QUIT\r\n")
            self._fail(Broken("the connection was closed"))
            self.transport.close()

    # Opening

    @classmethod
    async def open(cls) -> Self:
        """Open a connection ready for mail, from Django's e-mail settings. Raises Refused, or OSError (Broken,
        TimeoutError)."""
        use_ssl = settings.EMAIL_USE_SSL
        context = ssl.create_default_context() if use_ssl or settings.EMAIL_USE_TLS else None
        connection = None
        try:
            async with asyncio.timeout(settings.EMAIL_TIMEOUT):
                transport, connection = await asyncio.get_running_loop().create_connection(
                    cls, settings.EMAIL_HOST, settings.EMAIL_PORT, ssl=context if use_ssl else None
                )
            await connection._start_session(transport, None if use_ssl else context)
        except BaseException as error:
            if connection:
                connection.close()
            if isinstance(error, ssl.SSLCertVerificationError):
                raise Refused(
                    DeliveryError(ErrorAction.HALT, f"{settings.EMAIL_HOST}: {error.verify_message}")
                ) from error
            raise
        return connection

    async def _start_session(self, transport: asyncio.Transport, context: ssl.SSLContext | None) -> None:
        _check(await self.wait(self._greeting, settings.SMTP_REPLY_SECONDS["greeting"]), 220)
        await self._ehlo()
        if context:
            await self._start_tls(transport, context)
            await self._ehlo()
        if settings.EMAIL_HOST_USER:
            await self._log_in()

    async def _ehlo(self) -> None:
        reply = _check(await self.command(f"EHLO {DNS_NAME.get_fqdn()}"), 250)
        # The first line is a greeting; each other line is a keyword with parameters (RFC 5321, 4.1.1.1).
        words = [line.upper().replace("AUTH=", "AUTH ").split() for line in reply.lines[1:]]
        self.features = {keyword: parameters for keyword, *parameters in filter(None, words)}

    async def _start_tls(self, transport: asyncio.Transport, context: ssl.SSLContext) -> None:
        """Upgrade to TLS (RFC 3207). Data received in plain text before the handshake is rejected."""
        if "STARTTLS" not in self.features:
            raise Refused(DeliveryError(ErrorAction.HALT, "the server offers no TLS (STARTTLS)"))
        _check(await self.command("STARTTLS"), 220)
        if self._buffer or self._lines or not self.is_usable:
            self.abort(Broken("the server said more than it was asked before TLS began"))
            raise Refused(DeliveryError(ErrorAction.HALT, str(self._error)))
        self.transport = await asyncio.get_running_loop().start_tls(
            transport,
            self,
            context,
            server_hostname=settings.EMAIL_HOST,
            ssl_handshake_timeout=settings.EMAIL_TIMEOUT,
        )

    async def _log_in(self) -> None:
        """Authenticate with AUTH PLAIN or AUTH LOGIN (RFC 4954), the first of them that the server offers and
        accepts."""
        mechanisms = {"PLAIN": self._log_in_plain, "LOGIN": self._log_in_login}
        offered = [mechanism for mechanism in mechanisms if mechanism in self.features.get("AUTH", [])]
        if not offered:
            words = f"the server offers no AUTH PLAIN or LOGIN: {' '.join(self.features.get('AUTH', ['no AUTH']))}"
            raise Refused(DeliveryError(ErrorAction.HALT, words))
        for mechanism in offered:
            reply = await mechanisms[mechanism]()
            if reply.code not in OTHER_METHOD:
                break
        _check(reply, 235)

    async def _log_in_plain(self) -> Reply:
        secret = f"\0{settings.EMAIL_HOST_USER}\0{settings.EMAIL_HOST_PASSWORD}"
        return await self.command(f"AUTH PLAIN {_base64(secret)}")

    async def _log_in_login(self) -> Reply:
        reply = await self.command("AUTH LOGIN")
        for part in (settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD):
            if reply.code != 334:
                break
            reply = await self.command(_base64(part))
        return reply

    # Features of the server

    @property
    def pipelines(self) -> bool:
        """Whether the server supports PIPELINING."""
        return "PIPELINING" in self.features

    @property
    def max_bytes(self) -> int | None:
        """The server's maximum mail size in bytes (RFC 1870); None if it names none."""
        size = "".join(self.features.get("SIZE", [])[:1])
        return int(size) or None if size.isdecimal() else None

    def is_too_big(self, body: bytes) -> bool:
        """Return whether the body exceeds the server's maximum size."""
        return self.max_bytes is not None and len(body) > self.max_bytes


def _check(reply: Reply, code: int) -> Reply:
    """Return the reply if it has this code. Raises Refused otherwise."""
    if reply.code == code:
        return reply
    if reply.kind < 4:
        raise Refused(
            DeliveryError(ErrorAction.AWAY, f"the server's answer makes no sense here: {reply.code} {reply.words}")
        )
    raise Refused(errors.of_reply(reply.code, reply.words, "connect"))


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _text(raw: bytes) -> str:
    return raw[:1000].decode(errors="replace")


def _retrieve_exception(future: asyncio.Future[Reply]) -> None:
    """Retrieve a future's exception, so that asyncio does not log it as never retrieved."""
    if not future.cancelled():
        future.exception()
