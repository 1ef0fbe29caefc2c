"""Delete a user's passkeys, app and recovery codes and end their sessions, for example if the only administrator lost them."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.services import reset_second_step


class Command(BaseCommand):
    """Resets the second step of one user."""

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the user's name."""
        parser.add_argument("name")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        """Reset the user's second step."""
        user = get_user_model().objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"There is no user {name}.")
        reset_second_step(user)
        self.stdout.write(f"clac: {name} signs in with the password and sets up a second step anew")
