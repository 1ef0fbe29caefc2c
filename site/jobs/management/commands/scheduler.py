"""Tick until SIGTERM: what is due is queued also when every worker is busy or gone, and the operators hear of it.

Workers tick as well, so it may run anywhere, several times or not at all; each job still runs once.
"""

import logging

from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections

from jobs.database import wait_for_database
from jobs.recovery import Ticker, stop_by_signal, stopping
from jobs.signals import watch

logger = logging.getLogger(__name__)
WATCH_SECONDS = 30


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args, **options):
        wait_for_database()
        stop_by_signal(lambda: None)
        Ticker().start()
        while not stopping.wait(WATCH_SECONDS):
            try:
                close_old_connections()
                watch.send(sender=None)
            except DatabaseError as error:
                logger.warning("The database is away (%s)", " ".join(str(error).split()))
