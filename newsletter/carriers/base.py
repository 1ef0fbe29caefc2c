"""What every carrier has in common.

A carrier works in threads of its own and never touches the database. The loop around it (sending.py) hands it mails, takes
the results and commits them; a channel goes on to its next mail only when its last result is committed. So when a worker is
killed, at most one mail per channel is uncertain.
"""

import queue
from dataclasses import dataclass, field

from newsletter import mailing, personal
from newsletter.errors import Meaning, Verdict

SENT = "sent"


@dataclass(eq=False)
class Outgoing:
    """A mail in hand: to whom, what, and until when (time.monotonic) this worker holds it."""

    recipient: personal.Recipient
    content: object  # content.Content
    holder: object  # sending.Holder: knows until when the mail may be sent

    @property
    def number(self):
        """The number of the delivery."""
        return self.recipient.delivery


@dataclass
class Result:
    """What became of an Outgoing: SENT, or a Verdict; `provider_id` is the provider's own number for the mail."""

    mail: Outgoing
    outcome: object = SENT
    provider_id: str = ""

    @property
    def is_sent(self):
        return self.outcome == SENT


@dataclass
class Carrier:
    """A way out. Used as a context manager, which starts and ends its threads."""

    results: queue.SimpleQueue = field(default_factory=queue.SimpleQueue)

    batch_size = 100  # mails that the loop claims at a time

    def __enter__(self):
        return self

    def __exit__(self, *error):
        """End the threads; mails that nobody has begun stay in the queue."""

    def submit(self, mails):
        """Take mails to be sent."""
        raise NotImplementedError

    def withdraw(self):
        """Give back the mails that nobody has begun."""
        raise NotImplementedError

    def committed(self, results):
        """These results are in the ledger: their channels may go on."""


def expired(mail):
    """The Result of a mail that this worker no longer holds: it was not begun."""
    return Result(mail, Verdict(Meaning.RELEASED))


def build_message(mail):
    """A mail as Django's EmailMessage: the ordinary way, and the reference for the fast one."""
    recipient, content = mail.recipient, mail.content
    values = personal.Values(recipient)
    filled = content.mail.personalised(values)
    message = mailing.message(filled.subject, filled.text, filled.html, recipient.email, content.headers(mail, values))
    if return_path := content.return_path(mail):
        # The envelope's sender takes bounces (VERP); what people see stays in the header.
        message.extra_headers["From"] = message.from_email
        message.from_email = return_path
    message.metadata = {"delivery": str(recipient.delivery)}
    return message
