"""Permissions of translators."""

from collections.abc import Callable, Iterable

from core.page_permissions import languages_of_site
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.shortcuts import get_object_or_404
from wagtail.admin.auth import permission_required
from wagtail.models import Locale, Page, TranslatableMixin
from wagtail.permission_policies.pages import PagePermissionPolicy
from wagtail.query import PageQuerySet
from wagtail_localize.models import Translation
from wagtail_localize.views.edit_translation import user_can_edit_instance

TRANSLATE = "wagtail_localize.submit_translation"  # wagtail-localize's permission
translators_only = permission_required(TRANSLATE)


def visible_pages(user: User | AnonymousUser) -> PageQuerySet:
    """Return the pages that a user may see: those they may edit and, for translators, all published ones."""
    own = Q(pk__in=PagePermissionPolicy().explorable_instances(user).values("pk"))
    return Page.objects.filter(own | Q(live=True) if user.has_perm(TRANSLATE) else own)


def own_translation(user: User | AnonymousUser, translation_id: int) -> Translation:
    """Return a Translation that a user may edit. Raises Http404 and PermissionDenied."""
    translation = get_object_or_404(Translation, pk=translation_id)
    target = translation.source.object.get_instance_or_none(translation.target_locale)
    if not user.is_authenticated or target is None or not may_edit_translation(user, target):
        raise PermissionDenied
    return translation


def may_edit_translation(user: User | AnonymousUser, target: TranslatableMixin) -> bool:
    """Return whether a user may edit a translated page; or a translated snippet, for which its language counts too."""
    if isinstance(target, Page):
        return target.permissions_for_user(user).can_edit()
    return user_can_edit_instance(user, target) and may_translate_into(user, target.locale)


def may_translate_into(user: User | AnonymousUser, locale: Locale) -> bool:
    """Return whether a user may edit texts in `locale` that are not pages."""
    return languages_of_site(user).filter(pk=locale.pk).exists()


def own_rows(
    user: User | AnonymousUser, rows: QuerySet[TranslatableMixin], locales: Iterable[Locale]
) -> QuerySet[TranslatableMixin]:
    """Filter original pages by whether the user may edit or add their translation into one of `locales`."""
    changeable = PagePermissionPolicy().instances_user_has_permission_for(user, "change").filter(locale__in=locales)
    keys = set(changeable.values_list("translation_key", flat=True))
    may_add = places_to_add(user, rows)
    own = [row.pk for row in rows if row.translation_key in keys or any(may_add(row, locale) for locale in locales)]
    return rows.filter(pk__in=own)


def places_to_add(
    user: User | AnonymousUser, rows: Iterable[TranslatableMixin]
) -> Callable[[TranslatableMixin, Locale], bool]:
    """Return a function that tells whether the user may add the translation of one of `rows` into a language, in three queries.

    A page needs the right at the nearest page above it that exists in that language.
    """
    may_translate = user.has_perm(TRANSLATE)
    own = set(languages_of_site(user).values_list("pk", flat=True)) if may_translate else set()
    pages = [row for row in rows if isinstance(row, Page)] if may_translate else []
    above = {page.path[:end] for page in pages for end in range(Page.steplen, len(page.path), Page.steplen)}
    keys = dict(Page.objects.filter(path__in=above).values_list("path", "translation_key"))
    addable = PagePermissionPolicy().instances_user_has_permission_for(user, "add").values("pk")
    places = Page.objects.filter(translation_key__in=keys.values()).annotate(
        is_allowed=ExpressionWrapper(Q(pk__in=addable), BooleanField())
    )
    found = {(page.translation_key, page.locale_id): page.is_allowed for page in places}
    may_add_homes = any(page.is_allowed for page in places if page.is_root())

    def may_add(row: TranslatableMixin, locale: Locale) -> bool:
        if not isinstance(row, Page):
            return locale.pk in own
        if not may_translate:
            return False
        for end in range(len(row.path) - Page.steplen, Page.steplen, -Page.steplen):
            place = (keys[row.path[:end]], locale.pk)
            if place in found:
                return found[place]
        return may_add_homes

    return may_add
