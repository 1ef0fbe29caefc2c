"""Renditions are made by a worker, so that no reader waits for them, and a page goes live with them."""

import io
import os
from datetime import timedelta

import pytest
from core import renditions
from core.images import CustomImage, CustomRendition
from core.models import BasePage
from django.core.files.images import ImageFile
from django.core.management import call_command
from django.db import transaction
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from editorial import content_checks, roles
from PIL import Image
from wagtail.models import Revision, get_page_models

from newsletter.editions import rendering
from tests.editorial.test_workflow import form_of
from tests.factories import person

pytestmark = pytest.mark.django_db
PAGES = [model for model in get_page_models() if issubclass(model, BasePage)]


@pytest.fixture
def upload():
    """Upload a picture; a broken one ends too soon, as after a disk that was full."""
    numbers = iter(range(100))

    def make(is_broken=False):
        raw = io.BytesIO()
        Image.effect_noise((60, 40), 50).save(raw, "JPEG")
        image = CustomImage.objects.create(
            title=f"Cosecha {next(numbers)}", description="Rosa recoge café", file=ImageFile(raw, "rosa.jpg")
        )
        if is_broken:
            os.truncate(image.file.path, 700)
        return image

    return make


@pytest.fixture
def worker():
    """A worker that ticked a moment ago."""
    from jobs.heartbeat import record_heartbeat

    record_heartbeat(timezone.now())


def value(image):
    return {"image": image.pk, "alt_text": "Rosa recoge café", "decorative": False}


def with_pictures(page, upload):
    """A page that shows a new picture in each place that its kind has."""
    kinds = {
        "picture": lambda: {"image": value(upload()), "caption": ""},
        "gallery": lambda: {"rows": [{"image": value(upload()), "caption": ""} for _number in range(2)]},
        "video": lambda: {"address": "https://vimeo.com/76979871", "title": "Rosa", "picture": value(upload())},
        "columns": lambda: {"rows": [{"image": value(upload()), "title": "Uno", "text": ""} for _number in range(2)]},
        "image": lambda: value(upload()),
    }
    page.share_image = upload()
    for name in ("lead_image", "body"):
        if hasattr(page, name):
            block = page._meta.get_field(name).stream_block
            raw = [{"type": kind, "value": kinds[kind]()} for kind in kinds if kind in block.child_blocks]
            setattr(page, name, block.to_python(raw))
    return page


def live(page):
    page.refresh_from_db()
    return page.live and not page.has_unpublished_changes


def count():
    return CustomRendition.objects.count()


@pytest.mark.parametrize("model", PAGES)
def test_a_reader_of_a_fresh_page_waits_for_no_rendition(model, client, upload, run_tasks):
    page = with_pictures(model.objects.filter(locale__language_code="es").first(), upload)
    pictures = [*content_checks.pictures(page), page.share_image]
    page.save_revision()
    run_tasks()  # as soon as the draft is saved
    made = count()
    assert CustomRendition.objects.filter(image=page.share_image, filter_spec="fill-1200x630|format-jpeg").exists()
    for image in pictures[:-1]:
        assert image.renditions.count() >= 6
    page.latest_revision.publish()
    run_tasks()
    shown = client.get(page.url)
    assert shown.status_code == 200
    assert count() == made
    assert not DBTaskResult.objects.ready().exists()
    if model.__name__ == "IssuePage":
        rendering.render_issue(page)
        assert count() == made
    for image in pictures:
        assert any(one.url in shown.text for one in image.renditions.all())


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("es", "Sus imágenes todavía se están preparando: se publicará sola en cuanto estén listas, a más tardar en 3"),
        ("en", "Its pictures are still being resized: it goes live by itself as soon as they are ready, in 3 minutes"),
        (
            "pt-br",
            "As imagens dela ainda estão sendo preparadas: ela será publicada sozinha assim que estiverem prontas",
        ),
    ],
)
def test_a_page_goes_live_when_its_pictures_are_ready(language, line, client, page_of, upload, run_tasks, worker):
    page, image = page_of("mission"), upload()
    client.force_login(person(roles.PUBLISHER, language))
    edit = reverse("wagtailadmin_pages:edit", args=[page.pk])
    answer = client.post(edit, form_of(page, **{"action-publish": "1", "share_image": image.pk}), follow=True)
    assert line in answer.text
    assert "corregido" not in str(page_of("mission").body)
    run_tasks()
    assert live(page)
    assert image.renditions.get(filter_spec="fill-1200x630|format-jpeg").url in Client().get(page.url).text
    assert "corregido" in str(page_of("mission").body)
    again = client.post(edit, form_of(page, **{"action-publish": "1", "share_image": image.pk}), follow=True)
    assert line not in again.text  # they are there
    assert live(page)


def published(page, *images, run_tasks):
    """The page in Spanish, live, with these pictures in its text."""
    block = page._meta.get_field("body").stream_block
    raw = [{"type": "picture", "value": {"image": value(image), "caption": ""}} for image in images]
    page.body = block.to_python([{"type": "heading", "value": "Rosa"}, *raw])
    page.save_revision().publish()
    run_tasks()
    page.refresh_from_db()
    return page


def test_a_picture_that_cannot_be_resized_is_set_aside_and_shown_to_editors(page_of, client, upload, run_tasks, worker):
    broken, good = upload(is_broken=True), upload()
    page = published(page_of("mission"), broken, good, run_tasks=run_tasks)
    assert live(page)
    assert good.renditions.count() == 9
    assert not broken.renditions.exists()
    shown = client.get(page.url)
    assert shown.status_code == 200
    assert "srcset" in shown.text
    assert not DBTaskResult.objects.ready().exists()  # it is not tried again for each reader
    findings = [one.text for one in content_checks.check_page(page)]
    assert f"La imagen «{broken.title}» no se puede redimensionar" in " ".join(findings)
    assert good.title not in " ".join(findings)


def test_a_picture_set_aside_is_tried_again_after_an_hour_and_when_it_is_uploaded_anew(upload):
    image = upload(is_broken=True)
    assert renditions.make(image, "width-30") is None
    assert image.resize_failed_recently
    os.replace(upload().file.path, image.file.path)  # its disk is back
    assert renditions.make(image, "width-30") is None  # not yet
    image.resize_failed_at -= timedelta(minutes=61)
    assert renditions.make(image, "width-30").width == 30
    image.resize_failed_at = timezone.now()
    raw = io.BytesIO()
    Image.new("RGB", (60, 40)).save(raw, "JPEG")
    image.file = ImageFile(raw, "rosa.jpg")
    image.save()
    assert renditions.make(image, "width-30").width == 30


def test_no_picture_keeps_a_page_waiting_for_ever(page_of, upload, worker):
    page = page_of("mission")
    page.share_image, page.title = upload(), "Nuestra nueva misión"
    page.save_revision().publish()  # and no task is ever run
    assert page_of("mission").title != page.title
    Revision.objects.update(approved_go_live_at=F("approved_go_live_at") - renditions.MAX_PUBLISH_DELAY)
    call_command("publish_scheduled")
    assert page_of("mission").title == page.title
    assert not page_of("mission").scheduled_revision


def test_a_page_that_was_taken_back_while_it_waited_stays_a_draft(page_of, upload, worker, run_tasks):
    page = page_of("mission")
    page.share_image, page.title = upload(), "Nuestra nueva misión"
    page.save_revision().publish()
    Revision.objects.update(approved_go_live_at=None)  # what Wagtail's “Cancel scheduled publish” does
    run_tasks()
    assert page_of("mission").title != page.title


def test_a_scheduled_page_is_complete_before_its_hour_and_keeps_it(page_of, upload, worker, run_tasks):
    page, image = page_of("mission"), upload()
    page.share_image, page.go_live_at = image, timezone.now() + timedelta(days=1)
    page.save_revision().publish()
    run_tasks()
    assert image.renditions.exists()
    (waiting,) = Revision.objects.filter(approved_go_live_at__isnull=False)
    assert waiting.approved_go_live_at == page.go_live_at


def test_without_a_worker_a_page_is_published_at_once(page_of, upload):
    page = page_of("mission")
    page.share_image, page.title = upload(), "Nuestra nueva misión"
    page.save_revision().publish()
    assert page_of("mission").title == page.title


def test_a_translation_waits_for_its_pictures_too(staff_client, page_of, upload, run_tasks, request, monkeypatch):
    original, page = page_of("mission"), page_of("mission", "en")
    original.share_image = upload()
    original.save_revision().publish()
    run_tasks()
    original.share_image.renditions.all().delete()
    request.getfixturevalue("worker")
    monkeypatch.setattr(transaction, "on_commit", lambda function, **options: function())  # no test is ever committed
    answer = staff_client.post(reverse("translation_publish", args=[page.pk]), follow=True)
    assert "Its pictures are still being resized" in answer.text
    run_tasks()
    assert not page_of("mission", "en").scheduled_revision


@pytest.mark.parametrize("change", ["focal point", "file"])
def test_a_picture_that_is_changed_is_resized_anew(change, page_of, upload, run_tasks, client):
    image = upload()
    page = page_of("mission")
    page.share_image = image
    page.save_revision().publish()
    run_tasks()
    before = image.renditions.get().url
    if change == "file":
        raw = io.BytesIO()
        Image.new("RGB", (50, 40), "red").save(raw, "JPEG")
        image.file = ImageFile(raw, "otra.jpg")
    else:
        image.focal_point_x = image.focal_point_y = 20
        image.focal_point_width = image.focal_point_height = 5
    image.save()
    run_tasks()
    made = count()
    after = image.renditions.latest("pk").url
    assert after != before
    assert after in client.get(page.url).text
    assert count() == made


def test_a_reader_of_what_is_missing_waits_for_one_small_picture_and_the_next_one_sees_all(
    page_of, upload, run_tasks, client
):
    images = [upload(), upload()]
    page = published(page_of("mission"), *images, run_tasks=run_tasks)
    for image in images:
        image.renditions.all().delete()  # as after SHAPES have changed
    shown = client.get(page.url)
    assert list(CustomRendition.objects.filter(image__in=images).values_list("filter_spec", flat=True)) == [
        "format-jpeg|width-400"
    ]
    assert "<picture>" in shown.text
    run_tasks()
    for image in images:
        assert image.renditions.count() == 9
    assert client.get(page.url).text.count("image/avif") == shown.text.count("image/avif") + 2


def test_one_turn_of_a_worker_has_an_end(page_of, upload, run_tasks, monkeypatch):
    monkeypatch.setattr(renditions, "BATCH_SECONDS", 0)
    image = upload()
    page = page_of("mission")
    page = published(page, image, run_tasks=lambda: None)
    draft = page.get_latest_revision()
    DBTaskResult.objects.all().delete()
    renditions.prepare_revision.call(draft.pk)
    assert image.renditions.count() == 1
    assert DBTaskResult.objects.ready().filter(task_path="core.renditions.prepare_revision").count() == 1
    run_tasks()
    assert image.renditions.count() == 9
