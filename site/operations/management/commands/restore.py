"""Restore the database and files of a backup, then replay the erasures and unsubscribes since it was made."""

from pathlib import Path
from typing import Any

from core.management.base import ProgressCommand
from django.core.management import CommandError
from django.core.management.base import CommandParser

from operations import backup


class Command(ProgressCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, nargs="?", help="the backup; without it, the newest in BACKUP_DIR")
        parser.add_argument("--replace", action="store_true", help="also in the place of a site that has pages")

        parser.add_argument(
            "--without-unknown",
            action="store_true",
            help="also if erasures and unsubscribes since were logged under a SECRET_KEY that is lost; they are not done again",
        )

    def handle(self, *args: Any, file: Path | None, replace: bool, without_unknown: bool, **options: Any) -> None:
        if file is None and not (file := next(iter(backup.backups()), None)):
            raise CommandError("There is no backup in BACKUP_DIR; name the file.")
        if not file.is_file():
            raise CommandError(f"There is no file {file}.")
        if not (replace or backup.is_empty()):
            raise CommandError(
                "This site has pages, and they would be lost. Make a backup first, stop web and worker, and add --replace."
            )
        try:
            replay = backup.restore(file, report_progress=self.report, without_unknown=without_unknown)
        except backup.BackupError as error:
            raise CommandError(f"{file} was not restored. {error}") from error
        self.report(f"{file} is restored; {replay.done} erasures and unsubscribes since were done again")
        for number, text in (
            (replay.failed, "could not be done again: see the log, and do them by hand"),
            (replay.unknown, "were logged under another SECRET_KEY and are not done again"),
            (replay.unreadable, "lines of the log cannot be read, such as lines torn by a full disk"),
        ):
            if number:
                self.report(f"{number} {text}")
