"""Write a backup of database and files to BACKUP_DIR and verify it. The site may keep running."""

from typing import Any

import pyrage
from core.management.base import ProgressCommand
from django.core.management import CommandError
from django.core.management.base import CommandParser

from operations import backup


class Command(ProgressCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--new-key", action="store_true", help="print a new key for BACKUP_KEY, and do nothing else"
        )

    def handle(self, *args: Any, new_key: bool, **options: Any) -> None:
        if new_key:
            self.stdout.write(str(pyrage.x25519.Identity.generate()))
            return
        try:
            path = backup.create(report_progress=self.report)
        except backup.BackupError as error:
            raise CommandError(f"No backup was made. {error}") from error
        self.report(f"{path}, {path.stat().st_size / 1e6:,.1f} MB")
