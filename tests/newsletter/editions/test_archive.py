"""The archive: each edition is a page in its languages, and in the feed, with nothing personal in it."""

from xml.etree import ElementTree

import pytest
from wagtail.models import PageViewRestriction

from newsletter.campaigns import lifecycle
from newsletter.models import Campaign
from newsletter.tasks import send_campaign

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(issue, subscribe):
    subscribe("ana@example.org", name="Ana Secreta")
    campaign = Campaign.objects.create(issue=issue)
    lifecycle.start(campaign)
    send_campaign.func(campaign.pk)
    return issue


@pytest.mark.parametrize(("language", "title"), [("es", "Conozca a CLAC"), ("en", "Meet CLAC"), ("pt-br", "Conheça a CLAC")])  # fmt: skip
def test_an_edition_is_in_the_archive_and_in_the_feed_of_each_language(client, sent, page_of, language, title):
    page = page_of("issue-welcome", language)
    assert title in client.get(page_of("newsletter", language).url).text
    feed = client.get(f"/{language}/subscription/feed.xml").text
    assert f"<title>{title}</title>" in feed
    assert page.full_url in feed
    for text in (client.get(page.url).text, feed):
        assert "Ana Secreta" not in text
        assert "/leave/" not in text
        assert "@@" not in text
        assert "{name}" not in text


def test_the_feed_holds_the_whole_edition(client, sent, page_of):
    feed = ElementTree.fromstring(client.get("/es/subscription/feed.xml").content)  # noqa: S314 - our own
    (content,) = feed.iter("{http://www.w3.org/2005/Atom}content")
    assert "Para empezar a leer" in content.text


def test_a_private_edition_stays_private(client, sent, page_of, django_capture_on_commit_callbacks):
    page = page_of("issue-welcome")
    with django_capture_on_commit_callbacks(execute=True):
        PageViewRestriction.objects.create(page=page, restriction_type=PageViewRestriction.LOGIN)
    assert client.get(page.url).status_code == 302
    assert page.title not in client.get("/es/subscription/feed.xml").text
    assert page.url not in client.get(page_of("newsletter").url).text
    assert page.url not in client.get("/sitemap.xml").text
