"""What search engines and social networks read."""

import json
import re
from xml.etree import ElementTree

import pytest
from core.images import CustomImage
from django.conf import settings
from django.contrib.staticfiles import finders
from PIL import Image

pytestmark = pytest.mark.django_db


def graph(client, url):
    """The schema.org objects of a page, by type."""
    html = client.get(url).content.decode()
    data = json.loads(re.search(r'<script type="application/ld\+json">(.*?)</script>', html, re.S)[1])
    assert data["@context"] == "https://schema.org"
    return {thing["@type"]: thing for thing in data["@graph"]}


def test_the_home_page_says_who_publishes(client, page_of):
    things = graph(client, page_of("home", "en").url)
    assert things["Organization"]["alternateName"].startswith("Latin American and Caribbean Network")
    assert things["WebSite"]["inLanguage"] == "en"
    assert "/en/search/?q=" in things["WebSite"]["potentialAction"]["target"]["urlTemplate"]


def test_pages_below_say_where_they_stand(client, page_of):
    crumbs = graph(client, page_of("guidelines").url)["BreadcrumbList"]["itemListElement"]
    assert [crumb["name"] for crumb in crumbs] == ["Inicio", "Quiénes somos", "Lineamientos estratégicos"]
    assert crumbs[1]["item"] == "http://testserver/es/quienes-somos/"


def test_an_article_is_a_news_article(client, page_of):
    article = page_of("article-assembly")
    article.source = 'Prensa </script><script>"'
    article.save_revision().publish()
    thing = graph(client, article.url)["NewsArticle"]
    assert thing["headline"] == article.title
    assert thing["author"]["name"] == article.source
    assert thing["dateModified"]


def test_the_editors_picture_is_shown_where_the_page_is_shared(client, page_of, run_tasks):
    page = page_of("mission")
    html = client.get(page.url).content.decode()
    assert f"http://testserver/share/{page.pk}.png" in html
    page.share_image = CustomImage.objects.first()
    page.save_revision().publish()
    run_tasks()
    from caching import page_cache

    page_cache.purge()
    assert "fill-1200x630" in client.get(page.url).content.decode()


def test_head_and_sitemap_name_the_same_translations(client, page_of):
    page_of("partners").unpublish()  # the translations have no page in the default language
    for url in ElementTree.fromstring(client.get("/sitemap.xml").content):  # noqa: S314 – our own sitemap
        links = url.findall("{http://www.w3.org/1999/xhtml}link")
        address = url.find("{http://www.sitemaps.org/schemas/sitemap/0.9}loc").text
        head = client.get(address.removeprefix("http://testserver")).text
        found = re.findall(r'<link rel="alternate" hreflang="([^"]+)" href="([^"]+)"', head)
        assert set(found) == {(link.get("hreflang"), link.get("href")) for link in links}, address


def test_a_view_names_its_translations(client):
    for path in ("/es/buscar/", "/es/subscription/thanks/"):
        assert f'hreflang="x-default" href="http://testserver{path}"' in client.get(path).text


def test_browsers_and_phones_find_their_icons(client):
    head = client.get("/es/").text
    for address in ("/favicon.ico", "/apple-touch-icon.png"):
        file = client.get(address)["Location"]
        assert f'href="{file}"' in head
        assert finders.find(file.removeprefix(settings.STATIC_URL))
    answer = client.get(re.search(r'<link rel="manifest" href="([^"]+)"', head)[1])
    assert answer["Content-Type"] == "application/manifest+json"
    assert "manifest-src 'self'" in answer["Content-Security-Policy"]
    for icon in answer.json()["icons"]:
        with Image.open(finders.find(icon["src"].removeprefix(settings.STATIC_URL))) as picture:
            assert icon["sizes"] == f"{picture.width}x{picture.height}"


@pytest.mark.parametrize("change", ["slug", "place"])
def test_old_addresses_lead_on(client, page_of, change, django_capture_on_commit_callbacks):
    page = page_of("mission")
    old = page.url
    with django_capture_on_commit_callbacks(execute=True):
        if change == "slug":
            page.slug = "nuestra-mision"
            page.save_revision().publish()
        else:
            page.move(page_of("home"), "last-child")
    response = client.get(old)
    assert response.status_code == 301
    assert client.get(response["Location"]).status_code == 200
