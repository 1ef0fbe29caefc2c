"""Pictures that are uploaded: nothing of a camera's notes is kept."""

import io

import pytest
from core.images import CustomImage, rewritten
from django.core.files.images import ImageFile
from django.urls import reverse
from PIL import Image, ImageCms

pytestmark = pytest.mark.django_db
GPS, ORIENTATION, MAKER = 0x8825, 0x0112, 0x010F


def picture(kind="JPEG", size=(60, 40), **options):
    raw = io.BytesIO()
    Image.new("RGB", size, "#24512b").save(raw, kind, **options)
    raw.seek(0)
    return raw


def photograph():
    """A photograph on its side, with the place where it was taken."""
    notes = Image.Exif()
    notes[ORIENTATION], notes[MAKER] = 6, "Camera"
    notes.get_ifd(GPS)[1] = "N"
    notes.get_ifd(GPS)[2] = (13.0, 41.0, 30.0)
    return picture(exif=notes, comment=b"Casa de Rosa")


def test_the_place_and_the_notes_are_gone_and_it_stands_upright():
    assert Image.open(photograph()).getexif().get_ifd(GPS)
    image = CustomImage.objects.create(title="Finca", file=ImageFile(photograph(), "finca.jpg"))
    with Image.open(image.file.path) as kept:
        assert not dict(kept.getexif())
        assert "comment" not in kept.info
        assert kept.size == (40, 60)
    assert (image.width, image.height) == (40, 60)
    assert image.file_size == image.file.size


def test_what_hides_behind_a_picture_is_gone():
    raw = io.BytesIO(picture().getvalue() + b"<script>alert(1)</script>")
    assert b"<script>" not in rewritten(raw)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "GIF"])
def test_every_kind_that_is_taken_stays_what_it_is(kind):
    with Image.open(io.BytesIO(rewritten(picture(kind)))) as kept:
        assert (kept.format, kept.size) == (kind, (60, 40))


def test_colours_and_frames_stay():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with Image.open(io.BytesIO(rewritten(picture(icc_profile=profile)))) as kept:
        assert kept.info["icc_profile"] == profile
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "green", "blue")]
    raw = io.BytesIO()
    frames[0].save(raw, "GIF", save_all=True, append_images=frames[1:], duration=200)
    with Image.open(io.BytesIO(rewritten(raw))) as kept:
        assert kept.n_frames == 3


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("a.svg", b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'),
        ("a.jpg", b"<html><script>alert(1)</script></html>"),
        ("a.jpg", b""),
    ],
)
def test_what_is_no_picture_is_refused(staff_client, name, raw):
    before = CustomImage.objects.count()
    file = io.BytesIO(raw)
    file.name = name
    response = staff_client.post(reverse("wagtailimages:add"), {"title": "A", "file": file})
    assert response.status_code == 200
    assert CustomImage.objects.count() == before


@pytest.mark.parametrize("name", ["a.html", "a.svg", "a.js"])
def test_documents_that_a_browser_would_run_are_refused(staff_client, name):
    from wagtail.documents import get_document_model

    file = io.BytesIO(b"<script>alert(1)</script>")
    file.name = name
    staff_client.post(reverse("wagtaildocs:add"), {"title": "A", "file": file})
    assert not get_document_model().objects.exists()


def test_documents_cannot_run_in_the_site_s_origin(staff_client, client):
    from django.core.files.base import ContentFile
    from wagtail.documents import get_document_model

    document = get_document_model().objects.create(title="A", file=ContentFile(b"<script>alert(1)</script>", "a.txt"))
    response = client.get(document.url)
    assert "default-src 'none'" in response["Content-Security-Policy"]
    assert response["Content-Disposition"].startswith("attachment")
    assert response["X-Content-Type-Options"] == "nosniff"
