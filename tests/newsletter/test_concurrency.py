"""Several processes at once on one database; on PostgreSQL in `make test-services`, on SQLite in `make test`."""

import time
from datetime import date, timedelta
from types import SimpleNamespace

import pytest
from core import rate_limits
from django.core.files.base import ContentFile
from django.utils import timezone
from wagtail_localize.models import TranslationSource

from newsletter.campaigns import lifecycle
from newsletter.delivery import rate_limit, worker
from newsletter.editions import digest
from newsletter.feedback import events
from newsletter.imports import runner
from newsletter.models import (
    Campaign,
    ConsentEvent,
    Delivery,
    Digest,
    IssuePage,
    ProviderEvent,
    SignUpRequest,
    Subscriber,
    SubscriberImport,
)
from newsletter.subscribers import subscriptions
from tests.lists import ALL_ACTIVE
from tests.newsletter.subscribers.test_stronger_state import ask, link_in
from tests.transactional import _django_db_helper, race  # noqa: F401

pytestmark = pytest.mark.django_db
State, Kind, Method = Subscriber.State, ConsentEvent.Kind, ConsentEvent.Method


def test_two_confirmations_at_once_confirm_once():
    token = link_in(ask("rosa@example.org"), "confirm")

    def confirm():
        subscriptions.confirm(token)
        return "confirmed"

    assert sorted(race(*[confirm] * 4)) == ["LinkProblem", "LinkProblem", "LinkProblem", "confirmed"]
    assert [event.kind for event in ConsentEvent.objects.all()] == [Kind.ASKED, Kind.CONFIRMED]


def test_leaving_many_times_at_once_leaves_one_event():
    person = Subscriber.objects.create(email="rosa@example.org", state=State.ACTIVE)
    assert sorted(race(*[lambda: subscriptions.leave(person, Method.ONE_CLICK)] * 4)) == [False, False, False, True]
    assert ConsentEvent.objects.count() == 1


def test_someone_who_leaves_while_a_campaign_starts_gets_it_only_before_having_left():
    people = [Subscriber.objects.create(email=f"{number}@example.org", state=State.ACTIVE) for number in range(20)]
    campaign = Campaign.objects.create(issue=IssuePage.objects.get(locale__language_code="es"))

    def leave_all():
        for person in people:
            subscriptions.leave(person, Method.MAIL)
        return "left"

    race(lambda: lifecycle.start(campaign), leave_all)
    campaign.refresh_from_db()
    worker.run(campaign, 20)
    assert not Delivery.objects.filter(state=Delivery.State.SENT).exists()
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.SENT


def test_a_campaign_that_many_start_at_once_starts_once():
    Subscriber.objects.create(email="rosa@example.org", state=State.ACTIVE)
    campaign = Campaign.objects.create(issue=IssuePage.objects.get(locale__language_code="es"))
    assert sorted(race(*[lambda: lifecycle.start(campaign)] * 4)) == [False, False, False, True]
    assert Delivery.objects.count() == 1


def test_an_import_and_a_sign_up_of_the_same_address_make_one_subscriber():
    lines = "".join(f"{number}@example.org\n" for number in range(50))
    job = SubscriberImport(file_name="a.csv", provenance="x", headings=["email"], mapping={"email": 0}, meanings=ALL_ACTIVE, encoding="utf-8", delimiter=",", state="checked")  # fmt: skip
    job.file.save("a.csv", ContentFile(f"email\n{lines}".encode()))
    runner.begin(job, SubscriberImport.State.IMPORTING)
    for number in range(50):
        SignUpRequest.objects.create(email=f"{number}@example.org", language="es", wording="w", wording_version="1")

    def answer():
        while subscriptions.process_requests():
            pass
        return "answered"

    race(lambda: runner.work_on_next(30), answer)
    job.refresh_from_db()
    assert job.state == SubscriberImport.State.DONE, job.problem
    assert Subscriber.objects.count() == 50


def test_limits_hold_for_all_processes_together():
    def take():
        return sum(rate_limits.hit("k", (5, timedelta(hours=1))) for _try in range(5))

    assert sum(race(*[take] * 4)) == 5


def test_the_same_event_many_times_at_once_is_one_row():
    from anymail.signals import AnymailTrackingEvent

    event = AnymailTrackingEvent(event_type="bounced", event_id="1", recipient="rosa@example.org", metadata={})
    assert sorted(race(*[lambda: events.store_event("test", event)] * 4)) == [False, False, False, True]
    assert ProviderEvent.objects.count() == 1


def test_two_web_processes_and_an_impatient_editor_make_one_campaign_and_start_it_once():
    Subscriber.objects.create(email="rosa@example.org", state=State.ACTIVE)
    issue = IssuePage.objects.get(locale__language_code="es")

    key = lifecycle.start_key(issue)
    pressed = race(*[lambda: lifecycle.start_or_schedule(issue, None, key).state] * 4)
    assert sorted(pressed) == ["Outdated", "Outdated", "Outdated", "sending"]
    assert Campaign.objects.count() == Delivery.objects.count() == 1


def test_two_workers_share_a_campaign_and_mail_nobody_twice():
    Subscriber.objects.bulk_create(
        Subscriber(email=f"{number}@example.org", state=State.ACTIVE) for number in range(300)
    )
    campaign = Campaign.objects.create(issue=IssuePage.objects.get(locale__language_code="es"))
    lifecycle.start(campaign)

    def work():
        from django.core import mail

        mail.outbox = []
        worker.run(campaign, 20)
        return [message.to[0] for message in mail.outbox]

    first, second = race(work, work)
    assert len(first) + len(second) == 300
    assert len({*first, *second}) == 300


def test_three_processes_keep_the_limit_per_second_together(settings):
    settings.NEWSLETTER_SEND_PER_SECOND = 10

    def take():
        moments, until = [], time.time() + 3
        while time.time() < until:
            number, pause = rate_limit.reserve(4)
            moments += [time.time()] * number
            time.sleep(min(pause, 0.05))
        return moments

    moments = sorted(moment for taken in race(take, take, take) for moment in taken)
    assert len(moments) >= 20
    assert max(sum(first <= moment < first + 1 for moment in moments) for first in moments) <= 10


@pytest.fixture
def campaign():
    """A campaign on its way to forty people."""
    Subscriber.objects.bulk_create(Subscriber(email=f"{n}@example.org", state=State.ACTIVE) for n in range(40))
    campaign = Campaign.objects.create(issue=IssuePage.objects.get(locale__language_code="es"))
    lifecycle.start(campaign)
    return campaign


def slowly(function):
    """`function`, with half a second between what it reads and what it writes: the time is asked for in between."""

    def run():
        now = timezone.now
        lifecycle.timezone = SimpleNamespace(now=lambda: (time.sleep(0.5), now())[1])  # in this process only
        return function()

    return run


def after(seconds, function):
    return lambda: (time.sleep(seconds), function())[1]


def test_newcomers_who_join_while_it_is_being_finished_get_it(campaign):
    campaign.deliveries.update(state=Delivery.State.SENT)
    Subscriber.objects.create(email="eva@example.org", state=State.ACTIVE, confirmed_at=timezone.now())
    finish = slowly(lambda: lifecycle.finish_if_done(campaign))
    assert race(finish, after(0.2, lambda: lifecycle.send_to_newcomers(campaign)))[1] == 1
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.SENDING
    assert campaign.counts()[Delivery.State.QUEUED] == 1


def test_what_is_tried_again_while_it_is_being_finished_is_sent(campaign):
    campaign.deliveries.update(state=Delivery.State.FAILED)
    finish = slowly(lambda: lifecycle.finish_if_done(campaign))
    assert race(finish, after(0.2, lambda: lifecycle.retry_failed(campaign)))[1] == 40
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.SENDING


def test_cancelling_while_something_is_tried_again_leaves_nobody_waiting(campaign):
    campaign.deliveries.update(state=Delivery.State.FAILED)
    race(lambda: lifecycle.retry_failed(campaign), lambda: lifecycle.change_state(campaign, "cancel"))
    counts = campaign.counts()
    assert counts[Delivery.State.QUEUED] == 0
    assert counts[Delivery.State.FAILED] in {0, 40}


def test_cancelling_in_the_middle_leaves_everybody_sent_or_left_out(campaign):
    def work():
        from django.core import mail

        mail.outbox = []
        worker.run(campaign, 20)
        return len(mail.outbox)

    number = race(work, after(0.02, lambda: lifecycle.change_state(campaign, "cancel")))[0]
    lifecycle.settle_cancelled()
    counts = campaign.counts()
    assert counts[Delivery.State.SENT] == number
    assert counts[Delivery.State.SENT] + counts[Delivery.State.SKIPPED] == 40


def test_each_step_is_taken_once_however_many_press_at_once(campaign):
    for action in ("pause", "resume", "pause", "cancel"):
        assert sum(race(*[lambda action=action: lifecycle.change_state(campaign, action)] * 4)) == 1
    assert race(*[lambda: lifecycle.change_state(campaign, "resume")] * 2) == [False, False]


def test_a_campaign_that_an_editor_puts_off_while_it_starts_goes_out_now_or_later_never_both():
    Subscriber.objects.create(email="rosa@example.org", state=State.ACTIVE)
    campaign = Campaign.objects.create(issue=IssuePage.objects.get(locale__language_code="es"))
    lifecycle.schedule(campaign, timezone.now() - timedelta(seconds=1))
    tomorrow = timezone.now() + timedelta(days=1)
    started, is_put_off = race(lambda: len(lifecycle.start_due()), lambda: lifecycle.schedule(campaign, tomorrow))
    assert started + is_put_off == 1
    campaign.refresh_from_db()
    assert campaign.state == (Campaign.State.SENDING if started else Campaign.State.SCHEDULED)


def test_two_workers_draft_the_repeating_edition_once():
    Digest.objects.create(frequency="monthly", drafted_for=date(2026, 1, 1))
    known = set(IssuePage.objects.values_list("pk", flat=True))

    def draft():
        return "drafted" if digest.draft_due() else "nothing"

    try:
        assert sorted(race(*[draft] * 3)) == ["drafted", "nothing", "nothing"]
        assert IssuePage.objects.exclude(pk__in=known).count() == 3  # one in each language
    finally:
        for page in IssuePage.objects.exclude(pk__in=known):
            TranslationSource.objects.filter(object_id=page.translation_key).delete()
            page.delete()
