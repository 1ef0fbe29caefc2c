"""For tests in which several processes meet on one database: what a test writes is committed, and cleaned up by hand."""

import multiprocessing
import traceback

import pytest
from core.models import RateLimitHit
from django.db import close_old_connections, connection, connections, transaction
from django_tasks_db.models import DBTaskResult
from jobs.models import JobRun, WorkerHeartbeat

from newsletter.models import (
    Campaign,
    Digest,
    ProviderEvent,
    Segment,
    SignUpRequest,
    Subscriber,
    SubscriberImport,
    Suppression,
)

MODELS = (
    Campaign,
    Digest,
    ProviderEvent,
    SignUpRequest,
    SubscriberImport,
    Segment,
    Suppression,
    RateLimitHit,
    JobRun,
    WorkerHeartbeat,
    DBTaskResult,
)


@pytest.fixture(autouse=True)
def _django_db_helper(django_db_setup, django_db_blocker):
    """In place of pytest-django's: no transaction around the test, so that other processes see what it writes, and no
    flush after it, which would take the starter content along. Import it into a module to have it there."""
    with django_db_blocker.unblock():
        DBTaskResult.objects.all().delete()
        yield
        close_old_connections()  # a fault may have left one in the middle of a transaction
        for model in MODELS:
            model.objects.all().delete()
        Subscriber.objects.all().delete_with_consent()
        connection.close()


def race(*functions):
    """Run `functions` at the same moment, each in a process of its own; return what each returned, or its exception's name."""
    connections.close_all()  # each process opens its own
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(len(functions)), context.Queue()

    def run(number, function):
        try:
            barrier.wait(10)
            answers.put((number, function()))
        except Exception as error:
            traceback.print_exc()
            answers.put((number, type(error).__name__))

    processes = [context.Process(target=run, args=pair) for pair in enumerate(functions)]
    for process in processes:
        process.start()
    found = dict(answers.get(timeout=60) for _process in processes)
    for process in processes:
        process.join(10)
    return [found[number] for number in range(len(functions))]


HELD_SECONDS = 0.3 if connection.vendor == "postgresql" else 0.05


def pause():
    """Where a function stops half-way that cannot be held by a transaction (`stops_itself`); only within overlap()."""


def overlap(first, second):
    """Run `first`, and `second` before `first` is committed; return what each returned, or its exception's name.

    What `second` does then it did either on what it read before, or after having waited for the commit. On SQLite it always
    waits: there is one writer at a time.
    """
    context = multiprocessing.get_context("fork")
    is_half_way, is_over = context.Event(), context.Event()

    def stop():
        is_half_way.set()
        is_over.wait(HELD_SECONDS)

    def held():
        global pause
        if getattr(first, "stops_itself", False):
            pause = stop  # of this process only
            try:
                return first()
            finally:
                is_half_way.set()
        with transaction.atomic():
            try:
                with transaction.atomic():
                    return first()
            finally:
                stop()

    def meanwhile():
        assert is_half_way.wait(30)
        try:
            return second()
        finally:
            is_over.set()

    return race(held, meanwhile)
