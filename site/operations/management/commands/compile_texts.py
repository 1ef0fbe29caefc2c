"""Compile the interface texts."""

from typing import Any

from core.texts import compile_texts
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = __doc__
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"Compiled {compile_texts()} files.")
