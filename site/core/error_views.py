"""Error pages: the URLconf's handlers."""

import errno
import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation


def _language_of(request: HttpRequest) -> str:
    return translation.get_language_from_path(request.path_info) or translation.get_language_from_request(request)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404 in the language of the URL, else of the browser."""
    with translation.override(_language_of(request)):
        return render(request, "404.html", {"error_page": True}, status=404)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403 in the reader's language."""
    with translation.override(_language_of(request)):
        return render(request, "403.html", {"error_page": True}, status=403)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400 in the reader's language, rendered without the request, which may be malformed."""
    with translation.override(translation.get_language_from_request(request)):
        return render(None, "500.html", {"bad_request": True}, status=400)


RETRY_SECONDS = 30
DISK_FULL_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def server_error(request: HttpRequest) -> HttpResponse:
    """500 in the reader's language, or 503 if the database is unavailable or the disk full. Uses neither of them."""
    error = sys.exception()
    is_full = isinstance(error, OSError) and error.errno in DISK_FULL_ERRORS
    is_away = is_full or isinstance(error, (OperationalError, InterfaceError))
    with translation.override(_language_of(request)):
        response = render(None, "500.html", {"is_away": is_away}, status=503 if is_away else 500)
    response["Cache-Control"] = "no-store"
    if is_away:
        response["Retry-After"] = str(RETRY_SECONDS)
    return response
