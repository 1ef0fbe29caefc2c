"""How an edition becomes a mail: every block, as HTML and as text."""

import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from django.core.exceptions import ValidationError
from django.utils import timezone
from wagtail.blocks import StructBlockValidationError

from news.models import ArticlePage
from newsletter import rendering
from newsletter.blocks import GreetingBlock, IssueBlock
from newsletter.models import Campaign
from tests.newsletter.golden_edition import golden_edition

pytestmark = pytest.mark.django_db
FOLDER = Path(__file__).parent / "golden"


@pytest.fixture
def golden(page_of, issue):
    return golden_edition(page_of, ArticlePage.latest(page_of("home").locale_id).last())


def stable(text):
    """A mail without what differs from run to run: the names of stored pictures."""
    return re.sub(r"/media/images/\S+?\.(width-\d+)\S*?\.(jpe?g|png)", r"/media/images/golden.\1.\2", text)


def test_the_golden_edition_holds_every_block(golden):
    assert {block.block_type for block in golden.body} == set(IssueBlock().child_blocks)


@pytest.mark.parametrize("part", ["html", "text"])
def test_the_mail_is_as_it_was(golden, part):
    """Look at the difference; if it is meant, run once with UPDATE_GOLDEN=1."""
    mail = stable(getattr(rendering.render_issue(golden)[""], part))
    file = FOLDER / f"edition.{'html' if part == 'html' else 'txt'}"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(mail)
    assert mail == file.read_text()


def test_every_picture_has_its_size_and_its_words(golden):
    weave, *pictures = BeautifulSoup(rendering.preview(golden).html, "html.parser").find_all("img")
    assert (weave["alt"], weave["width"], weave["height"]) == ("", "600", "32")
    sizes = [(picture["alt"], picture["width"], picture["height"]) for picture in pictures]
    assert sizes == [("El sol sobre el cafetal", "544", "306"), ("Una hoja de café", "272", "272")]
    assert [picture["src"].rpartition(".")[2] for picture in pictures] == ["jpg", "png"]
    assert all(picture["src"].startswith("http://testserver/media/") for picture in pictures)


def test_nothing_is_loaded_from_elsewhere_but_pictures(golden):
    html = rendering.preview(golden).html
    assert "@import" not in html
    assert "<link" not in html
    assert "<script" not in html


def test_the_footer_says_who_where_and_why(golden):
    mail = rendering.preview(golden)
    for part in (mail.html, mail.text):
        assert "Calle del Cafetal 1, San Salvador" in part
        assert "porque se suscribió" in part
        assert "Darme de baja" in part


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>1. Asamblea</p><p># Café - + *</p>", "1. Asamblea\n\n# Café - + *"),
        ('<p>En <a href="https://e.org/a(b)">Quito (Ecuador)</a>.</p>', "En Quito (Ecuador) (https://e.org/a(b))."),
        ('<p><a href="https://e.org/">https://e.org/</a></p>', "https://e.org/"),
        ('<p><a href="mailto:ana@e.org">Escríbanos</a></p>', "Escríbanos (ana@e.org)"),
        ("<p>in<b>clu</b>sión, <i>e</i>quidad</p>", "inclusión, equidad"),
        ("<ol><li>uno</li><li>dos</li></ol><p>a &lt; b &amp; c</p>", " 1. uno\n 2. dos\n\na < b & c"),
        ("<p>uno<br/>dos</p>", "uno\ndos"),
    ],
)
def test_the_text_part_reads_as_it_was_written(html, text):
    assert rendering.plain_text(html) == text


@pytest.mark.parametrize("preheader", ["", "Una muestra de cada bloque.", "x" * 255])
def test_nothing_of_the_body_stands_beside_the_preheader(golden, preheader):
    golden.preheader = preheader
    preview = BeautifulSoup(rendering.preview(golden).html, "html.parser").body.find("div").get_text()
    assert preview.startswith(preheader)
    assert not re.sub(r"[\u034f\u200c\s]", "", preview.removeprefix(preheader))
    assert len(preview) >= 150


@pytest.mark.parametrize(
    ("name", "words"),
    [("Zoë <b>", "Querida, querido Zoë &lt;b&gt;:"), ("", "Queridas amigas y amigos:")],
)
def test_the_greeting_knows_the_name_or_does_without(golden, name, words):
    mail = rendering.preview(golden, name)
    assert words in mail.html
    assert ("Querida, querido Zoë <b>:" if name else words) in mail.text
    assert "@@" not in mail.html + mail.text


def test_the_web_page_greets_nobody_by_name(golden, client):
    html = client.get(golden.url).content.decode()
    assert "Queridas amigas y amigos:" in html
    assert "{name}" not in html


@pytest.mark.parametrize("named", ["Hola", "Hola {nombre}", "{name} {name}"])
def test_a_greeting_needs_a_place_for_the_name(named):
    block = GreetingBlock()
    with pytest.raises((ValidationError, StructBlockValidationError)):
        block.clean(block.to_python({"named": named, "unnamed": "Hola"}))


@pytest.mark.parametrize("mode", ["mail", "dark", "text", "source"])
def test_it_is_previewed_as_it_arrives(golden, mode):
    response = golden.make_preview_request(preview_mode=mode)
    html = response.content.decode()
    assert "Hasta pronto." in html
    assert ("prefers-color-scheme" in html) == (mode in {"mail", "source"})
    assert "default-src 'none'" in response["Content-Security-Policy"]


def news(issue, since_last):
    """The titles in a list of the latest news of an edition."""
    value = issue.body.stream_block.child_blocks["news"].to_python({"since_last": since_last, "latest": 10})
    return [article.title for article in value.articles(issue)]


def test_news_since_the_last_edition(golden, issue):
    started = timezone.now() - timedelta(days=30)
    articles = list(ArticlePage.objects.filter(locale=golden.locale).order_by("pk"))
    ArticlePage.objects.update(first_published_at=started - timedelta(days=1))
    ArticlePage.objects.filter(pk=articles[0].pk).update(first_published_at=started + timedelta(days=1))
    assert len(news(golden, since_last=True)) == len(articles)
    Campaign.objects.create(issue=issue, state="sent", started_at=started)
    assert news(golden, since_last=True) == [articles[0].title]
    assert len(news(golden, since_last=False)) == len(articles)


def test_the_news_of_a_sent_edition_stay_what_they_were(golden):
    Campaign.objects.create(issue=golden, state="sent", started_at=timezone.now())
    before = news(golden, since_last=False)
    article = ArticlePage.objects.filter(locale=golden.locale).first()
    ArticlePage.objects.filter(pk=article.pk).update(first_published_at=timezone.now() + timedelta(days=1))
    assert news(golden, since_last=False) == [title for title in before if title != article.title]
