"""Personal data in the local outbox."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from privacy.registry import Place, register
from redaction.text import AddressPattern

from operations import file_outbox


class Outbox(Place):
    """Messages in the local outbox (`EMAIL_PROVIDER=local`)."""

    name, where = "local_mail", "`VAR_DIR/mail` (without a provider)"
    forgets = "mails to the address, or that name it, are deleted"

    def _files(self, pattern: AddressPattern) -> Iterator[Path]:
        for file in Path(settings.LOCAL_MAIL_DIR).glob("*.eml"):
            if pattern.mentioned_in_mail(file.read_bytes()):
                yield file

    def export(self, pattern: AddressPattern) -> list[dict[str, Any]]:
        mails = [file_outbox.read(file.stem) for file in self._files(pattern)]
        return [{"subject": str(mail["Subject"]), "date": str(mail["Date"])} for mail in mails]

    def forget(self, pattern: AddressPattern) -> int:
        files = list(self._files(pattern))
        for file in files:
            transaction.on_commit(partial(file.unlink, missing_ok=True))
        return len(files)

    def held(self) -> Iterator[str]:
        for file in Path(settings.LOCAL_MAIL_DIR).glob("*.eml"):
            mail = file_outbox.read(file.stem)
            yield from (address.addr_spec.lower() for address in getattr(mail["To"], "addresses", ()))


register(Outbox())
