"""One mail at a time through Django's mail API: what every provider can do, over a few connections that stay open."""

from newsletter.delivery.transports.base import Result, build_message, failed
from newsletter.delivery.transports.threads import Batch, ThreadTransport, result_of


class SingleTransport(ThreadTransport):
    """Sends each mail by a call of its own."""

    def __init__(self, provider):
        super().__init__(provider)
        # Where nothing tells a second try from a first, as few mails as possible are ever in doubt.
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
            return [failed(mail, error, is_begun=False)]
        verdict = self.call(connection, message, mails)
        return [Result(mail, verdict) if verdict else result_of(mail, message)]
