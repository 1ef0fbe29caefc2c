"""Tick until SIGTERM: what is due is queued also when every worker is busy or gone, and the operators hear of it.

Workers tick as well, so it may run anywhere, several times or not at all; each job still runs once.
"""

import logging

from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections

from core import operations
from core.database import wait_for_database
from core.work import Ticker, stop_by_signal, stopping

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args, **options):
        wait_for_database()
        stop_by_signal(lambda: None)
        Ticker().start()
        while not stopping.wait(operations.LOOK_SECONDS):
            try:
                close_old_connections()
                operations.look_after_the_queue()
            except DatabaseError as error:
                logger.warning("The database is away (%s)", " ".join(str(error).split()))
