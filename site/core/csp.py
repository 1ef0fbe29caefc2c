"""Inline scripts under a Content-Security-Policy with nonces (CSP level 3).

The admin templates of Wagtail and wagtail-localize contain inline scripts without a nonce. `Loader` adds it to the source of a
template, before rendering, so that scripts in user input never get one.
"""

import re
from contextvars import ContextVar

from django import template
from django.http import HttpRequest
from django.template.base import Origin
from django.template.loaders.app_directories import Loader as AppDirectoriesLoader

register = template.Library()
INLINE_SCRIPT = re.compile(r"<script(?![^>]*\b(?:src|nonce)=)")
_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)


def set_current_request(request: HttpRequest) -> None:
    """Store the current request for code that is called without it, such as widgets. Called by the middleware."""
    _request.set(request)


def current_request() -> HttpRequest | None:
    """Return the request that is being answered; None in a worker or command."""
    return _request.get()


@register.simple_tag
def csp_nonce() -> str:
    """Return the nonce of the current response, or an empty string."""
    request = _request.get()
    return str(request.csp_nonce) if request is not None and hasattr(request, "csp_nonce") else ""


class Loader(AppDirectoriesLoader):
    """Loads templates from the apps' folders and adds the nonce to their inline scripts."""

    def get_contents(self, origin: Origin) -> str:
        return INLINE_SCRIPT.sub('<script nonce="{% csp_nonce %}"', super().get_contents(origin))
