"""What a restored backup must not bring back: erasures and farewells since it was made.

Each is a line in a file beside the backups: when, what, and a keyed hash of the address, which tells nobody whose it was. The
database cannot hold them, as it is the database that is lost. After a restore they are done again.
"""

import logging
import os
import socket
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.dispatch import Signal
from django.utils import timezone

from .keyed import hashes

logger = logging.getLogger(__name__)
ERASED, LEFT = "erased", "left"
PURPOSE = "goodbye"

# Receivers return the normalised addresses that their tables hold.
held = Signal()
# Sent with `kind` and `email` for each goodbye that is to be said again.
again = Signal()


def note(kind, email):
    """Write down that a normalised address was ERASED or LEFT, once that is committed."""
    transaction.on_commit(partial(_write, kind, hashes(PURPOSE, email)[0]))


def _write(kind, digest):
    file = Path(settings.BACKUP_DIR) / f"goodbyes-{socket.gethostname()}.log"
    line = f"{timezone.now().astimezone(UTC).isoformat(timespec='seconds')} {kind} {digest}\n"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        # It is done all the same; a person has to know that a backup would bring it back.
        logger.error("The goodbye could not be written to %s (%s): %s", file, error.strerror, line.strip())


def _since(folder, moment):
    """{hash: kind} of what the files in `folder` say happened since `moment`; an erasure outweighs a farewell."""
    found = {}
    for file in sorted(Path(folder).glob("goodbyes-*.log")):
        for line in file.read_text().splitlines():
            at, kind, digest = line.split()
            if datetime.fromisoformat(at) >= moment.replace(microsecond=0) and found.get(digest) != ERASED:
                found[digest] = kind
    return found


def say_again(folder, moment):
    """Do again what happened since `moment` (a datetime), as the files in `folder` tell. Returns how many goodbyes."""
    known, number = _since(folder, moment), 0
    if not known:
        return 0
    addresses = {email for _receiver, emails in held.send(sender=None) for email in emails}
    for email in sorted(addresses):
        kind = next((known[digest] for digest in hashes(PURPOSE, email) if digest in known), None)
        if kind:
            again.send(sender=None, kind=kind, email=email)
            number += 1
    return number
