"""The editors' desk: handing in and publishing with e-mails, the user bar, history, what is in use."""

import pytest
from django.core import mail
from django.urls import reverse
from editorial import roles
from wagtail.models import ReferenceIndex
from wagtail.test.utils.form_data import nested_form_data, rich_text, streamfield

from tests.factories import person

pytestmark = pytest.mark.django_db


def form_of(page, **fields):
    """What the editor's form of a content page sends."""
    body = streamfield([("text", rich_text("<p>Un texto corregido.</p>", features=["bold"]))])
    names = ("title", "slug", "seo_title", "search_description", "introduction")
    data = {name: getattr(page, name) or "" for name in names} | {
        "pattern": page.pattern,
        "share_image": "",
        "body": body,
    }
    comments = {"TOTAL_FORMS": "0", "INITIAL_FORMS": "0"}
    return nested_form_data(data | {"comments": comments, "go_live_at": "", "expire_at": ""} | fields)


def test_an_editor_hands_in_and_a_publisher_publishes(client, page_of):
    editor, publisher = person(roles.EDITOR, "pt-br"), person(roles.PUBLISHER, "es")
    page = page_of("mission")
    edit = reverse("wagtailadmin_pages:edit", args=[page.pk])
    client.force_login(editor)
    assert "action-publish" not in client.get(edit).text
    client.post(edit, form_of(page, **{"action-submit": "1"}))
    assert "corregido" not in str(page_of("mission").body)
    (request,) = [message for message in mail.outbox if message.to == [publisher.email]]
    assert "aprobación" in request.subject  # each in the language of whoever gets it
    mail.outbox.clear()

    client.force_login(publisher)
    assert page.title in client.get(reverse("wagtailadmin_home")).text  # it waits for them
    state = page_of("mission").current_workflow_task_state
    action = reverse("wagtailadmin_pages:workflow_action", args=[page.pk, "approve", state.pk])
    client.post(action)
    assert "corregido" in str(page_of("mission").body)
    (answer,) = [message for message in mail.outbox if message.to == [editor.email]]
    assert "aprovad" in answer.subject


def test_an_editor_cannot_publish_by_asking(client, page_of):
    client.force_login(person(roles.EDITOR))
    page = page_of("mission")
    client.post(reverse("wagtailadmin_pages:edit", args=[page.pk]), form_of(page, **{"action-publish": "1"}))
    assert "corregido" not in str(page_of("mission").body)


def test_history_says_who_changed_what(client, page_of):
    publisher, page = person(roles.PUBLISHER), page_of("mission")
    client.force_login(publisher)
    client.post(reverse("wagtailadmin_pages:edit", args=[page.pk]), form_of(page, **{"action-publish": "1"}))
    html = client.get(reverse("wagtailadmin_pages:history", args=[page.pk])).text
    assert publisher.get_username() in html


def test_what_is_in_use_is_not_deleted_without_a_word(client, page_of, run_tasks):
    page, image = page_of("mission"), page_of("article-assembly").lead_image[0].value
    link = f'<p><a linktype="page" id="{page.pk}">La misión</a></p>'
    about = page_of("about")
    about.body = [("text", link)]
    about.save_revision().publish()
    ReferenceIndex.create_or_update_for_object(page_of("about"))
    client.force_login(person(roles.PUBLISHER, "en"))
    html = client.get(reverse("wagtailadmin_pages:delete", args=[page.pk])).text
    assert "referenced" in html
    assert "does not come back" in html
    html = client.get(reverse("wagtailimages:delete", args=[image.pk])).text
    assert reverse("wagtailimages:image_usage", args=[image.pk]) in html
    assert "This image is referenced 3 times" in " ".join(html.split())


def test_the_user_bar_is_there_for_editors_and_for_nobody_else(client, page_of):
    url = page_of("mission").url
    assert "wagtail-userbar" not in client.get(url).text
    client.force_login(person(roles.EDITOR))
    assert "wagtail-userbar" in client.get(url).text
    client.logout()
    assert "wagtail-userbar" not in client.get(url).text


def test_a_picture_keeps_its_translated_words(client, page_of):
    spanish = page_of("article-assembly").lead_image[0].value.contextual_alt_text
    english = page_of("article-assembly", "en").lead_image[0].value.contextual_alt_text
    assert english != spanish
    assert english in client.get(page_of("article-assembly", "en").url).text


@pytest.mark.parametrize("language", ["es", "en", "pt-br"])
def test_the_handbook_is_there_in_each_language(client, language):
    client.force_login(person(roles.EDITOR, language))
    html = client.get(reverse("handbook")).text
    assert html.count("<h2 id=") == 12  # eleven tasks, and what to do if something does not work
    pictures = [part.partition('"')[0] for part in html.split('src="pictures/')[1:]]
    assert len(pictures) >= 6
    for picture in pictures:
        assert client.get(f"/admin/handbook/pictures/{picture}").status_code == 200
    assert client.get(reverse("wagtailadmin_home")).text.count(reverse("handbook"))


@pytest.mark.parametrize("is_saved", [True, False])
@pytest.mark.parametrize(
    ("parent", "like"), [("news", "article-assembly"), ("home", "about"), ("newsletter", "issue-welcome")]
)
def test_a_page_can_be_previewed_before_it_was_ever_published(page_of, parent, like, is_saved):
    above, model = page_of(parent), type(page_of(like))
    page = model(
        title="Un día en la cooperativa", slug="un-dia", locale=above.locale, body=page_of(like).body, live=False
    )
    page.introduction = "De la mañana a la noche."
    if is_saved:
        page = above.add_child(instance=page)
    else:  # as Wagtail's preview of a new page does it
        page.depth, page.path = above.depth + 1, model._get_children_path_interval(above.path)[1]
        page.url_path = f"{above.url_path}un-dia/"
    response = page.make_preview_request()
    assert response.status_code == 200
    assert "Un día en la cooperativa" in response.text
