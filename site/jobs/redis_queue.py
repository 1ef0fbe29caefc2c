"""Task queue on Redis, for workers on several machines (REDIS_URL). Without REDIS_URL, the database is the queue.

While Redis is unavailable, tasks are stored in the database and moved to Redis later, so that requests do not fail.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast

import django_rq
from django.db import close_old_connections, connection, transaction
from django.dispatch import receiver
from django_tasks import TaskResult, TaskResultStatus, task_backends
from django_tasks.base import Task
from django_tasks.utils import get_random_id
from django_tasks_rq import Job, RQBackend
from redaction.text import blank
from redis.exceptions import RedisError
from rq.exceptions import StopRequested
from rq.executions import Execution
from rq.job import Job as RQJob
from rq.queue import Queue
from rq.registry import StartedJobRegistry
from rq.worker import SimpleWorker

from jobs.process import install_stop_handlers, stopping
from jobs.recovery import worker_poll

logger = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")
QUEUES = ["default", "bulk"]  # in order of priority
RETRY_SECONDS = 1  # between two attempts to reach Redis
FALLBACK_BACKEND = "database"  # stores tasks while Redis is unavailable


class RedisBackend(RQBackend):
    """RQ backend with two levels of priority: tasks with a priority below zero go into the queue “bulk”."""

    supports_priority = True

    def enqueue(self, task: Task[P, T], args: Sequence[Any], kwargs: dict[str, Any]) -> TaskResult[T]:
        """Enqueue a task after the current transaction is committed. Returns its TaskResult, in the state READY."""
        self.validate_task(task)
        if connection.in_atomic_block:
            transaction.on_commit(partial(self._put_or_fall_back, task, args, kwargs))
            return self._pending_result(task, args, kwargs)
        return self._put_or_fall_back(task, args, kwargs)

    def _pending_result(self, task: Task[P, T], args: Sequence[Any], kwargs: dict[str, Any]) -> TaskResult[T]:
        """Return the TaskResult of a task that is enqueued on commit."""
        times = dict.fromkeys(["enqueued_at", "started_at", "last_attempted_at", "finished_at"])
        return TaskResult(
            task=task,
            id=get_random_id(),
            status=TaskResultStatus.READY,
            args=list(args),
            kwargs=kwargs,
            backend=self.alias,
            errors=[],
            worker_ids=[],
            **times,
        )

    def _put_or_fall_back(self, task: Task[P, T], args: Sequence[Any], kwargs: dict[str, Any]) -> TaskResult[T]:
        try:
            return self.put(task, args, kwargs)
        except RedisError as error:
            logger.warning("Redis is unavailable (%s); %s is stored in the database", error, task.module_path)
            return task_backends[FALLBACK_BACKEND].enqueue(task.using(backend=FALLBACK_BACKEND), args, kwargs)

    def put(self, task: Task[P, T], args: Sequence[Any], kwargs: dict[str, Any]) -> TaskResult[T]:
        """Enqueue a task in Redis. Raises RedisError."""
        return super().enqueue(task.using(queue_name=QUEUES[task.priority < 0]), args, kwargs)


class Worker(SimpleWorker):
    """RQ worker that runs tasks in its own process and so keeps its database connections."""

    is_busy = False

    def perform_job(self, *args: Any, **kwargs: Any) -> bool:
        self.is_busy = True
        close_old_connections()
        try:
            return super().perform_job(*args, **kwargs)
        finally:
            self.is_busy = False
            close_old_connections()

    def _install_signal_handlers(self) -> None:
        """Do not install RQ's handlers, which access Redis; `run_worker` installs `jobs.process`'s."""

    def stop(self) -> None:
        """Stop after the current task."""
        self._stop_requested = True
        if not self.is_busy:
            raise StopRequested

    def handle_job_failure(
        self,
        job: RQJob,
        queue: Queue,
        started_job_registry: StartedJobRegistry | None = None,
        exc_string: str = "",
        execution: Execution | None = None,
    ) -> None:
        super().handle_job_failure(job, queue, started_job_registry, blank(exc_string), execution)


def run_worker() -> None:
    """Run tasks from Redis until SIGTERM or SIGINT; the current task is finished first. Waits while Redis is unavailable."""
    logging.getLogger("rq.worker").addFilter(_without_traceback)
    try:
        while not stopping.is_set():
            _work_until_disconnected()
    except StopRequested:
        return


def _work_until_disconnected() -> None:
    """Run tasks until the worker is stopped or loses its connection to Redis."""
    try:
        worker: Worker = django_rq.get_worker(*QUEUES, worker_class=Worker, job_class=Job)  # type: ignore[arg-type, assignment]  # it takes and returns any worker, not only rq.Worker
        install_stop_handlers(worker.stop)
        worker.work(logging_level="WARNING")
    except RedisError as error:
        logger.warning("Redis is unavailable (%s); the worker waits for it", error)
    stopping.wait(RETRY_SECONDS)


def _without_traceback(record: logging.LogRecord) -> bool:
    """Logging filter: reduce connection errors of Redis to one line without a traceback."""
    if record.exc_info and isinstance(record.exc_info[1], RedisError):
        record.msg, record.args = f"Redis is unavailable ({record.exc_info[1]})", ()
        record.exc_info = None
    return True


def queue_length() -> tuple[int, datetime | None]:
    """Return (number of tasks in Redis, datetime at which the oldest was enqueued or None); (0, None) if Redis is unavailable."""
    try:
        number = 0
        since: list[datetime] = []
        for name in QUEUES:
            queue = django_rq.get_queue(name)
            number += queue.count
            if (first := next(iter(queue.get_jobs(0, 1)), None)) and first.enqueued_at:
                since.append(
                    first.enqueued_at.replace(tzinfo=UTC) if first.enqueued_at.tzinfo is None else first.enqueued_at
                )
        return number, min(since, default=None)
    except RedisError:
        return 0, None


@receiver(worker_poll)
def move_fallback_tasks(**kwargs: object) -> None:
    """Move tasks that were stored in the database during an outage to Redis."""
    from django_tasks_db.models import DBTaskResult

    with suppress(RedisError), transaction.atomic():
        waiting = DBTaskResult.objects.ready().filter(backend_name=FALLBACK_BACKEND).select_for_update(skip_locked=True)
        for row in waiting[:100]:
            arguments = row.args_kwargs
            queue = cast(RedisBackend, task_backends["default"])  # this module is loaded only with REDIS_URL
            task: Task = row.task.using(backend=queue.alias)  # type: ignore[assignment]  # typed as a task of Django 6
            queue.put(task, arguments["args"], arguments["kwargs"])
            row.delete()
