"""Searching the site, the same on SQLite and PostgreSQL."""

import io

import pytest
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st
from search.models import SpellingWord
from search.text import excerpt
from wagtail.models import Locale, PageViewRestriction

from news.models import ArticlePage
from tests.newsletter.editions.snapshot_edition import snapshot_edition

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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("La quinuación de miel", "quinuación"),
        ("Quinuación de miel", "Quinuación"),
        ("QUINUACIÓN, y quinuación", "quinuación"),
    ],
)
def test_the_corrected_word_has_its_accent(article, found, text, shown):
    article("Zanahoria", text)
    assert f"<strong>{shown}</strong>" in found("quinuacionn")


@pytest.mark.parametrize("number", ["0", "-1", "2", "x", ""])
def test_a_page_of_results_that_does_not_exist_is_not_found(client, article, number):
    article("Zanahoria", "panela")
    assert client.get("/es/buscar/", {"q": "panela", "page": "1"}).status_code == 200
    assert client.get("/es/buscar/", {"q": "panela", "page": number}).status_code == 404


def test_nothing_unpublished_or_private_is_shown(article, found):
    draft = article("Zanahoria", "secretísimo")
    draft.unpublish()
    private = article("Remolacha", "secretísimo")
    PageViewRestriction.objects.create(page=private, restriction_type="login")
    html = found("secretisimo")
    assert "Zanahoria" not in html
    assert "Remolacha" not in html
    assert "secretísimo</strong>" not in html


def test_a_misspelt_word_is_forgotten_with_its_correction_and_with_its_page(article, found, run_tasks):
    page = article("Zanahoria", "la flor kantutta")
    assert "<strong>kantutta</strong>" in found("kantuttx")
    page.body = [("text", "<p>la flor kantuta</p>")]
    page.save_revision().publish()
    run_tasks()
    assert "<strong>kantuta</strong>" in found("kantuttx")
    page.unpublish()
    run_tasks()
    assert "kantuta" not in found("kantuttx")
    page.delete()
    assert not SpellingWord.objects.filter(word="kantuta").exists()


def test_no_word_of_a_private_page_is_suggested(article, found, django_capture_on_commit_callbacks):
    article("Zanahoria", "lleno de secretismos")
    private = article("Remolacha", "secretísimo")
    assert "<strong>secretísimo</strong>" in found("secretissimo")
    with django_capture_on_commit_callbacks(execute=True):
        PageViewRestriction.objects.create(page=private, restriction_type="login")
    assert "<strong>secretismos</strong>" in found("secretissimo")


def test_what_is_indexed_is_what_readers_see(page_of, issue):
    edition = snapshot_edition(page_of, ArticlePage.latest(page_of("home").locale_id).last())
    lines = edition.plain_text.splitlines()
    assert "{name}" not in edition.plain_text
    assert "Queridas amigas y amigos:" in lines
    assert "El sol sobre el cafetal" not in edition.plain_text  # an alternative text
    assert "Amanece." in lines  # a caption
    assert {"Un párrafo con un enlace.", "Uno", "Café", "Cacao"} <= set(lines)


def test_an_excerpt_keeps_headings_and_sentences_apart(article, found):
    page = article("Zanahoria", "La cosecha de yuca.")
    page.body = [
        ("heading", "La feria"),
        ("text", "<h3>El martes</h3><p>Hay yuca.</p><ul><li>dulce</li><li>fina</li></ul>"),
    ]
    assert excerpt(page.plain_text, "yuca", "es").endswith("La feria · El martes · Hay <mark>yuca</mark>. dulce · fina")


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
    html = excerpt(text, query, "es")
    bare = html.replace("<mark>", "").replace("</mark>", "")
    assert "<" not in bare
    assert html.count("<mark>") == html.count("</mark>")


def test_a_page_whose_language_was_given_up_can_still_be_indexed(page_of, client):
    page = page_of("mission").copy_for_translation(Locale.objects.create(language_code="fr"), copy_parents=True)
    page.save_revision().publish()
    call_command("update_index", verbosity=0, stdout=io.StringIO())
    assert page_of("mission").url in client.get("/es/search/", {"q": "misión"}).text
