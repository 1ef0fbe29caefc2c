"""An edition on its way: each subscriber once, in their language, with the headers that mail programs ask for."""

import smtplib
from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone
from jobs.recovery import recover_work
from privacy import registry

from newsletter.campaigns import lifecycle
from newsletter.delivery import outgoing, worker
from newsletter.editions import rendering
from newsletter.models import Campaign, ConsentEvent, Delivery, Subscriber, Suppression
from newsletter.subscribers.subscriptions import end, leave, manage_url
from newsletter.tasks import send_campaign

pytestmark = pytest.mark.django_db
State = Delivery.State


@pytest.fixture
def campaign(issue):
    return Campaign.objects.create(issue=issue)


def send(campaign):
    """Start a campaign and work on it to the end, as a worker does."""
    assert lifecycle.start(campaign)
    send_campaign.func(campaign.pk)
    campaign.refresh_from_db()


def test_each_subscriber_gets_it_once_in_their_language(campaign, subscribe):
    for language, code in [("es", "ana"), ("en", "bob"), ("pt-br", "caio")]:
        subscribe(f"{code}@example.org", language=language)
    send(campaign)
    subjects = {message.to[0]: message.subject for message in mail.outbox}
    assert subjects == {
        "ana@example.org": "Conozca a CLAC en cinco minutos",
        "bob@example.org": "Meet CLAC in five minutes",
        "caio@example.org": "Conheça a CLAC em cinco minutos",
    }
    assert campaign.state == Campaign.State.SENT


def test_spanish_where_the_edition_is_not_published_in_their_language(campaign, subscribe, page_of):
    page_of("issue-welcome", "en").unpublish()
    subscribe("bob@example.org", language="en")
    send(campaign)
    assert mail.outbox[0].subject == "Conozca a CLAC en cinco minutos"
    assert campaign.deliveries.get().language == "es"


def test_only_active_subscribers_get_it(campaign, subscribe):
    for state in Subscriber.State.values:
        subscribe(f"{state}@example.org", state=state)
    send(campaign)
    assert [message.to for message in mail.outbox] == [["active@example.org"]]


def test_every_mail_can_be_left_with_one_click(campaign, subscribe):
    url = manage_url(subscribe("ana@example.org"))
    send(campaign)
    message = mail.outbox[0]
    url = f"{url}?c={campaign.pk}"
    assert message.extra_headers["List-Unsubscribe"] == f"<{url}>"
    assert message.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message.extra_headers["List-Id"] == "CLAC <newsletter-es.example.org>"
    html = message.alternatives[0][0]
    assert url in message.body
    assert url in html
    assert "@@" not in message.body + html


def test_the_html_holds_what_mail_programs_need(campaign, subscribe):
    subscribe("ana@example.org")
    send(campaign)
    html = mail.outbox[0].alternatives[0][0]
    assert 'lang="es"' in html
    assert len(html.encode()) < 102_000
    assert "Quiénes somos, qué nos guía" in html
    assert 'href="/' not in html


def test_the_text_part_is_readable(issue):
    text = rendering.preview(issue).text
    assert "Para empezar a leer\n-------------------" in text
    assert "Quiénes somos:\nhttp://testserver/es/quienes-somos/" in text
    assert "<" not in text


def test_pressing_send_twice_starts_it_once(campaign, subscribe):
    subscribe("ana@example.org")
    assert lifecycle.start(campaign)
    assert not lifecycle.start(Campaign.objects.get(pk=campaign.pk))
    assert campaign.deliveries.count() == 1


def test_the_content_is_frozen_at_the_start(campaign, subscribe, issue):
    subscribe("ana@example.org")
    lifecycle.start(campaign)
    issue.subject = "Otra cosa"
    issue.save_revision().publish()
    send_campaign.func(campaign.pk)
    assert mail.outbox[0].subject == "Conozca a CLAC en cinco minutos"


@pytest.mark.parametrize(
    "go",
    [
        lambda ana: leave(ana, "mail"),
        lambda ana: end(ana, ConsentEvent.Kind.BOUNCED, ConsentEvent.Method.PROVIDER),
        lambda ana: registry.erase(ana.email),
        lambda ana: Suppression.add(ana.email, "complained"),
    ],
    ids=["leaves", "bounces", "is erased", "is suppressed"],
)
def test_someone_who_goes_before_their_turn_gets_nothing(campaign, subscribe, go):
    ana, _bob = subscribe("ana@example.org"), subscribe("bob@example.org")
    lifecycle.start(campaign)
    go(ana)
    send_campaign.func(campaign.pk)
    assert [message.to for message in mail.outbox] == [["bob@example.org"]]
    assert campaign.counts()[State.QUEUED] == campaign.counts()[State.SENDING] == 0


def test_a_page_of_people_who_may_not_be_mailed_does_not_end_it(campaign, subscribe):
    people = [subscribe(f"{number}@example.org") for number in range(110)]
    lifecycle.start(campaign)
    gone = [subscriber.pk for subscriber in people[:105]]  # more than two batches
    Subscriber.objects.filter(pk__in=gone).update(state=Subscriber.State.UNSUBSCRIBED)
    send_campaign.func(campaign.pk)
    campaign.refresh_from_db()
    assert len(mail.outbox) == 5
    assert campaign.state == Campaign.State.SENT


def test_a_suppressed_address_is_left_out(campaign, subscribe):
    from newsletter.subscribers import email_addresses

    subscribe("ana@example.org")
    Suppression.objects.create(address_hash=email_addresses.hashes("ana@example.org")[0], reason="erased")
    send(campaign)
    assert not mail.outbox
    with pytest.raises(outgoing.Suppressed):
        worker.send_test(campaign.issue, "ana@example.org")


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (smtplib.SMTPRecipientsRefused({"ana@example.org": (550, b"no such user")}), State.FAILED),
        (smtplib.SMTPRecipientsRefused({"ana@example.org": (450, b"try later")}), State.QUEUED),
        (smtplib.SMTPServerDisconnected("gone"), State.QUEUED),
        (ConnectionRefusedError("down"), State.QUEUED),
    ],
)
def test_permanent_refusals_are_recorded_and_temporary_ones_tried_again(campaign, subscribe, monkeypatch, error, state):
    def refuse(self, messages):
        raise error

    subscribe("ana@example.org")
    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", refuse)
    send(campaign)
    delivery = campaign.deliveries.get()
    assert delivery.state == state
    assert delivery.error
    assert (campaign.state == Campaign.State.SENT) == (state == State.FAILED)


def test_a_second_try_bears_the_same_message_id(campaign, subscribe):
    subscribe("ana@example.org")
    lifecycle.start(campaign)
    send_campaign.func(campaign.pk)
    Delivery.objects.update(state=State.SENDING, lease_until=timezone.now())
    Campaign.objects.update(state=Campaign.State.SENDING)
    send_campaign.func(campaign.pk)
    first, second = [message.extra_headers["Message-ID"] for message in mail.outbox]
    assert first == second


def test_the_tick_wakes_a_campaign_that_the_queue_forgot(campaign, subscribe, run_tasks):
    subscribe("ana@example.org")
    lifecycle.start(campaign)
    Campaign.objects.update(worked_at=timezone.now() - timedelta(minutes=5))
    recover_work()
    run_tasks()
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.SENT


def test_pause_resume_cancel(campaign, subscribe):
    subscribe("ana@example.org")
    lifecycle.start(campaign)
    assert lifecycle.change_state(campaign, "pause")
    send_campaign.func(campaign.pk)
    assert not mail.outbox
    assert lifecycle.change_state(campaign, "resume")
    assert lifecycle.change_state(campaign, "cancel")
    send_campaign.func(campaign.pk)
    assert not mail.outbox
    assert not lifecycle.change_state(campaign, "resume")
