"""E-mail back end without a provider: stores each message as an .eml file, shown in the admin.

django-mail-viewer 2.2.0 is no alternative: it loads a script from a third party, requires no login, and reads the whole outbox
for every page.
"""

import email
import itertools
import os
import uuid
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import parsedate_to_datetime
from pathlib import Path

from django.conf import settings
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend

# CSP of a message shown in the admin: inline styles and images only.
MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data: http: https:; frame-ancestors 'self'"


class StoredMail(EmailMessage):
    """A message in the outbox."""

    sent_at: datetime | None = None


class EmailBackend(BaseEmailBackend):
    """Django e-mail back end that writes each message to LOCAL_MAIL_DIR."""

    def send_messages(self, messages: Sequence[mail.EmailMessage]) -> int:
        """Write `messages` atomically, one file each. Returns their number."""
        folder = Path(settings.LOCAL_MAIL_DIR)
        folder.mkdir(parents=True, exist_ok=True)
        for message in messages:
            name = uuid.uuid4().hex
            unfinished = folder / f".{name}"
            unfinished.write_bytes(message.message().as_bytes())
            os.replace(unfinished, folder / f"{name}.eml")
        return len(messages)


def recent(limit: int = 100) -> list[tuple[str, StoredMail]]:
    """Return at most `limit` messages as (key, EmailMessage) pairs, newest first."""
    files = sorted(Path(settings.LOCAL_MAIL_DIR).glob("*.eml"), key=lambda file: file.stat().st_mtime, reverse=True)
    return [(file.stem, read(file.stem)) for file in itertools.islice(files, limit)]


def read(key: str) -> StoredMail:
    """Return the message with `key` (a UUID). Raises FileNotFoundError, or ValueError if the key is not a UUID."""
    path = Path(settings.LOCAL_MAIL_DIR) / f"{uuid.UUID(key).hex}.eml"
    message = email.message_from_bytes(path.read_bytes(), policy=EmailPolicy(message_factory=StoredMail))
    message.sent_at = parsedate_to_datetime(message["Date"]) if message["Date"] else None
    return message
