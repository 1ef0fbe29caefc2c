"""The translation editor: its buttons for each role, handing over, and the glossary."""

import re

import pytest
from core.models import Topic
from django.urls import reverse
from editorial import roles
from editorial.content_checks import find_problems
from translation import glossary
from translation.models import GlossaryTerm
from wagtail.models import TaskState
from wagtail_localize.models import StringTranslation, Translation

from tests.factories import person

pytestmark = pytest.mark.django_db


def translation_of(page, language="en"):
    return Translation.objects.get(source__object=page.translation_key, target_locale__language_code=language)


def translate(page, path, text):
    translation = translation_of(page)
    segment = translation.source.stringsegment_set.get(context__path=path)
    StringTranslation.objects.update_or_create(
        translation_of=segment.string,
        context=segment.context,
        locale=translation.target_locale,
        defaults={"data": text},
    )


def footer(client, role, page):
    """(the label of the main button, [those of the menu]) in the translation editor."""
    client.force_login(person(role, "en"))
    html = client.get(reverse("wagtailadmin_pages:edit", args=[page.pk])).text.partition("translation-footer")[2]
    html = html.partition("</footer>")[0]
    labels = [
        " ".join(re.sub(r"<svg.*?</svg>|<[^>]*>", " ", button, flags=re.DOTALL).split())
        for button in re.findall(r'<(?:button|a)[^>]*class="button"[^>]*>(.*?)</(?:button|a)>', html, re.DOTALL)
    ]
    return labels[0], labels[1:]


def test_the_main_button_is_the_next_step(client, page_of):
    page = page_of("mission", "en")
    main, menu = footer(client, roles.TRANSLATORS["en"], page)
    assert main == "Hand over"
    assert "Edit it without the original" in menu
    assert not {"Delete", "Unpublish", "Make it a copy of the original again"} & set(menu)
    main, menu = footer(client, roles.PUBLISHER, page)
    assert main == "Publish in English"
    assert {"Delete", "Unpublish", "Make it a copy of the original again"} <= set(menu)


def test_what_was_handed_over_waits_for_those_who_publish(client, page_of):
    page = page_of("mission", "en")
    translate(page_of("mission"), "title", "Our mission today")
    client.force_login(person(roles.TRANSLATORS["en"], "en"))
    client.post(reverse("translation_hand_over", args=[translation_of(page).pk]))
    live = page_of("mission", "en")
    assert live.title == page.title  # readers see nothing of it yet
    assert footer(client, roles.TRANSLATORS["en"], live)[0] == "Handed over, waits to be published"
    publisher = person(roles.PUBLISHER)
    task = TaskState.objects.reviewable_by(publisher).get()
    task.approve(user=publisher)
    assert page_of("mission", "en").title == "Our mission today"


def test_nothing_incomplete_is_handed_over(client, page_of):
    page = page_of("mission", "en")
    StringTranslation.objects.filter(context__object=page.translation_key, locale=page.locale).first().delete()
    client.force_login(person(roles.TRANSLATORS["en"], "en"))
    html = client.post(reverse("translation_hand_over", args=[translation_of(page).pk]), follow=True).text
    assert "Not handed over: 1 texts" in html
    assert not page_of("mission", "en").workflow_in_progress


def test_what_was_sent_back_is_handed_over_again(client, page_of):
    page = page_of("mission", "en")
    client.force_login(person(roles.TRANSLATORS["en"], "en"))
    url = reverse("translation_hand_over", args=[translation_of(page).pk])
    client.post(url)
    publisher = person(roles.PUBLISHER)
    TaskState.objects.reviewable_by(publisher).get().reject(user=publisher)
    client.post(url)
    assert TaskState.objects.reviewable_by(publisher).count() == 1


def test_to_stop_translating_is_confirmed(client, page_of):
    translation = translation_of(page_of("mission"))
    client.force_login(person(roles.TRANSLATORS["en"], "en"))
    url = reverse("wagtail_localize:stop_translation", args=[translation.pk])
    assert "Yes, edit it without the original" in client.get(url).text
    translation.refresh_from_db()
    assert translation.enabled
    client.post(url)
    translation.refresh_from_db()
    assert not translation.enabled


def test_its_dates_have_no_english_month(client, page_of):
    page = page_of("mission", "en")
    translate(page_of("mission"), "title", "Our mission today")
    client.force_login(person(roles.TRANSLATORS["en"]))
    html = client.get(reverse("wagtailadmin_pages:edit", args=[page.pk])).text
    changed_at = StringTranslation.objects.latest("updated_at").updated_at
    assert f"Traducido manualmente el {changed_at:%Y-%m-%d}" in html
    assert f"{changed_at:%B}" not in html


def test_a_topic_is_published_by_those_who_change_it(client, locales):
    client.force_login(person(roles.TRANSLATORS["en"], "en"))
    topic = Topic.objects.filter(locale=locales["en"]).first()
    html = client.get(reverse("wagtailsnippets_core_topic:edit", args=[topic.pk])).text
    assert "Publish in English" in html.partition("translation-footer")[2]


def test_the_glossary_stands_beside_the_texts_that_hold_its_terms(page_of):
    found = glossary.terms_by_text(translation_of(page_of("about")))
    assert [("Coordinadoras Nacionales", "Country Platforms")] in found.values()
    assert all(term in text for text, pairs in found.items() for term, _wanted in pairs)


def test_the_starter_content_keeps_to_its_glossary():
    assert GlossaryTerm.objects.count() > 5
    missing = [(str(row.target_locale), glossary.missing_terms(row)) for row in Translation.objects.all()]
    assert not [terms for terms in missing if terms[1]]


def test_a_translation_without_the_term_is_named(page_of, staff_client, django_capture_on_commit_callbacks):
    about = page_of("about")
    translation = translation_of(about)
    text = next(
        text for text, terms in glossary.terms_by_text(translation).items() if text == "Coordinadoras Nacionales"
    )
    segment = translation.source.stringsegment_set.filter(string__data=text).first()
    translate(about, segment.context.path, "National coordinators")
    assert glossary.missing_terms(translation) == [("Coordinadoras Nacionales", "Country Platforms")]
    page = page_of("about", "en")
    assert ("term", {"term": "Coordinadoras Nacionales", "translation": "Country Platforms"}) in find_problems(page)
    with django_capture_on_commit_callbacks(execute=True):  # it is a warning
        response = staff_client.post(
            reverse("wagtailadmin_pages:edit", args=[page.pk]), {"action": "publish"}, follow=True
        )
    assert "so the translation should say “Country Platforms”" in response.text
    assert "National coordinators" in staff_client.get(page_of("about", "en").url).text


def test_a_part_of_a_word_is_no_term(page_of):
    term = GlossaryTerm.objects.get(wordings__text="CLAC", wordings__locale__language_code="es")
    for wording in term.wordings.all():
        wording.text = "CLA" if wording.locale.language_code == "es" else "the CLA"
        wording.save()
    found = glossary.terms_by_text(translation_of(page_of("about")))
    assert not any(("CLA", "the CLA") in pairs for text, pairs in found.items() if "CLA " not in text)
