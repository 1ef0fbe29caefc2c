"""Forget somebody's passkeys, app and recovery codes, and end their sessions: when the only administrator lost them."""

from django.contrib.auth import get_user_model
from django.core.management import CommandError
from django.core.management.base import BaseCommand

from accounts.signin import start_over


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("name")

    def handle(self, *args, name, **options):
        user = get_user_model().objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"There is no user {name}.")
        start_over(user)
        self.stdout.write(f"clac: {name} signs in with the password and sets up a second step anew")
