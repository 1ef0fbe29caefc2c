"""Counting opens and clicks: off by default, in sums when on, and never a redirect to anywhere else."""

from datetime import timedelta

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.core import mail
from django.utils import timezone
from wagtail.rich_text import RichText

from newsletter.campaigns import lifecycle, tracking
from newsletter.models import Campaign, Click
from newsletter.subscribers.tokens import make_tracking
from newsletter.tasks import send_campaign

pytestmark = pytest.mark.django_db
PERSON = {"User-Agent": "Mozilla/5.0 (Android 14; Mobile) Firefox/140.0"}


def send(issue, subscribe):
    subscribe("ana@example.org")
    campaign = Campaign.objects.create(issue=issue)
    lifecycle.start(campaign)
    send_campaign.func(campaign.pk)
    return campaign


@pytest.fixture
def counted(settings, issue, subscribe):
    """A campaign that counts opens and clicks, and was sent to one person."""
    settings.TRACK_CLICKS = settings.TRACK_OPENS = True
    return send(issue, subscribe)


def links():
    """The links of the mail that went out, each once."""
    soup = BeautifulSoup(mail.outbox[-1].alternatives[0][0], "html.parser")
    return list(dict.fromkeys(link["href"].removeprefix("http://testserver") for link in soup.find_all("a")))


def follow(client, path, **headers):
    return client.get(path, headers=PERSON | headers)


def judged(after=60):
    with time_machine.travel(timezone.now() + timedelta(seconds=after)):
        return tracking.count_clicks()


def test_by_default_nothing_is_counted(issue, subscribe):
    campaign = send(issue, subscribe)
    html = mail.outbox[0].alternatives[0][0]
    assert "/t/" not in html
    assert "o.gif" not in html
    assert not campaign.links.exists()


def test_a_click_leads_on_and_is_counted(client, counted):
    path = next(path for path in links() if path.startswith("/t/"))
    link = counted.links.get(number=int(path.split("/")[-2]))
    response = follow(client, path)
    assert response.status_code == 302
    assert response["Location"] == link.url
    assert "no-store" in response["Cache-Control"]
    follow(client, path)
    assert judged() == 1
    link.refresh_from_db()
    assert link.clicks == 1
    delivery = counted.deliveries.get()
    assert delivery.clicked_at
    assert delivery.subscriber.engaged_at
    assert not Click.objects.exists()  # who followed which link is not kept


def test_a_link_that_is_too_long_to_be_counted_goes_out_as_it_is(settings, issue, subscribe):
    settings.TRACK_CLICKS = True
    long = f"https://example.net/?q={'x' * 2000}"
    issue.body = [("text", RichText(f'<p><a href="{long}">Mapa</a></p>'))]
    issue.save_revision().publish()
    assert send(issue, subscribe).state == Campaign.State.SENDING
    assert long in links()


def test_links_to_leave_are_never_counted(counted):
    assert [path for path in links() if "/leave/" in path]
    assert not counted.links.filter(url__contains="/leave/").exists()


def test_scanners_count_for_nothing(client, counted):
    first, second = [path for path in links() if path.startswith("/t/")][:2]
    client.head(first, headers=PERSON)
    follow(client, first, **{"User-Agent": "Barracuda Sentinel"})
    follow(client, first)
    follow(client, second)  # within two seconds of the other
    assert judged() == 0
    assert not counted.links.filter(clicks__gt=0).exists()


def test_two_links_at_leisure_are_two_clicks(client, counted):
    first, second = [path for path in links() if path.startswith("/t/")][:2]
    follow(client, first)
    with time_machine.travel(timezone.now() + timedelta(seconds=5)):
        follow(client, second)
    assert judged() == 2


def test_a_moment_that_is_not_over_is_left_alone(client, counted):
    follow(client, next(path for path in links() if path.startswith("/t/")))
    assert tracking.count_clicks() == 0
    assert Click.objects.count() == 1


@pytest.mark.parametrize("change", ["number", "token", "other mail"])
def test_there_is_no_open_redirect(client, counted, issue, change):
    path = next(path for path in links() if path.startswith("/t/"))
    _empty, _t, token, number, _end = path.split("/")
    other = Campaign.objects.create(issue=issue)
    lifecycle.start(other)
    other.links.all().delete()
    wrong = {
        "number": f"/t/{token}/9999/",
        "token": f"/t/{token[:-1]}{'a' if token[-1] != 'a' else 'b'}/{number}/",
        "other mail": f"/t/{make_tracking(other.deliveries.get().pk)}/{number}/",
    }[change]
    assert follow(client, wrong).status_code == 404


def test_links_go_on_working_when_counting_is_switched_off(client, counted, settings):
    settings.TRACK_CLICKS = False
    assert follow(client, next(path for path in links() if path.startswith("/t/"))).status_code == 302
    assert not Click.objects.exists()


def test_an_opened_mail_is_counted_once(client, counted):
    soup = BeautifulSoup(mail.outbox[-1].alternatives[0][0], "html.parser")
    path = soup.find("img", width="1")["src"].removeprefix("http://testserver")
    client.head(path, headers=PERSON)
    assert counted.deliveries.get().opened_at is None
    response = follow(client, path)
    assert response["Content-Type"] == "image/gif"
    first = counted.deliveries.get().opened_at
    follow(client, path)
    assert counted.deliveries.get().opened_at == first


def test_the_report_shows_them_in_sums(client, counted, staff_client):
    follow(client, next(path for path in links() if path.startswith("/t/")))
    judged()
    html = staff_client.get(f"/admin/newsletter/campaigns/{counted.pk}/").text
    assert "Clicks" in html
    assert counted.links.get(clicks=1).url in html


def test_one_place_cannot_have_counted_without_end_but_is_always_led_on(client, counted, monkeypatch):
    monkeypatch.setattr(tracking, "COUNTING_LIMIT", (5, timedelta(hours=1)))
    path = next(path for path in links() if path.startswith("/t/"))
    assert {follow(client, path).status_code for _click in range(9)} == {302}
    assert Click.objects.count() == 5
    client.get(path, headers=PERSON, REMOTE_ADDR="203.0.113.9")
    assert Click.objects.count() == 6
