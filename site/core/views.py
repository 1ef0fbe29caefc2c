"""Views that belong to the site itself: the root, errors, media, health."""

import errno
import re
import sys
from pathlib import Path
from urllib.parse import urlencode

from django.contrib.staticfiles import finders
from django.core.files.storage import FileSystemStorage, storages
from django.core.paginator import Paginator
from django.db import InterfaceError, OperationalError
from django.http import FileResponse, Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.static import serve
from search.index import search_pages
from search.spelling import corrected
from search.text import excerpt
from wagtail.images.permissions import permission_policy
from wagtail.models import Page
from wagtail.users.models import UserProfile

from core.navigation import locales, public

from .images import CustomRendition
from .storage import serve_stored


@require_safe
def root(request):
    """`/`: to the home page in the language that the browser asks for."""
    response = HttpResponseRedirect(f"/{translation.get_language_from_request(request)}/")
    patch_vary_headers(response, ["Accept-Language"])
    response["Cache-Control"] = "no-cache"
    return response


QUERY_LETTERS = 100
RESULTS_PER_PAGE = 10


@never_cache
@require_safe
def search(request):
    """The public pages in the active language that hold all the words of `?q=`; a mistyped word is put right."""
    query = " ".join(request.GET.get("q", "").replace("\0", " ").split())[:QUERY_LETTERS]
    language = translation.get_language()
    pages = public(Page.objects.filter(locale=locales().get(language), depth__gt=2)).specific()
    found = search_pages(pages, query, language)
    meant = None
    if query and not found and (better := corrected(query, pages)):
        found = search_pages(pages, better, language)
        meant = better if found else None
    results = Paginator(found, RESULTS_PER_PAGE).get_page(request.GET.get("page"))
    for page in results:
        page.excerpt = excerpt(page.plain_text, meant or query, language)
    context = {"query": query, "results": results, "meant": meant, "query_string": f"{urlencode({'q': query})}&"}
    return render(request, "search.html", context)


def service_worker(request):
    """The script that keeps visited pages readable without a link; at the root, so that it may serve all of them."""
    script = Path(finders.find("js/sw.js")).read_bytes()
    return HttpResponse(script, content_type="text/javascript; charset=utf-8", headers={"Cache-Control": "no-cache"})


def _language_of(request):
    return translation.get_language_from_path(request.path_info) or translation.get_language_from_request(request)


def not_found(request, exception=None):
    """404 in the language of the address, else of the browser."""
    with translation.override(_language_of(request)):
        return render(request, "404.html", {"error_page": True}, status=404)


def forbidden(request, exception=None):
    """403 in the reader's language."""
    with translation.override(_language_of(request)):
        return render(request, "403.html", {"error_page": True}, status=403)


def bad_request(request, exception=None):
    """400 in the reader's language. The request itself cannot be trusted here, so nothing of it is shown."""
    with translation.override(translation.get_language_from_request(request)):
        return render(None, "500.html", {"bad_request": True}, status=400)


RETRY_SECONDS = 30
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def server_error(request):
    """500 in the reader's language, or 503 where the database is away or the disk full; asks neither for anything."""
    error = sys.exception()
    is_full = isinstance(error, OSError) and error.errno in FULL
    is_away = is_full or isinstance(error, (OperationalError, InterfaceError))
    with translation.override(_language_of(request)):
        response = render(None, "500.html", {"is_away": is_away}, status=503 if is_away else 500)
    response["Cache-Control"] = "no-store"
    if is_away:
        response["Retry-After"] = str(RETRY_SECONDS)
    return response


FILE_NAME = re.compile(r"(images|avatar_images)/[\w.-]+")
SHARED_CACHE_SECONDS = 600  # how long a proxy that is not told shows a picture that has become private


@require_safe
def media(request, path):
    """A rendition of a picture, or a user's avatar, in a sandbox so that nothing uploaded runs in the site's origin.

    Nothing else has an address below MEDIA_URL. The database has to know the file by exactly this name, so no other spelling
    leads anywhere. The collection of a picture decides who may see it; avatars are for those who use the admin.
    """
    name = FILE_NAME.fullmatch(path)
    if not name:
        raise Http404
    alias, is_private = _avatar(request, path) if name[1] == "avatar_images" else _rendition(request, path)
    response = _file_response(request, storages[alias], path)
    response["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; base-uri 'none'; sandbox"
    )
    if is_private:
        response["Cache-Control"] = "private, no-store"
    elif isinstance(response, FileResponse):
        # Wagtail names renditions after their content's hash, so what lies at an address never changes.
        response["Cache-Control"] = f"public, max-age=31536000, immutable, s-maxage={SHARED_CACHE_SECONDS}"
        response["Cross-Origin-Resource-Policy"] = "cross-origin"  # mails show it on the pages of webmail programs
    return response


def _rendition(request, path):
    """(alias of its storage, whether it is private) of a rendition. Raises Http404 if whoever asks may not see it."""
    rendition = get_object_or_404(CustomRendition.objects.select_related("image__collection"), file=path)
    is_private = rendition.image.is_private
    if is_private and not may_see(request, rendition.image):
        raise Http404
    return "renditions", is_private


def _avatar(request, path):
    """The same of a user's avatar."""
    if not request.user.has_perm("wagtailadmin.access_admin"):
        raise Http404
    get_object_or_404(UserProfile, avatar=path)
    return "default", True


def may_see(request, image) -> bool:
    """Whether whoever asks may see an image of a private collection: as a reader, or as an editor who works with it."""
    restrictions = image.collection.get_view_restrictions()
    return all(restriction.accept_request(request) for restriction in restrictions) or (
        permission_policy.user_has_any_permission_for_instance(request.user, ["change", "delete", "choose"], image)
    )


def _file_response(request, storage, path):
    if isinstance(storage, FileSystemStorage):
        return serve(request, path, document_root=storage.location)
    return serve_stored(storage, path)
