"""News as a reader meets them."""

from datetime import date

import pytest

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


def test_an_article_shows_its_date_in_the_readers_language(client, page_of):
    assert "janeiro de 2022" in client.get(page_of("article-assembly", "pt-br").url).content.decode().lower()
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
