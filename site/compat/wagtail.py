"""Wagtail 7.4: parts without a documented API."""

from collections.abc import Callable
from typing import Any

from django.db.models import Model
from django.http import HttpRequest
from django.utils.safestring import SafeString, mark_safe
from wagtail.admin.widgets import BaseChooser
from wagtail.models import Page, ReferenceIndex, Site


def set_site(request: HttpRequest, site: Site | None) -> None:
    """Say which Site a request is for, so that Site.find_for_request() runs no query."""
    request._wagtail_site = site  # type: ignore[attr-defined]  # where Wagtail looks for it


def is_slug_available(slug: str, parent: Page, page: Page) -> bool:
    """Return whether `page` could have `slug` below `parent`."""
    return Page._slug_is_available(slug, parent, page=page)


def referenced_keys(model: type[Model]) -> set[int]:
    """Return the primary keys of the objects of `model` that pages or snippets refer to."""
    kind = ReferenceIndex._get_base_content_type(model)
    references = ReferenceIndex.objects.filter(to_content_type=kind)
    return {int(key) for key in references.values_list("to_object_id", flat=True)}


def add_nonce_to_choosers(nonce: Callable[[], str]) -> None:
    """Patch Wagtail's choosers to give their inline script, which is not in a template, a CSP nonce."""
    render = BaseChooser.render

    def render_with_nonce(self: BaseChooser, *args: Any, **kwargs: Any) -> SafeString:
        return mark_safe(render(self, *args, **kwargs).replace("<script>", f'<script nonce="{nonce()}">', 1))

    BaseChooser.render = render_with_nonce
