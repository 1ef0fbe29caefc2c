"""Inline scripts under a Content-Security-Policy with nonces (CSP level 3).

Wagtail's and wagtail-localize's admin have a dozen inline scripts without one. `Loader` writes the nonce into a template as it is read from
its package, so what a person typed, which comes in when the template is rendered, never gets one.
"""

import re
from contextvars import ContextVar

from django import template
from django.template.loaders.app_directories import Loader as AppDirectoriesLoader
from django.utils.safestring import mark_safe
from wagtail.admin.widgets import BaseChooser

register = template.Library()
INLINE_SCRIPT = re.compile(r"<script(?![^>]*\b(?:src|nonce)=)")
_request = ContextVar("request", default=None)


def remember(request):
    """Remember the request that is being answered: widgets are rendered without it. Called by the middleware."""
    _request.set(request)


@register.simple_tag
def csp_nonce():
    """The nonce of this response."""
    request = _request.get()
    return str(request.csp_nonce) if request is not None and hasattr(request, "csp_nonce") else ""


class Loader(AppDirectoriesLoader):
    """Reads templates from the apps' folders, and marks their inline scripts."""

    def get_contents(self, origin):
        return INLINE_SCRIPT.sub('<script nonce="{% csp_nonce %}"', super().get_contents(origin))


def mark_choosers():
    """Wagtail's choosers write their script in Python; give it the nonce as well."""
    render = BaseChooser.render

    def render_marked(self, *args, **kwargs):
        return mark_safe(render(self, *args, **kwargs).replace("<script>", f'<script nonce="{csp_nonce()}">', 1))

    BaseChooser.render = render_marked
