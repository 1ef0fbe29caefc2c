"""What every carrier has in common.

A carrier works in threads of its own and never touches the database. The loop around it (sending.py) hands it mails, takes
the results and commits them; a channel goes on to its next mail only when its last result is committed. So when a worker is
killed, at most one mail per channel is uncertain.

What a carrier promises:

- Each mail that was submitted comes back once, in `results` or from `withdraw()`. An exception is a result too (`failed`),
  and its channel goes on with the next mail.
- A mail whose lease is lost is not begun: `Outgoing.is_held()` is asked before its first byte.
- Nothing waits without a limit. The threads are daemons, and `__exit__` returns within EXIT_SECONDS.
"""

import queue
from dataclasses import dataclass, field

from newsletter.delivery import outgoing, personalisation
from newsletter.delivery.errors import DeliveryError, ErrorAction

SENT = "sent"
EXIT_SECONDS = 5


@dataclass(eq=False)
class OutgoingMessage:
    """A mail in hand: to whom, what, and under which lease this worker holds it."""

    recipient: personalisation.Recipient
    content: object  # content.Content
    lease: object  # sending.Lease

    def is_held(self):
        """Whether this worker still holds the mail, so that it may be begun."""
        return self.lease.holds(self.number)

    @property
    def number(self):
        """The number of the delivery."""
        return self.recipient.delivery


@dataclass
class Result:
    """What became of an Outgoing: SENT, or a Verdict; `provider_id` is the provider's own number for the mail."""

    mail: OutgoingMessage
    outcome: object = SENT
    provider_id: str = ""

    @property
    def is_sent(self):
        return self.outcome == SENT


@dataclass
class Transport:
    """A way out. Used as a context manager, which starts and ends its threads."""

    results: queue.SimpleQueue = field(default_factory=queue.SimpleQueue)

    batch_size = 100  # mails that the loop claims at a time
    is_doubtful = False  # whether the last answer was unclear: while it is, little is put at risk
    patience = 120  # seconds: the longest that a mail which was begun may stay without a result

    def __enter__(self):
        return self

    def __exit__(self, *error):
        """End the threads within EXIT_SECONDS, whether or not their last results are committed."""

    def submit(self, mails):
        """Take mails to be sent. Never blocks."""
        raise NotImplementedError

    def withdraw(self):
        """Give back the mails that nobody has begun; those that cannot be had within EXIT_SECONDS are left out."""
        raise NotImplementedError

    def committed(self, results):
        """These results are in the ledger: their channels may go on. Never blocks."""

    def is_alive(self):
        """Whether every thread that the carrier needs is running."""
        raise NotImplementedError


def expired(mail):
    """The Result of a mail that this worker no longer holds: it was not begun."""
    return Result(mail, DeliveryError(ErrorAction.RELEASED))


def failed(mail, error, is_begun):
    """The Result of a mail at which our own code raised `error`. Before the mail was begun this is final, as the next try would
    meet it again: a person sees why, and a run of them pauses the campaign."""
    meaning = ErrorAction.UNCLEAR if is_begun else ErrorAction.NEVER
    return Result(mail, DeliveryError(meaning, f"{type(error).__name__}: {error}"))


def build_message(mail):
    """A mail as Django's EmailMessage: the ordinary way, and the reference for the fast one."""
    recipient, content = mail.recipient, mail.content
    values = personalisation.Values(recipient)
    filled = content.mail.personalised(values)
    message = outgoing.message(filled.subject, filled.text, filled.html, recipient.email, content.headers(mail, values))
    if return_path := content.return_path(mail):
        # The envelope's sender takes bounces (VERP); what people see stays in the header.
        message.extra_headers["From"] = message.from_email
        message.from_email = return_path
    return message
