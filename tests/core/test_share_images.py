"""The pictures that social networks show beside a shared page."""

import re
from io import BytesIO

import pytest
from core import share_images
from core.images import CustomImage
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops
from wagtail.models import Page

TITLES = st.one_of(
    st.text(max_size=255),
    st.text("WM—ÑÇ", max_size=255),
    st.lists(st.sampled_from(["ASAMBLEA", "café", "de", "Desenvolvimento", "CONVOCATORIA:"])).map(" ".join),
).map(lambda title: title[:255])


def brightness(title):
    return Image.open(BytesIO(share_images.draw(title, "CLAC"))).convert("L")


@pytest.fixture(scope="module")
def blank():
    return brightness("")


@given(TITLES)
@settings(max_examples=40, deadline=None)
def test_no_title_leaves_its_box(blank, title):
    # 100 of 255: the colours of everything else differ a little, as the picture has only 32.
    ink = ImageChops.subtract(brightness(title), blank).point(lambda level: 255 if level > 100 else 0).getbbox()
    left, top, right, bottom = share_images.TITLE_BOX
    assert ink is None or (ink[0] >= left and ink[1] >= top and ink[2] <= right and ink[3] <= bottom)


@pytest.mark.django_db
def test_every_title_of_the_site_is_drawn_whole():
    titles = [*Page.objects.filter(depth__gt=1).values_list("title", flat=True)]
    titles.append("CONVOCATORIA: ASAMBLEA GENERAL DE COORDINADORAS NACIONALES")
    for title in titles:
        assert " ".join(share_images.fit(title)[1]) == title


def test_a_word_longer_than_a_line_is_hyphenated():
    word = "Anticonstitucional" * 8
    _font, lines = share_images.fit(word)
    assert len(lines) > 1
    assert all(line.endswith("-") for line in lines[:-1])
    assert "".join(line.removesuffix("-") for line in lines) == word


def properties(client, page):
    """The page's og:image properties."""
    return dict(re.findall(r'property="og:(image[:a-z]*)" content="([^"]*)"', client.get(page.url).text))


@pytest.mark.django_db
def test_a_drawn_picture_has_size_and_text(client, page_of):
    page = page_of("mission")
    address = f"http://testserver/share/{page.pk}.png"
    assert properties(client, page) == {
        "image": address, "image:width": "1200", "image:height": "630", "image:alt": page.title
    }  # fmt: skip


@pytest.mark.django_db
def test_an_article_is_shared_with_its_lead_picture(client, page_of, run_tasks):
    article, image = page_of("article-assembly"), CustomImage.objects.first()
    article.lead_image = [("image", image)]
    article.lead_image[0].value.contextual_alt_text = "Una asamblea"
    article.save_revision().publish()
    run_tasks()
    shown = properties(client, article)
    rendition = image.renditions.get(filter_spec="fill-1200x630|format-jpeg")
    assert shown == {
        "image": f"http://testserver{rendition.url}",
        "image:width": str(rendition.width),
        "image:height": str(rendition.height),
        "image:alt": "Una asamblea",
    }
