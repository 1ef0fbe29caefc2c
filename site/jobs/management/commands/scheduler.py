"""Enqueue due work until SIGTERM, also when every worker is busy or gone, and alert the operators in that case.

Optional: workers enqueue due work as well. Several may run, on any machine; each job still runs once.
"""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections

from jobs.database import log_outage, wait_for_database
from jobs.process import install_stop_handlers, stopping
from jobs.recovery import PollThread
from jobs.signals import worker_check

WATCH_SECONDS = 30


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        wait_for_database()
        install_stop_handlers(lambda: None)
        PollThread().start()
        while not stopping.wait(WATCH_SECONDS):
            try:
                close_old_connections()
                worker_check.send(sender=None)
            except DatabaseError as error:
                log_outage(error)
