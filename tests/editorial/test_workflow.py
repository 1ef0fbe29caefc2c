"""The editors' desk: handing in and publishing with e-mails, the user bar, history, what is in use."""

from datetime import timedelta

import pytest
from core.models import Menu
from django.core import mail
from django.urls import reverse
from django.utils import timezone
from editorial import roles
from wagtail.models import ReferenceIndex
from wagtail.test.utils.form_data import inline_formset, nested_form_data, rich_text, streamfield

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


def test_a_comment_reaches_who_follows_the_page_in_their_language(client, page_of, run_tasks):
    editor, publisher, page = person(roles.EDITOR, "es"), person(roles.PUBLISHER, "pt-br"), page_of("mission")
    page.subscribers.create(user=publisher, comment_notifications=True)
    client.force_login(editor)
    comment = {"text": "¿Está bien así?", "contentpath": "introduction", "position": "", "resolved": "", "id": ""}
    comment |= {"replies": inline_formset([])}
    form = form_of(page, comments=inline_formset([comment]))
    assert client.post(reverse("wagtailadmin_pages:edit", args=[page.pk]), nested_form_data(form)).status_code == 302
    run_tasks()
    (told,) = [message for message in mail.outbox if message.to == [publisher.email]]
    assert "comentários" in told.subject
    assert "¿Está bien así?" in told.body


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("es", "No se pudo guardar la página: está bloqueada."),
        ("pt-br", "Não foi possível salvar a página: está bloqueada."),
    ],
)
def test_a_locked_page_is_changed_by_nobody_else_until_it_is_unlocked(client, page_of, language, text):
    editor, publisher, page = person(roles.EDITOR, language), person(roles.PUBLISHER, language), page_of("mission")
    for action, is_changed in [("lock", False), ("unlock", True)]:
        client.force_login(publisher)
        client.post(reverse(f"wagtailadmin_pages:{action}", args=[page.pk]))
        client.force_login(editor)
        answer = client.post(reverse("wagtailadmin_pages:edit", args=[page.pk]), form_of(page))
        assert (answer.status_code == 302) == is_changed
        assert (text in answer.text) != is_changed
        assert ("corregido" in str(page_of("mission").get_latest_revision_as_object().body)) == is_changed


def test_an_earlier_version_is_restored(client, page_of):
    page = page_of("mission")
    edit = reverse("wagtailadmin_pages:edit", args=[page.pk])
    client.force_login(person(roles.PUBLISHER))
    client.post(edit, form_of(page, introduction="Como era.", **{"action-publish": "1"}))
    before = page_of("mission").latest_revision
    client.post(edit, form_of(page, introduction="Como es.", **{"action-publish": "1"}))
    revert = reverse("wagtailadmin_pages:revisions_revert", args=[page.pk, before.pk])
    assert revert in client.get(reverse("wagtailadmin_pages:history", args=[page.pk])).text
    shown = client.get(revert).context["form"].instance
    assert shown.introduction == "Como era."
    client.post(edit, form_of(shown, revision=str(before.pk), **{"action-publish": "1"}))
    assert page_of("mission").introduction == "Como era."


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("es", "La fecha de publicación debe ser anterior a la del fin de la publicación"),
        ("pt-br", "A data de publicação deve ser anterior à data em que a página deixa de ser publicada"),
    ],
)
def test_a_page_is_scheduled_and_dates_in_the_wrong_order_are_explained(client, page_of, language, text):
    page = page_of("mission")
    edit = reverse("wagtailadmin_pages:edit", args=[page.pk])
    client.force_login(person(roles.PUBLISHER, language))
    soon, later = (f"{timezone.now() + timedelta(days=days):%Y-%m-%d %H:%M}" for days in (1, 2))
    answer = client.post(edit, form_of(page, go_live_at=later, expire_at=soon))
    assert text in answer.text
    client.post(edit, form_of(page, go_live_at=soon, expire_at=later, **{"action-publish": "1"}))
    assert "corregido" not in str(page_of("mission").body)
    assert "corregido" in str(page_of("mission").scheduled_revision.as_object().body)


def test_a_changed_menu_shows_to_the_readers_of_its_language_only(client, page_of):
    client.force_login(person(roles.PUBLISHER))
    menu = Menu.objects.get(place="footer", locale__language_code="es")
    entries = streamfield([("entry", {"text": "Diga hola", "page": page_of("contact").pk})])
    form = nested_form_data({"place": "footer", "items": entries, "action-publish": "1"})
    client.post(reverse("wagtailsnippets_core_menu:edit", args=[menu.pk]), form)
    client.logout()
    shown = {language: "Diga hola" in client.get(f"/{language}/").text for language in ("es", "en", "pt-br")}
    assert shown == {"es": True, "en": False, "pt-br": False}


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
