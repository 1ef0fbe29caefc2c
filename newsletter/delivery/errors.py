"""What an error of sending means, decided in one place for SMTP and for every provider's API."""

import smtplib
import socket
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

MOST_SECONDS = 3600  # longer than that no provider's “try again after” is believed
# Replies to MAIL FROM, AUTH and the like that no other mail would fare better with (RFC 5321, RFC 4954).
SENDER_CODES = {550, 553, 554}
SIGN_IN_CODES = {530, 534, 535, 538}  # sign in first, or in another way (RFC 4954), to whatever command


class ErrorAction(Enum):
    """What to do about an error."""

    LATER = "this mail was refused for now: try it again after a pause"
    NEVER = "this mail was refused for good"
    HALT = "every mail would be refused: the sender or the key is wrong"
    AWAY = "the provider cannot be reached or asks for a pause: nothing was sent"
    UNCLEAR = "the mail may or may not have gone"
    RELEASED = "this worker no longer holds the mail and did not begin it"


@dataclass(frozen=True)
class DeliveryError:
    """An error understood: what it means, in whose words, after how many seconds to try again if that was said, and the code
    of the SMTP reply if it is one."""

    meaning: ErrorAction
    words: str = ""
    pause: float | None = None
    code: int | None = None


def of_reply(code, words, at):
    """The Verdict of an SMTP reply of 400 and above; `at` is where it came: connect, sender, recipient, data or end."""
    words = f"{code} {words}"
    if code < 500:
        return DeliveryError(ErrorAction.AWAY if at in {"connect", "sender"} else ErrorAction.LATER, words, code=code)
    if at == "connect" or code in SIGN_IN_CODES or (at == "sender" and code in SENDER_CODES):
        return DeliveryError(ErrorAction.HALT, words, code=code)
    return DeliveryError(ErrorAction.NEVER, words, code=code)


class Unanswered(smtplib.SMTPException):
    """The connection broke, or nothing was said, after a mail was written: it may or may not have gone."""


def of_exception(error):
    """The Verdict of what a mail back end raised."""
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
        return DeliveryError(ErrorAction.AWAY, words)  # SMTP before the mail, see smtp_backend.py
    return DeliveryError(ErrorAction.UNCLEAR if _may_have_arrived(error) else ErrorAction.AWAY, words)


def _status_of(error):
    """The status of the HTTP answer behind an AnymailAPIError, or None. boto3's answers, for Amazon SES, are dictionaries."""
    if isinstance(error.response, dict):
        return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return error.status_code


def _of_status(status, error, words):
    """The Verdict of an HTTP answer of a provider's API."""
    if status in {408, 429, 503}:  # the request was not worked on
        return DeliveryError(ErrorAction.AWAY, words, _retry_after(error.response))
    if status in {401, 402, 403}:
        return DeliveryError(ErrorAction.HALT, words)
    if 400 <= status < 500 and status != 409:
        return DeliveryError(ErrorAction.NEVER, words)
    # An answer without sense, a gateway that got none, an error in the middle, another call with the same key that is on its way.
    return DeliveryError(ErrorAction.UNCLEAR, words)


def _retry_after(response):
    """The seconds of a Retry-After header (RFC 9110), a number or a date; None if there is none."""
    value = getattr(response, "headers", {}).get("Retry-After", "")
    try:
        seconds = float(value) if value.isdecimal() else (parsedate_to_datetime(value) - timezone.now()).total_seconds()
    except (TypeError, ValueError):
        return None
    return min(max(seconds, 1), MOST_SECONDS)


def _may_have_arrived(error):
    """Whether the request may have reached the provider before this error: anything but a connection that never stood."""
    chain = [error]
    while chain[-1].__cause__ or chain[-1].__context__:
        chain.append(chain[-1].__cause__ or chain[-1].__context__)
    never_stood = (ConnectionRefusedError, socket.gaierror)
    names = {"ConnectTimeout", "ConnectTimeoutError", "NewConnectionError", "NameResolutionError", "ProxyError"}
    return not any(isinstance(link, never_stood) or type(link).__name__ in names for link in chain)


def _text(reply):
    return reply.decode(errors="replace") if isinstance(reply, bytes) else str(reply)
