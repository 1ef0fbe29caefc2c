"""Sends single mails through Django's mail API over a few open connections; works with every provider."""

from newsletter.delivery.transports.base import Result, build_message, failure_result
from newsletter.delivery.transports.threads import Batch, ThreadTransport, result_of


class SingleTransport(ThreadTransport):
    """Sends each mail in a separate call."""

    def __init__(self, provider):
        super().__init__(provider)
        # Without Message-ID or idempotency key a duplicate cannot be detected: keep few mails in flight.
        self.batch_size = 50 if provider.keeps_message_id or provider.key_seconds else self.channels

    def batches(self, mails):
        return [Batch([mail]) for mail in mails]

    def send(self, connection, mails):
        (mail,) = mails
        try:
            message = build_message(mail)
            if self.provider.carries_metadata:
                message.metadata = {"delivery": str(mail.number)}
        except Exception as error:
            return [failure_result(mail, error, is_begun=False)]
        delivery_error = self.call(connection, message, mails)
        return [Result(mail, delivery_error) if delivery_error else result_of(mail, message)]
