"""Write a backup of database and files to BACKUP_DIR and verify it. The site may keep running."""

import pyrage
from core.management.base import ProgressCommand
from django.core.management import CommandError

from operations import backup


class Command(ProgressCommand):
    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument(
            "--new-key", action="store_true", help="print a new key for BACKUP_KEY, and do nothing else"
        )

    def handle(self, *args, new_key, **options):
        if new_key:
            self.stdout.write(str(pyrage.x25519.Identity.generate()))
            return
        try:
            path = backup.create(report_progress=self.report)
        except backup.BackupError as error:
            raise CommandError(f"No backup was made. {error}") from error
        self.report(f"{path}, {path.stat().st_size / 1e6:,.1f} MB")
