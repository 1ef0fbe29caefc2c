"""How an edition becomes a mail: every block, as HTML and as text."""

import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import DataError
from django.urls import reverse
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from wagtail.blocks import StructBlockValidationError
from wagtail.rich_text import RichText
from wagtail.test.utils.form_data import nested_form_data, rich_text, streamfield

from news.models import ArticlePage
from newsletter.campaigns import lifecycle
from newsletter.editions import rendering
from newsletter.editions.blocks import GreetingBlock, IssueBlock
from newsletter.models import Campaign
from tests.factories import send
from tests.newsletter.editions.snapshot_edition import snapshot_edition

pytestmark = pytest.mark.django_db
FOLDER = Path(__file__).parent / "snapshots"


@pytest.fixture
def golden(page_of, issue):
    return snapshot_edition(page_of, ArticlePage.latest(page_of("home").locale_id).last())


def stable(text):
    """A mail without what differs from run to run: the names of stored pictures."""
    return re.sub(r"/media/images/\S+?\.(width-\d+)\S*?\.(jpe?g|png)", r"/media/images/golden.\1.\2", text)


def test_the_snapshot_edition_holds_every_block(golden):
    assert {block.block_type for block in golden.body} == set(IssueBlock().child_blocks)


@pytest.mark.parametrize("part", ["html", "text"])
def test_the_mail_is_as_it_was(golden, part):
    """Look at the difference; if it is meant, run once with UPDATE_SNAPSHOTS=1."""
    mail = stable(getattr(rendering.render_issue(golden)[""], part))
    file = FOLDER / f"edition.{'html' if part == 'html' else 'txt'}"
    if os.environ.get("UPDATE_SNAPSHOTS"):
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
        ('<p><a href="mailto:ana@e.org?subject=Feria">Escríbanos</a></p>', "Escríbanos (ana@e.org)"),
        ('<p><a href="mailto:ana@e.org">Escriba a ana@e.org</a></p>', "Escriba a ana@e.org"),
        ('<p><a href="tel:+50322221111">Llámenos</a></p>', "Llámenos (+50322221111)"),
        ('<p>Ver<a href="https://e.org/"> el acta </a>y más</p>', "Ver el acta (https://e.org/) y más"),
        ('<p><a href="https://e.org">https://e.org/acta</a></p>', "https://e.org/acta (https://e.org)"),
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


# An edition that cannot be made into a mail


CONTROL_CHARACTERS = ["\0", "\x01", "\x0b", "\x1f", "\ufffe"]


def edit_form(issue, words):
    """What the editor's form of an edition sends, with `words` in each of its texts."""
    body = streamfield([("heading", words), ("text", rich_text(f"<p>{words}</p>"))])
    comments = {"TOTAL_FORMS": "0", "INITIAL_FORMS": "0"}
    return nested_form_data(
        {"title": words, "slug": issue.slug, "subject": words, "subject_b": words, "preheader": words, "body": body,
         "pattern": issue.pattern, "share_image": "", "seo_title": words, "search_description": words,
         "comments": comments, "go_live_at": "", "expire_at": "", "action-publish": "1"}
    )  # fmt: skip


@pytest.mark.parametrize("character", CONTROL_CHARACTERS)
def test_control_characters_are_dropped_where_an_editor_pastes_them(staff_client, issue, character):
    page = staff_client.post(
        reverse("wagtailadmin_pages:edit", args=[issue.pk]), edit_form(issue, f"Co{character}secha"), follow=True
    )
    assert "published" in page.text
    issue.refresh_from_db()
    assert [issue.title, issue.subject, issue.subject_b, issue.preheader, issue.search_description] == ["Cosecha"] * 5
    assert str(issue.body[0].value) == "Cosecha"
    assert "Cosecha" in issue.body[1].value.source


@pytest.mark.parametrize("character", CONTROL_CHARACTERS[1:])
def test_control_characters_that_are_there_already_are_left_out_of_the_mail(
    staff_client, issue, subscribe, run_tasks, character
):
    words = f"Co{character}secha"
    issue.body = [("heading", words), ("text", RichText(f"<p>{words}</p>"))]
    issue.title = issue.subject = issue.preheader = words
    issue.save_revision().publish()
    subscribe("ana@example.org")
    for mode in ("mail", "text"):
        assert (
            "Cosecha"
            in staff_client.get(
                reverse("newsletter_issue_mail", args=[issue.pk]), {"mode": mode, "language": "es", "width": "760"}
            ).text
        )
    send(staff_client, issue)
    run_tasks()
    (message,) = mail.outbox
    assert "Cosecha" in message.alternatives[0][0]


@pytest.fixture
def unrenderable(issue, monkeypatch):
    """An edition whose second block cannot be made into a mail: its template is broken."""
    issue.body = [("heading", "Bien"), ("quote", {"text": "Mal", "source": ""})]
    issue.save_revision().publish()
    whole = rendering.render_to_string

    def with_a_broken_quote(template, context):
        mjml = whole(template, context)
        return mjml.replace("Mal", "<mj-text>") if template.endswith(".mjml") else mjml

    monkeypatch.setattr(rendering, "render_to_string", with_a_broken_quote)
    return issue


def test_which_block_cannot_be_made_into_a_mail_is_said_wherever_it_matters(staff_client, unrenderable, subscribe):
    subscribe("ana@example.org")
    words = "Español: block 2, “Quotation”, cannot be made into a mail"
    mail_url = reverse("newsletter_issue_mail", args=[unrenderable.pk])
    assert words in staff_client.get(mail_url, {"mode": "mail", "language": "es", "width": "760"}).text
    send_url = reverse("newsletter_issue_send", args=[unrenderable.pk])
    page = staff_client.get(send_url).text
    assert words in page
    assert "Continue…" not in page
    page = staff_client.post(send_url, {"email": "ana@example.org", "languages": ["es"]}, follow=True).text
    assert f"The test could not be sent: {words}" in page
    edit = reverse("wagtailadmin_pages:view_draft", args=[unrenderable.pk])
    assert "(OSError:" in staff_client.get(edit, {"mode": "mail"}).text  # in the language of the edition


def test_a_planned_edition_that_cannot_be_made_into_a_mail_waits_and_the_others_go(
    page_of, unrenderable, subscribe, staff_client, settings
):
    settings.ALERT_EMAILS = ["ops@example.org"]
    subscribe("ana@example.org")
    other = unrenderable.copy(update_attrs={"slug": "otra", "title": "Otra"})
    other.body = [("heading", "Bien")]
    other.save_revision().publish()
    now = timezone.now()
    first, second = (
        Campaign.objects.create(issue=page, state="scheduled", scheduled_at=now) for page in (unrenderable, other)
    )
    assert lifecycle.start_due() == [second]
    assert lifecycle.start_due() == []
    first.refresh_from_db()
    assert (first.state, first.problem) == ("draft", "broken")
    assert "block 2, “Quotation”" in staff_client.get(reverse("newsletter_issue_send", args=[unrenderable.pk])).text
    assert DBTaskResult.objects.filter(task_path__endswith="send_alert_email").count() == 1


def test_a_planned_edition_that_the_database_refuses_waits_and_the_others_go(issue, subscribe, monkeypatch):
    subscribe("ana@example.org")
    freeze, now = lifecycle.freeze, timezone.now()
    first, second = (Campaign.objects.create(issue=issue, state="scheduled", scheduled_at=now) for _each in range(2))

    def refuse(campaign):
        if campaign.pk == first.pk:
            raise DataError("value too long for type character varying(2000)")
        return freeze(campaign)

    monkeypatch.setattr(lifecycle, "freeze", refuse)
    assert lifecycle.start_due() == [second]
    first.refresh_from_db()
    assert (first.state, first.problem) == ("draft", "broken")


def test_taking_over_an_edition_that_cannot_be_made_into_a_mail_says_so(staff_client, unrenderable, subscribe):
    subscribe("ana@example.org")
    campaign = Campaign.objects.create(issue=unrenderable, state="paused", started_at=timezone.now())
    page = staff_client.post(reverse("newsletter_campaign_correct", args=[campaign.pk]), follow=True).text
    assert "block 2, “Quotation”" in page
    campaign.refresh_from_db()
    assert campaign.state == "paused"
