"""The translation board: what is in which language, and from there to what is to be done."""

import re

import pytest
from core.models import Topic
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from editorial import roles
from translation import status
from translation.permissions import places_to_add
from translation.status import BEHIND, DRAFT, MISSING, PUBLISHED, READY
from wagtail.models import GroupPagePermission, Page
from wagtail_localize.models import Translation

from tests.factories import person

pytestmark = pytest.mark.django_db


def states(page):
    """{language: state} of an original."""
    languages = status.locales()
    ((_row, cells),) = status.table(status.originals().filter(pk=page.pk), languages)
    return {locale.language_code: cell.state for locale, cell in zip(languages, cells, strict=True)}


def board(client, **query):
    return client.get(reverse("translation_board"), query)


def test_the_starter_content_is_complete_in_each_language(page_of):
    assert all(
        cell.state == PUBLISHED for _row, cells in status.table(status.originals(), status.locales()) for cell in cells
    )


def test_each_state_is_told_and_can_be_asked_for(page_of, run_tasks):
    missing, draft, behind = page_of("mission"), page_of("guidelines"), page_of("about")
    page_of("mission", "en").delete()
    page_of("guidelines", "en").unpublish()
    behind.introduction = "Una frase nueva que nadie tradujo todavía."
    behind.save_revision().publish()
    run_tasks()
    assert states(missing) == {"es": PUBLISHED, "en": MISSING, "pt-br": PUBLISHED}
    assert states(draft) == {"es": PUBLISHED, "en": DRAFT, "pt-br": PUBLISHED}
    assert states(behind) == {"es": PUBLISHED, "en": BEHIND, "pt-br": BEHIND}
    english = page_of("home", "en").locale
    for state, page in [(MISSING, missing), (DRAFT, draft), (BEHIND, behind)]:
        assert [row.pk for row in status.in_state(status.originals(), english, state)] == [page.pk]
    number = status.originals().count()
    assert status.in_state(status.originals(), english, PUBLISHED).count() == number - 3


def test_what_is_translated_and_not_published_yet_is_told(
    staff_client, page_of, run_tasks, django_capture_on_commit_callbacks
):
    original = page_of("about")
    original.introduction = "Una frase nueva que nadie tradujo todavía."
    original.save_revision().publish()
    run_tasks()
    english = page_of("about", "en")
    translation = Translation.objects.get(source__object=original.translation_key, target_locale=english.locale)
    po = translation.export_po()
    po.find(original.introduction).msgstr = "A new sentence."
    translation.import_po(po)
    assert states(original) == {"es": PUBLISHED, "en": READY, "pt-br": BEHIND}
    assert status.in_state(status.originals(), english.locale, READY).get().pk == original.pk
    assert reverse("translation_publish", args=[english.pk]) in board(staff_client, state="ready").text
    with django_capture_on_commit_callbacks(execute=True):
        staff_client.post(reverse("translation_publish", args=[english.pk]))
    assert page_of("about", "en").introduction == "A new sentence."
    assert states(original)["en"] == PUBLISHED


def test_it_says_how_many_strings_are_left(staff_client, page_of, run_tasks):
    page = page_of("about")
    page.introduction = "Una frase nueva que nadie tradujo todavía."
    page.save_revision().publish()
    run_tasks()
    html = board(staff_client, language="en", state="behind").text
    assert "out of date: 1 string left" in html
    assert reverse("wagtailadmin_pages:edit", args=[page_of("about", "en").pk]) in html
    assert "Português" not in html.partition('<table class="listing board"')[2].partition("</table>")[0]


def test_from_a_missing_cell_straight_to_translating(staff_client, page_of):
    page = page_of("mission")
    page_of("mission", "en").delete()
    response = board(staff_client, state="missing")
    address = reverse("wagtail_localize:submit_page_translation", args=[page.pk])
    button = re.search(
        rf'name="(\w+)"\s+value="(\d+)"\s+formaction="{address}">\s*Translate into English', response.text
    )
    response = staff_client.post(address, {button[1]: button[2]})
    assert response["Location"] == reverse("wagtailadmin_pages:edit", args=[page_of("mission", "en").pk])


def test_each_person_is_offered_what_they_may_do(client, page_of):
    page_of("mission", "en").delete()
    page_of("guidelines", "en").unpublish()
    publish = reverse("translation_publish", args=[page_of("guidelines", "en").pk])
    for role, may_translate, may_publish in [
        (roles.TRANSLATORS["en"], True, False),
        (roles.TRANSLATORS["pt-br"], False, False),
        (roles.EDITOR, True, False),
        (roles.PUBLISHER, True, True),
        (roles.NEWSLETTER_MANAGER, False, False),
    ]:
        client.force_login(person(role, "en"))
        html = board(client).text
        assert ("Translate into English" in html, publish in html) == (may_translate, may_publish), role.name


def test_who_may_not_add_the_missing_page_above_is_not_offered_the_one_below(client, page_of):
    page_of("about", "en").delete()
    english = page_of("home", "en").locale
    mission = page_of("mission")
    assert places_to_add(person(roles.TRANSLATORS["en"]), [mission])(mission, english)
    GroupPagePermission.objects.filter(page=page_of("home", "en")).exclude(permission__codename="change_page").delete()
    assert not places_to_add(person(roles.TRANSLATORS["en"]), [mission])(mission, english)


def test_the_one_that_changed_last_is_first(staff_client, page_of):
    for name in ("mission", "guidelines"):
        page_of(name).save_revision()
        first = board(staff_client).context["rows"][0][0]
        assert first.pk == page_of(name).pk


def test_pages_are_found_by_words_of_their_title_in_any_language(staff_client, page_of):
    for query in ("mision", "Missão", "MISSION"):
        found = [row.pk for row, _cells in board(staff_client, q=query).context["rows"]]
        assert page_of("mission").pk in found
        assert page_of("guidelines").pk not in found


def test_a_translation_that_is_ready_is_published_from_its_cell(
    staff_client, page_of, django_capture_on_commit_callbacks
):
    page = page_of("guidelines", "en")
    page.unpublish()
    html = board(staff_client, state="draft").text
    assert reverse("translation_publish", args=[page.pk]) in html
    with django_capture_on_commit_callbacks(execute=True):
        response = staff_client.post(
            reverse("translation_publish", args=[page.pk]), {"next": "/admin/translations/?p=1"}
        )
    assert response["Location"] == "/admin/translations/?p=1"
    page.refresh_from_db()
    assert page.live


def test_one_that_is_not_ready_is_not(staff_client, page_of, run_tasks):
    original, page = page_of("about"), page_of("about", "en")
    original.introduction = "Una frase nueva que nadie tradujo todavía."
    original.save_revision().publish()
    run_tasks()
    page.unpublish()
    staff_client.post(reverse("translation_publish", args=[page.pk]))
    page.refresh_from_db()
    assert not page.live


def test_nobody_publishes_without_the_right(client, page_of, django_user_model):
    from django.contrib.auth.models import Permission

    user = django_user_model.objects.create_user("eva", password="x")
    user.user_permissions.add(Permission.objects.get(codename="access_admin"))
    client.force_login(user)
    page = page_of("guidelines", "en")
    page.unpublish()
    assert client.post(reverse("translation_publish", args=[page.pk])).status_code in {302, 403}
    page.refresh_from_db()
    assert not page.live
    assert "Lineamientos" not in board(client).text  # pages that they may not see


def test_a_section_can_be_chosen(staff_client, page_of):
    html = board(staff_client, section=page_of("newsletter").pk).text
    assert "Conozca a CLAC" in html
    assert "Misión" not in html.partition('<table class="listing board"')[2].partition("</table>")[0]


def test_snippets_and_settings_are_on_it_too(staff_client, locales, run_tasks):
    html = board(staff_client).text
    for words in ("Topics", "Menus", "Site settings"):
        assert words in html
    topic = Topic.objects.filter(locale=locales["es"]).first()
    topic.name = "Otro nombre"
    topic.save()
    run_tasks()
    assert "out of date: 1 string left" in board(staff_client).text


def test_the_dashboard_sums_it_up(staff_client, page_of):
    page_of("mission", "en").delete()
    html = staff_client.get("/admin/").text
    assert "missing: 1" in html
    assert "?language=en&amp;state=missing" in html


def test_with_three_thousand_pages_it_takes_as_few_queries(page_of, django_assert_max_num_queries, staff_client):
    home, kind = page_of("home"), page_of("about").content_type
    Page.objects.bulk_create(
        Page(
            title=f"Página {number}",
            draft_title=f"Página {number}",
            slug=f"pagina-{number}",
            path=Page._get_path(home.path, home.depth + 1, 1000 + number),
            depth=home.depth + 1,
            locale=home.locale,
            content_type=kind,
            url_path=f"{home.url_path}pagina-{number}/",
        )
        for number in range(3000)
    )
    with django_assert_max_num_queries(9):
        rows = status.table(status.originals()[50:100], status.locales())
    assert len(rows) == 50
    board(staff_client)
    with CaptureQueriesContext(connection) as with_snippets:
        assert "Page 2 of 61" in board(staff_client, p=2).text
    with CaptureQueriesContext(connection) as narrowed:
        board(staff_client, state="published", p=2)
    dashboard = CaptureQueriesContext(connection)
    with dashboard:
        staff_client.get("/admin/reports/locked/")  # what any page of the admin takes
    assert len(narrowed) - len(dashboard) < 14
    assert len(with_snippets) - len(dashboard) < 24
