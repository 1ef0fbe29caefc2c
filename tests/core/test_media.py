"""Who gets which files: below /media/ lie the resized pictures of pages, and nothing else, however it is spelt."""

import io

import pytest
from core.images import CustomImage
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.files.base import ContentFile
from django.core.files.images import ImageFile
from django.core.files.storage import storages
from django.test import Client
from PIL import Image
from wagtail.documents import get_document_model
from wagtail.models import Collection, CollectionViewRestriction

from tests.spellings import spellings

pytestmark = pytest.mark.django_db
SECRET = b"the minutes of a meeting behind closed doors"


@pytest.fixture
def private():
    """A collection that asks for a login."""
    collection = Collection.get_first_root_node().add_child(name="Junta directiva")
    CollectionViewRestriction.objects.create(collection=collection, restriction_type="login")
    return collection


@pytest.fixture
def document(private):
    kept = get_document_model().objects.create(
        title="Acta", file=ContentFile(SECRET, "minutes.txt"), collection=private
    )
    yield kept
    kept.file.delete(save=False)


@pytest.fixture
def picture(private):
    raw = io.BytesIO()
    Image.new("RGB", (60, 40), "#24512b").save(raw, "JPEG")
    return CustomImage.objects.create(title="Acta", file=ImageFile(raw, "minutes.jpg"), collection=private)


def asked(client, path):
    """What a path gives that has arrived as it stands: (status, body)."""
    answer = client.generic("GET", f"/media/{path}")
    return answer.status_code, answer.getvalue() if answer.status_code == 200 else b""


def test_a_private_document_is_behind_a_login_and_nowhere_else(client, document):
    assert client.get(document.url).status_code == 302
    folder, name = document.file.name.split("/")
    for path in spellings(folder, name):
        status, body = asked(client, path)
        assert (status in {301, 302, 400, 404}, SECRET in body) == (True, False), path


@pytest.mark.parametrize("alias", ["default", "private"])
@pytest.mark.parametrize("folder", ["documents", "original_images", "imports", "images", "backups", "mail"])
def test_nothing_but_renditions_is_served_wherever_it_is_stored(client, alias, folder):
    name = storages[alias].save(f"{folder}/minutes.txt", ContentFile(SECRET))
    try:
        for path in spellings(*name.split("/")):
            assert SECRET not in asked(client, path)[1], path
    finally:
        storages[alias].delete(name)


def test_a_file_among_the_renditions_that_the_database_does_not_know_is_not_served(client):
    name = storages["renditions"].save("images/minutes.txt", ContentFile(SECRET))
    try:
        assert asked(client, name)[0] == 404
    finally:
        storages["renditions"].delete(name)


def test_no_folder_of_the_sites_data_lies_within_another_that_is_served():
    served = storages["renditions"].location
    for folder in (settings.MEDIA_ROOT, settings.LOCAL_MAIL_DIR, settings.BACKUP_DIR, storages["private"].location):
        assert not str(folder).startswith(str(served))


def test_pictures_of_a_private_collection_are_for_those_who_may_see_them(
    client, picture, staff_client, django_capture_on_commit_callbacks
):
    url = picture.get_rendition("width-30").url
    assert Client().get(url).status_code == 404
    answer = staff_client.get(url)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "private, no-store"
    with django_capture_on_commit_callbacks(execute=True):
        CollectionViewRestriction.objects.all().delete()
    answer = Client().get(url)
    assert answer.status_code == 200
    assert "immutable" in answer["Cache-Control"]
    assert answer["Cross-Origin-Resource-Policy"] == "cross-origin"  # mails show it in webmail programs


def test_what_is_for_a_group_is_for_nobody_else_who_is_signed_in(client, private, document, picture, django_user_model):
    restriction = private.get_view_restrictions().get()
    restriction.restriction_type = CollectionViewRestriction.GROUPS
    restriction.save()
    board = Group.objects.create(name="Junta directiva")
    restriction.groups.add(board)
    reader = django_user_model.objects.create_user("rosa")
    client.force_login(reader)
    addresses = document.url, picture.get_rendition("width-30").url
    assert [client.get(address).status_code for address in addresses] == [302, 404]
    reader.groups.add(board)
    assert [client.get(address).status_code for address in addresses] == [200, 200]


def test_a_collection_below_a_private_one_is_private(client, picture, private):
    below = private.add_child(name="Actas")
    CustomImage.objects.filter(pk=picture.pk).update(collection=below)
    assert client.get(picture.get_rendition("width-30").url).status_code == 404


def test_the_original_of_a_public_picture_has_no_address(client):
    raw = io.BytesIO()
    Image.new("RGB", (60, 40), "#24512b").save(raw, "JPEG")
    image = CustomImage.objects.create(title="Patio", file=ImageFile(raw, "patio.jpg"))
    for path in spellings(*image.file.name.split("/")):
        assert asked(client, path)[0] != 200, path


@pytest.mark.parametrize("path", ["images/%00", "images/\0", "images/" + "a" * 5000, "images/é.jpg", ""])
def test_any_path_gets_an_answer(client, path):
    assert asked(client, path)[0] in {301, 302, 400, 404}


def test_a_page_with_a_private_picture_is_not_published_without_a_word(page_of, picture):
    from editorial import content_checks

    page = page_of("mission")
    block = page.body.stream_block.child_blocks["picture"].child_blocks["image"]
    value = {"image": picture.pk, "decorative": False, "alt_text": "La junta directiva en sesión"}
    page.body = [("picture", {"image": block.to_python(value), "caption": ""})]
    (found,) = (finding for finding in content_checks.check_page(page) if finding.level == content_checks.BLOCKS)
    assert "Acta" in found.text
