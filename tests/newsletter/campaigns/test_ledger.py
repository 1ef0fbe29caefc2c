"""The rows of deliveries tell the truth: after a cancellation, a late result, a retry, an error."""

import math
from datetime import timedelta

import pytest
from django.utils import timezone
from jobs.recovery import recover_work

from newsletter.campaigns import lifecycle, tracking
from newsletter.delivery import worker
from newsletter.delivery.claim_files import ClaimFile, expire_leases_of_dead_workers
from newsletter.delivery.errors import DeliveryError, ErrorAction
from newsletter.delivery.personalisation import Recipient
from newsletter.delivery.transports.base import OutgoingMessage, Result, Transport
from newsletter.delivery.worker import Lease
from newsletter.models import Campaign, CampaignLink, Click, Delivery
from tests.growth import grows_in_step

pytestmark = pytest.mark.django_db
State = Delivery.State
# JSON can hold NUL and one half of a pair, which databases refuse: (letter, what is kept of it).
REFUSED_LETTERS = [("\0", ""), ("\ud800", "?")]


@pytest.fixture
def campaign(issue, subscribe):
    """A campaign on its way to three people."""
    for number in range(3):
        subscribe(f"{number}@example.org")
    campaign = Campaign.objects.create(issue=issue)
    lifecycle.start(campaign)
    return campaign


def claimed(campaign):
    """The first delivery, claimed: (its row, its OutgoingMessage)."""
    row, lease = campaign.deliveries.first(), Lease()
    Delivery.objects.filter(pk=row.pk).update(
        state=State.SENDING, lease_token=lease.token, lease_until=timezone.now() + timedelta(minutes=1), attempts=1
    )
    person = row.subscriber
    recipient = Recipient(row.pk, person.uuid, person.email, person.name, row.language, campaign.pk)
    return row, OutgoingMessage(recipient, None, lease)


def claim_again(row):
    """Another worker claims a delivery; returns its lease."""
    lease = Lease()
    Delivery.objects.filter(pk=row.pk).update(lease_token=lease.token)
    return lease


# Cancelled


def test_whoever_waits_when_it_is_cancelled_is_left_out(campaign):
    assert lifecycle.change_state(campaign, "cancel")
    assert campaign.counts()[State.SKIPPED] == 3
    assert campaign.counts()[State.QUEUED] == 0


@pytest.mark.parametrize("action", [ErrorAction.LATER, ErrorAction.AWAY, ErrorAction.RELEASED])
def test_what_comes_back_unsent_after_it_was_cancelled_is_left_out(campaign, action):
    row, mail = claimed(campaign)
    lifecycle.change_state(campaign, "cancel")
    worker.record([Result(mail, DeliveryError(action, "not now"))])
    recover_work()
    row.refresh_from_db()
    assert row.state == State.SKIPPED


def test_what_was_on_its_way_when_it_was_cancelled_counts_as_what_became_of_it(campaign):
    row, mail = claimed(campaign)
    lifecycle.change_state(campaign, "cancel")
    recover_work()
    row.refresh_from_db()
    assert row.state == State.SENDING
    worker.record([Result(mail)])
    row.refresh_from_db()
    assert row.state == State.SENT
    assert row.sent_at


def test_what_a_dead_worker_held_when_it_was_cancelled_is_shown_as_in_doubt(campaign):
    row, _mail = claimed(campaign)
    Delivery.objects.filter(pk=row.pk).update(lease_until=timezone.now())
    lifecycle.change_state(campaign, "cancel")
    recover_work()
    assert campaign.counts()[State.UNKNOWN] == 1
    assert campaign.counts()[State.SENDING] == 0


def test_nothing_of_a_cancelled_campaign_is_tried_again(campaign):
    campaign.deliveries.update(state=State.FAILED)
    lifecycle.change_state(campaign, "cancel")
    assert lifecycle.retry_failed(campaign) == 0
    assert campaign.counts()[State.FAILED] == 3


def test_newcomers_who_join_just_before_it_is_locked_to_be_finished_get_it(campaign, subscribe, monkeypatch):
    campaign.deliveries.update(state=State.SENT)
    subscribe("eva@example.org", confirmed_at=timezone.now())
    lock = lifecycle._locked

    def lock_after_newcomers(row):
        monkeypatch.setattr(lifecycle, "_locked", lock)
        assert lifecycle.send_to_newcomers(row) == 1
        return lock(row)

    monkeypatch.setattr(lifecycle, "_locked", lock_after_newcomers)
    assert not lifecycle.finish_if_done(campaign)
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.SENDING


# Late, and under another's lease


@pytest.mark.parametrize("state", [State.QUEUED, State.SENDING, State.UNKNOWN, State.FAILED, State.SKIPPED])
def test_a_late_sent_is_a_fact_whatever_was_thought_of_it(campaign, state):
    row, mail = claimed(campaign)
    claim_again(row)
    Delivery.objects.filter(pk=row.pk).update(state=state, error="may have gone")
    worker.record([Result(mail, provider_id="m-1")])
    row.refresh_from_db()
    assert (row.state, row.error, row.provider_id) == (State.SENT, "", "m-1")
    assert row.sent_at


def test_a_late_sent_leaves_what_the_provider_said_since(campaign):
    row, mail = claimed(campaign)
    Delivery.objects.filter(pk=row.pk).update(state=State.BOUNCED, error="gone")
    worker.record([Result(mail)])
    row.refresh_from_db()
    assert (row.state, row.error) == (State.BOUNCED, "gone")
    assert row.sent_at


@pytest.mark.parametrize("action", list(ErrorAction))
def test_a_failure_under_a_lost_lease_changes_nothing(campaign, action):
    row, mail = claimed(campaign)
    lease = claim_again(row)
    worker.record([Result(mail, DeliveryError(action, "no"))])
    row.refresh_from_db()
    assert (row.state, row.lease_token, row.attempts) == (State.SENDING, lease.token, 1)


def test_a_renewal_drops_what_another_worker_holds_and_nothing_else(campaign):
    campaign_worker = worker.CampaignWorker(campaign, 60)
    rows = [claimed(campaign)]
    for row in campaign.deliveries.exclude(pk=rows[0][0].pk):
        Delivery.objects.filter(pk=row.pk).update(state=State.SENDING, lease_token=rows[0][1].lease.token)
        person = row.subscriber
        recipient = Recipient(row.pk, person.uuid, person.email, "", row.language, campaign.pk)
        rows.append((row, OutgoingMessage(recipient, None, rows[0][1].lease)))
    campaign_worker.claimed = {mail.number: mail for _row, mail in rows}
    other = claim_again(rows[0][0])
    before = Delivery.objects.get(pk=rows[0][0].pk).lease_until
    assert not any(mail.is_held() for _row, mail in rows)
    campaign_worker._renew()
    assert [mail.is_held() for _row, mail in rows] == [False, True, True]
    theirs = Delivery.objects.get(pk=rows[0][0].pk)
    assert (theirs.lease_token, theirs.lease_until) == (other.token, before)


def test_what_is_in_its_own_hands_is_not_taken_for_a_dead_worker_s(campaign, settings):
    settings.EMAIL_PROVIDER = "postmark"  # where a second try would be a second mail
    row, mail = claimed(campaign)
    campaign.deliveries.exclude(pk=row.pk).update(state=State.SENT)
    Delivery.objects.filter(pk=row.pk).update(lease_until=timezone.now())  # the database was away for so long
    campaign_worker = worker.CampaignWorker(campaign, 60)
    campaign_worker.claimed = {row.pk: mail}
    campaign_worker._claim_batch(Transport())
    row.refresh_from_db()
    assert (row.state, row.lease_token, row.attempts) == (State.SENDING, mail.lease.token, 1)


def test_a_result_that_the_database_refuses_is_set_aside_alone(campaign, monkeypatch):
    rows = [claimed(campaign)]
    original = worker.record

    def record(results):
        if len(results) > 1 or results[0].provider_id == "bad":
            raise worker.DatabaseError("value out of range")
        original(results)

    monkeypatch.setattr(worker, "record", record)
    others = campaign.deliveries.exclude(pk=rows[0][0].pk)
    others.update(state=State.SENDING)
    mails = [rows[0][1]] + [
        OutgoingMessage(Recipient(row.pk, None, "", "", "es", campaign.pk), None, Lease()) for row in others
    ]
    worker._record_each([Result(mails[0], provider_id="bad"), *[Result(mail) for mail in mails[1:]]])
    assert campaign.counts()[State.SENT] == 2
    assert campaign.counts()[State.UNKNOWN] == 1


@pytest.mark.parametrize(("letter", "kept"), REFUSED_LETTERS)
def test_words_of_a_provider_are_kept_without_what_a_database_refuses(campaign, letter, kept):
    row, mail = claimed(campaign)
    worker.record([Result(mail, DeliveryError(ErrorAction.NEVER, f"550 no{letter} such user"), f"n{letter}")])
    row.refresh_from_db()
    assert (row.state, row.error, row.provider_id) == (State.FAILED, f"550 no{kept} such user", f"n{kept}")


@pytest.mark.parametrize(("letter", "kept"), REFUSED_LETTERS)
def test_a_mail_that_went_is_sent_whatever_number_the_provider_gives_it(campaign, letter, kept):
    row, mail = claimed(campaign)
    worker.record([Result(mail, provider_id=f"n{letter}1")])
    row.refresh_from_db()
    assert (row.state, row.provider_id) == (State.SENT, f"n{kept}1")


@pytest.mark.parametrize(("letter", "kept"), REFUSED_LETTERS)
def test_a_campaign_pauses_whatever_words_it_pauses_for(campaign, letter, kept):
    lifecycle.halt(campaign, Campaign.Problem.HALTED, f"535 no{letter} such key")
    campaign.refresh_from_db()
    assert (campaign.state, campaign.problem_words) == (Campaign.State.PAUSED, f"535 no{kept} such key")


# Errors and stale reads


def test_an_error_that_nobody_expected_is_tried_again_after_a_pause(campaign, monkeypatch, caplog):
    def fail(*arguments):
        raise KeyError("a fault")

    with monkeypatch.context() as patched:
        patched.setattr(worker, "Content", fail)
        assert not worker.run(campaign, 5)
    assert "An error stopped the sending" in caplog.text
    assert campaign.counts()[State.QUEUED] == 3
    campaign.refresh_from_db()
    assert campaign.is_waiting
    Campaign.objects.update(resume_at=None)
    campaign.refresh_from_db()
    worker.run(campaign, 5)
    assert campaign.counts()[State.SENT] == 3


def test_a_campaign_that_was_put_off_meanwhile_is_not_started(issue, subscribe, monkeypatch):
    subscribe("ana@example.org")
    campaign = Campaign.objects.create(issue=issue)
    lifecycle.schedule(campaign, timezone.now() - timedelta(seconds=1))
    seen = list(Campaign.objects.filter(state=Campaign.State.SCHEDULED))
    tomorrow = timezone.now() + timedelta(days=1)
    lifecycle.schedule(campaign, tomorrow)  # after the poll has read it, before it starts it
    assert not lifecycle.start(seen[0], is_due=True)
    assert not lifecycle._return_to_draft(seen[0], Campaign.Problem.LATE)
    campaign.refresh_from_db()
    assert (campaign.state, campaign.scheduled_at) == (Campaign.State.SCHEDULED, tomorrow)


def test_a_correction_reaches_a_worker_that_is_at_work(campaign):
    campaign_worker = worker.CampaignWorker(campaign, 60)
    (before,) = campaign_worker._outgoing([campaign.deliveries.first().pk], Lease())
    lifecycle.change_state(campaign, "pause")
    issue = campaign.issue
    issue.subject = "Sin errores"
    issue.save_revision().publish()
    assert lifecycle.refresh_content(campaign)
    (after,) = campaign_worker._outgoing([campaign.deliveries.first().pk], Lease())
    assert (before.content.mail.subject, after.content.mail.subject) == (
        "Conozca a CLAC en cinco minutos",
        "Sin errores",
    )


# Clicks


def test_clicks_on_one_mail_are_counted_in_linear_time(campaign):
    links = [
        CampaignLink.objects.create(campaign=campaign, number=n, url=f"https://example.org/{n}") for n in (901, 902)
    ]
    delivery, start = campaign.deliveries.first(), timezone.now() - timedelta(days=1)

    def clicks(number):
        last = Click(delivery=delivery, link=links[1], happened_at=start + timedelta(minutes=1))
        return [
            Click(delivery=delivery, link=links[0], happened_at=start + timedelta(milliseconds=n))
            for n in range(number)
        ] + [last]

    def count(number):
        Click.objects.bulk_create(clicks(number))
        assert tracking.count_clicks() == 2

    assert grows_in_step(count, 500)
    delivery.refresh_from_db()
    assert delivery.clicked_at == start
    assert delivery.subscriber.engaged_at == start + timedelta(minutes=1)


def test_clicks_on_many_mails_are_counted_together(campaign, subscribe, django_assert_max_num_queries, monkeypatch):
    monkeypatch.setattr(tracking, "COUNT_SECONDS", math.inf)
    link = CampaignLink.objects.create(campaign=campaign, number=901, url="https://example.org/901")
    people = [subscribe(f"p{number}@example.org") for number in range(1200)]
    rows = Delivery.objects.bulk_create(Delivery(campaign=campaign, subscriber=person) for person in people)
    start = timezone.now() - timedelta(days=1)
    Click.objects.bulk_create(Click(delivery=row, link=link, happened_at=start) for row in rows)
    with django_assert_max_num_queries(60):
        assert tracking.count_clicks() == 1200
    link.refresh_from_db()
    assert link.clicks == 1200
    assert Delivery.objects.filter(clicked_at=start).count() == 1200


def test_a_later_run_keeps_the_first_click_of_a_mail_and_the_last_of_a_person(campaign):
    links = [
        CampaignLink.objects.create(campaign=campaign, number=n, url=f"https://example.org/{n}") for n in (901, 902)
    ]
    delivery, today = campaign.deliveries.first(), timezone.now() - timedelta(hours=1)
    yesterday = today - timedelta(days=1)
    for link, moment in ((links[0], today), (links[1], yesterday)):  # the older one is counted by a later run
        Click.objects.create(delivery=delivery, link=link, happened_at=moment)
        assert tracking.count_clicks() == 1
    delivery.refresh_from_db()
    assert delivery.clicked_at == today
    assert delivery.subscriber.engaged_at == today


def test_clicks_that_belong_together_are_judged_together(campaign):
    links = [
        CampaignLink.objects.create(campaign=campaign, number=n, url=f"https://example.org/{n}") for n in (901, 902)
    ]
    delivery, edge = campaign.deliveries.first(), timezone.now() - tracking.CLICK_WINDOW
    Click.objects.create(delivery=delivery, link=links[0], happened_at=edge - timedelta(seconds=0.5))
    Click.objects.create(
        delivery=delivery, link=links[1], happened_at=edge + timedelta(seconds=0.5)
    )  # its moment is not over
    assert tracking.count_clicks() == 0
    assert Click.objects.count() == 2


# What a killed worker held


def test_a_torn_line_does_not_hide_the_others(campaign, settings, tmp_path):
    settings.NEWSLETTER_CLAIMS_DIR = tmp_path
    row, mail = claimed(campaign)
    with ClaimFile() as claim_file:
        claim_file.write({mail.lease.token})
        (tmp_path / "dead.tokens").write_bytes(
            f"{str(mail.lease.token)[:9]}\xff\n{mail.lease.token}\n".encode("latin-1")
        )
    assert expire_leases_of_dead_workers() == [campaign.pk]
    row.refresh_from_db()
    assert row.lease_until <= timezone.now()
    assert not list(tmp_path.iterdir())


def test_a_claim_file_that_cannot_be_opened_is_set_aside_and_the_others_are_read(campaign, settings, tmp_path, caplog):
    """A folder stands for a file of another user: nobody can open it as a file, not even root."""
    settings.NEWSLETTER_CLAIMS_DIR = tmp_path
    row, mail = claimed(campaign)
    for name in ("1", "2", "4", "5"):
        (tmp_path / f"{name}.tokens").mkdir()
    (tmp_path / "3.tokens").write_text(f"{mail.lease.token}\n")
    assert expire_leases_of_dead_workers() == [campaign.pk]
    assert expire_leases_of_dead_workers() == []
    row.refresh_from_db()
    assert row.lease_until <= timezone.now()
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.unreadable" for name in ("1", "2", "4", "5")}
    assert [record.message.count("cannot be read") for record in caplog.records if record.args[0] == "2.tokens"] == [1]


def test_a_shift_goes_on_where_nothing_can_be_noted(campaign, settings, tmp_path):
    settings.NEWSLETTER_CLAIMS_DIR = tmp_path / "no folder"
    settings.NEWSLETTER_CLAIMS_DIR.write_text("")
    assert expire_leases_of_dead_workers() == []
    assert not worker.run(campaign, 20)
    assert campaign.counts()[State.SENT] == 3
