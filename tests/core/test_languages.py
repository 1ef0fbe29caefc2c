"""The reader's language: the root, the switcher, hreflang, errors."""

import re

import pytest

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("header", "home"),
    [
        ("en-GB,en;q=0.9", "/en/"),
        ("pt", "/pt-br/"),
        ("pt-BR", "/pt-br/"),
        ("fr", "/es/"),
        ("", "/es/"),
        ("es-MX", "/es/"),
    ],
)
def test_the_root_leads_to_the_readers_language(client, header, home):
    response = client.get("/", headers={"accept-language": header})
    assert (response.status_code, response["Location"]) == (302, home)
    assert "Accept-Language" in response["Vary"]


def test_the_switcher_leads_to_the_same_page(client, page_of):
    html = client.get(page_of("guidelines").url).content.decode()
    assert 'href="/en/who-we-are/strategic-guidelines/" hreflang="en" lang="en"' in html
    assert 'href="/pt-br/quem-somos/diretrizes-estrategicas/" hreflang="pt-BR" lang="pt-BR"' in html


def test_alternates_and_canonical_name_every_language(client, page_of):
    html = client.get(page_of("guidelines", "en").url).content.decode()
    assert '<html lang="en">' in html
    assert '<link rel="canonical" href="http' in html
    assert set(re.findall(r'rel="alternate" hreflang="([^"]+)"', html)) == {"es", "en", "pt-BR", "x-default"}


def test_where_a_translation_is_missing_the_switcher_says_where_it_leads(client, page_of):
    page_of("guidelines", "en").unpublish()
    html = client.get(page_of("guidelines").url).content.decode()
    assert '<a href="/en/who-we-are/" hreflang="en"' in html
    assert "not translated yet: to “Who we are”" in html
    assert 'rel="alternate" hreflang="en"' not in html


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/es/nada/", "Este camino no lleva"),
        ("/en/nothing/", "This path leads nowhere"),
        ("/pt-br/nada/", "Este caminho não leva"),
    ],
)
def test_not_found_in_the_language_of_the_address(client, path, text):
    response = client.get(path)
    assert response.status_code == 404
    assert text in response.content.decode()


def test_not_found_outside_of_a_language_follows_the_browser(client):
    response = client.get("/nowhere/", headers={"accept-language": "pt-BR"}, follow=True)
    assert response.status_code == 404
    assert "Este caminho não leva" in response.content.decode()


@pytest.mark.parametrize(
    ("language", "text"), [("es", "Algo falló"), ("en", "Something went wrong"), ("pt-br", "Algo deu errado")]
)
def test_server_errors_in_the_readers_language_without_the_database(
    client, language, text, monkeypatch, django_assert_num_queries
):
    from core import error_views

    client.raise_request_exception = False
    with django_assert_num_queries(0):
        response = error_views.server_error(_request(f"/{language}/"))
    assert response.status_code == 500
    assert text in response.content.decode()


def _request(path):
    from django.test import RequestFactory

    return RequestFactory().get(path)


def test_a_page_sets_no_cookie(client, page_of):
    assert not client.get(page_of("home").url).cookies
