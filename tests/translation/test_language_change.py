"""Changing the language of a page that was created in the wrong one."""

import json
from uuid import uuid4

import pytest
from django.db import IntegrityError
from django.urls import reverse
from editorial import roles
from translation import language_change
from translation.status import texts_left
from wagtail.contrib.redirects.models import Redirect
from wagtail.images import get_image_model
from wagtail.models import Page, PageLogEntry
from wagtail_localize.models import StringTranslation, Translation, TranslationSource
from wagtail_localize.operations import translate_object

from home.models import ContentPage
from newsletter.models import Campaign, IssuePage
from tests.factories import person

pytestmark = pytest.mark.django_db


def url_of(page):
    return reverse("translation_change_language", args=[page.pk])


def move(client, page, language):
    return client.post(url_of(page), {"language": language}, follow=True)


def add(parent, title, slug, **fields):
    """Publish a content page whose text has a link and whose locale is its parent's."""
    page = ContentPage(title=title, slug=slug, locale=parent.locale, **fields)
    parent.add_child(instance=page)
    page.save_revision().publish()
    return page


def translate_texts(translation):
    """Translate all texts of a page: “Coffee” as “Café”, the others as they are."""
    for segment in translation.source.stringsegment_set.all():
        StringTranslation.objects.update_or_create(
            translation_of=segment.string,
            context=segment.context,
            locale=translation.target_locale,
            defaults={"data": {"Coffee": "Café"}.get(segment.string.data, segment.string.data)},
        )


@pytest.fixture
def tree(page_of, staff_client, run_tasks, locales):
    """A Spanish page that is in fact English, with a child; the child is translated into Portuguese."""
    image = {"image": get_image_model().objects.first().pk, "alt_text": "Coffee on a scale", "decorative": False}
    body = json.dumps([{"type": "picture", "id": str(uuid4()), "value": {"image": image, "caption": ""}}])
    page = add(page_of("about"), "Fair prices", "fair-prices", introduction="Why prices matter.", body=body)
    child = add(page, "Coffee", "coffee", introduction="The price of coffee.")
    linking = page_of("mission")
    text = f'<p><a linktype="page" id="{child.pk}">Coffee</a></p>'
    linking.body = json.dumps([{"type": "text", "id": str(uuid4()), "value": text}])
    linking.save_revision().publish()
    translate_object(page, [locales["pt-br"]], user=staff_client.user)
    translate_object(child, [locales["pt-br"]], user=staff_client.user)
    run_tasks()
    for translation in Translation.objects.filter(source__object=child.translation_key):
        translate_texts(translation)
        translation.save_target(user=staff_client.user)
    return page, child, linking


def test_a_page_moves_with_its_children_and_links_pictures_and_translations_hold(
    client, staff_client, page_of, tree, locales, django_capture_on_commit_callbacks
):
    page, child, linking = tree
    old_urls = [page.url, child.url]
    translation = Translation.objects.get(source__object=child.translation_key)
    assert not texts_left(translation)
    shown = staff_client.get(url_of(page)).text
    assert "Fair prices" in shown
    assert "Coffee" in shown
    with django_capture_on_commit_callbacks(execute=True):
        answer = move(staff_client, page, "en")
    assert "“Fair prices” is in English now." in answer.text
    moved, moved_child = Page.objects.get(pk=page.pk).specific, Page.objects.get(pk=child.pk).specific
    assert {moved.locale, moved_child.locale} == {locales["en"]}
    assert [moved.translation_key, moved_child.translation_key] == [page.translation_key, child.translation_key]
    assert moved.get_parent().pk == page_of("about", "en").pk
    assert moved_child.url == f"{page_of('about', 'en').url}fair-prices/coffee/"
    assert moved.body.get_prep_value() == page.body.get_prep_value()
    for old, new in zip(old_urls, [moved.url, moved_child.url], strict=True):
        assert client.get(old)["Location"].endswith(new)
        assert client.get(new).status_code == 200
    assert f'href="{moved_child.url}"' in client.get(linking.url).text
    source = TranslationSource.objects.get(object=child.translation_key)
    assert source.locale == locales["en"]
    assert json.loads(source.content_json)["locale"] == locales["en"].pk
    translation.refresh_from_db()
    assert not texts_left(translation)
    assert not source.stringsegment_set.exclude(string__locale=locales["en"]).exists()
    portuguese = translation.get_target_instance()
    assert portuguese.title == "Café"
    moved_child.title = "Coffee and tea"
    moved_child.save_revision().publish()
    source.update_from_db()
    assert texts_left(translation) == 1
    assert PageLogEntry.objects.filter(page=page.pk, action="clac.language_changed", user=staff_client.user).exists()
    assert Page.find_problems() == ([], [], [], [], [])


def test_search_finds_it_in_the_new_language_only(client, staff_client, tree):
    """The index holds stems: “prices” has another one in English."""
    searches = {"es": "/es/buscar/", "en": "/en/search/"}
    found = {code: tree[0].slug in client.get(url, {"q": "fair prices"}).text for code, url in searches.items()}
    assert found == {"es": True, "en": False}
    move(staff_client, tree[0], "en")
    found = {code: tree[0].slug in client.get(url, {"q": "fair price"}).text for code, url in searches.items()}
    assert found == {"es": False, "en": True}


def test_the_same_text_in_a_page_that_stays_keeps_its_translation(staff_client, page_of, tree, locales):
    page, _child, _linking = tree
    other = add(page_of("about"), "Coffee", "coffee-2")
    translate_object(other, [locales["pt-br"]], user=staff_client.user)
    stays = Translation.objects.get(source__object=other.translation_key)
    translate_texts(stays)
    move(staff_client, page, "en")
    assert texts_left(stays) == 0
    assert stays.source.stringsegment_set.filter(string__locale=locales["es"], string__data="Coffee").exists()


def refusal(client, page, language, text):
    """The reason is shown beside the language, and the button that is not there changes nothing either."""
    assert text in client.get(url_of(page)).text
    assert text in move(client, page, language).text
    assert Page.objects.get(pk=page.pk).locale == page.locale


def test_what_is_translated_already_stays(staff_client, page_of):
    page = page_of("mission")
    refusal(staff_client, page, "en", "” already has a page in English.")


def test_a_page_whose_parent_is_not_translated_stays(staff_client, tree):
    _page, child, _linking = tree
    refusal(staff_client, child, "en", "“Fair prices” is not translated; translate it first.")


def test_the_home_page_of_a_language_stays(staff_client, page_of):
    refusal(staff_client, page_of("home"), "en", "The home page of a language stays in its language.")


def test_a_page_with_a_taken_address_stays(staff_client, page_of, tree):
    add(page_of("about", "en"), "Prices", "fair-prices")
    refusal(staff_client, tree[0], "en", "there is already a page with the address “fair-prices”")


def test_a_translation_stays(staff_client, page_of, tree):
    portuguese = Translation.objects.get(source__object=tree[1].translation_key).get_target_instance()
    refusal(staff_client, portuguese.get_parent(), "en", "” is the translation of another page.")


@pytest.mark.parametrize("which", [0, 1])
def test_a_locked_page_stays_with_all_of_its_tree(staff_client, django_user_model, tree, which):
    other = django_user_model.objects.create_superuser("otra", "otra@example.org", "a long password")
    Page.objects.filter(pk=tree[which].pk).update(locked=True, locked_by=other)
    refusal(staff_client, tree[0], "en", f"“{tree[which].get_admin_display_title()}” is locked")


def test_an_alias_stays(staff_client, page_of, tree):
    alias = tree[1].create_alias(parent=tree[0], update_slug="coffee-alias")
    refusal(staff_client, tree[0], "en", f"“{alias.title}” is an alias of another page.")


def test_an_edition_with_campaigns_stays(staff_client, page_of):
    parent = page_of("issue-welcome").get_parent()
    edition = IssuePage(title="Edition", slug="edition", locale=parent.locale)
    parent.add_child(instance=edition)
    Campaign.objects.create(issue=edition)
    refusal(staff_client, edition, "en", "“Edition” is an edition that was sent or is scheduled.")
    Campaign.objects.all().delete()
    assert "is in English now" in move(staff_client, edition, "en").text


@pytest.mark.parametrize("role", [roles.EDITOR, roles.TRANSLATORS["en"]])
def test_who_may_not_publish_here_may_not_change_the_language(client, tree, role):
    client.force_login(person(role))
    assert url_of(tree[0]) not in client.get(reverse("wagtailadmin_explore", args=[tree[0].pk])).text
    assert move(client, tree[0], "en").redirect_chain[0][0] == reverse("wagtailadmin_home")
    assert Page.objects.get(pk=tree[0].pk).locale == tree[0].locale


def test_who_may_not_publish_there_is_told_so(client, page_of, tree):
    somebody = person(roles.EDITOR, "en")
    for action in ("publish", "change", "add"):
        permission = roles._permission("wagtailcore", f"{action}_page")
        somebody.groups.get().page_permissions.filter(permission=permission).delete()
        somebody.groups.get().page_permissions.create(page=page_of("home"), permission=permission)
    client.force_login(somebody)
    refusal(client, tree[0], "en", "You may not publish in this language.")


def test_the_menu_of_a_page_offers_it(client, tree):
    client.force_login(person(roles.PUBLISHER))
    assert url_of(tree[0]) in client.get(reverse("wagtailadmin_pages:edit", args=[tree[0].pk])).text


def test_an_error_in_the_middle_changes_nothing(staff_client, tree, monkeypatch):
    before = list(Page.objects.order_by("pk").values("path", "locale", "url_path"))

    def fail(*args, **kwargs):
        raise IntegrityError

    monkeypatch.setattr(language_change, "log", fail)
    with pytest.raises(IntegrityError):
        move(staff_client, tree[0], "en")
    assert list(Page.objects.order_by("pk").values("path", "locale", "url_path")) == before
    assert not Redirect.objects.filter(redirect_page=tree[0].pk).exists()
