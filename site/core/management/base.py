"""What our commands have in common."""

from django.core.management.base import BaseCommand


class ProgressCommand(BaseCommand):
    """A command that says what it is doing while it does it."""

    def say(self, text):
        """Print a line at once, also into a pipe."""
        self.stdout.write(f"clac: {text}")
        self.stdout.flush()
