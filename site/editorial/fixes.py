"""Ways to fix what a check found: what to do, where, and who may."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from core.models import CustomImage
from core.page_permissions import groups_with_permission
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from wagtail.images.permissions import permission_policy
from wagtail.models import Page
from wagtail.permission_policies.pages import PagePermissionPolicy


@dataclass(frozen=True)
class Fix:
    """A way to fix a problem. `may` says whether a user may follow it, `groups` who else may.

    `url` is a page to open, or with `is_button` an address to post to.
    """

    label: str
    url: str
    may: Callable[[User], bool]
    groups: Callable[[], QuerySet[Group]]
    is_button: bool = False


def edit_page(page: Page, label: str = "", permission: str = "change") -> Fix:
    """Return the way to a page's editor, for those with a permission on the page."""
    return Fix(
        label or _("Look at it"),
        reverse("wagtailadmin_pages:edit", args=[page.pk]),
        lambda user: PagePermissionPolicy().user_has_permission_for_instance(user, permission, page),
        partial(groups_with_permission, permission, page),
    )


def edit_image(image: CustomImage) -> Fix:
    """Return the way to a picture's form."""
    return Fix(
        _("Change the picture"),
        reverse("wagtailimages:edit", args=[image.pk]),
        lambda user: permission_policy.user_has_permission_for_instance(user, "change", image),
        lambda: Group.objects.filter(
            collection_permissions__permission__codename="change_image",
            collection_permissions__collection__in=image.collection.get_ancestors(inclusive=True),
        ).distinct(),
    )


def open_page(url: str) -> Fix:
    """Return the way to a page of the admin that whoever sees the problem may open."""
    return Fix(_("Look at it"), url, lambda user: True, Group.objects.none)


def look_at_operations(label: str) -> Fix:
    """Return the way to the operations page, for what has to be set up outside of the site."""
    permission = "change_user"  # what the operations page asks for
    return Fix(
        label,
        reverse("operations"),
        lambda user: user.has_perm(f"auth.{permission}"),
        lambda: Group.objects.filter(permissions__codename=permission),
    )


def people_to_ask(fix: Fix, user: User) -> str:
    """Return who may follow a way to fix a problem: their names for those who may see users, else their groups."""
    groups = fix.groups().order_by("name")
    if user.has_perm("auth.view_user"):
        people = get_user_model().objects.filter(is_active=True, groups__in=groups).distinct().order_by("username")
        names = [person.get_full_name() or person.get_username() for person in people]
    else:
        names = [str(group) for group in groups.filter(user__is_active=True).distinct()]
    return get_text_list(names, _("or"))
