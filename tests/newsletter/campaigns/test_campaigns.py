"""The life of a campaign as its editor steers it: planned, paused, corrected, cancelled, tried again, reported."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from jobs.recovery import recover_work

from newsletter.campaigns import lifecycle, reports
from newsletter.forms import SendForm
from newsletter.models import Campaign, ConsentEvent, Delivery, ProviderEvent, Segment
from newsletter.subscribers.subscriptions import leave
from newsletter.tasks import send_campaign
from tests.factories import confirmation, send

pytestmark = pytest.mark.django_db
State, Mail = Campaign.State, Delivery.State


@pytest.fixture
def campaign(issue):
    return Campaign.objects.create(issue=issue)


def work(campaign):
    send_campaign.func(campaign.pk)
    campaign.refresh_from_db()


def post(client, name, campaign):
    """Press one of a campaign's buttons; returns the page that follows."""
    return client.post(reverse(f"newsletter_campaign_{name}", args=[campaign.pk]), follow=True).text


# Planned


def plan(client, issue, at, **more):
    return send(client, issue, when="later", at=at, **more).text


def test_it_starts_by_itself_at_its_time(staff_client, issue, subscribe, run_tasks):
    subscribe("ana@example.org")
    tomorrow = (timezone.localtime() + timedelta(days=1)).replace(hour=8, minute=30, second=0, microsecond=0)
    html = plan(staff_client, issue, tomorrow.strftime("%Y-%m-%dT%H:%M"))
    assert "America/El_Salvador" in html
    campaign = Campaign.objects.get()
    assert campaign.state == State.SCHEDULED
    assert campaign.scheduled_at == tomorrow
    with time_machine.travel(tomorrow - timedelta(seconds=1)):
        recover_work()
        run_tasks()
        assert not mail.outbox
    with time_machine.travel(tomorrow + timedelta(seconds=1)):
        recover_work()
        run_tasks()
    assert len(mail.outbox) == 1


def test_the_time_is_the_site_s_whatever_the_editor_s_zone(staff_client, issue, subscribe):
    subscribe("ana@example.org")
    profile = staff_client.user.wagtail_userprofile
    profile.current_time_zone = "Asia/Tokyo"
    profile.save()
    plan(staff_client, issue, "2040-01-02T09:00")
    assert Campaign.objects.get().scheduled_at == datetime(2040, 1, 2, 15, tzinfo=UTC)  # six hours behind
    assert 'value="2040-01-02T09:00"' in staff_client.get(reverse("newsletter_issue_send", args=[issue.pk])).text


@pytest.mark.parametrize(
    ("at", "utc_hour"),
    [("2027-03-27T09:00", 8), ("2027-03-28T09:00", 7), ("2027-10-30T09:00", 7), ("2027-10-31T09:00", 8)],
)
def test_nine_o_clock_is_nine_o_clock_on_both_sides_of_a_change_of_clocks(settings, at, utc_hour):
    settings.TIME_ZONE = "Europe/Madrid"
    form = SendForm({"when": "later", "at": at})
    assert form.is_valid(), form.errors
    assert form.cleaned_data["at"].astimezone(UTC).hour == utc_hour


def test_an_hour_that_the_clocks_leave_out_is_refused(settings):
    settings.TIME_ZONE = "Europe/Madrid"
    form = SendForm({"when": "later", "at": "2027-03-28T02:30"})
    assert "at" in form.errors


@pytest.mark.parametrize("at", ["", "2020-01-01T09:00", "morgen"])
def test_a_time_that_cannot_be_is_explained(staff_client, issue, subscribe, at):
    subscribe("ana@example.org")
    url, fields = confirmation(staff_client, issue)
    html = staff_client.post(url, fields | {"when": "later", "at": at}, follow=True).text
    assert re.search("Say when it is to be sent|That time is over|Enter a valid date/time", html)
    assert not Campaign.objects.filter(state=State.SCHEDULED).exists()


@pytest.mark.parametrize(("late", "starts"), [(timedelta(minutes=59), True), (timedelta(minutes=61), False)])
def test_more_than_an_hour_late_it_asks_instead(campaign, subscribe, staff_client, late, starts):
    subscribe("ana@example.org")
    lifecycle.schedule(campaign, timezone.now() - late)
    assert bool(lifecycle.start_due()) == starts
    campaign.refresh_from_db()
    assert campaign.state == (State.SENDING if starts else State.DRAFT)
    html = staff_client.get(reverse("newsletter_issue_send", args=[campaign.issue_id])).text
    assert ("It was to be sent earlier" in html) != starts


# Once


def test_the_page_that_confirms_sends_once_however_late_it_is_pressed_again(staff_client, issue, subscribe):
    subscribe("ana@example.org")
    url, fields = confirmation(staff_client, issue)
    colleague = confirmation(staff_client, issue)
    staff_client.post(url, fields)
    with time_machine.travel(timezone.now() + timedelta(seconds=73)):
        html = staff_client.post(url, fields, follow=True).text
    assert "Nothing was sent by this" in html
    assert "by ana, is: sending" in html
    assert "Nothing was sent by this" in staff_client.post(*colleague, follow=True).text
    assert Delivery.objects.count() == Campaign.objects.count() == 1


def test_a_page_from_before_a_colleague_planned_changes_nothing(staff_client, issue, subscribe):
    subscribe("ana@example.org")
    page = confirmation(staff_client, issue)
    plan(staff_client, issue, "2040-01-02T09:00")
    assert "is: scheduled" in staff_client.post(*page, follow=True).text
    assert Campaign.objects.get().state == State.SCHEDULED
    plan(staff_client, issue, "2040-01-03T09:00")
    assert Campaign.objects.get().scheduled_at == datetime(2040, 1, 3, 15, tzinfo=UTC)


@pytest.mark.parametrize("key", ["", "new", "1-draft-", "\0"])
def test_only_the_page_s_own_key_sends(staff_client, issue, campaign, subscribe, key):
    subscribe("ana@example.org")
    url, fields = confirmation(staff_client, issue)
    staff_client.post(url, fields | {"key": key + "x"})
    staff_client.post(url, {"when": "now"})
    assert not Delivery.objects.exists()


def test_an_edition_goes_out_again_only_by_its_typed_title(staff_client, issue, subscribe, run_tasks):
    subscribe("ana@example.org")
    send(staff_client, issue)
    run_tasks()
    page = staff_client.get(reverse("newsletter_issue_send", args=[issue.pk])).text
    assert "Send again to everybody" in page
    assert "Send to everyone" not in page
    with pytest.raises(AssertionError, match="no button"):
        confirmation(staff_client, issue)
    url, fields = confirmation(staff_client, issue, "_again")
    plain = reverse("newsletter_campaign_start", args=[issue.pk])
    assert "Nothing was sent by this" in staff_client.post(plain, fields, follow=True).text
    for typed in ("", issue.title[:-1]):
        html = staff_client.post(url, fields | {"title": typed}, follow=True).text
        assert "This field is required." in html or "That is not the edition&#x27;s title" in html
        assert "Yes, send it again to everybody" in html
    run_tasks()
    assert len(mail.outbox) == 1
    html = staff_client.post(url, fields | {"title": f" {issue.title.upper()} "}, follow=True).text
    assert "The edition is on its way." in html
    run_tasks()
    assert [message.to for message in mail.outbox] == [["ana@example.org"]] * 2


def test_nothing_is_sent_again_while_it_is_on_its_way(staff_client, issue, subscribe, run_tasks):
    subscribe("ana@example.org")
    send(staff_client, issue)
    html = staff_client.get(reverse("newsletter_issue_send", args=[issue.pk])).text
    assert "It is on its way" in html
    assert "Continue…" not in html
    run_tasks()
    page = confirmation(staff_client, issue, "_again")
    Campaign.objects.update(state=State.PAUSED)
    with pytest.raises(AssertionError, match="no button"):
        confirmation(staff_client, issue, "_again")
    staff_client.post(page[0], page[1] | {"title": issue.title})
    assert Campaign.objects.count() == 1


def test_those_who_joined_since_get_it_once_by_whichever_campaign(staff_client, issue, subscribe, run_tasks):
    subscribe("ana@example.org")
    send(staff_client, issue)
    run_tasks()
    subscribe("eva@example.org", confirmed_at=timezone.now())
    first = Campaign.objects.get()
    assert (
        "Send it to 1 person who joined since"
        in staff_client.get(reverse("newsletter_issue_send", args=[issue.pk])).text
    )
    url, fields = confirmation(staff_client, issue, "_again")
    staff_client.post(url, fields | {"title": issue.title})
    run_tasks()
    assert not lifecycle.newcomers(first).exists()
    assert sorted(message.to[0] for message in mail.outbox) == ["ana@example.org", "ana@example.org", "eva@example.org"]


def test_it_can_go_to_a_segment(staff_client, issue, subscribe, run_tasks):
    subscribe("ana@example.org", country="PE")
    subscribe("bob@example.org", country="CL")
    chile = Segment.objects.create(name="Chile", conditions=[("country", ["CL"])])
    send(staff_client, issue, segment=chile.pk)
    run_tasks()
    assert [message.to for message in mail.outbox] == [["bob@example.org"]]


def test_in_the_morning_of_each_country(campaign, subscribe):
    for code in ("BR", "MX", ""):
        subscribe(f"{code.lower() or 'x'}@example.org", country=code)
    lifecycle.set_audience(campaign, None, local_morning=True)
    with time_machine.travel(datetime(2027, 5, 3, 11, 0, tzinfo=UTC), tick=False):  # 8:00 in São Paulo
        assert lifecycle.start(Campaign.objects.get())
        work(campaign)
        assert not mail.outbox
    with time_machine.travel(datetime(2027, 5, 3, 12, 1, tzinfo=UTC), tick=False):
        work(campaign)
        assert [message.to for message in mail.outbox] == [["br@example.org"]]
        assert campaign.state == State.SENDING
    with time_machine.travel(datetime(2027, 5, 3, 15, 1, tzinfo=UTC), tick=False):
        work(campaign)
    assert len(mail.outbox) == 3
    assert campaign.state == State.SENT


def test_the_next_morning_is_right_across_a_change_of_clocks():
    start = datetime(2027, 3, 27, 12, tzinfo=UTC)
    assert lifecycle.next_morning("Europe/Madrid", start) == datetime(2027, 3, 28, 7, tzinfo=UTC)


# On the way


def test_correcting_after_a_reader_of_a_new_language_left(campaign, subscribe, page_of, staff_client):
    page_of("issue-welcome", "en").unpublish()
    subscribe("ana@example.org")
    bob = subscribe("bob@example.org", language="en")
    lifecycle.start(campaign)
    lifecycle.change_state(campaign, "pause")
    leave(bob, ConsentEvent.Method.MAIL)
    page_of("issue-welcome", "en").get_latest_revision().publish()
    assert "as it is published now" in post(staff_client, "correct", campaign)
    lifecycle.change_state(campaign, "resume")
    work(campaign)
    assert campaign.state == State.SENT
    assert [message.to for message in mail.outbox] == [["ana@example.org"]]


def test_correcting_leaves_readers_of_a_language_without_the_edition_their_mail(
    campaign, subscribe, page_of, staff_client
):
    page_of("issue-welcome", "en").unpublish()
    subscribe("bob@example.org", language="en")
    lifecycle.start(campaign)
    lifecycle.change_state(campaign, "pause")
    assert "as it is published now" in post(staff_client, "correct", campaign)
    lifecycle.change_state(campaign, "resume")
    work(campaign)
    assert campaign.state == State.SENT
    assert [message.to for message in mail.outbox] == [["bob@example.org"]]


def test_correcting_while_paused_goes_to_those_who_have_not_got_it(campaign, subscribe, issue, staff_client):
    subscribe("ana@example.org")
    lifecycle.start(campaign)
    issue.subject = "Sin errores"
    issue.save_revision().publish()
    assert "not possible now" in post(staff_client, "correct", campaign)
    post(staff_client, "pause", campaign)
    assert "as it is published now" in post(staff_client, "correct", campaign)
    post(staff_client, "resume", campaign)
    work(campaign)
    assert [message.subject for message in mail.outbox] == ["Sin errores"]


def test_the_rest_can_be_cancelled_and_is_not_sent(campaign, subscribe, staff_client):
    subscribe("ana@example.org")
    lifecycle.start(campaign)
    post(staff_client, "cancel", campaign)
    work(campaign)
    assert campaign.state == State.CANCELLED
    assert not mail.outbox


def test_what_was_cancelled_does_not_look_finished(campaign, subscribe, staff_client):
    subscribe("ana@example.org")
    page = reverse("newsletter_campaign", args=[campaign.pk])
    edition = reverse("wagtailadmin_pages:edit", args=[campaign.issue_id])
    lifecycle.start(campaign)
    for is_shown, action in [(True, "pause"), (False, "cancel")]:
        post(staff_client, action, campaign)
        html = staff_client.get(page).text
        assert ("<progress" in html, "0 / 1" in html or "1 / 1" in html) == (is_shown, is_shown)
        assert f'href="{edition}"' in html


def test_what_failed_is_tried_again(campaign, subscribe, staff_client):
    for number in range(3):
        subscribe(f"{number}@example.org")
    lifecycle.start(campaign)
    work(campaign)
    keys = list(campaign.deliveries.values_list("pk", flat=True))
    Delivery.objects.filter(pk=keys[0]).update(state=Mail.FAILED, error="550 no")
    Delivery.objects.filter(pk=keys[1]).update(state=Mail.UNKNOWN)
    assert "2 mails will be tried again." in post(staff_client, "retry", campaign)
    work(campaign)
    assert len(mail.outbox) == 5
    assert campaign.state == State.SENT


def test_what_may_have_gone_is_the_editor_s_decision(campaign, subscribe, staff_client):
    subscribe("ana@example.org")
    lifecycle.start(campaign)
    work(campaign)
    Delivery.objects.update(state=Mail.UNKNOWN)
    html = staff_client.get(reverse("newsletter_campaign", args=[campaign.pk])).text
    assert "may or may not have gone" in html
    assert "1 mail counts as sent." in post(staff_client, "settle", campaign)
    assert campaign.counts()[Mail.SENT] == 1


def test_those_who_joined_since_can_be_sent_it_too(campaign, subscribe, staff_client):
    subscribe("ana@example.org")
    lifecycle.start(campaign)
    work(campaign)
    subscribe("eva@example.org", confirmed_at=timezone.now())
    html = staff_client.get(reverse("newsletter_campaign", args=[campaign.pk])).text
    assert "Send it to 1 person who joined since" in html
    assert "It goes to 1 more person." in post(staff_client, "newcomers", campaign)
    work(campaign)
    assert [message.to[0] for message in mail.outbox] == ["ana@example.org", "eva@example.org"]
    assert "not possible now" in post(staff_client, "newcomers", campaign)


# Previews


def test_the_mail_is_seen_as_a_certain_subscriber_gets_it(staff_client, issue, subscribe):
    subscribe("zoe@example.org", name="Zoë", language="en")
    query = {"language": "en", "mode": "text", "width": "375", "subscriber": "Zoe@example.org"}
    html = staff_client.get(reverse("newsletter_issue_preview", args=[issue.pk]), query).text
    assert 'width="375"' in html
    mail = staff_client.get(reverse("newsletter_issue_mail", args=[issue.pk]), query).text
    assert "Hello Zoë," in mail
    query["subscriber"] = "nobody@example.org"
    html = staff_client.get(reverse("newsletter_issue_preview", args=[issue.pk]), query).text
    assert "Nobody with this address is on the list." in html


# Accounted for


@pytest.fixture
def sent(campaign, subscribe):
    """A campaign that went to five people, and what came back."""
    people = [subscribe(f"{number}@example.org", language="es" if number else "en") for number in range(5)]
    lifecycle.start(campaign)
    work(campaign)
    rows = {row.subscriber_id: row for row in campaign.deliveries.all()}
    fates = {1: Mail.BOUNCED, 2: Mail.COMPLAINED, 3: Mail.DELIVERED, 4: Mail.DELIVERED}
    for number, state in fates.items():
        Delivery.objects.filter(pk=rows[people[number].pk].pk).update(state=state, error="550 5.1.1 gone")
        ProviderEvent.objects.create(
            provider="mailgun", fingerprint=str(number), kind=state.value, delivery=rows[people[number].pk]
        )
    leave(people[4], ConsentEvent.Method.MAIL, campaign=campaign.pk)
    return campaign


def test_while_it_runs_the_page_says_how_far_and_how_long(campaign, subscribe, staff_client):
    for number in range(4):
        subscribe(f"{number}@example.org")
    lifecycle.start(campaign)
    campaign.deliveries.filter(pk=campaign.deliveries.first().pk).update(state=Mail.SENT, sent_at=timezone.now())
    progress = reports.progress(campaign)
    assert (progress.done, progress.total, progress.percent) == (1, 4, 25)
    assert progress.rate > 0
    assert progress.left
    html = staff_client.get(reverse("newsletter_campaign_progress", args=[campaign.pk])).text
    assert "1 of 4 done" in html
    assert "a second" in html
    assert "minute left" in html.replace("\xa0", " ")
    assert "1 / 4" in html


def test_afterwards_the_report_adds_up(sent, staff_client):
    Campaign.objects.update(started_at=timezone.now() - timedelta(minutes=9))
    ProviderEvent.objects.filter(kind="bounced").update(happened_at=timezone.now() - timedelta(minutes=5))
    sent.refresh_from_db()
    (summary,) = reports.compare_with_earlier(sent)
    assert (summary.total, summary.sent, summary.delivered, summary.bounced, summary.complained, summary.left) == (
        5,
        5,
        3,
        1,
        1,
        1,
    )
    html = staff_client.get(reverse("newsletter_campaign", args=[sent.pk])).text
    for words in ("<svg", "The figures as a table", "60 %"):
        assert words in html
    assert "550 5.1.1 gone" in staff_client.get(reverse("newsletter_campaign_recipients", args=[sent.pk])).text


def test_editions_are_compared(sent, page_of, issue):
    other = Campaign.objects.create(issue=issue)
    lifecycle.start(other)
    work(other)
    assert [summary.campaign for summary in reports.compare_with_earlier(other)] == [other, sent]
    assert [summary.campaign for summary in reports.compare_with_earlier(sent)] == [sent]


def test_two_subjects_are_told_apart(campaign, subscribe, issue, staff_client):
    issue.subject_b = "¿Nos conoce?"
    issue.save_revision().publish()
    for number in range(4):
        subscribe(f"{number}@example.org")
    lifecycle.start(campaign)
    work(campaign)
    subjects = [message.subject for message in mail.outbox]
    assert subjects.count("¿Nos conoce?") == subjects.count(issue.subject) == 2
    assert "¿Nos conoce?" in staff_client.get(reverse("newsletter_campaign", args=[campaign.pk])).text


def test_a_timeline_of_days_is_drawn_by_days(sent):
    Campaign.objects.update(started_at=timezone.now() - timedelta(days=9))
    ProviderEvent.objects.update(happened_at=timezone.now() - timedelta(days=2))
    timeline = reports.timeline(Campaign.objects.get(pk=sent.pk))
    assert len(timeline.names) == 3
    assert [sum(numbers) for _label, numbers in timeline.rows] == [3, 0, 5]


def test_a_timeline_is_counted_in_the_database(sent):
    Campaign.objects.update(started_at=timezone.now() - timedelta(days=9))
    ProviderEvent.objects.update(happened_at=timezone.now() - timedelta(days=2))
    with CaptureQueriesContext(connection) as queries:
        assert reports.timeline(Campaign.objects.get(pk=sent.pk))
    assert [query["sql"] for query in queries if not re.search("GROUP BY|LIMIT", query["sql"])] == []


def test_a_campaign_that_was_never_sent_has_no_newcomers(staff_client, issue):
    campaign = Campaign.objects.create(issue=issue)
    response = staff_client.post(reverse("newsletter_campaign_newcomers", args=[campaign.pk]), follow=True)
    assert "not possible now" in response.text
