"""One mail at a time through Django's mail API: what every provider can do, over a few connections that stay open."""

import queue
import threading

from django.core.mail import get_connection

from newsletter import errors
from newsletter.errors import Meaning, Verdict

from . import capabilities
from .base import SENT, Carrier, Result, build_message, expired

CHANNELS = 4
REFUSED = {"rejected", "invalid", "failed"}  # of anymail_status


class SingleCarrier(Carrier):
    """A few threads, each with its own connection of the mail back end."""

    def __init__(self, provider):
        super().__init__()
        self.capabilities = capabilities.of(provider)
        # Where nothing tells a second try from a first, as few mails as possible are ever in doubt.
        self.batch_size = 50 if self.capabilities.repeatable else CHANNELS
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
        for mail in mails:
            mail.committed = threading.Event()
            self._waiting.put(mail)

    def withdraw(self):
        found = []
        while True:
            try:
                found.append(self._waiting.get_nowait())
            except queue.Empty:
                return found

    def committed(self, results):
        for result in results:
            result.mail.committed.set()

    def _work(self):
        connection = get_connection()
        try:
            while (mail := self._waiting.get()) is not None:
                self.results.put(self._send(connection, mail) if mail.is_held() else expired(mail))
                mail.committed.wait()
        finally:
            connection.close()

    def _send(self, connection, mail):
        message = build_message(mail)
        if self.capabilities.repeatable == "key":
            add_key(message, mail.content.message_id(mail).strip("<>"))
        try:
            connection.open()
            connection.send_messages([message])
        except Exception as error:
            _close(connection)
            return Result(mail, errors.of_exception(error))
        return result_of(mail, getattr(message, "anymail_status", None))


def _close(connection):
    try:
        connection.close()
    except Exception:  # it was broken already
        return


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
