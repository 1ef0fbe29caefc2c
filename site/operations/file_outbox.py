"""Outgoing mail kept on this machine, for when no provider is set: one .eml file a message, read in the admin.

A page of our own rather than django-mail-viewer: that one (2.2.0) needs a script from a third party's address,
asks nobody to log in, and loads the whole outbox for every page.
"""

import email
import email.policy
import itertools
import os
import uuid
from email.utils import parsedate_to_datetime
from pathlib import Path

from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend

# What a mail may do when it is shown in the admin: have its own styles and load pictures, no more.
MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data: http: https:; frame-ancestors 'self'"


class EmailBackend(BaseEmailBackend):
    """A Django mail back end that writes each message to LOCAL_MAIL_DIR."""

    def send_messages(self, messages):
        """Write `messages`; return how many. A reader never sees half a file."""
        folder = Path(settings.LOCAL_MAIL_DIR)
        folder.mkdir(parents=True, exist_ok=True)
        for message in messages:
            name = uuid.uuid4().hex
            unfinished = folder / f".{name}"
            unfinished.write_bytes(message.message().as_bytes())
            os.replace(unfinished, folder / f"{name}.eml")
        return len(messages)


def recent(limit=100):
    """The newest messages as (key, EmailMessage) pairs, newest first; at most `limit`."""
    files = sorted(Path(settings.LOCAL_MAIL_DIR).glob("*.eml"), key=lambda file: file.stat().st_mtime, reverse=True)
    return [(file.stem, read(file.stem)) for file in itertools.islice(files, limit)]


def read(key):
    """The message kept under `key` (32 hexadecimal digits). Raises FileNotFoundError."""
    path = Path(settings.LOCAL_MAIL_DIR) / f"{uuid.UUID(key).hex}.eml"
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    message.sent_at = parsedate_to_datetime(message["Date"]) if message["Date"] else None
    return message
