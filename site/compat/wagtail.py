"""Wagtail 7.4: parts without a documented API."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Model
from django.http import HttpRequest
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy
from wagtail.actions.publish_revision import PublishRevisionAction
from wagtail.admin.widgets import BaseChooser
from wagtail.images import blocks as images
from wagtail.models import Page, ReferenceIndex, Revision, Site


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


def guard_publishing(choose: Callable[[Model, Revision, User | None], Revision | None]) -> None:
    """Patch the action that publishes or schedules a revision, whoever asks for it: `choose` returns the revision to take, or None
    to refuse. Wagtail has no signal or hook before that, only hooks of some views."""
    execute = PublishRevisionAction.execute

    def execute_guarded(self: PublishRevisionAction, skip_permission_checks: bool = False) -> None:
        self.check(skip_permission_checks=skip_permission_checks)
        chosen = choose(self.object, self.revision, self.user)
        if chosen is None:
            return
        if chosen != self.revision:
            self.revision, self.object = chosen, chosen.as_object()
        execute(self, skip_permission_checks)

    PublishRevisionAction.execute = execute_guarded


class ImageBlock(images.ImageBlock):
    """Wagtail's ImageBlock with translated labels, where Wagtail makes them of the English names."""

    class Meta:
        label = gettext_lazy("Image")

    def __init__(self, required: bool = True, **kwargs: Any) -> None:
        super().__init__(required=required, **kwargs)
        chooser = self.child_blocks["image"]
        chooser.meta.label = chooser.label = gettext_lazy("Image")
