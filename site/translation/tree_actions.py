"""Moving, unpublishing and deleting a page together with its translations."""

from typing import Literal

from compat.wagtail import is_slug_available
from django.contrib.auth.models import AnonymousUser, User
from wagtail.models import Page

Action = Literal["delete", "unpublish", "move"]


def permitted_translations(
    user: User | AnonymousUser, page: Page, action: Action, destination: Page | None = None
) -> list[Page]:
    """Return the translations of `page` on which `user` may perform `action`."""
    found = [other.specific for other in Page.objects.filter(translation_key=page.translation_key).exclude(pk=page.pk)]
    return [other for other in found if _may(user, other, action, destination)]


def _may(user: User | AnonymousUser, other: Page, action: Action, destination: Page | None) -> bool:
    permissions = other.permissions_for_user(user)
    if action == "move":
        target = translated_destination(other, destination)
        return bool(target) and target != other.get_parent() and permissions.can_move_to(target)
    return permissions.can_delete() if action == "delete" else other.live and permissions.can_unpublish()


def translated_destination(other: Page, destination: Page) -> Page | None:
    """Return the translation of the page `destination` in the language of `other`; None if missing or if the slug is taken there."""
    target = Page.objects.filter(translation_key=destination.translation_key, locale=other.locale_id).first()
    is_available = target and is_slug_available(other.slug, target, other)
    return target.specific if is_available else None
