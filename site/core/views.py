"""Views of the site that are not pages: the root, search, icons, the web manifest and the service worker."""

import json
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from search.index import search_pages
from search.spelling import corrected
from search.text import excerpt
from wagtail.models import Page

from core.navigation import locales, public
from core.requests import page_of_list


@require_safe
def root(request: HttpRequest) -> HttpResponse:
    """Redirect `/` to the home page in the language that the browser prefers."""
    response = HttpResponseRedirect(f"/{translation.get_language_from_request(request)}/")
    patch_vary_headers(response, ["Accept-Language"])
    response["Cache-Control"] = "no-cache"
    return response


MAX_QUERY_LENGTH = 100
RESULTS_PER_PAGE = 10


@never_cache
@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Public pages in the active language with all words of `?q=`. If there are none, misspelt words are corrected."""
    query = " ".join(request.GET.get("q", "").replace("\0", " ").split())[:MAX_QUERY_LENGTH]
    language = translation.get_language()
    pages = public(Page.objects.filter(locale=locales().get(language), depth__gt=2)).specific()
    found = search_pages(pages, query, language)
    correction = None
    if query and not found and (better := corrected(query, pages)):
        found = search_pages(pages, better, language)
        correction = better if found else None
    results = page_of_list(request, found, RESULTS_PER_PAGE)
    for page in results:
        page.excerpt = excerpt(page.plain_text, correction or query, language)
    context = {"query": query, "results": results, "meant": correction, "query_string": f"{urlencode({'q': query})}&"}
    return render(request, "search.html", context)


@require_safe
def icon(request: HttpRequest, name: str) -> HttpResponse:
    """Redirect the address at which browsers look for an icon by themselves to the file."""
    return HttpResponseRedirect(static(f"img/{name}"), headers={"Cache-Control": "public, max-age=86400"})


@require_safe
def manifest(request: HttpRequest) -> HttpResponse:
    """The web manifest: how phones show the site on the home screen."""
    icons = [
        {
            "src": static(f"img/icon-{size}.png"),
            "sizes": f"{size}x{size}",
            "type": "image/png",
            "purpose": "any maskable",
        }
        for size in (192, 512)
    ]
    content = {
        "name": settings.WAGTAIL_SITE_NAME,
        "id": "/",
        "start_url": "/",
        "display": "minimal-ui",
        "background_color": "#fbf4e4",
        "theme_color": "#fbf4e4",
        "icons": icons,
    }
    headers = {"Cache-Control": "public, max-age=86400"}
    return JsonResponse(content, content_type="application/manifest+json", headers=headers)


def service_worker(request: HttpRequest) -> HttpResponse:
    """The service worker, which makes visited pages available offline. At the root, so that its scope is the whole site."""
    words = {}
    for code in settings.SITE_LANGUAGES:
        with translation.override(code):
            words[code] = [
                gettext("Offline"),
                gettext("This page is not saved on your device. You can read these:"),
                gettext("This page is not saved on your device. Open it again when you have a connection."),
            ]
    script = (settings.BASE_DIR / "static" / "js" / "sw.js").read_text()
    script = script.replace("const WORDS = {}", f"const WORDS = {json.dumps(words)}")
    return HttpResponse(script, content_type="text/javascript; charset=utf-8", headers={"Cache-Control": "no-cache"})
