"""Sends batches in one API call, for providers with merge fields (docs/mail.md)."""

from collections.abc import Sequence
from itertools import groupby

from django.core.mail.backends.base import BaseEmailBackend

from newsletter.delivery import outgoing, personalisation
from newsletter.delivery.errors import ErrorAction
from newsletter.delivery.message_template import OWN_HEADERS
from newsletter.delivery.providers import Provider
from newsletter.delivery.transports.base import OutgoingMessage, Result, failure_result, released_result
from newsletter.delivery.transports.threads import Batch, ThreadTransport, result_of
from newsletter.models import message_id
from newsletter.subscribers import tokens

NAME, NUMBER = "name", "delivery"


class MergeTransport(ThreadTransport):
    """Sends batches of mails with the same content. A batch refused as a whole is halved until the invalid address is
    isolated.

    After an unclear response single mails are sent until the provider answers clearly, to limit the number of
    uncertain mails.
    """

    channels = 2

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self.batch_size = self.channels * provider.per_call

    def batches(self, mails: Sequence[OutgoingMessage]) -> list[Batch]:
        found: list[Batch] = []
        for _key, group in groupby(sorted(mails, key=_kind), key=_kind):
            same, size = list(group), self.provider.per_call
            found += [Batch(same[start : start + size]) for start in range(0, len(same), size)]
        return found

    def send(self, connection: BaseEmailBackend, mails: Sequence[OutgoingMessage]) -> list[Result]:
        if self.is_doubtful and len(mails) > 1:
            first, others = self.send(connection, mails[:1]), mails[1:]
            return first + (
                [released_result(mail) for mail in others] if self.is_doubtful else self.send_held(connection, others)
            )
        try:
            message = self._message(mails)
        except Exception as error:
            if len(mails) > 1:
                return self._send_halves(connection, mails)
            return [failure_result(mails[0], error, is_begun=False)]
        delivery_error = self.call(connection, message, mails)
        if delivery_error is None:
            return [result_of(mail, message) for mail in mails]
        if delivery_error.action == ErrorAction.NEVER and len(mails) > 1:
            return self._send_halves(connection, mails)
        return [Result(mail, delivery_error) for mail in mails]

    def _send_halves(self, connection: BaseEmailBackend, mails: Sequence[OutgoingMessage]) -> list[Result]:
        """Send the two halves in separate calls and return their Results."""
        middle = len(mails) // 2
        return self.send_held(connection, mails[:middle]) + self.send_held(connection, mails[middle:])

    def _message(self, mails: Sequence[OutgoingMessage]) -> outgoing.Message:
        """Build one message for all recipients, with the provider's placeholders instead of our tokens and the values
        as merge data."""
        first = mails[0]
        content, place = first.content, self.provider.placeholder.format
        own = {
            personalisation.MANAGE_TOKEN: place(personalisation.MANAGE_TOKEN),
            personalisation.TRACKING_TOKEN: place(personalisation.TRACKING_TOKEN),
        }
        templates = personalisation.url_templates(first.recipient.language, first.recipient.campaign)
        values = {token: template.format(**own) for token, template in templates.items()} | {
            personalisation.NAME: place(NAME)
        }
        mail = content.mail.greeting(bool(first.recipient.name))
        html = personalisation.TOKENS.sub(lambda found: values[found[0]], mail.html)
        text = personalisation.TOKENS.sub(lambda found: values[found[0]], mail.text)
        message = outgoing.message(mail.subject, text, html, first.recipient.email)
        message.to = [mail.recipient.email for mail in mails]
        message.merge_data = {mail.recipient.email: self._merge_data_of(mail) for mail in mails}
        if self.provider.merges_headers:
            number = message_id(content.campaign, place(NUMBER), content.domain)
            message.extra_headers = content.headers_of(number, values[personalisation.LEAVE_URL])
            message.metadata = {"delivery": place(NUMBER)}
        else:
            headers = content.headers(first, personalisation.Values(first.recipient))
            message.extra_headers = {name: value for name, value in headers.items() if name not in OWN_HEADERS}
            message.merge_headers = {mail.recipient.email: self._merge_headers_of(mail) for mail in mails}
            message.merge_metadata = {mail.recipient.email: {"delivery": str(mail.number)} for mail in mails}
        return message

    def _merge_headers_of(self, mail: OutgoingMessage) -> dict[str, str]:
        headers = mail.content.headers(mail, personalisation.Values(mail.recipient))
        return {name: headers[name] for name in self.provider.own_headers}

    @staticmethod
    def _merge_data_of(mail: OutgoingMessage) -> dict[str, str]:
        recipient = mail.recipient
        return {
            personalisation.MANAGE_TOKEN: tokens.make(tokens.MANAGE, recipient),
            personalisation.TRACKING_TOKEN: tokens.make_tracking(recipient.delivery),
            NAME: without_placeholders(recipient.name),
            NUMBER: str(recipient.delivery),
        }


def _kind(mail: OutgoingMessage) -> tuple[int, bool]:
    """Sort key of a batch: content, and whether the name is known."""
    return mail.content.row.pk, bool(mail.recipient.name)


# Characters with a meaning to providers or in HTML, and their full-width equivalents. Names also appear in the
# text part, where HTML entities would show literally.
FULL_WIDTH = str.maketrans("%{}[]<>&", "％｛｝［］‹›＆")


def without_placeholders(name: str) -> str:
    """Return a name that contains no placeholder (%recipient.x%, {{x}}, [[var:x]]) and no markup."""
    return name.translate(FULL_WIDTH)
