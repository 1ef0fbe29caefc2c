"""Log of erasures and unsubscribes, replayed after a restore.

Each is a line in a file beside the backups: when, what, which key, and a keyed hash of the address, which tells nobody whose it
was. The database cannot hold them, as it is the database that is lost. A line that cannot be read, such as one that was torn when the
disk was full, is counted and reported; it never keeps the others from being replayed.
"""

import logging
import os
import re
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.dispatch import Signal
from django.utils import timezone

from privacy.digests import hashes

logger = logging.getLogger(__name__)
ERASED, LEFT = "erased", "left"
PURPOSE = "goodbye"
LINE = re.compile(rb"(?P<at>\S{20,32}) (?P<kind>erased|left) (?P<key>[0-9a-f]{12}) (?P<digest>[0-9a-f]{64})")
CLOCKS_DIFFER = timedelta(minutes=5)  # between the machine that wrote a line and the one that made the backup

# Receivers return the normalised addresses that their tables hold.
held = Signal()
# Sent with `kind` and `email` for each goodbye that is to be said again.
again = Signal()


@dataclass(frozen=True)
class ErasureLogEntry:
    """A line of the log: an erasure (ERASED) or an unsubscribe (LEFT), the key's number, and the keyed hash of the address."""

    kind: str
    key: str
    digest: str


@dataclass(frozen=True)
class Replay:
    """What became of the lines since a backup: replayed, failed (see the log), unreadable, and under an unknown key."""

    done: int = 0
    failed: int = 0
    unreadable: int = 0
    unknown: int = 0


def _key_numbers():
    """A number for each key, the current one first, that tells nobody the key."""
    return [digest[:12] for digest in hashes(PURPOSE, "which key this is")]


def record(kind, email):
    """Write down that a normalised address was ERASED or LEFT, once that is committed."""
    transaction.on_commit(partial(_write, kind, hashes(PURPOSE, email)[0]))


def _write(kind, digest):
    file = Path(settings.BACKUP_DIR) / f"goodbyes-{socket.gethostname()}.log"
    at = timezone.now().astimezone(UTC).isoformat(timespec="seconds")
    line = f"{at} {kind} {_key_numbers()[0]} {digest}\n"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0) as stream:
            # The last line may have been torn: this one begins anew, and spoils no other.
            is_torn = stream.seek(0, os.SEEK_END) and os.pread(descriptor, 1, stream.tell() - 1) != b"\n"
            stream.write(b"\n" * bool(is_torn) + line.encode())
            os.fsync(descriptor)
    except OSError as error:
        # It is done all the same; a person has to know that a backup would bring it back.
        logger.error("The goodbye could not be written to %s (%s): %s", file, error.strerror, line.strip())


def _read(folder, moment):
    """([ErasureLogEntry, …], number of unreadable lines) of what the files in `folder` say happened since `moment`."""
    found, unreadable = [], 0
    for file in sorted(Path(folder).glob("goodbyes-*.log")):
        for line in file.read_bytes().splitlines():
            match = LINE.fullmatch(line)
            at = _moment(match["at"]) if match else None
            if at is None:
                unreadable += bool(line)
            elif at >= moment - CLOCKS_DIFFER:
                found.append(ErasureLogEntry(*(match[name].decode() for name in ("kind", "key", "digest"))))
    return found, unreadable


def _moment(raw):
    try:
        at = datetime.fromisoformat(raw.decode())
    except ValueError:
        return None
    return at if at.tzinfo else None


def under_unknown_keys(folder, moment):
    """How many goodbyes since `moment` were written under a SECRET_KEY that is neither the current one nor a fallback."""
    known = _key_numbers()
    return sum(goodbye.key not in known for goodbye in _read(folder, moment)[0])


def replay(folder, moment):
    """Do again what happened since `moment` (a datetime), as the files in `folder` tell. Returns the Replay.

    One that fails does not keep the others from being done. An erasure outweighs an unsubscribe.
    """
    goodbyes, unreadable = _read(folder, moment)
    unknown = under_unknown_keys(folder, moment)
    kinds = {}
    for goodbye in goodbyes:
        if kinds.get(goodbye.digest) != ERASED:
            kinds[goodbye.digest] = goodbye.kind
    done = failed = 0
    addresses = {email for _receiver, emails in held.send(sender=None) for email in emails} if kinds else ()
    for email in sorted(addresses):
        kind = next((kinds[digest] for digest in hashes(PURPOSE, email) if digest in kinds), None)
        if kind is None:
            continue
        errors = [answer for _receiver, answer in again.send_robust(sender=None, kind=kind, email=email)]
        errors = [error for error in errors if isinstance(error, Exception)]
        for error in errors:
            logger.error("A goodbye could not be said again: %r", error, exc_info=error)
        failed += bool(errors)
        done += not errors
    return Replay(done, failed, unreadable, unknown)
