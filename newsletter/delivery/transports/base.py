"""The interface of all transports.

A transport runs its own threads and never accesses the database. The worker (worker.py) submits mails, reads the
results and commits them; a channel starts its next mail only after its last result is committed. So when a worker is
killed, at most one mail per channel is uncertain.

A transport guarantees:

- Each submitted mail comes back once, in `results` or from `withdraw()`. An exception is a result too (`failure_result`), and
  its channel continues with the next mail.
- A mail whose lease is lost is not started: `OutgoingMessage.is_held()` is checked before its first byte.
- Every wait has a timeout. The threads are daemons, and `__exit__` returns within EXIT_SECONDS.
"""

import asyncio
import queue
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Self

from newsletter.delivery import outgoing, personalisation
from newsletter.delivery.errors import DeliveryError, ErrorAction

if TYPE_CHECKING:
    from newsletter.campaigns.snapshots import Content
    from newsletter.delivery.transports.threads import Batch
    from newsletter.delivery.worker import Lease

SENT: Final = "sent"
Outcome = Literal["sent"] | DeliveryError
EXIT_SECONDS = 5


@dataclass(eq=False)
class OutgoingMessage:
    """A claimed mail: its recipient, its content and the lease it is claimed under."""

    recipient: personalisation.Recipient
    content: "Content"
    lease: "Lease"
    batch: "Batch" = field(init=False, repr=False)  # set by threads.ThreadTransport
    committed: asyncio.Future[None] = field(init=False, repr=False)  # set by smtp.SMTPTransport

    def is_held(self) -> bool:
        """Return whether this worker still holds the mail's lease, so that sending may start."""
        return self.lease.holds(self.number)

    @property
    def number(self) -> int:
        """The primary key of the Delivery."""
        return self.recipient.delivery


@dataclass
class Result:
    """The result of an OutgoingMessage: `outcome` is SENT or a DeliveryError, `provider_id` the provider's id of the
    mail."""

    mail: OutgoingMessage
    outcome: Outcome = SENT
    provider_id: str = ""

    @property
    def is_sent(self) -> bool:
        return self.outcome == SENT


@dataclass
class Transport:
    """Base class of transports. As a context manager it starts and stops its threads."""

    results: queue.SimpleQueue[Result | list[Result]] = field(default_factory=queue.SimpleQueue)

    batch_size = 100  # mails that the worker claims at a time
    is_doubtful = False  # whether the last response was unclear; until a clear one few mails are sent at a time

    @property
    def result_timeout(self) -> float:
        """Seconds: the longest time until a started mail has a result."""
        return 120

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Stop the threads within EXIT_SECONDS, even if their last results are not committed."""

    def submit(self, mails: Sequence[OutgoingMessage]) -> None:
        """Queue mails for sending. Never blocks."""
        raise NotImplementedError

    def withdraw(self) -> list[OutgoingMessage]:
        """Return the queued mails that were not started, as far as they can be fetched within EXIT_SECONDS."""
        raise NotImplementedError

    def committed(self, results: Iterable[Result]) -> None:
        """Record that these results are committed, so that their channels may continue. Never blocks."""

    def is_alive(self) -> bool:
        """Return whether all threads of the transport are running."""
        raise NotImplementedError


def released_result(mail: OutgoingMessage) -> Result:
    """Return the Result of a mail that was not started because its lease is lost."""
    return Result(mail, DeliveryError(ErrorAction.RELEASED))


def failure_result(mail: OutgoingMessage, error: Exception, is_begun: bool) -> Result:
    """Return the Result of a mail for which our own code raised `error`.

    Before sending started the failure is final, as a retry would raise the same error: it is shown to editors, and
    several in a row pause the campaign.
    """
    action = ErrorAction.UNCLEAR if is_begun else ErrorAction.NEVER
    return Result(mail, DeliveryError(action, f"{type(error).__name__}: {error}"))


def build_message(mail: OutgoingMessage) -> outgoing.Message:
    """Build a mail as Django's EmailMessage; the reference for message_template.py."""
    recipient, content = mail.recipient, mail.content
    values = personalisation.Values(recipient)
    filled = content.mail.personalised(values)
    message = outgoing.message(filled.subject, filled.text, filled.html, recipient.email, content.headers(mail, values))
    if return_path := content.return_path(mail):
        # The envelope sender receives bounces (VERP); the From header shows the real sender.
        message.extra_headers["From"] = message.from_email
        message.from_email = return_path
    return message
