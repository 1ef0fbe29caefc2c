"""Enqueue due work once. Workers do this by themselves every few seconds."""

from typing import Any

from django.core.management.base import BaseCommand

from jobs import clock
from jobs.database import wait_for_database
from jobs.recovery import recover_work


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        wait_for_database()
        clock.follow_database()
        recover_work()
