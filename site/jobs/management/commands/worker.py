"""Run a worker: background tasks and periodic jobs. Any number may run; on several machines they need REDIS_URL."""

import logging
from contextlib import suppress
from typing import Any

from compat.django_tasks_db import DatabaseWorker
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection

from jobs import clock
from jobs.database import log_outage, wait_for_database
from jobs.process import install_stop_handlers, stopping
from jobs.recovery import PollThread

logger = logging.getLogger(__name__)
RETRY_SECONDS = 1  # between two attempts to reach the database


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        logger.info("CLAC %s: a worker starts", settings.VERSION)
        wait_for_database()
        clock.follow_database()
        PollThread(is_worker=True).start()
        if settings.REDIS_URL:
            from jobs.redis_queue import run_worker  # needs settings that exist only with REDIS_URL

            run_worker()
        else:
            run_database_worker()


class PatientWorker(DatabaseWorker):
    """A worker that survives an outage of the database."""

    def run(self) -> None:
        while self.running:
            try:
                super().run()
            except DatabaseError as error:
                log_outage(error)
                with suppress(DatabaseError):
                    connection.close()
                stopping.wait(RETRY_SECONDS)


def run_database_worker() -> None:
    """Run tasks from the database until SIGTERM or SIGINT; the current task is finished first."""
    worker = PatientWorker()
    install_stop_handlers(worker.stop)
    worker.run()
