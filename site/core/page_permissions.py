"""Queries for page permissions."""

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser, Group, User
from django.db.models import QuerySet
from django.urls import reverse
from wagtail.models import GroupPagePermission, Locale, Page
from wagtail.permission_policies.pages import PagePermissionPolicy

HOME_DEPTH = 2  # tree depth of the home pages, one per language


def languages_of(user: User | AnonymousUser) -> QuerySet[Locale]:
    """Return the Locales in which a user may edit pages; all Locales for superusers."""
    if user.is_superuser:
        return Locale.objects.all()
    changeable = PagePermissionPolicy().instances_user_has_permission_for(user, "change")
    return Locale.objects.filter(pk__in=changeable.filter(depth__gte=HOME_DEPTH).values("locale"))


def languages_of_site(user: User | AnonymousUser) -> QuerySet[Locale]:
    """Return the Locales whose home page a user may edit, so that texts which are not pages are theirs too."""
    if user.is_superuser:
        return Locale.objects.all()
    changeable = PagePermissionPolicy().instances_user_has_permission_for(user, "change")
    homes = Page.objects.filter(depth=HOME_DEPTH, pk__in=changeable.values("pk"))
    return Locale.objects.filter(pk__in=homes.values("locale"))


def groups_with_permission(permission: str, page: Page) -> QuerySet[Group]:
    """Return the groups with a page permission (such as "publish") on `page`."""
    paths = [page.path[:length] for length in range(page.steplen, len(page.path) + 1, page.steplen)]
    found = GroupPagePermission.objects.filter(page__path__in=paths, permission__codename=f"{permission}_page")
    return Group.objects.filter(pk__in=found.values("group"))


def users_with_permission(permission: str, page: Page) -> QuerySet[User]:
    """Return the active users with a page permission (such as "publish") on `page` by one of their groups. Excludes superusers."""
    groups = groups_with_permission(permission, page)
    return get_user_model().objects.filter(is_active=True, groups__in=groups.values("pk")).distinct()


def url_to_add(user: User | AnonymousUser, model: type[Page], parent_model: type[Page]) -> str:
    """Return the URL of the form for a new page of `model` below a page of `parent_model` where the user may add pages: the
    one in the default language if possible. Empty if there is none."""
    pages = parent_model.objects.select_related("locale").order_by("path")
    found = [page for page in pages if page.permissions_for_user(user).can_add_subpage()]
    if not found:
        return ""
    parent = min(found, key=lambda page: page.locale.language_code != settings.LANGUAGE_CODE)
    return reverse("wagtailadmin_pages:add", args=[model._meta.app_label, model._meta.model_name, parent.pk])
