"""Look once for work that the task queue forgot (a worker does so by itself every few seconds)."""

from django.core.management.base import BaseCommand

from jobs.recovery import send_tick


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args, **options):
        send_tick()
