"""Log of erasures and unsubscribes, replayed after a restore.

Each entry is a line in a file in BACKUP_DIR: time, kind, number of the key, and an HMAC of the address. The log is not in the
database, because a restore replaces the database. Lines that cannot be read, such as those cut off by a full disk, are counted
and reported; all others are replayed.
"""

import logging
import os
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.dispatch import Signal
from django.utils import timezone

from privacy.digests import hashes

logger = logging.getLogger(__name__)
ERASED, UNSUBSCRIBED = "erased", "left"
PURPOSE = "goodbye"  # of the HMAC; existing logs depend on it
LINE = re.compile(rb"(?P<at>\S{20,32}) (?P<kind>erased|left) (?P<key>[0-9a-f]{12}) (?P<digest>[0-9a-f]{64})")
CLOCK_TOLERANCE = timedelta(minutes=5)  # between the machine that wrote a line and the one that made the backup

# Receivers return the normalised addresses that their tables hold.
collect_addresses = Signal()
# Sent with `kind` and `email` for each entry of the log that is replayed.
replay_entry = Signal()


@dataclass(frozen=True)
class ErasureLogEntry:
    """A line of the log: an erasure (ERASED) or an unsubscribe (UNSUBSCRIBED), the key's number, and the keyed hash of the address."""

    kind: str
    key: str
    digest: str


@dataclass(frozen=True)
class Replay:
    """Numbers of entries since a backup: replayed, failed (see the log), unreadable, and written under an unknown key."""

    done: int = 0
    failed: int = 0
    unreadable: int = 0
    unknown: int = 0


def _key_ids() -> list[str]:
    """Return an identifier for each SECRET_KEY, the current one first, from which the key cannot be derived."""
    return [digest[:12] for digest in hashes(PURPOSE, "which key this is")]


def record(kind: str, email: str) -> None:
    """Log that a normalised address was ERASED or UNSUBSCRIBED, after the current transaction is committed."""
    transaction.on_commit(partial(_write, kind, hashes(PURPOSE, email)[0]))


def _write(kind: str, digest: str) -> None:
    file = Path(settings.BACKUP_DIR) / f"erasures-{socket.gethostname()}.log"
    at = timezone.now().astimezone(UTC).isoformat(timespec="seconds")
    line = f"{at} {kind} {_key_ids()[0]} {digest}\n"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0) as stream:
            # The last line may be incomplete (full disk): start a new one.
            is_incomplete = stream.seek(0, os.SEEK_END) and os.pread(descriptor, 1, stream.tell() - 1) != b"\n"
            stream.write(b"\n" * bool(is_incomplete) + line.encode())
            os.fsync(descriptor)
    except OSError as error:
        # The erasure itself is done, but a restore would revert it: the operator has to know.
        logger.error("The erasure log %s could not be written (%s): %s", file, error.strerror, line.strip())


def _read(folder: Path | str, moment: datetime) -> tuple[list[ErasureLogEntry], int]:
    """Return ([ErasureLogEntry, …], number of unreadable lines) of the log files in `folder` since `moment` (a datetime)."""
    found, unreadable = [], 0
    for file in sorted(Path(folder).glob("erasures-*.log")):
        for line in file.read_bytes().splitlines():
            match = LINE.fullmatch(line)
            at = _parse_time(match["at"]) if match else None
            if match is None or at is None:
                unreadable += bool(line)
            elif at >= moment - CLOCK_TOLERANCE:
                found.append(ErasureLogEntry(*(match[name].decode() for name in ("kind", "key", "digest"))))
    return found, unreadable


def _parse_time(raw: bytes) -> datetime | None:
    try:
        at = datetime.fromisoformat(raw.decode())
    except ValueError:
        return None
    return at if at.tzinfo else None


def count_unknown_keys(folder: Path | str, moment: datetime) -> int:
    """Return the number of entries since `moment` whose SECRET_KEY is neither the current one nor a fallback."""
    known = _key_ids()
    return sum(entry.key not in known for entry in _read(folder, moment)[0])


def replay(folder: Path | str, moment: datetime) -> Replay:
    """Repeat the erasures and unsubscribes that the log files in `folder` list since `moment` (a datetime). Returns a Replay.

    The failure of one does not stop the others. If an address was both unsubscribed and erased, it is erased.
    """
    entries, unreadable = _read(folder, moment)
    unknown = count_unknown_keys(folder, moment)
    kinds: dict[str, str] = {}
    for entry in entries:
        if kinds.get(entry.digest) != ERASED:
            kinds[entry.digest] = entry.kind
    done = failed = 0
    answers: Iterable[tuple[object, Any]] = collect_addresses.send(sender=None) if kinds else ()
    addresses = {email for _receiver, emails in answers for email in emails}
    for email in sorted(addresses):
        kind = next((kinds[digest] for digest in hashes(PURPOSE, email) if digest in kinds), None)
        if kind is None:
            continue
        errors = [answer for _receiver, answer in replay_entry.send_robust(sender=None, kind=kind, email=email)]
        errors = [error for error in errors if isinstance(error, Exception)]
        for error in errors:
            logger.error("An entry of the erasure log could not be replayed: %r", error, exc_info=error)
        failed += bool(errors)
        done += not errors
    return Replay(done, failed, unreadable, unknown)
