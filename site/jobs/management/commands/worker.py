"""Run a worker: background tasks, and the tick beside them. Any number may run, on any number of machines (REDIS_URL)."""

import logging
from contextlib import suppress

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection
from django.utils.crypto import get_random_string
from django_tasks import DEFAULT_TASK_BACKEND_ALIAS
from django_tasks_db.management.commands.db_worker import Worker

from jobs.database import wait_for_database
from jobs.recovery import Ticker, stop_by_signal, stopping

logger = logging.getLogger(__name__)
PAUSE_SECONDS = 1  # between two looks whether the database is back


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args, **options):
        wait_for_database()
        Ticker(is_worker=True).start()
        if settings.REDIS_URL:
            from jobs.redis_queue import run_worker  # needs the settings that only REDIS_URL brings

            run_worker()
        else:
            run_database_worker()


class DatabaseWorker(Worker):
    """The package's worker; while the database is away it waits."""

    def run(self):
        while self.running:
            try:
                super().run()
            except DatabaseError as error:
                logger.warning("The database is away (%s); the worker waits for it", " ".join(str(error).split()))
                with suppress(DatabaseError):
                    connection.close()
                stopping.wait(PAUSE_SECONDS)

    def stop(self):
        """End when the task in hand is finished."""
        self.running = False


def run_database_worker():
    """Work on what is in the database until SIGTERM or SIGINT; the task in hand is finished."""
    worker = DatabaseWorker(
        queue_names=["*"],
        interval=0.5,
        batch=False,
        backend_name=DEFAULT_TASK_BACKEND_ALIAS,
        startup_delay=False,
        max_tasks=None,
        worker_id=get_random_string(32),
        excluded_queue_names=[],
    )
    stop_by_signal(worker.stop)
    worker.run()
