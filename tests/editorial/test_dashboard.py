"""The dashboard: what is scheduled, how the last newsletter did, which pages are read."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core.management import call_command
from django.db import DatabaseError
from django.urls import reverse
from django.utils import timezone
from editorial import page_views
from editorial.models import PageViewCount

from newsletter.models import Campaign

pytestmark = pytest.mark.django_db
READER = {"HTTP_USER_AGENT": "Mozilla/5.0 (Linux; Android 10) Firefox/140.0"}


@pytest.fixture
def read(client, page_of):
    """Read a page so many times, as a browser or with other headers."""
    page_views._counts.clear()

    def ask(page, times=1, **headers):
        for _time in range(times):
            client.get(page.url, **(READER | headers))

    return ask


def test_the_pages_that_are_read_most_come_first(read, staff_client, page_of, client):
    client.logout()
    read(page_of("about"), 2)
    read(page_of("mission", "en"), 3)
    page_views.flush()
    page_views.flush()
    read(page_of("about"), 2)
    page_views.flush()
    assert page_views.most_read() == [(page_of("about").page_ptr, 4), (page_of("mission", "en").page_ptr, 3)]
    client.force_login(staff_client.user)
    html = staff_client.get(reverse("wagtailadmin_home")).text
    assert html.index("read 4 times") < html.index("read 3 times")


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_USER_AGENT": "Mozilla/5.0 (compatible; Googlebot/2.1)"},
        {"HTTP_USER_AGENT": ""},
        {"HTTP_SEC_PURPOSE": "prefetch;prerender"},
    ],
)
def test_machines_and_pages_fetched_ahead_do_not_count(read, page_of, headers):
    read(page_of("about"), **headers)
    page_views.flush()
    assert not PageViewCount.objects.exists()


def test_nothing_is_kept_about_who_reads(read, page_of):
    read(page_of("about"), HTTP_COOKIE="a=b", REMOTE_ADDR="192.0.2.7", HTTP_REFERER="https://example.org/")
    page_views.flush()
    (row,) = PageViewCount.objects.values()
    assert {key: value for key, value in row.items() if key != "id"} == {
        "path": page_of("about").url,
        "day": timezone.localdate(),
        "number": 1,
    }


def test_numbers_wait_while_the_database_is_away(read, page_of, monkeypatch):
    def refuse(*args, **kwargs):
        raise DatabaseError("away")

    read(page_of("about"))
    with monkeypatch.context() as away:
        away.setattr(PageViewCount.objects, "bulk_create", refuse)
        page_views.flush()
    page_views.flush()
    assert PageViewCount.objects.get().number == 1


def test_what_is_scheduled_is_shown_in_the_site_s_time(staff_client, page_of):
    page = page_of("about")
    page.go_live_at = timezone.now() + timedelta(days=1)
    page.save_revision().publish()
    html = staff_client.get(reverse("wagtailadmin_home")).text
    assert "will be published" in html
    assert "(America/El_Salvador)" in html


def test_a_newsletter_that_waits_and_the_last_one_are_shown(staff_client, issue):
    Campaign.objects.create(
        issue=issue, state=Campaign.State.SCHEDULED, scheduled_at=timezone.now() + timedelta(days=1)
    )
    Campaign.objects.create(issue=issue, state=Campaign.State.SENT, started_at=timezone.now())
    html = staff_client.get(reverse("wagtailadmin_home")).text
    assert "will be sent on" in html
    assert "The last edition:" in html


@pytest.mark.parametrize("zone", ["America/Santiago", "America/Havana"])
def test_scheduled_pages_come_and_go_at_their_time_across_a_change_of_clocks(staff_client, page_of, settings, zone):
    """Both zones set their clocks forward in spring, so that a day has 23 hours; the editor writes local time."""
    settings.TIME_ZONE = zone
    changes = {"America/Santiago": (2026, 9, 6), "America/Havana": (2026, 3, 8)}[zone]
    nine = datetime(*changes, 9, 0, tzinfo=ZoneInfo(zone))
    day_before = nine - timedelta(days=1)
    page = page_of("about")
    page.unpublish()
    with time_machine.travel(day_before.astimezone(UTC), tick=False):
        page.go_live_at, page.expire_at = nine, nine + timedelta(hours=1)
        page.save_revision().publish()
    for moment, is_live in [(-1, False), (0, True), (59, True), (61, False)]:
        with time_machine.travel(nine.astimezone(UTC) + timedelta(minutes=moment, seconds=1), tick=False):
            call_command("publish_scheduled", verbosity=0)
            assert page_of("about").live is is_live, moment
    assert nine.astimezone(UTC) - day_before.astimezone(UTC) == timedelta(hours=23)
