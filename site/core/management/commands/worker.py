"""Run a worker: background tasks from the database, and the tick beside them. Any number of them may run."""

from django.core.management.base import BaseCommand
from django.utils.crypto import get_random_string
from django_tasks import DEFAULT_TASK_BACKEND_ALIAS
from django_tasks_db.management.commands.db_worker import Worker

from core.work import Ticker


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args, **options):
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
        Ticker().start()
        worker.run()
