"""One call for many: for providers that put each recipient's own text and headers into a message (mail.md's “merge”)."""

import queue
import threading
from itertools import groupby

from django.core.mail import get_connection

from newsletter import errors, mailing, personal
from newsletter.errors import Meaning

from . import capabilities
from .api import add_key, result_of
from .base import Carrier, Result, expired

NAMES = {personal.LEAVE_URL: "leave", personal.PREFERENCES_URL: "preferences", personal.NAME: "name", personal.TRACK_URL: "track"}  # fmt: skip


class MergeCarrier(Carrier):
    """A thread that sends batches of mails with the same content. A batch refused whole is halved until the poisoned address
    stands alone."""

    def __init__(self, provider):
        super().__init__()
        self.capabilities = capabilities.of(provider)
        self.batch_size = (
            self.capabilities.per_call if self.capabilities.repeatable else min(100, self.capabilities.per_call)
        )
        self._waiting = queue.SimpleQueue()
        self._go_on = threading.Event()
        self._thread = threading.Thread(target=self._work, name="carrier", daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._waiting.put(None)
        self._thread.join()

    def submit(self, mails):
        # One content a call: language, variant, and whether the name is known.
        key = lambda mail: (mail.content.row.pk, bool(mail.recipient.name))  # noqa: E731
        for _key, group in groupby(sorted(mails, key=key), key=key):
            self._waiting.put(list(group))

    def withdraw(self):
        found = []
        while True:
            try:
                found += self._waiting.get_nowait() or []
            except queue.Empty:
                return found

    def committed(self, results):
        self._go_on.set()

    def _work(self):
        connection = get_connection()
        while (mails := self._waiting.get()) is not None:
            held = [mail for mail in mails if mail.holder.holds()]
            results = [expired(mail) for mail in mails if mail not in held] + self._send(connection, held)
            self._go_on.clear()
            self.results.put(results)
            self._go_on.wait()
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
        content = mails[0].content
        mail = content.mail.greeting(bool(mails[0].recipient.name))
        placeholders = {token: self.capabilities.placeholder.format(name) for token, name in NAMES.items()}
        html = personal.TOKENS.sub(lambda found: placeholders[found[0]], mail.html)
        text = personal.TOKENS.sub(lambda found: placeholders[found[0]], mail.text)
        message = mailing.message(mail.subject, text, html, mails[0].recipient.email)
        message.to = [mail.recipient.email for mail in mails]
        message.merge_data, message.merge_headers, message.merge_metadata = {}, {}, {}
        for one in mails:
            values = personal.values_for(one.recipient)
            headers = content.headers(one, values)
            message.merge_data[one.recipient.email] = {NAMES[token]: inert(value) for token, value in values.items()}
            message.merge_headers[one.recipient.email] = headers
            message.merge_metadata[one.recipient.email] = {"delivery": str(one.number)}
        if self.capabilities.repeatable == "key":
            add_key(message, content.message_id(mails[0]).strip("<>") + f"-{len(mails)}")
        return message


def inert(value):
    """A value in which no provider sees a placeholder of its own (%recipient.x%, {{x}}, [[var:x]]), nor anyone mark-up.

    It goes into the text part too, so look-alike letters are used rather than HTML's entities.
    """
    return value.translate({ord("%"): "％", ord("{"): "｛", ord("}"): "｝", ord("["): "［", ord("]"): "］", ord("<"): "‹", ord(">"): "›", ord("&"): "＆"})  # fmt: skip
