"""News as a reader meets them."""

import json
import re
from datetime import date, datetime, timedelta
from xml.dom import minidom

import pytest
from core.models import Topic
from django.utils import timezone

from news.models import ArticlePage

pytestmark = pytest.mark.django_db


def add_article(index, title, **fields):
    article = ArticlePage(title=title, introduction="Algo pasó.", locale=index.locale, **fields)
    article.body = [("text", "<p>Palabra</p>")]
    index.add_child(instance=article)
    return article


def test_newest_first_and_paged_with_real_links(client, page_of):
    index = page_of("news")
    for day in range(1, 13):
        add_article(index, f"Noticia {day}", date=date(2026, 11, day))
    first = client.get(index.url).content.decode()
    assert first.index("Noticia 12") < first.index("Noticia 11")
    assert 'href="?page=2"' in first
    assert "Noticia 1<" in client.get(index.url + "?page=2").content.decode()


@pytest.mark.parametrize("number", ["0", "-1", "2", "x"])
def test_a_page_of_the_list_that_does_not_exist_is_not_found(client, page_of, number):
    assert client.get(f"{page_of('news').url}?page={number}").status_code == 404


@pytest.mark.parametrize(
    ("precision", "shown"), [("day", "5 de enero de 2022"), ("month", "enero de 2022"), ("year", "2022"), ("none", "")]
)
def test_dates_are_as_exact_as_they_are_known(page_of, precision, shown):
    article = page_of("article-assembly")
    article.date, article.date_precision = date(2022, 1, 5), precision
    assert article.shown_date == shown
    assert (
        article.machine_date == date(2022, 1, 5).isoformat()[: {"day": 10, "month": 7, "year": 4, "none": 0}[precision]]
    )


def test_english_dates_have_the_day_first(client, page_of):
    article = page_of("article-assembly", "en")
    article.date, article.date_precision = date(2022, 1, 5), "day"
    article.save_revision().publish()
    assert '<time datetime="2022-01-05">5 January 2022</time>' in client.get(article.url).text


def test_labels_of_one_thing_are_singular(client, page_of):
    html = " ".join(client.get(page_of("article-guidelines").url).text.split())
    assert "<span> Tema </span>" in html
    assert "<span>Artículo anterior</span>" in html
    html = " ".join(client.get(page_of("article-assembly").url).text.split())
    assert "<span> Temas </span>" in html


def entry_of(client, article):
    """The article's entry in the feed of its language: {name of the element: its text}."""
    feed = minidom.parseString(client.get("/es/news/feed.xml").content)  # noqa: S318 – our own feed
    entries = [
        {
            child.tagName: child.firstChild.data
            for child in entry.childNodes
            if child.firstChild and child.tagName != "author"
        }
        for entry in feed.getElementsByTagName("entry")
    ]
    return next(entry for entry in entries if entry["title"] == article.title)


def published(client, article):
    """The date of publication that search engines read, or None."""
    data = json.loads(
        re.search(r'<script type="application/ld\+json">(.*?)</script>', client.get(article.url).text, re.S)[1]
    )
    return next(thing for thing in data["@graph"] if thing["@type"] == "NewsArticle").get("datePublished")


@pytest.mark.parametrize(
    ("precision", "machine", "in_feed"),
    [("day", "2022-01-05", "2022-01-05"), ("month", "2022-01", None), ("year", "2022", None), ("none", None, None)],
)
def test_search_engines_and_the_feed_tell_no_more_of_the_date_than_the_page(
    client, page_of, precision, machine, in_feed
):
    article = page_of("article-assembly")
    article.date, article.date_precision = date(2022, 1, 5), precision
    article.save_revision().publish()
    assert published(client, article) == machine
    entry = entry_of(client, article)
    assert entry.get("published", "")[:10] == (in_feed or "")
    if precision in ("month", "year"):
        assert f'<time datetime="{machine}">{article.shown_date}</time>' in entry["content"]
    else:
        assert "<time" not in entry["content"]


@pytest.mark.parametrize("days", [-1, 0, 1])
def test_the_feed_never_says_updated_before_published(client, page_of, days):
    article = page_of("article-assembly")
    article.date, article.date_precision = timezone.localdate() + timedelta(days=days), "day"
    article.save_revision().publish()
    entry = entry_of(client, article)
    assert entry["published"] <= entry["updated"]
    if not days:
        assert datetime.fromisoformat(entry["published"]) <= timezone.now()


def test_the_feed_carries_the_lead_picture(client, page_of):
    content = entry_of(client, page_of("article-1996"))["content"]
    assert re.search(r'<img alt="[^"]+" [^>]*src="http://testserver/media/', content)
    assert "srcset" not in content


def test_an_article_shows_its_date_in_the_readers_language(client, page_of):
    assert "janeiro de 2022" in client.get(page_of("article-assembly", "pt-br").url).content.decode()
    assert "January 2022" in client.get(page_of("article-assembly", "en").url).content.decode()


def test_the_lead_image_comes_in_modern_formats_with_alternative_text(client, page_of):
    html = client.get(page_of("article-1996", "en").url).content.decode()
    assert 'type="image/avif"' in html
    assert 'type="image/webp"' in html
    assert 'alt="Woven stepped diamonds in shades of honey and coffee"' in html
    assert 'fetchpriority="high"' in html


def test_topics_are_shown_in_the_articles_language(client, page_of):
    assert "Sustainable development" in client.get(page_of("article-guidelines", "en").url).content.decode()


def test_the_feed_speaks_each_language(client):
    for language, title in [("es", "Noticias de CLAC"), ("en", "CLAC news"), ("pt-br", "Notícias da CLAC")]:
        response = client.get(f"/{language}/news/feed.xml")
        xml = response.content.decode()
        assert response["Content-Type"].startswith("application/atom+xml")
        assert title in xml
        assert xml.count("<entry>") == 7


def test_the_feed_carries_the_whole_article_with_absolute_addresses(client):
    xml = client.get("/es/news/feed.xml").content.decode()
    assert 'type="html"' in xml
    assert "oferta integral de servicios" in xml
    assert "href=&quot;/" not in xml
    assert "http://testserver/es/quienes-somos/objetivos-y-plan-estrategico/" in xml


@pytest.mark.parametrize("character", ["\x0b", "\x1f", "\x01", "\ufffe"])
def test_a_character_that_xml_refuses_does_not_close_the_feed(client, page_of, character):
    article = ArticlePage.latest(page_of("home").locale_id).first()
    Topic.objects.filter(pk=article.topics[0].pk).update(name=f"Mer{character}cados")
    ArticlePage.objects.filter(pk=article.pk).update(
        title=f"Co{character}secha", introduction=f"U{character}no", source=f"D{character}os"
    )
    xml = client.get("/es/news/feed.xml").content
    minidom.parseString(xml)  # noqa: S318 – our own feed
    assert "<title>Cosecha</title>" in xml.decode()


def test_each_topic_has_a_list_and_a_feed_in_each_language(client, page_of):
    html = client.get(page_of("news").url + "tema/mercados/").content.decode()
    assert "Acceso a mercados</h1>" in html
    assert "La VIII Asamblea General" in html
    assert "Nace CLAC" not in html
    assert 'href="/en/news/topic/markets/" hreflang="en"' in html
    assert '<link rel="canonical" href="http://testserver/es/noticias/tema/mercados/">' in html
    assert 'href="/es/news/topics/mercados/feed.xml"' in html
    feed = client.get("/es/news/topics/mercados/feed.xml").content.decode()
    assert "Acceso a mercados" in feed
    assert feed.count("<entry>") == 2
    assert client.get(page_of("news").url + "tema/nada/").status_code == 404
    assert client.get("/es/news/topics/nada/feed.xml").status_code == 404


def test_archives_by_year_and_month(client, page_of):
    index = page_of("news")
    assert '/es/noticias/2022/">2022</a>' in client.get(index.url).content.decode()
    html = client.get(index.url + "2022/").content.decode()
    assert "La VIII Asamblea General" in html
    assert "Nace CLAC" not in html
    assert '/es/noticias/2022/01/">enero</a>' in html
    html = client.get(index.url + "2022/01/").content.decode()
    assert "Noticias de enero de 2022" in html
    assert 'href="/pt-br/noticias/2022/01/" hreflang="pt-BR"' in html


def test_an_archive_holds_only_what_is_known_that_exactly(client, page_of):
    index = page_of("news")
    assert client.get(index.url + "2004/").status_code == 200
    assert client.get(index.url + "2004/01/").status_code == 404  # only the year is known
    assert client.get(f"{index.url}{date.today().year}/").status_code == 404  # these show no date at all


@pytest.mark.parametrize("path", ["1999/", "2022/13/", "2022/00/", "20222/", "tema/"])
def test_archives_that_do_not_exist(client, page_of, path):
    assert client.get(page_of("news").url + path).status_code == 404


def test_related_articles_share_topics(page_of):
    titles = [article.title for article in page_of("article-assembly").related()]
    assert titles[0] == "Seis objetivos para una red más fuerte"
    assert len(titles) == 3


def test_previous_and_next_follow_the_list(page_of):
    articles = list(ArticlePage.latest(page_of("news").locale))
    for newer, article, older in zip(articles, articles[1:], articles[2:], strict=False):
        assert article.previous_and_next() == (older, newer)
    assert articles[0].previous_and_next()[1] is None
    assert articles[-1].previous_and_next()[0] is None


def test_an_article_can_be_shared_without_third_parties(client, page_of):
    html = client.get(page_of("article-2004").url).content.decode()
    assert "https://wa.me/?text=Nace%20CLAC%20http%3A%2F%2F" in html
    assert 'href="mailto:?subject=Nace%20CLAC' in html
    assert "<script src=" in html
    assert 'src="http' not in html


def test_author_reading_time_and_topics(client, page_of):
    article = page_of("article-2004")
    article.source = "Rosa Quispe"
    article.save_revision().publish()
    html = client.get(article.url).content.decode()
    assert "Rosa Quispe" in html
    assert "1 minuto de lectura" in html
    assert '/es/noticias/tema/organizacion/" rel="tag"' in html


def test_the_home_page_and_the_list_say_when_there_is_no_news(client, page_of):
    for article in ArticlePage.objects.filter(locale=page_of("news").locale):
        article.unpublish()
    assert "Aquí todavía no hay noticias" in client.get(page_of("news").url).content.decode()
