"""Moving, unpublishing and deleting a page together with its translations."""

from wagtail.models import Page


def permitted_translations(user, page, action, destination=None):
    """Return the translations of `page` on which `user` may perform `action`: "delete", "unpublish" or "move"."""
    found = [other.specific for other in Page.objects.filter(translation_key=page.translation_key).exclude(pk=page.pk)]
    return [other for other in found if _may(user, other, action, destination)]


def _may(user, other, action, destination):
    permissions = other.permissions_for_user(user)
    if action == "move":
        target = translated_destination(other, destination)
        return bool(target) and target != other.get_parent() and permissions.can_move_to(target)
    return permissions.can_delete() if action == "delete" else other.live and permissions.can_unpublish()


def translated_destination(other, destination):
    """Return the translation of the page `destination` in the language of `other`; None if missing or if the slug is taken there."""
    target = Page.objects.filter(translation_key=destination.translation_key, locale=other.locale_id).first()
    is_available = target and Page._slug_is_available(other.slug, target, page=other)
    return target.specific if is_available else None
