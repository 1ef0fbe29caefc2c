"""Classifies sending errors, the same way for SMTP replies and for every provider's API."""

import smtplib
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum

from anymail.exceptions import (
    AnymailAPIError,
    AnymailConfigurationError,
    AnymailError,
    AnymailInvalidAddress,
    AnymailRecipientsRefused,
    AnymailSerializationError,
    AnymailUnsupportedFeature,
)
from django.utils import timezone

MAX_RETRY_AFTER_SECONDS = 3600  # upper limit on a provider's Retry-After
# Permanent replies to MAIL FROM, AUTH and the like that apply to every mail (RFC 5321, RFC 4954).
SENDER_CODES = {550, 553, 554}
SIGN_IN_CODES = {530, 534, 535, 538}  # authentication required or method refused (RFC 4954), whatever the command


class ErrorAction(Enum):
    """What the worker does about an error."""

    LATER = "this mail was refused for now: try it again after a pause"
    NEVER = "this mail was refused for good"
    HALT = "every mail would be refused: the sender or the key is wrong"
    AWAY = "the provider cannot be reached or asks for a pause: nothing was sent"
    UNCLEAR = "the mail may or may not have gone"
    RELEASED = "this worker no longer holds the mail and did not begin it"


@dataclass(frozen=True)
class DeliveryError:
    """A classified sending error.

    `words` is the provider's text, `retry_after` the seconds to wait before the next try if it named any, `code` the SMTP
    reply code if there is one.
    """

    action: ErrorAction
    words: str = ""
    retry_after: float | None = None
    code: int | None = None


def of_reply(code: int, words: str, at: str) -> DeliveryError:
    """Return the DeliveryError for an SMTP reply code of 400 or above.

    `at` is the stage: connect, sender, recipient, data or end.
    """
    words = f"{code} {words}"
    if code < 500:
        return DeliveryError(ErrorAction.AWAY if at in {"connect", "sender"} else ErrorAction.LATER, words, code=code)
    if at == "connect" or code in SIGN_IN_CODES or (at == "sender" and code in SENDER_CODES):
        return DeliveryError(ErrorAction.HALT, words, code=code)
    return DeliveryError(ErrorAction.NEVER, words, code=code)


class Unanswered(smtplib.SMTPException):
    """No valid reply followed the mail's data, so the mail may or may not have been sent."""


def of_exception(error: Exception) -> DeliveryError:
    """Return the DeliveryError for an exception raised by a mail back end."""
    words = (str(error) or type(error).__name__)[:2000]
    if isinstance(error, AnymailAPIError) and (status := _status_of(error)):
        return _of_status(status, error, words)
    if isinstance(error, AnymailRecipientsRefused | AnymailInvalidAddress):
        return DeliveryError(ErrorAction.NEVER, words)
    if isinstance(error, AnymailConfigurationError | AnymailUnsupportedFeature | AnymailSerializationError):
        return DeliveryError(ErrorAction.HALT, words)
    if isinstance(error, smtplib.SMTPAuthenticationError | smtplib.SMTPSenderRefused):
        return of_reply(error.smtp_code, _text(error.smtp_error), "sender")
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, reply = next(iter(error.recipients.values()))
        return of_reply(code, _text(reply), "recipient")
    if isinstance(error, smtplib.SMTPConnectError | smtplib.SMTPHeloError):
        return of_reply(error.smtp_code, _text(error.smtp_error), "connect")
    if isinstance(error, smtplib.SMTPResponseException):
        return of_reply(error.smtp_code, _text(error.smtp_error), "end")
    if isinstance(error, OSError) and not isinstance(error, AnymailError | Unanswered):
        return DeliveryError(ErrorAction.AWAY, words)  # SMTP failed before the data was sent, see smtp_backend.py
    chain = _chain(error)
    if any(isinstance(link, ssl.SSLCertVerificationError) for link in chain):  # before the request was sent
        return DeliveryError(ErrorAction.HALT, words)
    return DeliveryError(ErrorAction.UNCLEAR if _may_have_arrived(chain) else ErrorAction.AWAY, words)


def _status_of(error: AnymailAPIError) -> int | None:
    """Return the HTTP status of an AnymailAPIError, or None. For Amazon SES, boto3's responses are dictionaries."""
    if isinstance(error.response, dict):
        return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return error.status_code


def _of_status(status: int, error: AnymailAPIError, words: str) -> DeliveryError:
    """Return the DeliveryError for an HTTP status of a provider's API."""
    if status in {408, 429, 503}:  # the request was not processed
        return DeliveryError(ErrorAction.AWAY, words, _retry_after(error.response))
    if status in {401, 402, 403}:
        return DeliveryError(ErrorAction.HALT, words)
    if 400 <= status < 500 and status != 409:
        return DeliveryError(ErrorAction.NEVER, words)
    # An invalid response, a gateway timeout, a server error, or a concurrent call with the same key.
    return DeliveryError(ErrorAction.UNCLEAR, words)


def _retry_after(response: object) -> float | None:
    """Return the seconds of a Retry-After header (RFC 9110), given as a number or a date; None without one."""
    value = getattr(response, "headers", {}).get("Retry-After", "")
    try:
        seconds = float(value) if value.isdecimal() else (parsedate_to_datetime(value) - timezone.now()).total_seconds()
    except (TypeError, ValueError):
        return None
    return min(max(seconds, 1), MAX_RETRY_AFTER_SECONDS)


def _chain(error: BaseException) -> list[BaseException]:
    """Return an exception and what caused it."""
    chain = [error]
    while cause := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(cause)
    return chain


def _may_have_arrived(chain: Iterable[BaseException]) -> bool:
    """Return whether the request may have reached the provider: False only if no connection was established."""
    never_stood = (ConnectionRefusedError, socket.gaierror)
    names = {"ConnectTimeout", "ConnectTimeoutError", "NewConnectionError", "NameResolutionError", "ProxyError"}
    return not any(isinstance(link, never_stood) or type(link).__name__ in names for link in chain)


def _text(reply: bytes | str) -> str:
    return reply.decode(errors="replace") if isinstance(reply, bytes) else str(reply)
