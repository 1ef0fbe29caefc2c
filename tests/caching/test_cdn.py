"""What stands in front of the site is told to drop what changed."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from core.models import Menu
from wagtail.models import PageViewRestriction

pytestmark = pytest.mark.django_db


@pytest.fixture
def purged(settings):
    """A caching proxy that notes which paths it is asked to purge."""
    paths = []

    class Proxy(BaseHTTPRequestHandler):
        def do_PURGE(self):
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.WAGTAILFRONTENDCACHE = {
        "default": {
            "BACKEND": "wagtail.contrib.frontend_cache.backends.HTTPBackend",
            "LOCATION": f"http://127.0.0.1:{server.server_port}",
        }
    }
    yield paths
    server.shutdown()


def test_publishing_purges_the_page_and_all_that_lists_it_in_each_language(page_of, purged, run_tasks):
    page_of("article-2004").save_revision().publish()
    run_tasks()
    for path in (
        "/es/noticias/nace-clac/",
        "/en/news/clac-is-established/",
        "/es/noticias/",
        "/es/noticias/tema/organizacion/",
        "/es/noticias/2004/",
        "/en/news/topic/organisation/",
        "/es/",
        "/pt-br/",
        "/es/news/feed.xml",
        "/sitemap.xml",
    ):
        assert path in purged, path
    assert "/es/quienes-somos/alianzas-y-membresias/" not in purged


def test_a_menu_purges_every_page(purged, run_tasks):
    Menu.objects.get(place="main", locale__language_code="es").save_revision().publish()
    run_tasks()
    assert "/es/quienes-somos/alianzas-y-membresias/" in purged
    assert "/en/" in purged


def test_without_anything_in_front_no_task_is_made(page_of, run_tasks):
    from django_tasks_db.models import DBTaskResult

    page_of("article-2004").save_revision().publish()
    assert not DBTaskResult.objects.filter(task_path__contains="frontend_cache").exists()


def test_a_page_that_becomes_private_leaves_every_feed(page_of, purged, run_tasks):
    PageViewRestriction.objects.create(page=page_of("news"), restriction_type="login")
    run_tasks()
    feeds = {"/es/news/feed.xml", "/en/news/topics/organisation/feed.xml", "/pt-br/subscription/feed.xml"}
    assert feeds <= set(purged)
