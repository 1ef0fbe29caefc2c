"""Update texts, database, starter content and static files to this release. Run it after each update; it is idempotent."""

import hashlib
from pathlib import Path
from typing import Any

from core.management.base import ProgressCommand
from core.texts import compile_texts
from django.conf import settings
from django.core.management import CommandError, call_command
from django.core.management.base import CommandParser
from jobs.database import wait_for_database


class Command(ProgressCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dev", action="store_true", help="no static files to collect")

    def handle(self, *args: Any, dev: bool, **options: Any) -> None:
        settings.VAR_DIR.mkdir(parents=True, exist_ok=True)
        self.report("compiling the texts …")
        compile_texts()
        wait_for_database()
        self.report("preparing the database …")
        call_command("migrate", verbosity=0, interactive=False)
        self.report("loading the starter content …")
        try:
            call_command("load_starter_content", stdout=self.stdout)
        except CommandError as error:
            self.report(str(error))
        if not dev:
            self._collect_static()

    def _collect_static(self) -> None:
        """Run collectstatic if the static files or the packages changed since the last time."""
        state = hashlib.sha256((settings.BASE_DIR / "requirements.txt").read_bytes())
        for folder in settings.STATICFILES_DIRS:
            for file in sorted(Path(folder).rglob("*")):
                state.update(f"{file}:{file.stat().st_mtime_ns}".encode())
        stamp = settings.VAR_DIR / "static.stamp"
        if stamp.exists() and stamp.read_text() == state.hexdigest():
            return
        self.report("compressing the static files (about half a minute, only once) …")
        # Files of the previous release are kept: both may be running at the same time.
        call_command("collectstatic", verbosity=0, interactive=False)
        stamp.write_text(state.hexdigest())
