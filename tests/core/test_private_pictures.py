"""Pictures of private collections: who sees them, where they would be missed, and that no cache in front keeps them."""

import io
import re

import pytest
from caching import page_cache
from core.images import CustomImage
from django.apps import apps
from django.core.files.base import ContentFile
from django.core.files.images import ImageFile
from django.db.models import FileField
from django.test import Client
from editorial import roles
from PIL import Image
from wagtail.models import Collection, CollectionViewRestriction

from newsletter.editions import checks
from tests.caching.test_cdn import purged  # noqa: F401 - a fixture
from tests.factories import person

pytestmark = pytest.mark.django_db
FILE_FIELDS = [
    field for model in apps.get_models() for field in model._meta.local_fields if isinstance(field, FileField)
]


def jpeg():
    raw = io.BytesIO()
    Image.new("RGB", (60, 40), "#24512b").save(raw, "JPEG")
    return raw.getvalue()


def collection_named(name):
    return Collection.get_first_root_node().add_child(name=name)


def make_private(collection, **restriction):
    CollectionViewRestriction.objects.create(collection=collection, **restriction or {"restriction_type": "login"})
    page_cache.purge()


@pytest.fixture
def picture():
    file = ImageFile(io.BytesIO(jpeg()), "minutes.jpg")
    return CustomImage.objects.create(title="Acta", file=file, collection=collection_named("Actas"))


def goes_to_this_reader_only(answer):
    return answer.status_code == 200 and answer["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize(
    "restriction",
    [{"restriction_type": "password", "password": "x"}, {"restriction_type": "groups"}],
    ids=["password", "groups"],
)
def test_editors_see_the_pictures_that_they_work_with(client, picture, restriction):
    make_private(picture.collection, **restriction)
    client.force_login(person(roles.EDITOR))
    address = re.search(r'src="(/media/images/minutes[^"]+)"', client.get("/admin/images/").text)[1]
    assert goes_to_this_reader_only(client.get(address))
    assert Client().get(address).status_code == 404


def test_avatars_are_for_those_who_use_the_admin(client, staff_client):
    avatar = staff_client.user.wagtail_userprofile.avatar
    avatar.save("ana.jpg", ContentFile(jpeg()))
    assert avatar.url in staff_client.get("/admin/account/").text
    assert goes_to_this_reader_only(staff_client.get(avatar.url))
    assert Client().get(avatar.url).status_code == 404


@pytest.mark.parametrize("field", FILE_FIELDS, ids=str)
def test_no_file_is_public_because_it_was_uploaded(client, field):
    """Whatever field of whatever model holds it; only a rendition that the database knows is public."""
    name = field.storage.save(field.generate_filename(field.model(), "minutes.txt"), ContentFile(b"secret"))
    try:
        assert client.get(f"/media/{name}").status_code == 404
    finally:
        field.storage.delete(name)


def move_at_once(client, picture, private):
    address = f"/admin/bulk/core/customimage/add_to_collection/?id={picture.pk}&next=/admin/images/"
    return client.post(address, {"collection": private.pk})


def move_collection(client, picture, private):
    return client.post(f"/admin/collections/{picture.collection_id}/", {"name": "Actas", "parent": private.pk})


def make_its_collection_private(client, picture, private):
    address = f"/admin/collections/{picture.collection_id}/privacy/"
    return client.post(address, {"restriction_type": "login", "password": "", "groups": []})


@pytest.mark.parametrize("hide", [move_at_once, move_collection, make_its_collection_private])
def test_what_becomes_private_leaves_the_cache_in_front(
    staff_client,
    picture,
    purged,  # noqa: F811
    run_tasks,
    django_capture_on_commit_callbacks,
    hide,
):
    private = collection_named("Junta directiva")
    make_private(private)
    address = picture.get_rendition("width-30").url
    assert "s-maxage=600" in Client().get(address)["Cache-Control"]
    run_tasks()
    purged.clear()
    with django_capture_on_commit_callbacks(execute=True):
        assert hide(staff_client, picture, private).status_code < 400
    assert Client().get(address).status_code == 404
    run_tasks()
    assert address in purged


def test_a_page_is_shared_with_a_picture_that_everybody_sees(client, page_of, picture):
    page = page_of("mission")
    page.share_image = picture
    page.save()
    make_private(picture.collection)
    address = re.search(r'og:image" content="http://testserver([^"]+)"', client.get(page.url).text)[1]
    assert client.get(address).status_code == 200


def test_an_edition_with_a_private_picture_is_not_sent(issue, picture):
    make_private(picture.collection)
    block = issue.body.stream_block.child_blocks["picture"].child_blocks["image"]
    value = {"image": picture.pk, "decorative": False, "alt_text": "La junta directiva en sesión"}
    issue.body.append(("picture", {"image": block.to_python(value), "caption": ""}))
    issue.save_revision().publish()
    found = [finding for finding in checks.run_checks(issue, is_quick=True) if "Acta" in str(finding.text)]
    assert [finding.level for finding in found] == [checks.BLOCKS]
