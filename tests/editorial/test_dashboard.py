"""The dashboard: what is scheduled, how the last newsletter did, which pages are read."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import DatabaseError
from django.urls import reverse
from django.utils import timezone
from editorial import page_views, roles
from editorial.models import PageViewCount

from newsletter.models import Campaign
from tests.factories import person

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


def start(client, user):
    """{label: URL} of the buttons at the top of a person's dashboard."""
    client.force_login(user)
    panel = client.get(reverse("wagtailadmin_home")).text.partition('<nav class="row-of-buttons start"')[2]
    links = re.findall(
        r'<a class="[^"]*"\s+href="([^"]*)">.*?</svg>\s*([^<]*)</a>', panel.partition("</nav>")[0], re.DOTALL
    )
    return {label: unescape(url) for url, label in links}


@pytest.mark.parametrize(
    ("role", "labels"),
    [
        (roles.EDITOR, ["Write an article", "New edition", "Translate what is due (1)"]),
        (roles.TRANSLATORS["en"], ["Write an article", "New edition", "Translate what is due (1)"]),
        (roles.TRANSLATORS["pt-br"], ["Write an article", "New edition"]),
        (roles.PUBLISHER, ["Write an article", "New edition", "Translate what is due (1)", "Waiting for me (1)"]),
        (roles.NEWSLETTER_MANAGER, ["New edition"]),
        (roles.ADMINISTRATOR, ["Write an article", "New edition", "Translate what is due (1)", "Waiting for me (1)"]),
        (None, []),
    ],
)
def test_the_dashboard_begins_with_what_a_person_comes_for_and_may_do(client, page_of, role, labels):
    page_of("mission", "en").delete()
    page = page_of("about")
    page.save_revision()
    page.get_workflow().start(page, person(roles.EDITOR, "en"))
    user = person(role, "en")
    if role is None:
        user.user_permissions.add(Permission.objects.get(codename="access_admin"))
    buttons = start(client, user)
    assert list(buttons) == labels
    assert all(client.get(url).status_code == 200 for url in buttons.values())


def test_one_click_leads_to_an_empty_article_in_the_language_one_writes_in(client, page_of):
    for role, language in [(roles.EDITOR, "es"), (roles.TRANSLATORS["en"], "en")]:
        response = client.get(start(client, person(role, "en"))["Write an article"])
        assert response.context["form"].instance.pk is None
        assert response.context["parent_page"].specific == page_of("news", language)


def test_what_is_due_is_what_the_board_shows_in_the_person_s_language(client, page_of):
    page_of("mission", "en").delete()
    page_of("guidelines", "pt-br").delete()
    url = start(client, person(roles.TRANSLATORS["en"], "en"))["Translate what is due (1)"]
    assert [row.specific for row, _cells in client.get(url).context["rows"]] == [page_of("mission")]
    url = start(client, person(roles.EDITOR, "en"))["Translate what is due (2)"]
    assert len(client.get(url).context["rows"]) == 2
    page_of("mission").unpublish()
    assert "Translate what is due (1)" in start(client, person(roles.EDITOR, "en"))


def test_who_writes_the_newsletter_translates_editions_and_nothing_else(client, page_of):
    page_of("mission", "en").delete()
    page_of("issue-welcome", "en").delete()
    url = start(client, person(roles.NEWSLETTER_MANAGER, "en"))["Translate what is due (1)"]
    assert [row.specific for row, _cells in client.get(url).context["rows"]] == [page_of("issue-welcome")]
    english = page_of("home", "en").locale
    for key in ("issue-welcome", "mission"):
        submit = reverse("wagtail_localize:submit_page_translation", args=[page_of(key).pk])
        client.post(submit, {"locales": [english.pk]})
    assert page_of("issue-welcome").has_translation(english)
    assert not page_of("mission").has_translation(english)


def test_a_draft_with_texts_left_is_due_and_a_complete_one_is_not(client, page_of, run_tasks):
    page_of("mission", "en").unpublish()
    assert not any("due" in label for label in start(client, person(roles.TRANSLATORS["en"], "en")))
    page = page_of("mission")
    page.introduction = "Una frase nueva que nadie tradujo todavía."
    page.save_revision().publish()
    run_tasks()
    assert "Translate what is due (1)" in start(client, person(roles.TRANSLATORS["en"], "en"))
