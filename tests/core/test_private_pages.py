"""A private page is known to nobody outside: no list, feed, search, picture or mail names it."""

import html
import json
import re

import pytest
from caching import page_cache
from django.test import Client, RequestFactory
from django.urls import reverse
from wagtail.models import Page, PageViewRestriction

from home.models import ContactPage, ContentPage, HomePage
from news.models import ArticlePage, NewsIndexPage
from newsletter.editions import rendering
from newsletter.models import IssuePage, NewsletterPage
from tests.newsletter.editions.snapshot_edition import snapshot_edition

pytestmark = pytest.mark.django_db
TITLE, SUMMARY = "Zarigüeyas confidenciales", "Murciélagos reservados"
PAGE_TYPES = [HomePage, ContentPage, ContactPage, NewsIndexPage, ArticlePage, NewsletterPage, IssuePage]
RESTRICTIONS = [
    {"restriction_type": "login"},
    {"restriction_type": "password", "password": "x"},
    {"restriction_type": "groups"},
]


def test_every_page_type_is_walked():
    from wagtail.models import get_page_models

    assert {model for model in get_page_models() if model is not Page} == set(PAGE_TYPES)


def like(page, number=0):
    """A published page beside a starter page, of its type and with its body, with an unmistakable title and summary."""
    attrs = {"title": f"{TITLE} {number}", "slug": f"zarigueyas-{number}", "search_description": f"{SUMMARY} {number}"}
    other = page.copy(update_attrs=attrs, copy_revisions=False)
    if hasattr(other, "introduction"):
        other.introduction = f"{SUMMARY} {number}"
    other.save()
    other.save_revision().publish()
    return other


def originals(page_of):
    """A starter page of each type that stands below a home page."""
    keys = ["mission", "contact", "news", "newsletter", "issue-welcome"]
    return [*map(page_of, keys), ArticlePage.latest(page_of("home").locale_id).last()]


def public_addresses():
    """Every Spanish address that everybody may ask for: pages, their lists by topic and year, feeds, search, sitemap."""
    share_pictures = Page.objects.filter(title__startswith=TITLE).values_list("pk", flat=True)
    found = {reverse("share_picture", args=[number]) for number in share_pictures}
    found |= {"/", "/sitemap.xml", "/robots.txt", "/sw.js", "/es/nada/", "/es/news/feed.xml", "/es/newsletter/feed.xml"}
    for page in Page.objects.filter(depth__gte=2, live=True, locale__language_code="es").specific():
        found |= {page.url + path.lstrip("/") for path in page.get_cached_paths()}
    found |= {f"/es/buscar/?q={query}" for query in ("zarigueias", "confidenciales", "clac")}
    return sorted(found)


def seen_by_everybody():
    """{address: what it answers, as bytes}"""
    answers = {address: Client().get(address) for address in public_addresses()}
    return {
        address: b"".join(answer) if answer.streaming else answer.content
        for address, answer in answers.items()
        if answer.status_code == 200
    }


def make_private(page, restriction):
    PageViewRestriction.objects.create(page=page, **restriction)
    page_cache.purge()


def test_nothing_public_names_a_private_page(page_of, issue, run_tasks):
    pages = [like(page, number) for number, page in enumerate(originals(page_of))]
    run_tasks()
    before = seen_by_everybody()
    for page in pages:
        elsewhere = [address for address, body in before.items() if page.title.encode() in body and address != page.url]
        assert elsewhere, f"nothing names a public page like {page!r}, so nothing is shown by this test"
    for number, page in enumerate(pages):
        make_private(page, RESTRICTIONS[number % len(RESTRICTIONS)])
    run_tasks()
    after = seen_by_everybody()
    assert not {reverse("share_picture", args=[page.pk]) for page in pages} & set(after)
    for address, body in after.items():
        for words in (TITLE, SUMMARY, "<strong>zarigueyas"):
            assert words.encode() not in body, address


def test_what_lies_below_a_private_page_is_private(page_of):
    page = like(page_of("mission"))
    make_private(page.get_parent(), RESTRICTIONS[0])
    for address, body in seen_by_everybody().items():
        assert TITLE.encode() not in body, address


def values_of(context):
    """All that a template's context holds, as text: querysets and lists with their pages."""
    for name, value in context.items():
        if name in {"page", "self", "request", "block"}:
            continue
        if isinstance(value, Page):
            yield f"{value.title} {value.specific.description}"
        elif hasattr(value, "__iter__") and not isinstance(value, (str, bytes, dict)):
            yield from (f"{entry} {getattr(entry, 'title', '')}" for entry in value)
        else:
            yield json.dumps(value, default=str)


@pytest.mark.parametrize("model", PAGE_TYPES)
def test_no_page_types_context_holds_a_private_page(page_of, model):
    for number, page in enumerate(originals(page_of)):
        make_private(like(page, number), RESTRICTIONS[0])
    for page in model.objects.filter(locale=page_of("home").locale, live=True).exclude(title__startswith=TITLE)[:3]:
        assert TITLE not in " ".join(values_of(page.get_context(RequestFactory().get(page.url))))


def test_whoever_may_read_a_private_part_finds_the_way_in_it(page_of, staff_client):
    page = like(page_of("mission"))
    make_private(page.get_parent(), RESTRICTIONS[0])
    assert TITLE in staff_client.get(page.get_parent().url).text


def test_an_edition_names_no_private_article(page_of, issue, client):
    article = ArticlePage.latest(page_of("home").locale_id).last()
    edition = snapshot_edition(page_of, article)
    assert article.title in rendering.preview(edition).html
    make_private(article, RESTRICTIONS[0])
    for text in (rendering.preview(edition).html, rendering.preview(edition).text, client.get(edition.url).text):
        assert article.title not in text
        assert article.introduction not in text


def test_no_breadcrumb_names_a_page_that_was_withdrawn(page_of, client):
    page = page_of("mission")
    above = page.get_parent().specific
    assert f'"name": "{above.title}"' in client.get(page.url).text
    above.unpublish()
    page_cache.purge()
    assert f'"name": "{above.title}"' not in client.get(page.url).text


@pytest.mark.parametrize("key", ["home", "about", "news", "newsletter"])
def test_whoever_may_read_a_private_part_can_read_each_of_its_lists(page_of, staff_client, key):
    make_private(page_of(key), RESTRICTIONS[0])
    for page in Page.objects.filter(depth__gte=2, live=True).specific():
        for path in page.get_cached_paths():
            address = page.url + path.lstrip("/")
            answer = staff_client.get(address)
            assert answer.status_code == 200, address
            if "canonical" in answer.context:
                assert answer.context["canonical"].endswith(address.partition("?")[0])


@pytest.mark.parametrize("language", ["es", "en", "pt-br"])
def test_those_who_gave_the_password_of_a_language_read_its_lists(page_of, client, language):
    index, home = page_of("news", language), page_of("home", language)
    topic = index.articles().first().topics[0]
    make_private(home, {"restriction_type": "password", "password": "cafe"})
    page_cache.purge()
    action = html.unescape(re.search(r'<form class="stack"[^>]+action="([^"]+)"', client.get(home.url).text)[1])
    assert client.post(action, {"password": "cafe", "return_url": home.url}).url == home.url
    lists = [index.url, index.topic_address(topic), *(address for _year, address, _number in index._years())]
    assert [client.get(address).status_code for address in lists] == [200] * len(lists)


def test_the_page_that_asks_for_a_password_says_nothing_of_what_it_guards(page_of, client):
    for number, original in enumerate(originals(page_of)):
        page = like(original, number)
        make_private(page, {"restriction_type": "password", "password": "cafe"})
        html = client.get(page.url).text
        assert "Esta página pide una contraseña" in html
        action = re.search(r'action="(/es/_util/authenticate[^"]+)"', html)[1]
        wrong = client.post(action, {"password": "te", "return_url": page.url}).text
        assert "La contraseña no es correcta" in wrong
        for said in (html, wrong):
            assert TITLE not in said
            assert SUMMARY not in said
        assert client.post(action, {"password": "cafe", "return_url": "//evil.example/"}).url == "/"
