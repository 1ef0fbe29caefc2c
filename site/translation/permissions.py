"""Permissions of translators."""

from core.page_permissions import languages_of
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.shortcuts import get_object_or_404
from wagtail.admin.auth import permission_required
from wagtail.models import Locale, Page
from wagtail.permission_policies.pages import PagePermissionPolicy
from wagtail.query import PageQuerySet
from wagtail_localize.models import Translation

TRANSLATE = "wagtail_localize.submit_translation"  # wagtail-localize's permission
translators_only = permission_required(TRANSLATE)


def visible_pages(user: User | AnonymousUser) -> PageQuerySet:
    """Return the pages that a user may see: those they may edit and, for translators, all published ones."""
    own = Q(pk__in=PagePermissionPolicy().explorable_instances(user).values("pk"))
    return Page.objects.filter(own | Q(live=True) if user.has_perm(TRANSLATE) else own)


def own_translation(user: User | AnonymousUser, translation_id: int) -> Translation:
    """Return a Translation into one of the user's languages. Raises Http404, and PermissionDenied for another language."""
    translation = get_object_or_404(Translation, pk=translation_id)
    if not user.is_authenticated or not may_translate_into(user, translation.target_locale):
        raise PermissionDenied
    return translation


def may_translate_into(user: User | AnonymousUser, locale: Locale) -> bool:
    """Return whether a user may edit pages in `locale`."""
    return languages_of(user).filter(pk=locale.pk).exists()
