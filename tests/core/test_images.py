"""Pictures that are uploaded: nothing of a camera's notes is kept."""

import io
import random
import zlib
from pathlib import Path

import pytest
from core import images, uploads
from core.images import CustomImage, reencode
from django.core.files.images import ImageFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image, ImageCms
from wagtail.models import Collection

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


def test_a_scan_of_16_bits_keeps_its_greys_and_gets_every_rendition():
    raw = io.BytesIO()
    Image.new("I;16", (60, 40), 40_000).save(raw, "PNG")
    image = CustomImage.objects.create(title="Acta", file=ImageFile(raw, "acta.png"))
    for kind in ("jpeg", "webp", "avif"):
        with image.get_rendition(f"width-30|format-{kind}").file as file, Image.open(file) as shown:
            assert abs(shown.convert("L").getpixel((9, 9)) - 40_000 // 256) < 3


def test_what_hides_behind_a_picture_is_gone():
    raw = io.BytesIO(picture().getvalue() + b"<script>alert(1)</script>")
    assert b"<script>" not in reencode(raw)[0]


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "GIF"])
def test_every_kind_that_is_taken_stays_what_it_is(kind):
    with Image.open(io.BytesIO(reencode(picture(kind))[0])) as kept:
        assert (kept.format, kept.size) == (kind, (60, 40))


def test_colours_and_frames_stay():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with Image.open(io.BytesIO(reencode(picture(icc_profile=profile))[0])) as kept:
        assert kept.info["icc_profile"] == profile


def logo(kind, mode):
    """A picture of one see-through and one green half, as drawing programs write it."""
    drawn = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    drawn.paste((36, 81, 43, 255), (20, 0, 40, 40))
    raw, options = io.BytesIO(), {}
    if mode == "P" and kind == "PNG":
        drawn = drawn.quantize(8)
    elif mode in {"RGB", "L"}:  # one colour stands for what is see-through (tRNS)
        drawn = Image.new("RGB", (40, 40), "white")
        drawn.paste((36, 81, 43), (20, 0, 40, 40))
        drawn, options = drawn.convert(mode), {"transparency": 255 if mode == "L" else (255, 255, 255)}
    drawn.save(raw, kind, **options)
    raw.seek(0)
    return raw


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("PNG", "RGBA"), ("PNG", "P"), ("PNG", "RGB"), ("PNG", "L"), ("GIF", "P"), ("WEBP", "RGBA"), ("AVIF", "RGBA")],
)
def test_logos_stay_see_through_and_stand_on_white_where_they_cannot(kind, mode):
    image = CustomImage.objects.create(title="Logo", file=ImageFile(logo(kind, mode), f"logo.{kind.lower()}"))
    with Image.open(image.file.path) as kept:
        assert kept.format == kind
        assert [kept.convert("RGBA").getpixel(place)[3] for place in ((5, 5), (30, 30))] == [0, 255]
    for form in ("webp", "png", "avif"):
        with Image.open(image.get_rendition(f"width-20|format-{form}").file.path) as shown:
            assert shown.convert("RGBA").getpixel((2, 2))[3] < 5
    with Image.open(image.get_rendition("width-20|format-jpeg").file.path) as shown:
        assert min(shown.convert("RGB").getpixel((2, 2))) > 250


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF"])
def test_animations_keep_their_timing_and_their_transparency(kind):
    durations = [100, 400, 250]
    frames = []
    for number in range(3):
        frame = Image.new("RGBA", (30, 30), (0, 0, 0, 0))
        frame.paste((200, 80, 40, 255), (number * 10, 0, number * 10 + 10, 30))
        frames.append(frame)
    raw = io.BytesIO()
    options = {"loop": 2, "disposal": 2} if kind != "AVIF" else {}
    frames[0].save(raw, kind, save_all=True, append_images=frames[1:], duration=durations, **options)
    with Image.open(raw) as before, Image.open(io.BytesIO(reencode(raw)[0])) as kept:
        assert kept.n_frames == 3
        assert kept.info.get("loop") == before.info.get("loop")
        for number in range(3):
            for picture in (before, kept):
                picture.seek(number)
                picture.load()
            assert kept.info["duration"] == durations[number]
            alphas = [[picture.convert("RGBA").getpixel((x, 15))[3] for x in (5, 15, 25)] for picture in (before, kept)]
            assert alphas[0] == alphas[1]
            if kind != "WEBP":  # Pillow's own encoder makes animations without transparency
                assert alphas[0][number] > 200 > 50 > alphas[0][(number + 1) % 3]


def test_a_phones_picture_with_two_frames_stands_upright():
    notes = Image.Exif()
    notes[ORIENTATION] = 6
    raw = io.BytesIO()
    frames = [Image.new("RGB", (60, 40), "#24512b"), Image.new("RGB", (30, 20), "black")]
    frames[0].save(raw, "MPO", save_all=True, append_images=frames[1:], exif=notes)
    raw.seek(0)
    image = CustomImage.objects.create(title="Finca", file=ImageFile(raw, "finca.jpg"))
    with Image.open(image.file.path) as kept:
        assert (kept.format, kept.size, getattr(kept, "n_frames", 1)) == ("JPEG", (40, 60), 1)


def heic(mode="RGB", **options):
    raw = io.BytesIO()
    Image.new(mode, (60, 40), "#24512b").save(raw, "HEIF", **options)
    return raw.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_an_iphones_picture_becomes_a_jpeg_and_the_editor_is_told(staff_client, mode):
    notes = Image.Exif()
    notes.get_ifd(GPS)[1] = "N"
    file = SimpleUploadedFile("IMG_2041.HEIC", heic(mode, exif=notes.tobytes()), "image/heic")
    answer = staff_client.post(reverse("wagtailimages:add_multiple"), {"title": "IMG_2041", "files[]": file})
    assert answer.json()["success"]
    assert "It is kept as JPEG" in answer.json()["form"]
    image = CustomImage.objects.latest("pk")
    assert image.filename.endswith(".jpg")
    with Image.open(image.file.path) as kept:
        assert (kept.format, kept.size, dict(kept.getexif())) == ("JPEG", (60, 40), {})
    assert "It is kept as JPEG" in staff_client.get(reverse("wagtailimages:edit", args=[image.pk])).text


@pytest.mark.parametrize("has_profile", [False, True])
def test_colours_for_print_become_srgb_in_every_rendition(has_profile, tmp_path):
    options = {"icc_profile": b"no profile at all"} if has_profile else {}
    raw = io.BytesIO()
    Image.new("CMYK", (60, 40), (0, 255, 255, 0)).save(raw, "JPEG", **options)  # red in print
    raw.seek(0)
    image = CustomImage.objects.create(title="Cartel", file=ImageFile(raw, "cartel.jpg"))
    paths = [image.file.path] + [image.get_rendition(f"width-30|format-{form}").file.path for form in ("jpeg", "webp")]
    for path in paths:
        with Image.open(path) as shown:
            assert shown.mode == "RGB"
            red, green, blue = shown.getpixel((10, 10))
            assert red > 180 > 80 > max(green, blue)


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


def noise(kind, frames=1, **options):
    """A picture that hardly can be packed, so that it can be cut anywhere."""
    made = [Image.frombytes("RGB", (60, 40), random.Random(each).randbytes(7200)) for each in range(frames)]
    raw = io.BytesIO()
    made[0].save(raw, kind, **options, **({"save_all": True, "append_images": made[1:]} if frames > 1 else {}))
    return raw.getvalue()


def refusal(client, name, raw):
    """What the editor is told who uploads a file that is not taken."""
    before = CustomImage.objects.count()
    answer = client.post(
        reverse("wagtailimages:add_multiple"), {"title": "A", "files[]": SimpleUploadedFile(name, raw)}
    ).json()
    assert not answer["success"]
    assert CustomImage.objects.count() == before
    return answer["error_message"]


@pytest.mark.parametrize("frames", [1, 4])
@pytest.mark.parametrize(
    ("name", "kind"), [("a.gif", "GIF"), ("a.png", "PNG"), ("a.webp", "WEBP"), ("a.avif", "AVIF"), ("a.jpg", "JPEG"),
                       ("a.heic", "HEIF"), ("a.tiff", "TIFF"), ("a.jpg", "TIFF")]
)  # fmt: skip
def test_a_picture_that_ends_too_early_is_refused(staff_client, name, kind, frames):
    whole = noise(kind, 1 if kind in {"JPEG", "HEIF"} else frames)
    for part in (0.02, 0.3, 0.5, 0.7, 0.9, 0.98):
        assert "image" in refusal(staff_client, name, whole[: int(len(whole) * part)]), part


@pytest.mark.parametrize(
    ("name", "kind", "frames"), [("a.gif", "GIF", 4), ("a.png", "PNG", 4), ("a.webp", "WEBP", 4), ("a.avif", "AVIF", 4), ("a.jpg", "JPEG", 1), ("a.heic", "HEIF", 1)]
)  # fmt: skip
def test_a_picture_with_wrong_bytes_is_taken_or_refused(staff_client, name, kind, frames):
    chance = random.Random(name)
    for _round in range(15):
        broken = bytearray(noise(kind, frames))
        for _byte in range(5):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        file = SimpleUploadedFile(name, bytes(broken))
        answer = staff_client.post(reverse("wagtailimages:add_multiple"), {"title": "A", "files[]": file}).json()
        assert answer["success"] or "image" in answer["error_message"]


@pytest.mark.parametrize("error", [IndexError, RuntimeError, EOFError, MemoryError, zlib.error])
def test_whatever_a_library_raises_over_a_picture_it_is_refused(staff_client, monkeypatch, error):
    def reencode(file):
        raise error

    monkeypatch.setattr(uploads, "reencode", reencode)
    assert "image" in refusal(staff_client, "a.png", noise("PNG"))


def bomb(kind):
    """A small file that says it is 30000 pixels wide and high, or as many as its kind can be."""
    raw = bytearray(noise(kind))
    if kind == "PNG":
        raw[16:24] = (30000).to_bytes(4, "big") * 2
        raw[29:33] = zlib.crc32(raw[12:29]).to_bytes(4, "big")
    elif kind == "GIF":
        raw[6:10] = (30000).to_bytes(2, "little") * 2
    elif kind == "JPEG":
        size = raw.index(b"\xff\xc0") + 5
        raw[size : size + 4] = (30000).to_bytes(2, "big") * 2
    elif kind == "WEBP":
        raw = bytearray(noise(kind, lossless=False))
        size = raw.index(b"\x9d\x01\x2a") + 3
        raw[size : size + 4] = (16383).to_bytes(2, "little") * 2
    else:
        size = raw.index(b"ispe") + 8
        raw[size : size + 8] = (30000).to_bytes(4, "big") * 2
    return bytes(raw)


@pytest.mark.parametrize(
    ("name", "kind"), [("a.png", "PNG"), ("a.gif", "GIF"), ("a.jpg", "JPEG"), ("a.webp", "WEBP"), ("a.avif", "AVIF"), ("a.heic", "HEIF")]
)  # fmt: skip
def test_a_picture_of_too_many_pixels_is_refused(staff_client, name, kind):
    told = refusal(staff_client, name, bomb(kind))
    assert "too many pixels" in told or (kind in {"AVIF", "HEIF"} and "image" in told), told


def test_an_uploaded_picture_is_written_anew_only_once(staff_client, monkeypatch):
    calls = []
    for module in (uploads, images):
        monkeypatch.setattr(module, "reencode", lambda file: calls.append(file) or reencode(file))
    file = SimpleUploadedFile("a.png", noise("PNG"))
    assert staff_client.post(reverse("wagtailimages:add_multiple"), {"title": "A", "files[]": file}).json()["success"]
    assert len(calls) == 1


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


def test_a_picture_made_of_another_ones_file_leaves_it_alone():
    one = CustomImage.objects.create(title="Finca", file=ImageFile(picture(), "molino.jpg"))
    two = CustomImage.objects.create(title="Copia", file=one.file)
    assert one.file.name != two.file.name
    assert Path(one.file.path).exists()


@pytest.mark.parametrize("name", ["patio.jpg", "secado.heic"])
def test_a_picture_whose_title_is_given_after_the_upload_is_written_anew_too(staff_client, name):
    raw = photograph()
    if name.endswith("heic"):
        notes = Image.Exif()
        notes.get_ifd(GPS)[1] = "N"
        raw = heic("RGB", exif=notes.tobytes())
    upload = {"title": "", "files[]": SimpleUploadedFile(name, raw if isinstance(raw, bytes) else raw.getvalue())}
    number = staff_client.post("/admin/images/multiple/add/", upload).json()["uploaded_file_id"]
    prefix = f"uploaded-image-{number}"
    root = Collection.get_first_root_node().pk
    said = {f"{prefix}-title": "Rosa", f"{prefix}-collection": root, f"{prefix}-description": "Rosa en su casa"}
    answer = staff_client.post(f"/admin/images/multiple/create_from_uploaded_image/{number}/", said)
    assert answer.json()["success"], answer.content
    image = CustomImage.objects.get(title="Rosa")
    with image.file.open() as file, Image.open(file) as kept:
        assert (kept.format, dict(kept.getexif()), kept.size) == ("JPEG", {}, (image.width, image.height))
    assert image.file.name.endswith(".jpg")
    assert image.file_size == image.file.size
    stem = Path(image.file.path)
    assert [each.name for each in stem.parent.glob(f"{Path(name).stem}*")] == [stem.name]
