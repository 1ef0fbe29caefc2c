"""What the workers of this machine have in hand, so that whoever comes after a worker that was killed need not wait for its
lease to run out.

Each shift keeps the tokens of its claims in a file of its own, which it locks (flock) for as long as it lives. The system gives
the lock back when a process ends, however it ends; one that was only stopped keeps it.
"""

import fcntl
import logging
import uuid
from contextlib import suppress

from django.conf import settings
from django.utils import timezone

from newsletter.models import Delivery

logger = logging.getLogger(__name__)


class InHand:
    """The file of one shift. Without it, such as on a full disk, the shift goes on: its lease runs out as on another machine."""

    _file = None

    def __enter__(self):
        try:
            settings.IN_HAND_DIR.mkdir(parents=True, exist_ok=True)
            new = settings.IN_HAND_DIR / f"{uuid.uuid4()}.new"
            self._file = new.open("w")
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self._path = new.rename(new.with_suffix(".tokens"))  # locked before anybody looks at it
        except OSError as error:
            logger.warning("What this worker has in hand cannot be noted: %s", error)
        return self

    def note(self, tokens: set[uuid.UUID]):
        """Keep the tokens of the claims in hand, before and as long as one of their rows is claimed."""
        if self._file is None:
            return
        try:
            self._file.seek(0)
            self._file.write("".join(f"{token}\n" for token in tokens))
            self._file.truncate()
            self._file.flush()
        except OSError as error:
            logger.warning("What this worker has in hand cannot be noted: %s", error)

    def __exit__(self, *error):
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            self._file.close()


def take_back() -> list[int]:
    """End the leases of shifts of this machine whose process is dead. Returns the numbers of their campaigns."""
    campaigns = []
    for path in settings.IN_HAND_DIR.glob("*.tokens"):
        try:
            with path.open() as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                campaigns += _end_leases(file.read().split())
                path.unlink(missing_ok=True)
        except (FileNotFoundError, BlockingIOError):
            continue  # its owner lives, or somebody else takes it back
    return campaigns


def _end_leases(lines):
    tokens = []
    for line in lines:
        with suppress(ValueError):  # torn by a full disk
            tokens.append(uuid.UUID(line))
    now = timezone.now()
    held = Delivery.objects.filter(state=Delivery.State.SENDING, lease_token__in=tokens, lease_until__gt=now)
    campaigns = list(held.order_by().values_list("campaign", flat=True).distinct())
    if number := held.update(lease_until=now):
        logger.warning("A worker ended with %s mails in hand; they are taken back", number)
    return campaigns
