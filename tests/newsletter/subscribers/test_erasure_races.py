"""An erasure and something that writes the same person, each begun before the other is committed: no copy is left.

With real processes, on PostgreSQL in `make test-services`, on SQLite in `make test`.
"""

import pytest
from anymail.signals import AnymailTrackingEvent
from core.models import RateLimitHit
from django.core import mail
from django.core.files.base import ContentFile
from jobs.leases import claim
from privacy import registry

from newsletter.campaigns import lifecycle
from newsletter.feedback import events
from newsletter.imports import runner
from newsletter.models import (
    Campaign,
    Delivery,
    ImportLine,
    IssuePage,
    ProviderEvent,
    SignUpRequest,
    Subscriber,
    SubscriberImport,
)
from newsletter.subscribers import subscriptions
from tests.lists import ALL_ACTIVE
from tests.transactional import _django_db_helper, overlap, race  # noqa: F401

pytestmark = pytest.mark.django_db
ROSA = "rosa@example.org"


def erase():
    return registry.erase(ROSA)


def held_anywhere():
    """The tables that hold the address, by what each place tells."""
    return {place.name for place in registry.PLACES if not place.is_outside and ROSA in set(place.held())}


def a_list(state):
    job = SubscriberImport(
        file_name="a.csv",
        provenance="x",
        headings=["email", "name"],
        mapping={"email": 0, "name": 1},
        meanings=ALL_ACTIVE,
        encoding="utf-8",
        delimiter=",",
        state=state,
    )
    job.file.save("a.csv", ContentFile(f"email,name\n{ROSA},Rosa\nana@example.org,Ana\n".encode()))
    return job


def dry_run():
    a_list("checking")
    job = claim(SubscriberImport.objects.all(), 1, 60)[0]

    def check():
        runner.work(job, 20)

    return check


def an_import():
    a_list("importing")
    job = claim(SubscriberImport.objects.all(), 1, 60)[0]

    def take():
        runner.work(job, 20)

    return take


def a_campaign():
    issue = IssuePage.objects.filter(locale__language_code="es").first()
    campaign = Campaign.objects.create(issue=issue)
    return lambda: lifecycle.start(campaign)


def a_webhook():
    event = AnymailTrackingEvent(event_type="delivered", recipient=ROSA.upper(), event_id="1", description=f"to {ROSA}")
    return lambda: events.store_event("test", event)


def a_bounce():
    campaign = Campaign.objects.create(issue=IssuePage.objects.filter(locale__language_code="es").first(), state="sent")
    delivery = Delivery.objects.create(campaign=campaign, subscriber=Subscriber.objects.get(email=ROSA), language="es")
    event = AnymailTrackingEvent(event_type="bounced", recipient=ROSA, event_id="2", metadata={"delivery": str(delivery.pk)})  # fmt: skip
    events.store_event("test", event)
    return events.process


def a_wish():
    ana = Subscriber.objects.create(email="ana.vieja@example.org", state="active")
    Subscriber.objects.filter(email=ROSA).update(state="unsubscribed")
    return ask(changes=ana)


def ask(**fields):
    """Have a worker answer somebody who asks with the address."""
    SignUpRequest.objects.create(email=ROSA, language="es", wording="w", wording_version="1", **fields)
    RateLimitHit.objects.all().delete()
    return subscriptions.process_requests


WRITERS = [dry_run, an_import, a_campaign, a_webhook, a_bounce, a_wish, ask]
ORDERS = ["writer first", "erasure first", "at once"]
# A webhook commits what it writes at once, and looks only then whether the address was erased: it cannot be held half-way.
PAIRS = [(writer, order) for writer in WRITERS for order in ORDERS if (writer, order) != (a_webhook, ORDERS[0])]


@pytest.fixture(autouse=True)
def _rosa(_django_db_helper):  # noqa: F811
    Subscriber.objects.create(email=ROSA, name="Rosa", state="active")
    mail.outbox = []


@pytest.mark.parametrize(("writer", "order"), PAIRS, ids=lambda value: getattr(value, "__name__", value))
def test_no_copy_is_left_by_whoever_writes_at_the_same_time(writer, order):
    write = writer()
    if order == ORDERS[0]:
        answers = overlap(write, erase)
    elif order == ORDERS[1]:
        answers = overlap(erase, write)[::-1]
    else:
        answers = race(write, erase)
    assert isinstance(answers[1], int), answers
    assert not isinstance(answers[0], str) or answers[0] in {"Lost"}, answers
    assert held_anywhere() == set()
    assert not Subscriber.objects.filter(email=ROSA).exists()
    assert not Delivery.objects.filter(subscriber__email=ROSA).exists()
    assert not ProviderEvent.objects.exclude(recipient="").exists()
    assert not ImportLine.objects.filter(cells__icontains="rosa").exists()
