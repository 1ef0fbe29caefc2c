"""Signed tokens for links in mails; they need no session and are case-insensitive.

A token is base32 of: purpose (1 byte), subscriber (16 bytes), confirmation round (2), time in seconds (4), digest of
the confirmed value (8), signature (16). The signature is HMAC-SHA256 under SECRET_KEY; keys in SECRET_KEY_FALLBACKS
are accepted too, so that links work for years.
"""

import base64
import binascii
import hashlib
import hmac
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast
from uuid import UUID

from django.conf import settings
from privacy import digests

if TYPE_CHECKING:
    from newsletter.models import Subscriber

CONFIRM, MANAGE, ADDRESS = b"c", b"m", b"a"
LAYOUT = struct.Struct(">1s16sHI8s")
DIGEST_BYTES, SIGNATURE_BYTES = 8, 16


class Addressee(Protocol):
    """Whom a token is for: a Subscriber, or the Recipient of a mail."""

    @property
    def uuid(self) -> UUID: ...

    @property
    def email(self) -> str: ...


class BadToken(Exception):
    """The token was altered, truncated, or made for another purpose."""


@dataclass(frozen=True)
class Token:
    """A parsed token: subscriber, confirmation round, creation time (seconds since 1970), and digest of the value."""

    subscriber: UUID
    round: int
    made_at: int
    digest: bytes

    def is_about(self, value: str) -> bool:
        """Return whether the token was made for this value."""
        return self.digest in _digests(value)


def _digests(value: str) -> list[bytes]:
    """Return the digests of a value: under the current key first, then under each older one."""
    return [bytes.fromhex(digest)[:DIGEST_BYTES] for digest in digests.hashes("link", value)]


def _signature(payload: bytes, key: str) -> bytes:
    return hmac.new(f"newsletter.subscribers.tokens:{key}".encode(), payload, hashlib.sha256).digest()[:SIGNATURE_BYTES]


def make(purpose: bytes, subscriber: Addressee, value: str | None = None) -> str:
    """Return a token of `purpose` (CONFIRM, ADDRESS or MANAGE) for a Subscriber.

    `value` is what the link confirms, by default the subscriber's address. MANAGE tokens carry no time: they stay the
    same as long as the address does.
    """
    is_lasting = purpose == MANAGE
    # A Recipient only gets MANAGE tokens.
    made_at, turn = (0, 0) if is_lasting else (int(time.time()), cast("Subscriber", subscriber).confirmation_round)
    digest = _digests(subscriber.email if value is None else value)[0]
    payload = LAYOUT.pack(purpose, subscriber.uuid.bytes, turn, made_at, digest)
    return base64.b32encode(payload + _signature(payload, settings.SECRET_KEY)).decode().rstrip("=").lower()


def read(purpose: bytes, token: str) -> Token:
    """Return the Token parsed from the result of `make`. Raises BadToken."""
    try:
        raw = base64.b32decode(token.upper() + "=" * (-len(token) % 8))
    except (binascii.Error, ValueError) as error:
        raise BadToken from error
    payload, signature = raw[: LAYOUT.size], raw[LAYOUT.size :]
    keys = [settings.SECRET_KEY, *map(str, settings.SECRET_KEY_FALLBACKS)]
    if not any(hmac.compare_digest(signature, _signature(payload, key)) for key in keys):
        raise BadToken
    found, subscriber, turn, made_at, digest = LAYOUT.unpack(payload)
    if found != purpose:
        raise BadToken
    return Token(UUID(bytes=subscriber), turn, made_at, digest)


def make_tracking(delivery_number: int) -> str:
    """Return a short token of a delivery, for counting clicks: base32 of its id (6 bytes) and 9 bytes of signature."""
    payload = delivery_number.to_bytes(6, "big")
    return base64.b32encode(payload + _signature(b"t" + payload, settings.SECRET_KEY)[:9]).decode().lower()


def read_tracking(token: str) -> int:
    """Return the id of the delivery from the result of `make_tracking`. Raises BadToken."""
    try:
        raw = base64.b32decode(token.upper())
    except (binascii.Error, ValueError) as error:
        raise BadToken from error
    payload, signature = raw[:6], raw[6:]
    keys = [settings.SECRET_KEY, *map(str, settings.SECRET_KEY_FALLBACKS)]
    if len(raw) != 15 or not any(hmac.compare_digest(signature, _signature(b"t" + payload, key)[:9]) for key in keys):
        raise BadToken
    return int.from_bytes(payload, "big")
