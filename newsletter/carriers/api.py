"""One mail at a time through Django's mail API: what every provider can do, over a few connections that stay open."""

from newsletter import errors
from newsletter.errors import Meaning, Verdict

from . import capabilities
from .base import SENT, Result, build_message, failed
from .threads import Batch, ThreadCarrier, close

REFUSED = {"rejected", "invalid", "failed"}  # of anymail_status


class SingleCarrier(ThreadCarrier):
    """Sends each mail by a call of its own."""

    def __init__(self, provider):
        super().__init__(provider)
        self.capabilities = capabilities.of(provider)
        # Where nothing tells a second try from a first, as few mails as possible are ever in doubt.
        self.batch_size = 50 if self.capabilities.repeatable else self.channels

    def batches(self, mails):
        return [Batch([mail]) for mail in mails]

    def send(self, connection, mails):
        (mail,) = mails
        try:
            message = build_message(mail)
            if self.capabilities.repeatable == "key":
                add_key(message, mail.content.message_id(mail).strip("<>"))
        except Exception as error:
            return [failed(mail, error, is_begun=False)]
        try:
            connection.open()
            connection.send_messages([message])
        except Exception as error:
            close(connection)
            return [Result(mail, errors.of_exception(error))]
        return [result_of(mail, getattr(message, "anymail_status", None))]


def result_of(mail, status):
    """The Result of a mail that the back end took, by Anymail's status for its recipient."""
    if status is None:
        return Result(mail)
    own = status.recipients.get(mail.recipient.email) if status.recipients else None
    word, number = (own.status, own.message_id) if own else (next(iter(status.status or {"sent"})), status.message_id)
    if word in REFUSED:
        return Result(mail, Verdict(Meaning.NEVER, f"the provider says: {word}"), str(number or ""))
    return Result(mail, SENT, str(number or ""))


def add_key(message, key):
    """Give a message an idempotency key, in whichever way its provider takes one."""
    message.extra_headers["idempotencyKey"] = key  # Brevo, and Resend through newsletter/resend.py
    message.esp_extra = {"idempotence_key": key}  # Unisender Go
