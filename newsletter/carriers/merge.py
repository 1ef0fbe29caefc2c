"""One call for many: for providers that put each recipient's own text and headers into a message (mail.md's “merge”)."""

from itertools import groupby

from newsletter import errors, mailing, personal, tokens
from newsletter.errors import Meaning
from newsletter.models import message_id

from . import capabilities
from .api import add_key, result_of
from .base import Result, failed
from .threads import Batch, ThreadCarrier, close

NAME, NUMBER = "name", "delivery"


class MergeCarrier(ThreadCarrier):
    """Sends batches of mails with the same content. A batch refused whole is halved until the poisoned address stands alone."""

    channels = 2

    def __init__(self, provider):
        super().__init__(provider)
        self.capabilities = capabilities.of(provider)
        self._per_call = (
            self.capabilities.per_call if self.capabilities.repeatable else min(100, self.capabilities.per_call)
        )
        self.batch_size = self.channels * self._per_call

    def batches(self, mails):
        found = []
        for _key, group in groupby(sorted(mails, key=_kind), key=_kind):
            same = list(group)
            found += [Batch(same[start : start + self._per_call]) for start in range(0, len(same), self._per_call)]
        return found

    def send(self, connection, mails):
        try:
            message = self._message(mails)
        except Exception as error:
            if len(mails) > 1:
                return self._halved(connection, mails)
            return [failed(mails[0], error, is_begun=False)]
        try:
            connection.open()
            connection.send_messages([message])
        except Exception as error:
            verdict = errors.of_exception(error)
            close(connection)
            if verdict.meaning == Meaning.NEVER and len(mails) > 1:
                return self._halved(connection, mails)
            return [Result(mail, verdict) for mail in mails]
        try:
            return [result_of(mail, message.anymail_status) for mail in mails]
        except Exception as error:
            return [failed(mail, error, is_begun=True) for mail in mails]

    def _halved(self, connection, mails):
        """The results of the two halves, each in a call of its own."""
        middle = len(mails) // 2
        return self.send(connection, mails[:middle]) + self.send(connection, mails[middle:])

    def _message(self, mails):
        """One message for all, with the provider's placeholders in place of our tokens and the values beside it."""
        first = mails[0]
        content, place = first.content, self.capabilities.placeholder.format
        own = {
            personal.MANAGE_TOKEN: place(personal.MANAGE_TOKEN),
            personal.TRACKING_TOKEN: place(personal.TRACKING_TOKEN),
        }
        frames = personal.frames_for(first.recipient.language, first.recipient.campaign)
        values = {token: frame.format(**own) for token, frame in frames.items()} | {personal.NAME: place(NAME)}
        mail = content.mail.greeting(bool(first.recipient.name))
        html = personal.TOKENS.sub(lambda found: values[found[0]], mail.html)
        text = personal.TOKENS.sub(lambda found: values[found[0]], mail.text)
        message = mailing.message(mail.subject, text, html, first.recipient.email)
        message.to = [mail.recipient.email for mail in mails]
        message.merge_data = {mail.recipient.email: self._own(mail) for mail in mails}
        if self.capabilities.header_placeholders:
            number = message_id(content.campaign, place(NUMBER), content.domain)
            message.extra_headers = content.headers_of(number, values[personal.LEAVE_URL])
            message.metadata = {"delivery": place(NUMBER)}
        else:
            message.merge_headers = {
                mail.recipient.email: content.headers(mail, personal.Values(mail.recipient)) for mail in mails
            }
            message.merge_metadata = {mail.recipient.email: {"delivery": str(mail.number)} for mail in mails}
        if self.capabilities.repeatable == "key":
            add_key(message, f"{content.message_id(first).strip('<>')}-{len(mails)}")
        return message

    @staticmethod
    def _own(mail):
        recipient = mail.recipient
        return {
            personal.MANAGE_TOKEN: tokens.make(tokens.MANAGE, recipient),
            personal.TRACKING_TOKEN: tokens.make_tracking(recipient.delivery),
            NAME: inert(recipient.name),
            NUMBER: str(recipient.delivery),
        }


def _kind(mail):
    """What the mails of one call have in common: content, and whether the name is known."""
    return mail.content.row.pk, bool(mail.recipient.name)


# Letters that mean something to a provider or in HTML, and the ones that only look like them: names go into the text part
# too, where HTML's entities would be read as they stand.
LOOK_ALIKES = str.maketrans("%{}[]<>&", "％｛｝［］‹›＆")


def inert(name):
    """A name in which no provider sees a placeholder of its own (%recipient.x%, {{x}}, [[var:x]]), nor anyone mark-up."""
    return name.translate(LOOK_ALIKES)
