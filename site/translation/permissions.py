"""Permissions of translators."""

from core.page_permissions import languages_of
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Q
from wagtail.admin.auth import permission_required
from wagtail.models import Locale, Page
from wagtail.permission_policies.pages import PagePermissionPolicy
from wagtail.query import PageQuerySet

TRANSLATE = "wagtail_localize.submit_translation"  # wagtail-localize's permission
translators_only = permission_required(TRANSLATE)


def visible_pages(user: User | AnonymousUser) -> PageQuerySet:
    """Return the pages that a user may see: those they may edit and, for translators, all published ones."""
    own = Q(pk__in=PagePermissionPolicy().explorable_instances(user).values("pk"))
    return Page.objects.filter(own | Q(live=True) if user.has_perm(TRANSLATE) else own)


def may_translate_into(user: User | AnonymousUser, locale: Locale) -> bool:
    """Return whether a user may edit pages in `locale`."""
    return languages_of(user).filter(pk=locale.pk).exists()
