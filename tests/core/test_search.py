"""Searching the site, the same on SQLite and PostgreSQL."""

import pytest
from core import search
from hypothesis import given
from hypothesis import strategies as st
from wagtail.models import PageViewRestriction

from news.models import ArticlePage

pytestmark = pytest.mark.django_db


@pytest.fixture
def article(page_of, run_tasks):
    """Publish an article: `article("Título", "cuerpo")`; the worker indexes it."""

    def make(title, text, language="es", **fields):
        index = page_of("news", language)
        page = ArticlePage(title=title, introduction="Algo pasó.", locale=index.locale, **fields)
        page.body = [("text", f"<p>{text}</p>")]
        index.add_child(instance=page)
        page.save_revision().publish()
        run_tasks()
        return page

    return make


@pytest.fixture
def found(client):
    """Search as a reader: the HTML of the answer."""

    def ask(query, language="es", **parameters):
        word = {"es": "buscar", "en": "search", "pt-br": "buscar"}[language]
        response = client.get(f"/{language}/{word}/", {"q": query, **parameters})
        assert response.status_code == 200
        return response.content.decode()

    return ask


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("produccion", "la producción de miel"),
        ("PRODUCCIÓN", "la producción de miel"),
        ("café", "los cafés de altura"),
        ("cafes", "un café de altura"),
        ("apicultoras", "una apicultora del norte"),
        ("miel norte", "la miel viene del norte"),
    ],
)
def test_accents_case_and_endings_do_not_count(article, found, query, text):
    article("Zanahoria", text)
    assert "Zanahoria" in found(query)


def test_each_language_has_its_own_endings(article, found):
    article("Harvests", "The growers are harvesting", "en")
    assert "Harvests" in found("harvested grower", "en")
    assert "Harvests" not in found("harvested grower", "es")


def test_a_match_in_the_title_comes_first(article, found):
    article("Otra cosa", "hablamos de quinua " * 3)
    article("La quinua", "un cultivo")
    html = found("quinua")
    assert html.index("La quinua") < html.index("Otra cosa")


def test_matches_are_highlighted_and_nothing_typed_is_markup(article, found):
    article("Zanahoria", "el cacao <b>fino</b> & su aroma")
    assert "<mark>cacao</mark>" in found("cacao")
    assert "<script>" not in found("<script>alert(1)</script>")


def test_a_typing_slip_is_put_right_and_said(article, found):
    article("Zanahoria", "la panela granulada")
    html = found("panella")
    assert "Estos son los resultados de <strong>panela</strong>" in html
    assert "Zanahoria" in html


def test_nothing_unpublished_or_private_is_shown(article, found):
    draft = article("Zanahoria", "secretísimo")
    draft.unpublish()
    private = article("Remolacha", "secretísimo")
    PageViewRestriction.objects.create(page=private, restriction_type="login")
    html = found("secretisimo")
    assert "Zanahoria" not in html
    assert "Remolacha" not in html
    assert "secretisimo</strong>" not in html


def test_finding_nothing_is_helpful(found):
    html = found("xyzzyx")
    assert "No encontramos nada con “xyzzyx”." in html
    assert "Quiénes somos" in html


def test_long_lists_are_paged_and_keep_the_query(article, found, run_tasks, page_of):
    for number in range(12):
        article(f"Nota {number}", "sobre la yuca")
    assert 'href="?q=yuca&amp;page=2"' in found("yuca")
    assert "Nota" in found("yuca", page=2)


@pytest.mark.parametrize(
    "query", ["", "   ", "\x00", "%", "AND OR NOT", '"', "a" * 5000, "☃", "title:x", "*", "(((", "-1"]
)
def test_any_query_gets_an_answer(found, query):
    assert "<form" in found(query)


@given(st.text(max_size=60), st.text(max_size=30))
def test_an_excerpt_is_always_safe(text, query):
    html = search.excerpt(text, query, "es")
    bare = html.replace("<mark>", "").replace("</mark>", "")
    assert "<" not in bare
    assert html.count("<mark>") == html.count("</mark>")
