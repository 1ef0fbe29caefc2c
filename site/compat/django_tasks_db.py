"""django-tasks-db 0.x: its worker, whose arguments are those of its command."""

from django.utils.crypto import get_random_string
from django_tasks import DEFAULT_TASK_BACKEND_ALIAS
from django_tasks_db.management.commands.db_worker import Worker


class DatabaseWorker(Worker):
    """A worker for all queues of the default backend, which looks for tasks twice a second."""

    def __init__(self) -> None:
        super().__init__(
            queue_names=["*"],
            interval=0.5,
            batch=False,
            backend_name=DEFAULT_TASK_BACKEND_ALIAS,
            startup_delay=False,
            max_tasks=None,
            worker_id=get_random_string(32),
            excluded_queue_names=[],
        )

    def stop(self) -> None:
        """Stop after the current task."""
        self.running = False
