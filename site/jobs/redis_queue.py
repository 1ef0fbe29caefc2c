"""The task queue on Redis, for workers on several machines (REDIS_URL). Without it the database is the queue.

While Redis is away, tasks are kept in the database, and given to it when it is back: nobody's request fails for want of it.
"""

import logging
from contextlib import suppress
from datetime import UTC
from functools import partial

import django_rq
from django.db import close_old_connections, connection, transaction
from django.dispatch import receiver
from django_tasks import TaskResult, TaskResultStatus, task_backends
from django_tasks.utils import get_random_id
from django_tasks_rq import Job, RQBackend
from redaction.text import blank
from redis.exceptions import RedisError
from rq.exceptions import StopRequested
from rq.worker import SimpleWorker

from jobs.recovery import stop_by_signal, stopping, tick

logger = logging.getLogger(__name__)
QUEUES = ["default", "bulk"]  # in the order in which a worker looks into them: what nobody waits for comes last
PAUSE_SECONDS = 1  # between two looks whether Redis is back
KEPT = "database"  # the back end that keeps tasks while Redis is away


class RedisBackend(RQBackend):
    """Tasks in Redis. Those of a priority below zero go into the queue “bulk”; RQ knows no finer order."""

    supports_priority = True

    def enqueue(self, task, args, kwargs):
        """Queue a task, once the data that it is about is committed. Returns its first TaskResult."""
        self.validate_task(task)
        if connection.in_atomic_block:
            transaction.on_commit(partial(self._put, task, args, kwargs))
            return self._promise(task, args, kwargs)
        return self._put(task, args, kwargs)

    def _promise(self, task, args, kwargs):
        """The TaskResult of what is to be queued."""
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

    def _put(self, task, args, kwargs):
        try:
            return self.put(task, args, kwargs)
        except RedisError as error:
            logger.warning("Redis is away (%s); %s waits in the database", error, task.module_path)
            return task_backends[KEPT].enqueue(task.using(backend=KEPT), args, kwargs)

    def put(self, task, args, kwargs):
        """Queue a task in Redis. Raises RedisError."""
        return super().enqueue(task.using(queue_name=QUEUES[task.priority < 0]), args, kwargs)


class Worker(SimpleWorker):
    """A worker that runs tasks in its own process, as the database's worker does, and so keeps its connections."""

    is_busy = False

    def perform_job(self, *args, **kwargs):
        self.is_busy = True
        close_old_connections()
        try:
            return super().perform_job(*args, **kwargs)
        finally:
            self.is_busy = False
            close_old_connections()

    def _install_signal_handlers(self):
        """RQ's own ask Redis inside of the handler; run_worker() has others."""

    def stop(self):
        """End when the task in hand is finished."""
        self._stop_requested = True
        if not self.is_busy:
            raise StopRequested

    def handle_job_failure(self, *args, exc_string="", **kwargs):
        super().handle_job_failure(*args, exc_string=blank(exc_string), **kwargs)


def run_worker():
    """Work on what is in Redis until SIGTERM or SIGINT; the task in hand is finished. While Redis is away the worker waits."""
    logging.getLogger("rq.worker").addFilter(_without_traceback)
    try:
        while not stopping.is_set():
            _work_once()
    except StopRequested:
        return


def _work_once():
    """Work until the end, or until Redis goes away."""
    try:
        worker = django_rq.get_worker(*QUEUES, worker_class=Worker, job_class=Job)
        stop_by_signal(worker.stop)
        worker.work(logging_level="WARNING")
    except RedisError as error:
        logger.warning("Redis is away (%s); the worker waits for it", error)
    stopping.wait(PAUSE_SECONDS)


def _without_traceback(record):
    """A logging filter: that Redis is away is one line in the log."""
    if record.exc_info and isinstance(record.exc_info[1], RedisError):
        record.msg, record.args = f"Redis is away ({record.exc_info[1]})", ()
        record.exc_info = None
    return True


def waiting():
    """(how many tasks wait in Redis, since when the oldest does or None). Without Redis, (0, None)."""
    try:
        number, since = 0, []
        for name in QUEUES:
            queue = django_rq.get_queue(name)
            number += queue.count
            if first := next(iter(queue.get_jobs(0, 1)), None):
                since.append(
                    first.enqueued_at.replace(tzinfo=UTC) if first.enqueued_at.tzinfo is None else first.enqueued_at
                )
        return number, min(since, default=None)
    except RedisError:
        return 0, None


@receiver(tick)
def move_what_was_kept(**kwargs):
    """Give Redis the tasks that were put into the database while it was away."""
    from django_tasks_db.models import DBTaskResult

    with suppress(RedisError), transaction.atomic():
        waiting = DBTaskResult.objects.ready().filter(backend_name=KEPT).select_for_update(skip_locked=True)
        for row in waiting[:100]:
            arguments = row.args_kwargs
            queue = task_backends["default"]
            queue.put(row.task.using(backend=queue.alias), arguments["args"], arguments["kwargs"])
            row.delete()
