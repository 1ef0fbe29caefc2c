"""One call for many: for providers that put each recipient's own text and headers into a message (mail.md's “merge”)."""

import queue
import threading
from itertools import groupby

from django.core.mail import get_connection

from newsletter import errors, mailing, personal, tokens
from newsletter.errors import Meaning
from newsletter.models import message_id

from . import capabilities
from .api import add_key, result_of
from .base import Carrier, Result, expired

CHANNELS = 2
NAME, NUMBER = "name", "delivery"


class MergeCarrier(Carrier):
    """Two threads that send batches of mails with the same content. A batch refused whole is halved until the poisoned address
    stands alone."""

    def __init__(self, provider):
        super().__init__()
        self.capabilities = capabilities.of(provider)
        self._per_call = (
            self.capabilities.per_call if self.capabilities.repeatable else min(100, self.capabilities.per_call)
        )
        self.batch_size = CHANNELS * self._per_call
        self._waiting = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, name=f"carrier-{n}", daemon=True) for n in range(CHANNELS)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        for _thread in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def submit(self, mails):
        for _key, group in groupby(sorted(mails, key=_kind), key=_kind):
            same = list(group)
            for start in range(0, len(same), self._per_call):
                self._waiting.put(Batch(same[start : start + self._per_call]))

    def withdraw(self):
        found = []
        while True:
            try:
                batch = self._waiting.get_nowait()
            except queue.Empty:
                return found
            found += batch.mails if batch else []

    def committed(self, results):
        for result in results:
            result.mail.batch.committed.set()

    def _work(self):
        connection = get_connection()
        while (batch := self._waiting.get()) is not None:
            held = [mail for mail in batch.mails if mail.is_held()]
            lost = [expired(mail) for mail in batch.mails if not mail.is_held()]
            self.results.put(lost + self._send(connection, held))
            batch.committed.wait()
        connection.close()

    def _send(self, connection, mails):
        if not mails:
            return []
        message = self._message(mails)
        try:
            connection.open()
            connection.send_messages([message])
        except Exception as error:
            verdict = errors.of_exception(error)
            if verdict.meaning == Meaning.NEVER and len(mails) > 1:
                middle = len(mails) // 2
                return self._send(connection, mails[:middle]) + self._send(connection, mails[middle:])
            return [Result(mail, verdict) for mail in mails]
        return [result_of(mail, message.anymail_status) for mail in mails]

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


class Batch:
    """Mails of one call. It is committed when their results are in the ledger."""

    def __init__(self, mails):
        self.mails, self.committed = mails, threading.Event()
        for mail in mails:
            mail.batch = self


def _kind(mail):
    """What the mails of one call have in common: content, and whether the name is known."""
    return mail.content.row.pk, bool(mail.recipient.name)


# Letters that mean something to a provider or in HTML, and the ones that only look like them: names go into the text part
# too, where HTML's entities would be read as they stand.
LOOK_ALIKES = str.maketrans("%{}[]<>&", "％｛｝［］‹›＆")


def inert(name):
    """A name in which no provider sees a placeholder of its own (%recipient.x%, {{x}}, [[var:x]]), nor anyone mark-up."""
    return name.translate(LOOK_ALIKES)
