"""The blocks of pages as readers and editors meet them."""

import pytest
from core import countries, embeds
from core.blocks import BodyBlock, GalleryBlock, MapBlock, PictureBlock, VideoBlock
from core.images import CustomImage
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.translation import override

from home.models import ContentPage

pytestmark = pytest.mark.django_db


@pytest.fixture
def image():
    return CustomImage.objects.first()


def picture(image, **fields):
    return {"image": {"image": image.pk, "alt_text": "Un tejido", "decorative": False, **fields}, "caption": ""}


@pytest.mark.parametrize(
    ("address", "frame"),
    [
        ("https://www.youtube.com/watch?v=aqz-KE-bpKQ", "https://www.youtube-nocookie.com/embed/aqz-KE-bpKQ"),
        ("https://www.youtube.com/watch?list=x&v=aqz-KE-bpKQ&t=3", "https://www.youtube-nocookie.com/embed/aqz-KE-bpKQ"),
        ("https://youtu.be/aqz-KE-bpKQ?si=x", "https://www.youtube-nocookie.com/embed/aqz-KE-bpKQ"),
        ("https://vimeo.com/76979871", "https://player.vimeo.com/video/76979871"),
        ("https://archive.org/details/BigBuckBunny_124", "https://archive.org/embed/BigBuckBunny_124"),
    ],
)  # fmt: skip
def test_known_places_are_framed_from_an_address_without_cookies(address, frame):
    assert embeds.find(address).frame_url.startswith(frame)


@pytest.mark.parametrize("address", ["https://evil.example/watch?v=aqz-KE-bpKQ", "https://youtube.com.evil.example/x"])
def test_other_places_are_refused_with_the_known_ones(address):
    block = VideoBlock()
    with pytest.raises(ValidationError) as refusal, override("es"):
        block.clean(block.to_python({"address": address, "title": "x", "picture": None}))
    assert "YouTube" in str(refusal.value.block_errors["address"])


def test_every_frame_is_allowed_by_the_policy(settings):
    hosts = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]["frame-src"]
    assert all(any(frame.startswith(host) for host in hosts) for _name, _pattern, frame in embeds.PROVIDERS)


def test_a_video_asks_nobody_before_the_click():
    block = VideoBlock()
    value = block.to_python({"address": "https://youtu.be/aqz-KE-bpKQ", "title": "La cosecha", "picture": None})
    html = block.render(value)
    assert "<iframe" not in html
    assert "src=" not in html
    assert 'href="https://youtu.be/aqz-KE-bpKQ"' in html


def test_alternative_text_is_asked_for_unless_the_picture_is_called_decorative(image):
    block = PictureBlock()
    with pytest.raises(ValidationError):
        block.clean(block.to_python(picture(image, alt_text="")))
    cleaned = block.clean(block.to_python(picture(image, alt_text="", decorative=True)))
    assert 'alt=""' in block.render(cleaned)


def shown(block, value, run_tasks):
    """What a block renders once a worker has made the renditions."""
    block.render(block.to_python(value))
    run_tasks()
    return block.render(block.to_python(value))


def test_pictures_come_in_three_formats_with_widths_and_sizes(image, run_tasks):
    block = PictureBlock()
    html = shown(block, picture(image), run_tasks)
    for part in ('type="image/avif"', 'type="image/webp"', "400w", "sizes=", "width=", "height=", 'loading="lazy"'):
        assert part in html


def test_a_gallery_shows_each_picture_and_leads_to_it_larger(image, run_tasks):
    block = GalleryBlock()
    html = shown(block, {"rows": [picture(image), picture(image)]}, run_tasks)
    assert html.count("<figure>") == 2
    assert html.count("width-1600") == 2


def test_the_map_marks_countries_and_lists_them_in_the_readers_order():
    block = MapBlock()
    value = block.to_python({"figures": [{"number": "3", "label": "países"}], "countries": ["PE", "BR", "EC"]})
    with override("pt-br"):
        html = block.render(value)
    assert html.count('class="is-member"') == 3
    assert html.index("Brasil") < html.index("Equador") < html.index("Peru")
    assert 'role="img"' in html


def test_every_country_has_its_place_on_the_map():
    assert set(countries.COUNTRIES) == set(countries.outlines()["countries"])


def test_the_starter_map_marks_no_country(client, page_of):
    html = client.get(page_of("about").url).content.decode()
    assert "<svg viewBox" in html
    assert 'class="is-member"' not in html


def test_every_block_has_an_icon_and_a_label():
    for name, block in BodyBlock().child_blocks.items():
        assert block.meta.icon != "placeholder", name
        assert str(block.label), name


@pytest.mark.parametrize("stream", ["core.blocks.BodyBlock", "newsletter.editions.blocks.IssueBlock"])
@pytest.mark.parametrize("language", ["es", "en", "pt-br"])
def test_every_block_has_an_icon_a_description_and_a_preview(page_of, stream, language):
    for name, block in import_string(stream)().child_blocks.items():
        with override(language):
            assert block.meta.icon != "placeholder", name
            assert block.get_description(), name
            assert block.is_previewable, name
            assert len(block.render(block.get_preview_value(), {"page": page_of("issue-welcome")})) > 10, name


def test_a_preview_looks_like_the_site(staff_client):
    block = ContentPage._meta.get_field("body").stream_block.child_blocks["pillars"]
    html = staff_client.get(reverse("wagtailadmin_block_preview"), {"id": block.definition_prefix}).text
    assert "css/site.css" in html
    assert '<ol class="pillars">' in html
