"""Run a worker: background tasks, and the tick beside them. Any number may run, on any number of machines (REDIS_URL)."""

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils.crypto import get_random_string
from django_tasks import DEFAULT_TASK_BACKEND_ALIAS
from django_tasks_db.management.commands.db_worker import Worker

from core.database import wait_for_database
from core.work import Ticker


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args, **options):
        wait_for_database()
        Ticker(is_worker=True).start()
        if settings.REDIS_URL:
            from core.queue import run_worker  # needs the settings that only REDIS_URL brings

            run_worker()
        else:
            run_database_worker()


def run_database_worker():
    """Work on what is in the database until SIGTERM or SIGINT; the task in hand is finished."""
    worker = Worker(
        queue_names=["*"],
        interval=0.5,
        batch=False,
        backend_name=DEFAULT_TASK_BACKEND_ALIAS,
        startup_delay=False,
        max_tasks=None,
        worker_id=get_random_string(32),
        excluded_queue_names=[],
    )
    worker.configure_signals()
    worker.run()
