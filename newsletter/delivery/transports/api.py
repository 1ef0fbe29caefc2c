"""Sends single mails through Django's mail API over a few open connections; works with every provider."""

from collections.abc import Sequence

from django.core.mail.backends.base import BaseEmailBackend

from newsletter.delivery.providers import Provider
from newsletter.delivery.transports.base import OutgoingMessage, Result, build_message, failure_result
from newsletter.delivery.transports.threads import Batch, ThreadTransport, result_of


class SingleTransport(ThreadTransport):
    """Sends each mail in a separate call."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        # Without Message-ID or idempotency key a duplicate cannot be detected: keep few mails in flight.
        self.batch_size = 50 if provider.keeps_message_id or provider.key_seconds else self.channels

    def batches(self, mails: Sequence[OutgoingMessage]) -> list[Batch]:
        return [Batch([mail]) for mail in mails]

    def send(self, connection: BaseEmailBackend, mails: Sequence[OutgoingMessage]) -> list[Result]:
        (mail,) = mails
        try:
            message = build_message(mail)
            if self.provider.carries_metadata:
                message.metadata = {"delivery": str(mail.number)}
        except Exception as error:
            return [failure_result(mail, error, is_begun=False)]
        delivery_error = self.call(connection, message, mails)
        return [Result(mail, delivery_error) if delivery_error else result_of(mail, message)]
