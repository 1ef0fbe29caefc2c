"""What is found before an edition is sent."""

import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import dns.message
import dns.rdatatype
import dns.resolver
import dns.rrset
import pytest
from core.models import SiteSettings
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override
from editorial import link_checker, roles

from news.models import ArticlePage
from newsletter.editions import checks, rendering
from newsletter.models import Campaign, Segment
from tests.factories import confirmation, person
from tests.nameserver import NameServer

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    """Without a name server unless a test brings its own: nothing beyond this machine is asked."""
    monkeypatch.setattr(link_checker, "resolver", lambda: dns.resolver.Resolver(configure=False))


@pytest.fixture(autouse=True)
def _in_english():
    with override("en"):
        yield


@pytest.fixture
def reader(subscribe):
    return subscribe("ana@example.org")


def texts(issue, level, **options):
    return [finding.text for finding in checks.run_checks(issue, **options) if finding.level == level]


def change(page, **fields):
    """Change a page and publish it."""
    for name, value in fields.items():
        setattr(page, name, value)
    page.save_revision().publish()
    return page


def add_text(page, html):
    """Publish a page with a further paragraph."""
    return change(page, body=[*[(block.block_type, block.value) for block in page.body], ("text", html)])


def rich(html):
    from wagtail.rich_text import RichText

    return RichText(html)


def test_the_starter_edition_can_go_out(issue, reader):
    assert texts(issue, checks.BLOCKS) == texts(issue, checks.WARNS) == []
    assert texts(issue, checks.TELLS)  # that the DNS could not be asked


def test_nothing_published_blocks(issue, reader, page_of):
    for language in ("es", "en", "pt-br"):
        page_of("issue-welcome", language).unpublish()
    assert "The edition is not published in any language." in texts(issue, checks.BLOCKS)


def test_nobody_in_the_audience_blocks(issue, subscribe):
    subscribe("ana@example.org", country="PE")
    nobody = Segment.objects.create(name="Chile", conditions=[("country", ["CL"])])
    assert texts(issue, checks.BLOCKS) == []
    assert texts(issue, checks.BLOCKS, segment=nobody) == ["Nobody would get it: the audience is empty."]


def test_a_missing_postal_address_blocks(issue, reader):
    SiteSettings.objects.update(postal_address=" ")
    assert "postal address" in texts(issue, checks.BLOCKS)[0]


def test_languages_that_are_missing_unpublished_or_behind_are_warned_of(issue, reader, page_of):
    page_of("issue-welcome", "en").unpublish()
    page_of("issue-welcome", "pt-br").delete()
    assert texts(issue, checks.WARNS) == [
        "English: not published. Its readers get another language.",
        "Português: not translated. Its readers get another language.",
    ]


def test_a_draft_that_is_newer_is_warned_of(issue, reader):
    issue.title = "Otro título"
    issue.save_revision()
    assert "Español: there are changes that are not published. They will not be sent." in texts(issue, checks.WARNS)


def test_an_original_that_was_changed_after_its_translations_is_warned_of(issue, reader):
    change(issue, preheader="Otra línea.")
    assert [text for text in texts(issue, checks.WARNS) if "English: not translated completely" in text]


def test_an_empty_preheader_and_a_long_subject_are_warned_of(issue, reader):
    change(issue, preheader="", subject="Un asunto " * 9)
    found = " ".join(texts(issue, checks.WARNS))
    assert "the preheader is empty" in found
    assert "the subject is long" in found


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("/es/no-existe/", "missing or not published"),
        ("pagina.html", "does not begin with https://"),
        ("javascript:alert(1)", "does not begin with https://"),
        ("http://testserver/media/no.pdf", "there is no such file"),
    ],
)
def test_a_link_that_leads_nowhere_blocks(issue, reader, address, problem):
    add_text(issue, rich(f'<p><a href="{address}">aquí</a></p>'))
    (found,) = texts(issue, checks.BLOCKS)
    assert "“aquí”" in found
    assert problem in found


def test_links_that_lead_somewhere_are_fine(issue, reader):
    add_text(issue, rich('<p><a href="/es/quienes-somos/">1</a> <a href="mailto:a@example.org">2</a></p>'))
    assert texts(issue, checks.BLOCKS) == []


def test_too_many_letters_for_gmail_block(issue, reader):
    add_text(issue, rich("<p>" + "Larga es la carta. " * 3600 + "</p>"))
    assert "close to the 102" in " ".join(texts(issue, checks.WARNS))
    add_text(issue, rich("<p>" + "Larga es la carta. " * 2600 + "</p>"))
    assert "Gmail cuts it off" in texts(issue, checks.BLOCKS)[0]


def test_pictures_without_words_block_and_heavy_ones_are_warned_of(issue, reader, monkeypatch):
    from tests.newsletter.editions.snapshot_edition import drawing

    image = drawing("JPEG", (900, 600), "Cafetal")
    raw = {"type": "picture", "value": {"image": {"image": image.pk, "alt_text": "", "decorative": False}}}
    issue.body = issue.body.stream_block.to_python([raw])
    issue.save_revision().publish()
    monkeypatch.setattr(checks, "MAX_PICTURE_BYTES", 100)
    assert "the picture “Cafetal” has no alternative text" in texts(issue, checks.BLOCKS)[0]
    assert "too much for a slow connection" in " ".join(texts(issue, checks.WARNS))


@pytest.fixture
def untranslated(page_of):
    """The English edition with a heading over a list of one article, which exists in Spanish only."""
    article = ArticlePage(title="La cosecha", introduction="-", locale=page_of("news").locale)
    page_of("news").add_child(instance=article)
    page = page_of("issue-welcome", "en")
    news = page.body.stream_block.child_blocks["news"].normalize({"chosen": [article.page_ptr]})
    return change(page, body=[("heading", "From the field"), ("news", news), ("text", rich("<p>Bye</p>"))])


def test_an_article_that_readers_of_a_language_do_not_get_is_named(issue, reader, untranslated):
    assert "English: the list of news leaves out the article “La cosecha”, which is not translated." in texts(
        issue, "warns"
    )
    mail = rendering.preview(untranslated)
    assert "From the field" not in mail.html + mail.text
    assert "Bye" in mail.html


def test_who_may_not_translate_the_article_learns_whom_to_ask(client, issue, reader, untranslated, staff_client):
    url = reverse("newsletter_issue_send", args=[issue.pk])
    assert "/localize/submit/page/" in staff_client.get(url).text
    client.force_login(person(roles.NEWSLETTER_MANAGER, "en"))
    html = client.get(url).text
    assert "/localize/submit/page/" not in html
    assert "Ask whoever runs the site: Translate the article." in html
    for role in (roles.ADMINISTRATOR, roles.EDITOR):
        person(role)
    assert "Ask someone of Administration or Editing: Translate the article." in client.get(url).text


def test_a_list_of_news_can_be_left_out_in_one_language_and_shown_again(client, issue, reader, untranslated):
    article = ArticlePage.objects.filter(locale=untranslated.locale, live=True).first()
    news = untranslated.body.stream_block.child_blocks["news"].normalize({"chosen": [article.page_ptr]})
    change(untranslated, body=[("heading", "From the field"), ("news", news)])
    assert article.title in rendering.preview(untranslated).html
    client.force_login(person(roles.NEWSLETTER_MANAGER, "en"))
    block = untranslated.body[1].id
    leave_out = reverse("newsletter_issue_leave_out", args=[untranslated.pk, block])
    client.post(leave_out)
    mail = rendering.preview(untranslated)
    assert article.title not in mail.html + mail.text
    assert "From the field" not in mail.html
    assert article.title not in client.get(untranslated.url).text.partition("<main")[2]
    assert "English: a list of news is left out." in texts(issue, "tells")
    client.post(f"{leave_out}?again")
    assert article.title in rendering.preview(untranslated).html


def test_only_a_list_of_news_can_be_left_out_by_those_who_publish_the_edition(client, issue, untranslated):
    client.force_login(person(roles.NEWSLETTER_MANAGER, "en"))
    heading = untranslated.body[0].id
    assert client.post(reverse("newsletter_issue_leave_out", args=[untranslated.pk, heading])).status_code == 404
    editor = person(roles.EDITOR, "en")
    editor.user_permissions.add(Permission.objects.get(codename="add_campaign"))
    client.force_login(editor)
    url = reverse("newsletter_issue_leave_out", args=[untranslated.pk, untranslated.body[1].id])
    client.post(url)
    assert not untranslated.left_out_lists.exists()


def test_what_was_sent_before_or_only_just_is_warned_of(issue, reader, page_of):
    Campaign.objects.create(issue=issue, started_at=timezone.now() - timedelta(days=9))
    assert "was sent before, 1\xa0week, 2\xa0days ago" in texts(issue, checks.WARNS)[0]
    other = page_of("newsletter").add_child(
        instance=type(issue)(title="Otra", slug="otra", locale=issue.locale, body=[("heading", "Hola")])
    )
    Campaign.objects.create(issue=other, started_at=timezone.now() - timedelta(hours=3))
    assert "“Otra”, was sent only 3\xa0hours ago" in texts(issue, checks.WARNS)[1]


def test_a_provider_that_cannot_be_reached_is_warned_of(issue, reader, settings):
    settings.EMAIL_BACKEND = "newsletter.delivery.smtp_backend.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    assert "The provider cannot be reached now" in texts(issue, checks.WARNS)[0]


# The sender, with a real name server


@pytest.fixture
def zone(monkeypatch, settings):
    """The records of a name server of this test's own: {name: text}."""
    settings.EMAIL_PROVIDER, settings.DKIM_SELECTOR = "smtp", "k1"
    with NameServer() as server:
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port, resolver.lifetime = ["127.0.0.1"], server.port, 2
        monkeypatch.setattr(link_checker, "resolver", lambda: resolver)
        yield server.records


RECORDS = {
    "example.org.": "v=spf1 include:mailgun.org ~all",
    "_dmarc.example.org.": "v=DMARC1; p=quarantine",
    "k1._domainkey.example.org.": "k=rsa; p=MIGf",
}


def test_a_sender_with_all_its_records_is_fine(zone):
    zone |= RECORDS
    assert link_checker.is_online()
    assert checks.sender_records() == []


@pytest.mark.parametrize(("missing", "kind"), list(zip(RECORDS, ["SPF", "DMARC", "DKIM"], strict=True)))
def test_a_sender_without_one_is_warned_of(zone, missing, kind):
    zone |= {name: text for name, text in RECORDS.items() if name != missing}
    (found,) = checks.sender_records()
    assert f"no {kind} record ({missing.rstrip('.')})" in found.text
    assert found.level == checks.WARNS


def test_dkim_without_its_selector_is_only_told_of(zone, settings):
    settings.DKIM_SELECTOR = ""
    zone |= RECORDS
    assert [finding.level for finding in checks.sender_records()] == [checks.TELLS]


# Links to other sites, with a real web server


@pytest.fixture
def other_site(monkeypatch):
    """Another site on this machine, which for once counts as public."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(410 if self.path == "/gone" else 200)
            self.end_headers()

        def log_message(self, *words):
            pass

    server = HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_links_to_other_sites(other_site, monkeypatch):
    assert link_checker.check_external_link(f"{other_site}/") == "the address is not a public one"
    monkeypatch.setattr("ipaddress.IPv4Address.is_global", True)
    assert link_checker.check_external_link(f"{other_site}/") == ""
    assert link_checker.check_external_link(f"{other_site}/gone") == "the page is gone (410)"
    assert link_checker.check_external_link("http://127.0.0.1:9/") == "the site does not answer"
    assert link_checker.check_external_link("http://[broken/") == "the address does not exist"


def test_what_blocks_blocks_the_button_too(staff_client, issue, reader):
    url, fields = confirmation(staff_client, issue)
    SiteSettings.objects.update(postal_address="")
    html = staff_client.get(reverse("newsletter_issue_send", args=[issue.pk])).text
    assert "The postal address is missing" in html
    assert "Continue…" not in html
    staff_client.post(url, fields)
    assert not Campaign.objects.exclude(state="draft").exists()
