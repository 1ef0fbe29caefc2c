"""Inline scripts under a Content-Security-Policy with nonces (CSP level 3).

The admin templates of Wagtail and wagtail-localize contain inline scripts without a nonce. `Loader` adds it to the source of a
template, before rendering, so that scripts in user input never get one.
"""

import re
from contextvars import ContextVar
from typing import Any

from django import template
from django.http import HttpRequest
from django.template.base import Origin
from django.template.loaders.app_directories import Loader as AppDirectoriesLoader
from django.utils.safestring import SafeString, mark_safe
from wagtail.admin.widgets import BaseChooser

register = template.Library()
INLINE_SCRIPT = re.compile(r"<script(?![^>]*\b(?:src|nonce)=)")
_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)


def set_current_request(request: HttpRequest) -> None:
    """Store the current request for `csp_nonce`, as widgets are rendered without it. Called by the middleware."""
    _request.set(request)


@register.simple_tag
def csp_nonce() -> str:
    """Return the nonce of the current response, or an empty string."""
    request = _request.get()
    return str(request.csp_nonce) if request is not None and hasattr(request, "csp_nonce") else ""


class Loader(AppDirectoriesLoader):
    """Loads templates from the apps' folders and adds the nonce to their inline scripts."""

    def get_contents(self, origin: Origin) -> str:
        return INLINE_SCRIPT.sub('<script nonce="{% csp_nonce %}"', super().get_contents(origin))


def add_nonce_to_choosers() -> None:
    """Add the nonce to the inline script of Wagtail's choosers, which is not in a template."""
    render = BaseChooser.render

    def render_with_nonce(self: BaseChooser, *args: Any, **kwargs: Any) -> SafeString:
        return mark_safe(render(self, *args, **kwargs).replace("<script>", f'<script nonce="{csp_nonce()}">', 1))

    BaseChooser.render = render_with_nonce
