"""When the provider falters: a real SMTP server that refuses, stalls and drops, and an API that answers badly."""

import json
import signal
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.conf import settings as django_settings
from django.db import connection
from django.utils import timezone
from jobs import clock
from jobs.leases import unleased
from jobs.recovery import recover_work

from newsletter.campaigns import lifecycle
from newsletter.delivery import rate_limit, worker
from newsletter.delivery.transports import smtp
from newsletter.feedback import events
from newsletter.models import Campaign, Delivery, SendAllowance, Subscriber
from newsletter.subscribers import subscriptions, tokens
from newsletter.tasks import look_for_unmoved_campaigns, send_campaign
from tests.fakes import ProviderAPI, SMTPServer
from tests.services import in_services

pytestmark = pytest.mark.django_db
postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="several machines need PostgreSQL")
State = Delivery.State
LONG = timedelta(hours=2)  # by then every pause is over
settings_of_rfc_5321 = dict(django_settings.SMTP_REPLY_SECONDS)


@pytest.fixture
def server(settings):
    """An SMTP server, and the site set to send by it."""
    with SMTPServer() as server:
        settings.EMAIL_PROVIDER = "smtp"
        settings.EMAIL_BACKEND = "newsletter.delivery.smtp_backend.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.EMAIL_USE_TLS, settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = False, "", ""
        settings.EMAIL_TIMEOUT, settings.SMTP_CONNECTIONS = 1, 4
        settings.SMTP_REPLY_SECONDS = dict.fromkeys(settings.SMTP_REPLY_SECONDS, 1)
        settings.NEWSLETTER_LEASE_SECONDS = 60
        yield server


@pytest.fixture
def api(settings):
    """A provider's API, and the site set to send by Mailgun's batches."""
    with ProviderAPI() as api:
        settings.EMAIL_PROVIDER = "mailgun"
        settings.EMAIL_BACKEND = "anymail.backends.mailgun.EmailBackend"
        settings.ANYMAIL = {"MAILGUN_API_KEY": "k", "MAILGUN_SENDER_DOMAIN": "example.org", "MAILGUN_API_URL": api.url}
        settings.NEWSLETTER_LEASE_SECONDS = 60
        yield api


@pytest.fixture
def start(issue, subscribe):
    """Start a campaign to so many people: 0@example.org, 1@example.org …"""

    def go(number):
        for each in range(number):
            subscribe(f"{each}@example.org", name="María %recipient.email%" if each % 2 else "")
        campaign = Campaign.objects.create(issue=issue)
        lifecycle.start(campaign)
        return campaign

    return go


class TooLong(BaseException):
    """Passes through every handler of Exception."""


@contextmanager
def must_end_within(seconds):
    """End what takes longer with TooLong."""

    def stop(number, frame):
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def work(campaign, after=timedelta()):
    """Work on a campaign to the end of what can be done `after` some time."""
    with time_machine.travel(timezone.now() + after):
        send_campaign.func(campaign.pk)
        campaign.refresh_from_db()


def copies(server):
    """{address: how many mails the server kept}."""
    return Counter(recipient for recipient, _message in server.mails)


def delivery(campaign, address):
    return campaign.deliveries.get(subscriber__email=address)


# SMTP


@pytest.mark.parametrize("features", [["PIPELINING"], []])
def test_everyone_gets_it_once_whether_or_not_the_server_pipelines(server, start, features):
    server.features = features
    campaign = start(150)
    work(campaign)
    assert campaign.state == Campaign.State.SENT
    assert set(copies(server).values()) == {1}
    assert len({message["Message-ID"] for _recipient, message in server.mails}) == 150
    recipient, message = server.mails[0]
    assert message["To"] == recipient
    assert message.get_body(("html",)).get_content().strip()


def test_mail_goes_out_with_a_user_and_a_password(server, start, settings):
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "ana", "secreta"
    work(start(3))
    assert len(server.mails) == 3


def test_an_address_refused_for_good_fails_in_the_server_s_words(server, start):
    server.orders["RCPT"]["1@example.org"].append("550 5.1.1 no such user")
    campaign = start(5)
    work(campaign)
    assert campaign.state == Campaign.State.SENT
    assert len(server.mails) == 4
    assert delivery(campaign, "1@example.org").state == State.FAILED
    assert delivery(campaign, "1@example.org").error == "550 5.1.1 no such user"


@pytest.mark.parametrize("place", ["RCPT", "DATA"])
def test_who_does_not_exist_is_off_the_list_and_asked_for_no_more(server, start, issue, place):
    server.orders[place]["1@example.org"].append("550 5.1.1 no such user")
    campaign = start(3)
    work(campaign)
    events.process()
    assert set(Subscriber.objects.filter(state="bounced").values_list("email", flat=True)) == {"1@example.org"}
    assert delivery(campaign, "1@example.org").state == State.FAILED
    again = Campaign.objects.create(issue=issue)
    lifecycle.start(again)
    work(again)
    assert copies(server) == {"0@example.org": 2, "2@example.org": 2}


@pytest.mark.parametrize(
    "reply",
    [
        "550 5.7.1 blocked: see https://example.net/unknown-user",
        "554 5.7.26 no DMARC",
        "552 5.2.2 mailbox full",
        "552 5.3.4 too large",
        "550 no",
        "450 4.1.1 unknown user",
    ],
)
def test_any_other_refusal_says_nothing_about_the_person(server, start, reply):
    server.orders["RCPT"]["1@example.org"].append(reply)
    campaign = start(2)
    work(campaign)
    events.process()
    assert delivery(campaign, "1@example.org").error == reply
    assert not Subscriber.objects.exclude(state="active").exists()


def test_three_refusals_of_policy_while_sending_alarm_the_operators(server, start, caplog):
    for number in range(3):
        server.orders["RCPT"][f"{number}@example.org"].append("554 5.7.1 blocked by policy")
    work(start(5))
    events.process()
    assert "Alert (mail is refused by example.org)" in caplog.text
    assert not Subscriber.objects.exclude(state="active").exists()


def test_a_refusal_of_an_address_that_somebody_has_left_meanwhile_says_nothing_of_the_new_one(server, start):
    server.orders["RCPT"]["0@example.org"].append("550 5.1.1 no such user")
    work(start(1))
    person = Subscriber.objects.get()
    Subscriber.objects.update(new_email="new@example.org")
    person.refresh_from_db()
    subscriptions.confirm_new_address(tokens.make(tokens.ADDRESS, person, "new@example.org"))
    events.process()
    assert Subscriber.objects.get().state == "active"


@pytest.mark.parametrize(("place", "reply"), [("RCPT", "450 try later"), ("DATA", "451 busy"), ("DATA", "452 full")])
def test_an_address_refused_for_now_is_tried_again_after_growing_pauses(server, start, place, reply):
    server.orders[place]["1@example.org"].extend([reply] * 3)
    campaign = start(3)
    pauses = []
    for _attempt in range(3):
        work(campaign, after=LONG * len(pauses))
        row = delivery(campaign, "1@example.org")
        assert row.state == State.QUEUED
        assert row.error == reply
        pauses.append(row.lease_until - timezone.now() - LONG * len(pauses))
    assert pauses[0] < pauses[1] < pauses[2] < timedelta(minutes=5)
    assert len(server.mails) == 2
    work(campaign, after=LONG * 3)
    assert len(server.mails) == 3
    assert campaign.state == Campaign.State.SENT


def test_after_24_hours_it_is_given_up(server, start):
    server.orders["RCPT"]["0@example.org"].extend(["450 try later"] * 2)
    campaign = start(1)
    work(campaign)
    work(campaign, after=timedelta(hours=25))
    assert delivery(campaign, "0@example.org").state == State.FAILED
    assert campaign.state == Campaign.State.SENT


@pytest.mark.parametrize("order", ["vanish", "stall", "drop"])
def test_what_may_or_may_not_have_gone_is_tried_again_with_the_same_message_id(server, start, order):
    server.orders["DATA"]["3@example.org"].append(order)
    campaign = start(9)
    work(campaign)
    work(campaign, after=LONG)
    assert campaign.state == Campaign.State.SENT
    numbers = {message["Message-ID"] for recipient, message in server.mails if recipient == "3@example.org"}
    assert len(numbers) == 1
    assert copies(server) == Counter({f"{each}@example.org": 1 for each in range(9)}) + Counter(
        {"3@example.org": 0 if order == "drop" else 1}
    )


@pytest.mark.parametrize("order", ["vanish", "stall"])
def test_an_answer_that_is_lost_twice_is_for_a_person_to_decide(server, start, order):
    server.orders["DATA"]["3@example.org"].extend([order] * 9)
    campaign = start(9)
    for hours in range(0, 40, 4):
        work(campaign, after=timedelta(hours=hours))
    assert campaign.state == Campaign.State.SENT
    assert delivery(campaign, "3@example.org").state == State.UNKNOWN
    assert copies(server).pop("3@example.org") == 2
    assert set(copies(server).values()) == {1, 2}
    assert campaign.counts()[State.SENT] == 8


def test_ten_lost_answers_in_a_row_pause_it_and_nobody_gets_more_than_two(server, start, caplog):
    for number in range(40):
        server.orders["DATA"][f"{number}@example.org"].extend(["vanish"] * 50)
    campaign = start(40)
    work(campaign)
    assert campaign.state == Campaign.State.PAUSED
    assert campaign.problem == Campaign.Problem.UNCLEAR
    assert "connection" in campaign.problem_words.lower()
    assert 10 <= len(server.mails) < 10 + 2 * 4  # what its four connections had begun meanwhile
    assert "campaign paused" in caplog.text
    for hours in range(0, 99, 3):
        lifecycle.change_state(campaign, "resume")
        work(campaign, after=timedelta(hours=hours))
    assert campaign.state == Campaign.State.SENT
    assert campaign.counts()[State.UNKNOWN] == 40
    assert set(copies(server).values()) == {2}


def test_lost_answers_here_and_there_do_not(server, start):
    for number in range(0, 60, 3):
        server.orders["DATA"][f"{number}@example.org"].append("vanish")
    campaign = start(60)
    work(campaign)
    work(campaign, after=LONG)
    assert campaign.state == Campaign.State.SENT
    assert campaign.counts()[State.SENT] == 60


def test_a_server_that_takes_its_time_at_the_end_is_waited_for_and_the_leases_outlive_it(
    server, start, settings, monkeypatch
):
    assert settings_of_rfc_5321["end"] == 600
    server.seconds, settings.EMAIL_TIMEOUT, settings.NEWSLETTER_LEASE_SECONDS = 4, 1, 3
    settings.SMTP_REPLY_SECONDS["end"] = 30
    campaign, free_meanwhile = start(4), []
    waiting = worker._waiting

    def look(results):
        free_meanwhile.append(unleased(campaign.deliveries.filter(state=State.SENDING)).count())
        return waiting(results)

    monkeypatch.setattr(worker, "_waiting", look)
    work(campaign)
    assert campaign.state == Campaign.State.SENT
    assert set(copies(server).values()) == {1}
    assert len(free_meanwhile) > 10
    assert set(free_meanwhile) == {0}


@pytest.mark.parametrize("reply", ["421 shutting down", "drop"])
def test_a_connection_that_ends_before_the_mail_costs_nothing(server, start, reply):
    server.orders["RCPT"]["3@example.org"].append(reply)
    campaign = start(9)
    work(campaign)
    work(campaign, after=LONG)
    assert campaign.state == Campaign.State.SENT
    assert set(copies(server).values()) == {1}
    assert len(server.mails) == 9


@pytest.mark.parametrize(
    ("part", "reply"),
    [("greeting", "554 go away"), ("sender", "550 5.7.1 sender not yours"), ("auth", "535 wrong password")],
)
def test_a_rejected_sender_or_key_pauses_at_once_and_says_why(server, start, settings, caplog, part, reply):
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = "x"
    setattr(server, part, reply)
    campaign = start(30)
    work(campaign)
    assert campaign.state == Campaign.State.PAUSED
    assert campaign.problem == Campaign.Problem.HALTED
    assert reply in campaign.problem_words
    assert campaign.counts()[State.QUEUED] == 30
    assert "campaign paused" in caplog.text
    setattr(server, part, "250 fine" if part == "sender" else {"greeting": "220 hi", "auth": "235 hi"}[part])
    lifecycle.change_state(campaign, "resume")
    work(campaign)
    assert len(server.mails) == 30


def test_a_run_of_refusals_pauses_it(server, start):
    for number in range(120):
        server.orders["RCPT"][f"{number}@example.org"].append("554 5.7.1 blocked by policy")
    campaign = start(120)
    work(campaign)
    assert campaign.problem == Campaign.Problem.REFUSALS
    assert "blocked by policy" in campaign.problem_words
    assert campaign.counts()[State.FAILED] < 120
    lifecycle.retry_failed(campaign)
    server.orders["RCPT"].clear()
    lifecycle.change_state(campaign, "resume")
    work(campaign)
    assert len(server.mails) == 120


def test_refusals_here_and_there_do_not(server, start):
    for number in range(0, 100, 2):
        server.orders["RCPT"][f"{number}@example.org"].append("550 no such user")
    campaign = start(100)
    work(campaign)
    assert campaign.state == Campaign.State.SENT
    assert campaign.counts()[State.FAILED] == 50


@in_services
def test_two_hours_without_the_provider_lose_nothing_and_it_resumes_within_five_minutes(start, server, run_tasks):
    campaign = start(20)
    send_campaign.enqueue(campaign.pk)
    server.greeting = "421 closed for works"
    begun, now = timezone.now(), timezone.now()
    pauses = []
    while now - begun < timedelta(hours=2):
        with time_machine.travel(now):
            recover_work()
            run_tasks()
        campaign.refresh_from_db()
        assert campaign.state == Campaign.State.SENDING
        pauses.append(campaign.resume_at - now)
        assert campaign.resume_at - now < timedelta(minutes=5)
        now = campaign.resume_at + timedelta(seconds=61)
    assert pauses[0] < timedelta(seconds=15) < timedelta(seconds=60) < pauses[-1]
    assert not server.mails
    server.greeting = "220 open again"
    with time_machine.travel(now):
        recover_work()
        run_tasks()
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.SENT
    assert len(server.mails) == 20


def test_a_campaign_of_which_nothing_goes_out_is_named(start, server, staff_client, run_tasks, caplog):
    campaign = start(2)
    assert not list(lifecycle.stalled())
    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        assert list(lifecycle.stalled()) == [campaign]
        assert "no mail has gone out for 15 minutes" in staff_client.get("/admin/newsletter/campaigns/").text
        look_for_unmoved_campaigns()
        assert "campaign stands still" in caplog.text
        Campaign.objects.update(resume_at=timezone.now() + timedelta(hours=9))  # tomorrow's allowance
        assert not list(lifecycle.stalled())
        Campaign.objects.update(outages=9)  # the provider is away
        assert list(lifecycle.stalled()) == [campaign]


# Errors of our own


def test_an_error_gives_back_what_was_not_begun(server, start, monkeypatch):
    server.seconds = 0.3
    campaign, errors = start(30), [RuntimeError("a fault")]
    update = worker.CampaignWorker._update_campaign

    def fail_once(campaign_worker, results):
        if errors:
            raise errors.pop()
        update(campaign_worker, results)

    monkeypatch.setattr(worker.CampaignWorker, "_update_campaign", fail_once)
    work(campaign)
    counted = campaign.counts()
    assert counted[State.SENT] == len(server.mails) <= 12  # three rounds of four connections
    assert counted[State.QUEUED] == 30 - len(server.mails)
    assert campaign.faults == 1


def test_a_transport_whose_thread_ended_ends_the_run(server, start, monkeypatch):
    async def end(transport):
        await transport.wait_for_mail()

    campaign = start(3)
    monkeypatch.setattr(worker, "CLOSE_SECONDS", 0)
    with monkeypatch.context() as patched, must_end_within(15):
        patched.setattr(smtp.SMTPTransport, "_work", end)
        work(campaign)
    assert campaign.faults == 1
    assert campaign.counts()[State.SENT] == 0
    work(campaign, after=LONG)
    assert campaign.state == Campaign.State.SENT
    assert set(copies(server).values()) == {1}


def test_a_mail_whose_lease_is_lost_after_its_envelope_gets_no_body(server, start, monkeypatch):
    campaign, asked = start(6), Counter()
    lost = campaign.deliveries.first()

    def holds(lease, number):
        asked[number] += 1
        return number != lost.pk or asked[number] == 1

    monkeypatch.setattr(worker.Lease, "holds", holds)
    worker.run(campaign, 1)
    assert asked[lost.pk] > 1
    assert lost.subscriber.email not in copies(server)
    assert len(copies(server)) == 5


# Limits


def test_a_limit_per_day_is_kept_and_the_rest_goes_the_next_day(server, start, settings):
    settings.NEWSLETTER_SEND_PER_DAY = 7
    SendAllowance.objects.all().delete()  # what tests with commits of their own have used
    campaign = start(10)
    work(campaign)
    assert len(server.mails) == 7
    assert campaign.state == Campaign.State.SENDING
    assert campaign.is_waiting
    assert timezone.localtime(campaign.resume_at).date() == timezone.localdate() + timedelta(days=1)
    work(campaign)
    assert len(server.mails) == 7
    work(campaign, after=campaign.resume_at - timezone.now() + timedelta(seconds=1))
    assert campaign.state == Campaign.State.SENT
    assert len(server.mails) == 10


def test_a_limit_per_second_is_kept_in_any_second(settings):
    settings.NEWSLETTER_SEND_PER_SECOND = 10
    with time_machine.travel(timezone.now(), tick=False) as traveller:
        taken = []
        for _twentieth in range(100):
            taken.append(rate_limit.reserve(7)[0] + rate_limit.reserve(100)[0])
            traveller.shift(0.05)
    assert max(sum(taken[start : start + 20]) for start in range(80)) == 10
    assert sum(taken) >= 40


def test_leave_that_was_not_used_is_given_back_for_the_same_day_only(settings):
    settings.NEWSLETTER_SEND_PER_DAY = 10
    SendAllowance.objects.all().delete()  # what tests with commits of their own have used
    assert rate_limit.reserve(8)[0] == 8
    rate_limit.release(3)
    assert rate_limit.reserve(9)[0] == 5
    with time_machine.travel(timezone.now() + timedelta(days=1)):
        rate_limit.release(5)
        assert rate_limit.reserve(20)[0] == 10
        rate_limit.release(99)
        assert rate_limit.reserve(20)[0] == 10


@pytest.fixture
def machines(monkeypatch):
    """Enters machines one after the other; their clocks differ from the database's by up to two days."""
    monkeypatch.setattr(clock, "_ahead", timedelta())
    SendAllowance.objects.all().delete()

    def enter():
        for hours in (0, 47, -47):
            with time_machine.travel(datetime.now(UTC) + timedelta(hours=hours)):
                clock.follow_database()
                yield

    return enter


@postgresql
def test_machines_whose_clocks_differ_share_the_limit_per_second(settings, machines):
    settings.NEWSLETTER_SEND_PER_SECOND = 10
    answers = [rate_limit.reserve(7) for _machine in machines()]
    assert [number for number, _pause in answers] == [7, 3, 0]
    assert 0 < answers[-1][1] <= rate_limit.WINDOW


@postgresql
def test_machines_whose_clocks_differ_share_the_limit_of_the_day(settings, machines):
    settings.NEWSLETTER_SEND_PER_DAY = 1000
    settings.NEWSLETTER_WARM_UP_FROM, settings.NEWSLETTER_WARM_UP_START = timezone.localdate(), 20
    taken = []
    for _machine in machines():
        taken.append(rate_limit.reserve(15)[0])
        rate_limit.release(5)
    assert taken == [15, 10, 5]


@postgresql
def test_machines_whose_clocks_differ_wait_for_the_same_midnight(settings, machines):
    settings.NEWSLETTER_SEND_PER_DAY = 1
    rate_limit.reserve(1)
    pauses = [rate_limit.reserve(1)[1] for _machine in machines()]
    assert max(pauses) - min(pauses) < 30


def test_a_new_sender_warms_up(settings):
    settings.NEWSLETTER_WARM_UP_FROM, settings.NEWSLETTER_WARM_UP_START = date(2027, 1, 1), 500
    limits = [rate_limit.daily_limit(date(2027, 1, 1) + timedelta(days=day)) for day in range(4)]
    assert limits == [500, 750, 1125, 1687]
    settings.NEWSLETTER_SEND_PER_DAY = 1000
    assert rate_limit.daily_limit(date(2027, 1, 3)) == 1000
    assert rate_limit.daily_limit(date(2026, 12, 31)) == 1000


# A provider's API


def test_a_batch_goes_out_in_one_call_with_each_one_s_own_words(api, start):
    campaign = start(40)
    work(campaign)
    assert campaign.state == Campaign.State.SENT
    assert sorted(api.sent) == sorted(f"{each}@example.org" for each in range(40))
    assert len(api.calls) == 2  # those whose name is known, and the others
    for call in api.calls:
        assert "%recipient.manage%" in call["html"][0]
        assert "@@" not in call["html"][0] + call["text"][0]
    people = {}
    for call in api.calls:
        people |= json.loads(call["recipient-variables"][0])
    assert people["1@example.org"]["name"] == "María ％recipient.email％"
    assert len({person["manage"] for person in people.values()}) == 40


def test_a_batch_refused_whole_is_halved_until_the_poisoned_address_stands_alone(api, start):
    api.poisoned = {"7@example.org", "20@example.org"}
    campaign = start(40)
    work(campaign)
    assert campaign.state == Campaign.State.SENT
    assert len(api.sent) == 38
    assert set(Counter(api.sent).values()) == {1}
    failed = campaign.deliveries.filter(state=State.FAILED)
    assert {row.subscriber.email for row in failed} == api.poisoned
    assert "is not a valid address" in failed[0].error
    assert len(api.calls) < 40


def test_too_many_requests_are_tried_again_when_the_provider_says(api, start):
    api.orders.extend([(429, {"Retry-After": "120"})] * 2)
    campaign = start(4)
    work(campaign)
    assert campaign.counts()[State.QUEUED] == 4
    assert timedelta(seconds=110) < campaign.resume_at - timezone.now() <= timedelta(seconds=121)
    work(campaign, after=timedelta(seconds=60))
    assert not api.sent
    work(campaign, after=timedelta(seconds=125))
    assert len(api.sent) == 4


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_wrong_key_pauses_at_once(api, start, status):
    api.orders.extend([(status, {})] * 4)
    campaign = start(4)
    work(campaign)
    assert campaign.state == Campaign.State.PAUSED
    assert campaign.problem == Campaign.Problem.HALTED
    assert campaign.counts()[State.QUEUED] == 4


def test_a_provider_that_is_not_available_is_asked_again(api, start):
    api.orders.extend([(503, {})] * 2)
    campaign = start(4)
    work(campaign)
    assert campaign.counts()[State.QUEUED] == 4
    work(campaign, after=LONG)
    assert len(api.sent) == 4


def test_where_nothing_tells_a_second_try_from_the_first_a_dead_worker_s_mails_are_in_doubt(start, settings):
    settings.EMAIL_PROVIDER = "postmark"
    campaign = start(2)
    campaign.deliveries.update(state=State.SENDING, lease_until=timezone.now() - timedelta(seconds=1))
    worker.run(campaign, 1)
    assert campaign.counts()[State.UNKNOWN] == 2


# Errors in the program


def test_an_error_that_comes_back_pauses_it_and_alarms_once(server, start, caplog):
    campaign = start(3)
    frozen = list(campaign.contents.all())
    campaign.contents.all().delete()  # nothing can be made of its mails
    for round_ in range(20):
        work(campaign, after=round_ * timedelta(minutes=5))
        if round_ == 3:
            assert campaign.state == Campaign.State.SENDING
            assert "Alert" not in caplog.text
    assert (campaign.state, campaign.problem) == (Campaign.State.PAUSED, Campaign.Problem.FAULT)
    assert "KeyError" in campaign.problem_words
    assert caplog.text.count("Alert (") == 1
    assert campaign.counts()[State.QUEUED] == 3
    campaign.contents.bulk_create(frozen)
    lifecycle.change_state(campaign, "resume")
    campaign.refresh_from_db()
    assert (campaign.faults, campaign.problem) == (0, "")
    work(campaign, after=timedelta(hours=3))
    assert campaign.state == Campaign.State.SENT
    assert len(server.mails) == 3


def test_errors_that_go_away_again_are_forgotten_with_the_next_mail(server, start, monkeypatch):
    campaign = start(3)
    Campaign.objects.filter(pk=campaign.pk).update(faults=worker.MAX_FAULTS_IN_A_ROW - 1)
    work(campaign)
    assert (campaign.state, campaign.faults) == (Campaign.State.SENT, 0)
