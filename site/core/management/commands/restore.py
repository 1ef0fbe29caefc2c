"""Restore a backup: its database and its files, and what readers asked for since it was made (erasures, farewells)."""

from pathlib import Path

from django.core.management import CommandError

from core import backup
from core.management.talking import TalkingCommand


class Command(TalkingCommand):
    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path, nargs="?", help="the backup; without it, the newest in BACKUP_DIR")
        parser.add_argument("--replace", action="store_true", help="also in the place of a site that has pages")

    def handle(self, *args, file, replace, **options):
        if file is None and not (file := next(iter(backup.backups()), None)):
            raise CommandError("There is no backup in BACKUP_DIR; name the file.")
        if not file.is_file():
            raise CommandError(f"There is no file {file}.")
        if not (replace or backup.is_empty()):
            raise CommandError(
                "This site has pages, and they would be lost. Make a backup first, stop web and worker, and add --replace."
            )
        try:
            number = backup.restore(file, say=self.say)
        except backup.BackupError as error:
            raise CommandError(f"{file} was not restored. {error}") from error
        self.say(f"{file} is restored; {number} erasures and farewells since were done again")
