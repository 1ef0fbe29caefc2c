"""For tests in which several processes meet on one database: what a test writes is committed, and cleaned up by hand."""

import multiprocessing
import traceback

import pytest
from core.models import JobRun, Use
from django.db import connection, connections
from django_tasks_db.models import DBTaskResult

from newsletter.models import (
    Campaign,
    ProviderEvent,
    Segment,
    SignUpRequest,
    Subscriber,
    SubscriberImport,
    Suppression,
)
from newsletter.privacy import remove

MODELS = (Campaign, ProviderEvent, SignUpRequest, SubscriberImport, Segment, Suppression, Use, JobRun, DBTaskResult)


@pytest.fixture(autouse=True)
def _django_db_helper(django_db_setup, django_db_blocker):
    """In place of pytest-django's: no transaction around the test, so that other processes see what it writes, and no
    flush after it, which would take the starter content along. Import it into a module to have it there."""
    with django_db_blocker.unblock():
        DBTaskResult.objects.all().delete()
        yield
        for model in MODELS:
            model.objects.all().delete()
        remove(Subscriber.objects.all())
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
