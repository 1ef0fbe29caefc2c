"""Moving, unpublishing and deleting a page together with its translations, for whoever says so when asked."""

from django.core.exceptions import PermissionDenied
from wagtail import hooks
from wagtail.actions.delete_page import DeletePageAction
from wagtail.actions.move_page import MovePageAction
from wagtail.actions.unpublish_page import UnpublishPageAction
from wagtail.models import Page


def others(user, page, action, destination=None):
    """The translations of `page` on which `user` may carry out `action`: "delete", "unpublish" or "move"."""
    found = [other.specific for other in Page.objects.filter(translation_key=page.translation_key).exclude(pk=page.pk)]
    return [other for other in found if _may(user, other, action, destination)]


def _may(user, other, action, destination):
    rights = other.permissions_for_user(user)
    if action == "move":
        there = _place_for(other, destination)
        return bool(there) and there != other.get_parent() and rights.can_move_to(there)
    return rights.can_delete() if action == "delete" else other.live and rights.can_unpublish()


def _place_for(other, destination):
    there = Page.objects.filter(translation_key=destination.translation_key, locale=other.locale_id).first()
    is_free = there and Page._slug_is_available(other.slug, there, page=other)
    return there.specific if is_free else None


def _asked(request):
    return request.POST.get("with_translations") == "on"


@hooks.register("before_move_page")
def ask_for_the_right_to_move(request, page, destination):
    """Wagtail asks only once the move is confirmed, and shows both pages to anybody before."""
    if not page.permissions_for_user(request.user).can_move_to(destination):
        raise PermissionDenied


@hooks.register("after_delete_page")
def delete_too(request, page):
    if _asked(request):
        for other in others(request.user, page, "delete"):
            DeletePageAction(other, user=request.user).execute()


@hooks.register("after_unpublish_page")
def unpublish_too(request, page):
    if _asked(request):
        for other in others(request.user, page, "unpublish"):
            below = bool(request.POST.get("include_descendants"))
            UnpublishPageAction(other, user=request.user, include_descendants=below).execute()


@hooks.register("after_move_page")
def move_too(request, page):
    if _asked(request):
        destination = page.get_parent()
        for other in others(request.user, page, "move", destination):
            MovePageAction(other, _place_for(other, destination), pos="last-child", user=request.user).execute()
