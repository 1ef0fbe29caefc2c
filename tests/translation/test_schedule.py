"""Going live and expiring on a date: the translations are asked for, and the board shows the dates."""

from datetime import timedelta

import pytest
import time_machine
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from editorial import roles
from wagtail.models import Page
from wagtail_localize.models import StringTranslation

from tests.factories import person

pytestmark = pytest.mark.django_db
SOON = timezone.now().replace(microsecond=0) + timedelta(days=3)


def answer(client, page, *others):
    url = reverse("translation_schedule", args=[page.pk])
    return client.post(url, {"pages": [other.pk for other in others]}, follow=True)


def expire(page, date):
    page.expire_at = date
    page.save_revision().publish()
    return type(page).objects.get(pk=page.pk)


def test_translations_expire_with_the_page(staff_client, page_of):
    page = expire(page_of("mission"), SOON)
    english, portuguese = page_of("mission", "en"), page_of("mission", "pt-br")
    html = staff_client.get(reverse("translation_schedule", args=[page.pk])).text
    assert all(f'value="{other.pk}"' in html for other in (english, portuguese))
    answer(staff_client, page, english)
    assert (page_of("mission", "en").expire_at, page_of("mission", "pt-br").expire_at) == (SOON, None)
    page_of("mission", "en").latest_revision.publish()  # the draft keeps it too
    assert page_of("mission", "en").expire_at == SOON
    with time_machine.travel(SOON + timedelta(minutes=1), tick=False):
        call_command("publish_scheduled")
    assert [page_of("mission", code).live for code in ("es", "en", "pt-br")] == [False, False, True]


def test_translations_go_live_with_the_page(staff_client, page_of):
    pages = [page_of("mission", code) for code in ("es", "en")]
    for page in pages:
        page.unpublish()
    page = page_of("mission")
    page.go_live_at = SOON
    page.save_revision().publish()
    answer(staff_client, page, pages[1])
    assert not page_of("mission", "en").live
    with time_machine.travel(SOON + timedelta(minutes=1), tick=False):
        call_command("publish_scheduled")
    assert [page_of("mission", code).live for code in ("es", "en")] == [True, True]


def test_an_incomplete_one_does_not_and_it_is_said(staff_client, page_of):
    for code in ("es", "en"):
        page_of("mission", code).unpublish()
    english = page_of("mission", "en")
    StringTranslation.objects.filter(context__object=english.translation_key, locale=english.locale).first().delete()
    page = page_of("mission")
    page.go_live_at = SOON
    page.save_revision().publish()
    assert "does not go live by itself" in answer(staff_client, page, english).text
    assert not page_of("mission", "en").scheduled_revision


def test_who_may_not_publish_changes_no_dates(client, page_of):
    page = expire(page_of("mission"), SOON)
    client.force_login(person(roles.EDITOR))
    url = reverse("translation_schedule", args=[page.pk])
    assert client.get(url)["Location"] == reverse("wagtailadmin_home")
    answer(client, page, page_of("mission", "en"))
    assert page_of("mission", "en").expire_at is None


def test_the_question_comes_after_publishing(staff_client, page_of, rf):
    from translation.wagtail_hooks import ask_for_dates

    request = rf.post("/")
    request.user = staff_client.user
    page = page_of("mission")
    assert ask_for_dates(request, page) is None
    page = expire(page, SOON)
    assert ask_for_dates(request, page)["Location"] == reverse("translation_schedule", args=[page.pk])
    answer(staff_client, page, *Page.objects.filter(translation_key=page.translation_key).exclude(pk=page.pk))
    assert ask_for_dates(request, page) is None


def test_taking_a_date_off_asks_about_the_translations_that_have_it(staff_client, page_of):
    page = expire(page_of("mission"), SOON)
    answer(staff_client, page, page_of("mission", "en"))
    expire(page_of("mission", "pt-br"), SOON + timedelta(days=1))  # a date of its own
    page = expire(page, None)
    html = staff_client.get(reverse("translation_schedule", args=[page.pk])).text
    assert "The page has no dates any more." in html
    english, portuguese = page_of("mission", "en"), page_of("mission", "pt-br")
    assert (f'value="{english.pk}"' in html, f'value="{portuguese.pk}"' in html) == (True, False)
    assert "has no dates any more" in answer(staff_client, page, english).text
    assert page_of("mission", "en").expire_at is None
    assert page_of("mission", "pt-br").expire_at == SOON + timedelta(days=1)


def test_a_translation_stops_going_live_by_itself_with_the_page(staff_client, page_of):
    for code in ("es", "en"):
        page_of("mission", code).unpublish()
    page = page_of("mission")
    page.go_live_at = SOON
    page.save_revision().publish()
    answer(staff_client, page, page_of("mission", "en"))
    assert page_of("mission", "en").scheduled_revision
    page.go_live_at = None
    page.save_revision().publish()
    answer(staff_client, page, page_of("mission", "en"))
    with time_machine.travel(SOON + timedelta(minutes=1), tick=False):
        call_command("publish_scheduled")
    assert not page_of("mission", "en").live


def test_the_board_shows_the_dates(staff_client, page_of):
    page = expire(page_of("mission"), SOON)
    html = staff_client.get(reverse("translation_board"), {"q": "mision"}).text
    assert html.count(f"expires {timezone.localtime(SOON):%-d %b %Y}") == 1
    assert reverse("translation_schedule", args=[page.pk]) in html
