"""Records the claims of this machine's workers, so that claims of a killed worker are released before their lease
expires.

Each worker writes the tokens of its claims to a file of its own and holds a lock (flock) on it. The operating system
releases the lock when the process ends for any reason; a process that is only suspended keeps it.
"""

import fcntl
import logging
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self, TextIO

from django.conf import settings
from jobs import clock

from newsletter.models import Delivery

logger = logging.getLogger(__name__)


class ClaimFile:
    """The claim file of one worker.

    If it cannot be written, for example on a full disk, the worker goes on without it and its leases expire normally.
    """

    _file: TextIO | None = None
    _path: Path

    def __enter__(self) -> Self:
        try:
            settings.NEWSLETTER_CLAIMS_DIR.mkdir(parents=True, exist_ok=True)
            new = settings.NEWSLETTER_CLAIMS_DIR / f"{uuid.uuid4()}.new"
            self._file = new.open("w")
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self._path = new.rename(
                new.with_suffix(".tokens")
            )  # the lock is held before other processes can see the file
        except OSError as error:
            logger.warning("The claim file of this worker cannot be written: %s", error)
        return self

    def write(self, tokens: Iterable[uuid.UUID]) -> None:
        """Write the tokens of all current claims. Call it before a row is claimed under a new token."""
        if self._file is None:
            return
        try:
            self._file.seek(0)
            self._file.write("".join(f"{token}\n" for token in tokens))
            self._file.truncate()
            self._file.flush()
        except OSError as error:
            logger.warning("The claim file of this worker cannot be written: %s", error)

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            self._file.close()


def expire_leases_of_dead_workers() -> list[int]:
    """Expire the leases of this machine's workers whose process is dead. Return the ids of their campaigns."""
    campaigns: list[int] = []
    for path in settings.NEWSLETTER_CLAIMS_DIR.glob("*.tokens"):
        try:
            with path.open(errors="replace") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                campaigns += _end_leases(file.read().split())
                path.unlink(missing_ok=True)
        except (FileNotFoundError, BlockingIOError):
            continue  # the worker is alive, or another process is handling the file
        except OSError as error:
            _set_aside(path, error)
    return campaigns


def _set_aside(path: Path, error: OSError) -> None:
    """Rename a claim file that this user may not open, so that it is logged once. Its leases expire normally."""
    with suppress(OSError):  # done by another process, or a folder that ClaimFile cannot write and logs
        path.rename(path.with_suffix(".unreadable"))
        logger.warning("The claim file %s cannot be read and is set aside: %s", path.name, error)


def _end_leases(lines: Iterable[str]) -> list[int]:
    tokens = []
    for line in lines:
        with suppress(ValueError):  # line truncated on a full disk, or damaged
            tokens.append(uuid.UUID(line))
    now = clock.now()
    held = Delivery.objects.filter(state=Delivery.State.SENDING, lease_token__in=tokens, lease_until__gt=now)
    campaigns = list(held.order_by().values_list("campaign", flat=True).distinct())
    if number := held.update(lease_until=now):
        logger.warning("A worker died with %s claimed mails; their leases are expired", number)
    return campaigns
