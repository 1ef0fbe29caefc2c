"""Two things that happen to one subscriber at once: whoever left, bounced, complained or was erased is never active again.

Each pair in both orders, one begun before the other is committed, and both at the same moment; with real processes, on
PostgreSQL in `make test-services`, on SQLite in `make test`. Forms, links and objects are read before either begins.
"""

import time
import uuid
from datetime import timedelta

import pytest
from anymail.signals import AnymailTrackingEvent
from core.models import RateLimitHit
from django.core import mail
from django.core.files.base import ContentFile
from django.core.mail.backends import locmem
from django.test import override_settings
from django.utils import timezone
from jobs.leases import claim
from privacy import registry

from newsletter.campaigns import lifecycle
from newsletter.delivery import worker
from newsletter.feedback import events
from newsletter.forms import PreferencesForm
from newsletter.imports import runner
from newsletter.models import (
    Campaign,
    ConsentEvent,
    Delivery,
    IssuePage,
    ProviderEvent,
    SignUpRequest,
    Subscriber,
    SubscriberImport,
    Suppression,
)
from newsletter.subscribers import subscriptions
from tests import transactional
from tests.transactional import _django_db_helper, overlap, race  # noqa: F401

pytestmark = pytest.mark.django_db
State, Method = Subscriber.State, ConsentEvent.Method
ROSA, NEW = "rosa@example.org", "rosa.nueva@example.org"


def link_in(message, view):
    """The token of the link to `view` in a mail."""
    return message.body.split(f"/{view}/")[1].split("/")[0]


def ask(email, **fields):
    """Ask for something as the web does, and let the worker answer; return the mail."""
    SignUpRequest.objects.create(
        email=email, language=fields.pop("language", "es"), wording="w", wording_version="1", **fields
    )
    mail.outbox = []
    RateLimitHit.objects.all().delete()  # the hour is over in which a mailbox gets one mail
    subscriptions.process_requests()
    return mail.outbox[0]


def import_of(lines):
    """An import that was looked at and may begin."""
    job = SubscriberImport(
        file_name="a.csv",
        provenance="x",
        headings=["email", "status"],
        mapping={"email": 0, "status": [1]},
        encoding="utf-8",
        delimiter=",",
        state=SubscriberImport.State.CHECKED,
    )
    job.file.save("a.csv", ContentFile(f"email,status\n{lines}".encode()))
    runner.begin(job, SubscriberImport.State.IMPORTING)
    return job


def new_campaign():
    return Campaign.objects.create(issue=IssuePage.objects.get(locale__language_code="es"))


def addresses_mailed(campaign):
    mail.outbox = []
    worker.run(campaign, 20)
    return sorted({message.to[0] for message in mail.outbox})


def provider_says(kind, person):
    """Keep an event about a mail of an earlier campaign; return the function that acts on it."""
    delivery = Delivery.objects.create(campaign=new_campaign(), subscriber=person, language="es", state="sent")
    event = AnymailTrackingEvent(
        event_type=kind, event_id=str(uuid.uuid4()), recipient=person.email, metadata={"delivery": str(delivery.pk)}
    )
    events.store_event("test", event)
    waiting = ProviderEvent.objects.filter(state=ProviderEvent.State.WAITING)

    def go():
        while not (number := events.process()) and waiting.exists():
            time.sleep(0.05)  # a change of address holds it: the next poll retries
        return number

    return go


def run_import(lines):
    job = import_of(lines)

    def go():
        while not (claimed := claim(SubscriberImport.objects.filter(pk=job.pk), 1, 120)):
            time.sleep(0.05)  # an erasure holds it: the next poll retries
        return runner.work(claimed[0], 30)

    return go


def form_of(person, **values):
    form = PreferencesForm(
        {"name": "Rosa", "language": "es", "country": "", "topics": [], **values}, instance=Subscriber.objects.get(pk=person.pk)
    )  # fmt: skip
    assert form.is_valid()
    return form


# Each takes the Subscriber (or None), reads what a person would have open, and returns what happens next.


def leave(person):
    return lambda: subscriptions.leave(person, Method.ONE_CLICK)


def bounce(person):
    return provider_says("bounced", person)


def complaint(person):
    return provider_says("complained", person)


def erase(person):
    return lambda: subscriptions.erase(person.manage_token)


def confirm(person):
    token = link_in(ask(ROSA, name="Rosa Q."), "confirm")
    return lambda: subscriptions.confirm(token).state


def change(person):
    form = form_of(person, language="en")
    return lambda: subscriptions.change(form)


def import_as_left(person):
    return run_import(f"{ROSA},unsubscribed\n")


def preferences(person):
    form = form_of(person, name="Otra")
    return lambda: subscriptions.change(form)


def new_address(person):
    """Rosa confirms another address; where Rosa is not active yet, somebody who is active confirms Rosa's."""
    who, email = person, NEW
    if person.state != State.ACTIVE:
        who, email = Subscriber.objects.create(email="ana@example.org", state=State.ACTIVE), ROSA
    token = link_in(ask(email, changes=who), "new-address")
    return lambda: subscriptions.confirm_new_address(token).email


def import_as_active(person):
    return run_import(f"{ROSA},subscribed\n")


def send(person):
    campaign = new_campaign()
    lifecycle.start(campaign)

    def go():
        with override_settings(EMAIL_BACKEND=f"{__name__}.PausingBackend"):
            return addresses_mailed(campaign)

    go.stops_itself = True
    return go


class PausingBackend(locmem.EmailBackend):
    """Stops before a mail goes out: the worker has read to whom."""

    def send_messages(self, messages):
        """Send, after a moment in which something else happens."""
        transactional.pause()
        return super().send_messages(messages)


STRONG = {
    leave: State.UNSUBSCRIBED,
    bounce: State.BOUNCED,
    complaint: State.COMPLAINED,
    erase: None,
    confirm: State.ACTIVE,
    change: State.ACTIVE,
    import_as_left: State.UNSUBSCRIBED,
}
WEAK = [preferences, new_address, import_as_active, send]
ORDERS = {
    "strong first": lambda strong, weak: overlap(strong, weak),
    "weak first": lambda strong, weak: overlap(weak, strong)[::-1],
    "together": lambda strong, weak: race(strong, weak),
}

ANSWERS = {"LinkProblem", "LinkGone", State.ACTIVE.value, ROSA, NEW}  # anything else that is text is an error's name


def name_of(function):
    return function.__name__


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("weak", WEAK, ids=name_of)
@pytest.mark.parametrize("strong", STRONG, ids=name_of)
def test_the_stronger_state_wins(strong, weak, order):
    state = State.PENDING if strong is confirm else State.ACTIVE
    person = Subscriber.objects.create(email=ROSA, state=state, source=Subscriber.Source.IMPORT)
    acts = strong(person), weak(person)
    person.refresh_from_db()
    answer, other = ORDERS[order](*acts)
    assert {text for text in (answer, other) if isinstance(text, str)} <= ANSWERS
    now = Subscriber.objects.filter(pk=person.pk).first()
    active = set(Subscriber.objects.filter(state=State.ACTIVE).values_list("email", flat=True))
    if weak is new_address and other in {NEW, ROSA}:
        assert_moved(strong, answer, now, active, other)
    else:
        assert answer not in {"LinkProblem", "LinkGone"}
        assert (now and now.state) == STRONG[strong]
        assert active & {ROSA, NEW} == ({ROSA} if STRONG[strong] == State.ACTIVE else set())
    if strong in {complaint, erase} and answer != "LinkProblem":
        assert Suppression.covers([ROSA, NEW])
    campaign = new_campaign()
    lifecycle.start(campaign)
    assert set(addresses_mailed(campaign)) == active


def assert_moved(strong, answer, now, active, address):
    """The address was taken before anything else happened, or at least before it was seen."""
    if strong is confirm:  # the address had come to somebody else, whose link was opened there
        assert (answer, now, active) == ("LinkGone", None, {ROSA})
    elif (
        strong in {erase, change} and answer == "LinkProblem"
    ):  # said so, instead of erasing or saving what was not meant
        assert (now.state, active) == (State.ACTIVE, {NEW})
    elif strong in {bounce, import_as_left}:  # about an address that may be out of use by now
        assert active <= {NEW}
    else:
        assert (now and now.state) == STRONG[strong]
        assert active == ({NEW} if STRONG[strong] == State.ACTIVE else set())


@pytest.mark.parametrize("order", ORDERS)
def test_an_erasure_reaches_what_an_import_is_about_to_write(order):
    ORDERS[order](lambda: registry.erase(ROSA), run_import(f"{ROSA},subscribed\nana@example.org,subscribed\n"))
    assert list(Subscriber.objects.values_list("email", flat=True)) == ["ana@example.org"]
    assert Suppression.covers([ROSA])


@pytest.mark.parametrize("order", ORDERS)
def test_an_erasure_reaches_what_a_sign_up_is_about_to_write(order):
    SignUpRequest.objects.create(email=ROSA, language="es", wording="w", wording_version="1")
    ORDERS[order](lambda: registry.erase(ROSA), subscriptions.process_requests)
    assert not Subscriber.objects.exists()
    assert Suppression.covers([ROSA])


@pytest.mark.parametrize("order", ORDERS)
def test_an_erasure_reaches_an_address_that_somebody_moves_to(order):
    ana = Subscriber.objects.create(email="ana@example.org", state=State.ACTIVE)
    token = link_in(ask(ROSA, changes=ana), "new-address")
    _erased, moved = ORDERS[order](lambda: registry.erase(ROSA), lambda: subscriptions.confirm_new_address(token).email)
    assert moved in {"LinkProblem", ROSA}
    assert list(Subscriber.objects.values_list("email", flat=True)) == (["ana@example.org"] if moved != ROSA else [])


@pytest.mark.parametrize(
    ("is_known", "step"),
    [(False, (Suppression, "covers_until_commit")), (True, (subscriptions, "_delete_former_subscription"))],
)
def test_an_erasure_waits_for_a_move_that_is_half_way(is_known, step, monkeypatch):
    if is_known:  # created before Ana: rows locked by their keys would be locked in another order than by the move
        Subscriber.objects.create(email=ROSA, state=State.UNSUBSCRIBED)
    ana = Subscriber.objects.create(email="ana@example.org", state=State.ACTIVE)
    token = link_in(ask(ROSA, changes=ana), "new-address")
    function = getattr(*step)

    def move():
        with monkeypatch.context() as patch:
            patch.setattr(*step, lambda value: (transactional.pause(), function(value))[1])
            return subscriptions.confirm_new_address(token).email

    move.stops_itself = True
    moved, _number = overlap(move, lambda: registry.erase(ROSA))
    assert moved == ROSA
    assert not Subscriber.objects.exists()
    assert Suppression.covers([ROSA])


@pytest.mark.parametrize("order", ORDERS)
def test_two_lists_at_once_agree_that_somebody_left(order):
    lines = [(f"{number}@example.org", status) for number in range(40) for status in ("subscribed", "unsubscribed")]
    active = "".join(f"{email},{status}\n" for email, status in lines if status == "subscribed")
    left = "".join(f"{email},{status}\n" for email, status in reversed(lines) if status == "unsubscribed")
    assert ORDERS[order](run_import(left), run_import(active)) == [False, False]
    assert set(Subscriber.objects.values_list("state", flat=True)) == {State.UNSUBSCRIBED}
    assert Subscriber.objects.count() == 40


def test_two_lists_in_opposite_order_do_not_wait_for_each_other():
    lines = [f"{number}@example.org,subscribed\n" for number in range(2000)]
    assert race(run_import("".join(lines)), run_import("".join(reversed(lines)))) == [False, False]
    assert Subscriber.objects.count() == 2000


@pytest.mark.parametrize("order", ORDERS)
def test_an_erasure_and_a_complaint_at_once_do_not_wait_for_each_other(order):
    person = Subscriber.objects.create(email=ROSA, state=State.ACTIVE)
    ORDERS[order](lambda: registry.erase(ROSA), complaint(person))
    assert not Subscriber.objects.exists()
    assert Suppression.covers([ROSA])


@pytest.mark.parametrize("order", ORDERS)
def test_nobody_is_deleted_who_confirms_at_the_last_moment(order, settings, time_machine):
    from newsletter.subscribers import retention

    person = Subscriber.objects.create(email=ROSA)
    confirms = confirm(person)
    settings.RETENTION_DAYS = {**settings.RETENTION_DAYS, "pending": 1}
    time_machine.move_to(timezone.now() + timedelta(days=2))
    answer, _kept = ORDERS[order](confirms, retention.apply)
    assert (answer == State.ACTIVE) == Subscriber.objects.filter(state=State.ACTIVE).exists()
