"""The page cache: fast for readers, never stale for anyone."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import urlsplit

import brotli
import pytest
import time_machine
from caching import page_cache
from core.models import Menu, SiteSettings
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from wagtail.contrib.redirects.models import Redirect

from newsletter.subscribers.subscriptions import manage_url

pytestmark = pytest.mark.django_db


@pytest.fixture
def commit(django_capture_on_commit_callbacks):
    """Run a change as a request of its own would: with what it does on commit."""

    def run(change):
        with django_capture_on_commit_callbacks(execute=True):
            change()

    return run


def text_of(client, url):
    return client.get(url).content.decode()


def test_a_second_visit_asks_the_database_nothing(client, page_of, django_assert_num_queries):
    url = page_of("home").url
    first = client.get(url)
    with django_assert_num_queries(0):
        assert client.get(url).content == first.content


def test_an_unchanged_page_answers_304(client, page_of):
    url = page_of("home").url
    etag = client.get(url)["ETag"]
    response = client.get(url, headers={"if-none-match": etag})
    assert (response.status_code, response.content) == (304, b"")
    assert client.get(url, headers={"if-none-match": '"other"'}).status_code == 200


def test_pages_come_compressed(client, page_of):
    url = page_of("home").url
    plain = client.get(url).content
    response = client.get(url, headers={"accept-encoding": "gzip, br"})
    assert response["Content-Encoding"] == "br"
    assert brotli.decompress(response.content) == plain
    assert client.get(url, headers={"accept-encoding": "gzip"})["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in response["Vary"]


def test_browsers_and_cdns_are_told_how_long_to_keep_it(client, page_of):
    assert "stale-while-revalidate" in client.get(page_of("home").url)["Cache-Control"]


def test_publishing_shows_on_the_next_request_in_lists_and_feeds_too(client, page_of, commit):
    article, index = page_of("article-2004"), page_of("news")
    addresses = [article.url, index.url, "/es/news/feed.xml"]
    for url in addresses:
        text_of(client, url)
    article.title = "Un título nuevo"
    commit(lambda: article.save_revision().publish())
    for url in addresses:
        assert "Un título nuevo" in text_of(client, url), url


def test_unpublishing_moving_and_deleting_show_on_the_next_request(client, page_of, commit):
    article, index = page_of("article-2004"), page_of("news")
    assert article.title in text_of(client, index.url)
    commit(article.unpublish)
    assert article.title not in text_of(client, index.url)
    other = page_of("article-2005")
    commit(other.delete)
    assert other.title not in text_of(client, index.url)
    mission, home = page_of("mission"), page_of("home")
    assert client.get(mission.url).status_code == 200
    old = mission.url
    commit(lambda: mission.move(home, "last-child"))
    assert client.get(old).status_code in {301, 404}


def test_menus_and_settings_show_on_the_next_request(client, page_of, commit):
    url = page_of("home").url
    text_of(client, url)
    texts = SiteSettings.objects.get(locale__language_code="es")
    texts.footer_text = "Otro pie"
    commit(lambda: texts.save_revision().publish())
    assert "Otro pie" in text_of(client, url)
    menu = Menu.objects.get(place="main", locale__language_code="es")
    commit(menu.delete)
    assert "Lineamientos</a>" not in text_of(client, url)


def test_a_draft_leaves_the_cache_alone(client, page_of, commit, django_assert_num_queries):
    page = page_of("mission")
    text_of(client, page.url)
    page.title = "Borrador"
    commit(page.save_revision)
    with django_assert_num_queries(0):
        assert "Borrador" not in text_of(client, page.url)


def test_a_redirect_is_followed_at_once(client, page_of, commit):
    assert client.get("/es/antes/").status_code == 404
    commit(lambda: Redirect.add_redirect("/es/antes/", redirect_to=page_of("home")))
    assert client.get("/es/antes/").status_code == 301


def test_editors_are_never_served_from_the_cache_nor_kept_in_it(client, staff_client, page_of):
    response = staff_client.get(page_of("home").url)
    assert "wagtail-userbar" in response.content.decode()
    assert "private" in response["Cache-Control"]
    staff_client.logout()
    assert "wagtail-userbar" not in text_of(client, page_of("home").url)


def test_personal_pages_are_not_kept(client, subscribe, staff_client, page_of, settings):
    rosa = subscribe("rosa@example.org", name="Rosa Quispe")
    links = [urlsplit(manage_url(rosa, view)).path for view in ("preferences", "leave", "data")]
    for path in [*links, "/es/subscription/join/", "/es/subscription/confirm/x/", f"/es/buscar/?q={rosa.email}"]:
        anybody = Client()
        anybody.get(path)
        again = anybody.get(path)
        assert getattr(again.wsgi_request, "cache", "miss") == "miss", path
        assert "no-store" in again["Cache-Control"], path
    staff_client.get(page_of("home").url)
    staff_client.get("/admin/subscribers/")
    reader = Client()
    assert [reader.get("/en/").wsgi_request.cache for _twice in range(2)] == ["miss", "hit"]
    kept = b"".join(file.read_bytes() for file in (settings.VAR_DIR / "pagecache").rglob("*") if file.is_file())
    assert b"<html" in kept
    for words in (b"Quispe", b"rosa@example.org", b"wagtail-userbar", links[0].split("/")[-2].encode()):
        assert words not in kept


def a_cache(tmp_path, render):
    """A middleware with a cache of its own around `render`."""
    middleware = page_cache.PageCacheMiddleware(render)
    middleware.cache = page_cache.PageCache(tmp_path, page_cache.Generation(tmp_path / "generation"))
    return middleware


def test_a_hundred_simultaneous_misses_render_once(rf, tmp_path):
    rendered = []

    def render(request):
        rendered.append(threading.get_ident())
        time.sleep(0.2)
        return HttpResponse("x" * 500)

    # Two middlewares on one folder: what two processes are to each other.
    middlewares = [a_cache(tmp_path, render), a_cache(tmp_path, render)]
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda number: middlewares[number % 2](rf.get("/es/")).content, range(100)))
    assert len(rendered) == 1
    assert set(answers) == {b"x" * 500}


def test_a_page_rendered_before_a_purge_is_not_kept_after_it(rf, tmp_path):
    texts = iter(["old", "new"])

    def render(request):
        text = next(texts)
        if text == "old":
            middleware.cache.generation.renew()  # somebody publishes while this one renders
        return HttpResponse(text)

    middleware = a_cache(tmp_path, render)
    assert middleware(rf.get("/es/")).content == b"old"
    assert middleware(rf.get("/es/")).content == b"new"


def test_a_purge_in_one_process_is_seen_by_the_others(rf, tmp_path):
    texts = iter(["old", "new"])
    middleware = a_cache(tmp_path, lambda request: HttpResponse(next(texts)))
    middleware(rf.get("/es/"))
    code = (
        "import sys, pathlib; from caching.page_cache import Generation; Generation(pathlib.Path(sys.argv[1])).renew()"
    )
    environment = {"PYTHONPATH": "site:.", "PATH": "", "DJANGO_SETTINGS_MODULE": "config.settings.test"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "generation")], env=environment, check=True)
    assert middleware(rf.get("/es/")).content == b"new"


@pytest.mark.parametrize("raw", [b"", b"cno_such_module\nPage\n.", b"ccaching.page_cache\nNoSuchPage\n.", b"N."])
def test_a_file_that_another_release_wrote_is_rendered_anew(rf, tmp_path, raw):
    middleware = a_cache(tmp_path, lambda request: HttpResponse("new"))
    middleware(rf.get("/es/"))
    (written,) = [file for file in tmp_path.glob("*/*") if file.is_file()]
    written.write_bytes(raw)
    middleware.cache.pages.clear()
    assert middleware(rf.get("/es/")).content == b"new"


def test_strange_queries_do_not_fill_the_cache(rf, tmp_path):
    middleware = a_cache(tmp_path, lambda request: HttpResponse("x"))
    middleware(rf.get("/es/?utm_source=a"))
    middleware(rf.get("/es/?page=2"))
    assert len(middleware.cache.pages) == 1


def test_an_uncached_home_page_takes_few_queries_however_many_articles(client, page_of, django_assert_max_num_queries):
    from datetime import date

    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from news.models import ArticlePage

    def queries():
        page_cache.purge()
        with CaptureQueriesContext(connection) as captured:
            client.get("/es/")
        return len(captured)

    client.get("/es/")
    few = queries()
    assert few <= 15
    index = page_of("news")
    for number in range(60):
        article = ArticlePage(title=f"N {number}", introduction="x", locale=index.locale, date=date(2026, 1, 1))
        index.add_child(instance=article)
    assert queries() == few


def test_a_kept_page_answers_for_ten_minutes_and_more_without_the_database(client, page_of, django_assert_num_queries):
    url = page_of("home").url
    client.get(url)
    with time_machine.travel(timezone.now() + timedelta(minutes=15)), django_assert_num_queries(0):
        assert client.get(url).status_code == 200
