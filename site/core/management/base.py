"""Base class of management commands."""

from django.core.management.base import BaseCommand


class ProgressCommand(BaseCommand):
    """A command that reports its progress."""

    def report(self, text: str) -> None:
        """Print a line and flush it, so that it appears at once in a pipe too."""
        self.stdout.write(f"clac: {text}")
        self.stdout.flush()
