"""New editions: from the news that were not sent, from the last one, from a template, and by themselves."""

import re
from datetime import UTC, date, datetime

import pytest
from core import i18n
from django.core import mail
from django.urls import reverse
from django.utils.translation import override
from editorial import roles
from jobs import clock

from news.models import ArticlePage
from newsletter import tasks
from newsletter.editions import digest, drafts, rendering
from newsletter.models import Campaign, IssuePage, IssueTemplate
from tests.factories import person, send

pytestmark = pytest.mark.django_db


@pytest.fixture
def published(page_of):
    """Publish an article in Spanish now: `published("Title")`."""

    def publish(title):
        article = ArticlePage(title=title, introduction="-", locale=page_of("news").locale)
        page_of("news").add_child(instance=article)
        article.save_revision().publish()
        return ArticlePage.objects.get(pk=article.pk)

    return publish


@pytest.fixture
def editor(client):
    """A browser of somebody of the role Boletín, in English."""
    client.force_login(person(roles.NEWSLETTER_MANAGER, "en"))
    return client


def newest():
    return IssuePage.objects.filter(locale__language_code="es").order_by("-pk").first()


def begin(client, way, *args):
    return client.post(reverse(f"newsletter_issue_new_from_{way}", args=args), follow=True)


# From the news


def test_the_news_since_the_last_edition_are_those_published_since_it_was_begun(
    staff_client, page_of, issue, subscribe, published
):
    subscribe("ana@example.org")
    issue.save_revision().publish()
    while_written = published("Published while the edition was written")
    issue.body = [("news", issue.body.stream_block.child_blocks["news"].normalize({"chosen": [while_written]}))]
    issue.save_revision().publish()
    left_out = published("Left out of the edition")
    send(staff_client, issue)
    since = published("Published since")
    assert drafts.unsent_articles(issue.locale) == [since, left_out]


def test_an_edition_from_the_news_is_a_draft_in_every_language_with_the_articles(editor, page_of, issue, subscribe):
    assert "Seis objetivos" in editor.get(reverse("newsletter_issue_new")).text
    html = begin(editor, "news").text
    assert "The edition was drafted, and its translations into 2 other languages." in html
    pages = newest().get_translations(inclusive=True)
    assert {(page.locale.language_code, page.live) for page in pages} == {
        ("es", False),
        ("en", False),
        ("pt-br", False),
    }
    english = pages.get(locale__language_code="en")
    with override("en"):
        assert ArticlePage.latest(english.locale).first().title in rendering.preview(english).text


def test_an_article_that_is_not_translated_is_missing_in_the_translated_edition_only(editor, published, issue):
    published("Solo en español")
    begin(editor, "news")
    spanish, english = newest(), newest().get_translations().get(locale__language_code="en")
    assert "Solo en español" in rendering.preview(spanish).text
    with override("en"):
        assert "Solo en español" not in rendering.preview(english).text


def test_without_news_nothing_is_drafted(editor, staff_client, issue, subscribe):
    subscribe("ana@example.org")
    issue.save_revision().publish()
    send(staff_client, issue)
    editor.force_login(person(roles.NEWSLETTER_MANAGER, "en"))
    before = IssuePage.objects.count()
    assert "There is no unsent news. Nothing was made." in begin(editor, "news").text
    assert IssuePage.objects.count() == before


def test_an_editor_drafts_translations_where_they_may_add_pages(client, issue):
    client.force_login(person(roles.EDITOR, "en"))
    begin(client, "news")
    assert newest().get_translations().count() == 2


def test_translators_begin_in_their_own_language(client, page_of):
    client.force_login(person(roles.TRANSLATORS["en"], "en"))
    assert f"/admin/pages/add/newsletter/issuepage/{page_of('newsletter', 'en').pk}/" in client.get("/admin/").text
    assert begin(client, "news").redirect_chain[-1][0] == reverse("wagtailadmin_home")
    assert newest().title == "Conozca a CLAC"


# From the last one


def test_a_copy_of_the_last_edition_is_a_draft_that_was_never_sent(staff_client, issue, subscribe):
    subscribe("ana@example.org")
    send(staff_client, issue)
    html = begin(staff_client, "last").text
    assert "This is a copy of “Conozca a CLAC”." in html
    copy = newest()
    assert (copy.title, copy.live, copy.first_published_at) == ("Copia de Conozca a CLAC", False, None)
    assert copy.body.raw_data[0]["value"] == issue.body.raw_data[0]["value"]
    assert copy.translation_key != issue.translation_key
    assert not copy.starter_content
    assert "has been sent before" not in staff_client.get(reverse("newsletter_issue_send", args=[copy.pk])).text


# Templates


def test_an_edition_saved_as_a_template_begins_new_ones(editor, issue):
    issue.subject = "Draft subject"
    issue.save_revision()
    url = reverse("newsletter_issue_save_template", args=[issue.pk])
    assert 'value="Conozca a CLAC"' in editor.get(url).text
    assert "The template “Monthly” was saved." in editor.post(url, {"name": "Monthly"}, follow=True).text
    assert "already exists" in editor.post(url, {"name": "Monthly"}).text
    template = IssueTemplate.objects.get()
    assert "Monthly" in editor.get(reverse("newsletter_issue_new")).text
    begin(editor, "template", template.pk)
    draft = newest().get_latest_revision_as_object()
    assert (draft.title, draft.subject, draft.live) == ("Monthly", "Draft subject", False)
    assert [block.block_type for block in draft.body] == [block.block_type for block in issue.body]


def test_templates_are_renamed_and_deleted_after_a_question(editor):
    template = IssueTemplate.objects.create(name="Old")
    assert "Old" in editor.get(reverse("edition-templates:index")).text
    editor.post(reverse("edition-templates:edit", args=[template.pk]), {"name": "New"})
    template.refresh_from_db()
    assert template.name == "New"
    url = reverse("edition-templates:delete", args=[template.pk])
    assert "Are you sure" in editor.get(url).text
    editor.post(url)
    assert not IssueTemplate.objects.exists()


# By itself


@pytest.fixture
def day(monkeypatch):
    """Set the day of the database's clock: `day(2026, 12, 1)`."""

    def set_day(*parts):
        monkeypatch.setattr(clock, "now", lambda: datetime(*parts, 12, tzinfo=UTC))

    return set_day


def repeat(client, **fields):
    return client.post(reverse("newsletter_digest"), {"frequency": "", "template": ""} | fields, follow=True).text


@pytest.mark.parametrize(
    ("frequency", "saved", "due"),
    [
        ("monthly", date(2026, 11, 28), date(2026, 12, 1)),
        ("monthly", date(2026, 12, 31), date(2027, 1, 1)),
        ("weekly", date(2026, 11, 28), date(2026, 11, 30)),
    ],
)
def test_the_edition_is_drafted_when_the_next_week_or_month_begins(editor, issue, day, frequency, saved, due):
    day(saved.year, saved.month, saved.day)
    with override("en"):
        assert f"The next one will be drafted on {i18n.local_date(due)}." in repeat(editor, frequency=frequency)
    assert digest.draft_due() is None
    day(due.year, due.month, due.day)
    drafted = digest.draft_due()
    assert not drafted.live
    assert digest.draft_due() is None


def test_those_who_may_send_are_told_of_the_draft(editor, issue, day, run_tasks):
    day(2026, 11, 28)
    repeat(editor, frequency="monthly")
    person(roles.EDITOR)
    day(2026, 12, 1)
    tasks.draft_digest()
    run_tasks()
    (message,) = mail.outbox
    assert message.to == [person(roles.NEWSLETTER_MANAGER).email]
    assert message.subject == f"An edition was drafted: “{newest()}”"
    assert reverse("wagtailadmin_pages:edit", args=[newest().pk]) in message.body
    assert not Campaign.objects.exists()


def test_without_news_the_month_passes_without_a_draft(editor, staff_client, issue, subscribe, published, day):
    subscribe("ana@example.org")
    issue.save_revision().publish()
    send(staff_client, issue)
    day(2026, 11, 28)
    repeat(staff_client, frequency="monthly")
    day(2026, 12, 1)
    assert digest.draft_due() is None
    published("Too late for December")
    assert digest.draft_due() is None
    day(2027, 1, 1)
    assert digest.draft_due() is not None


def test_the_news_come_where_the_template_has_them(editor, issue, day):
    template = drafts.save_template(issue, "Monthly")
    day(2026, 11, 28)
    repeat(editor, frequency="monthly", template=template.pk)
    day(2026, 12, 1)
    drafted = digest.draft_due()
    assert [block.block_type for block in drafted.body] == [block.block_type for block in issue.body]
    (news,) = [block.value for block in drafted.body if block.block_type == "news"]
    assert [article.pk for article in news["chosen"]] == [one.pk for one in drafts.unsent_articles(issue.locale)]


def test_an_edition_that_never_repeats_is_not_drafted(editor, issue, day):
    day(2026, 11, 28)
    repeat(editor, frequency="monthly")
    repeat(editor)
    day(2026, 12, 1)
    assert digest.draft_due() is None


# The editor


def test_the_editor_of_an_edition_leads_to_its_sending_for_those_who_may(client, issue):
    edit, link = reverse("wagtailadmin_pages:edit", args=[issue.pk]), reverse("newsletter_issue_send", args=[issue.pk])
    seen = {}
    for role in (roles.NEWSLETTER_MANAGER, roles.EDITOR):
        client.force_login(person(role, "en"))
        html = client.get(edit).text
        seen[role.name] = bool(re.search(rf'class="button button-secondary"\s+href="{link}"', html))
    assert seen == {"Boletín": True, "Edición": False}


def test_an_empty_edition_names_the_other_ways_to_begin(editor, page_of):
    url = reverse("wagtailadmin_pages:add", args=["newsletter", "issuepage", page_of("newsletter").pk])
    assert reverse("newsletter_issue_new") in editor.get(url).text
