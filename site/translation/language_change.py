"""Moving a page with its descendants from one language's tree to another's: for a page that was created in the wrong language."""

import json
from collections.abc import Sequence
from uuid import UUID

from compat.wagtail import is_slug_available
from core.page_permissions import HOME_DEPTH
from core.signal_handlers import purge_pages
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from wagtail import hooks
from wagtail.actions.move_page import MovePageAction
from wagtail.log_actions import log
from wagtail.models import Locale, Page
from wagtail.search import index
from wagtail_localize.models import (
    SegmentOverride,
    String,
    StringSegment,
    StringTranslation,
    Translation,
    TranslationSource,
)


class LanguageChangeError(Exception):
    """The page cannot move to the other language. The message says why."""


def tree(page: Page) -> Sequence[Page]:
    """Return a page and its descendants."""
    return page.get_descendants(inclusive=True).specific()


def new_parent(user: User, page: Page, locale: Locale) -> Page:
    """Return the page below which `page` moves with its language. Raises LanguageChangeError with the reason if it cannot."""
    if page.depth <= HOME_DEPTH:
        raise LanguageChangeError(_("The home page of a language stays in its language."))
    target = page.get_parent().get_translation_or_none(locale)
    if target is None:
        name = page.get_parent().specific_deferred.get_admin_display_title()
        raise LanguageChangeError(_("“%(title)s” is not translated; translate it first.") % {"title": name})
    for each in tree(page):
        if reason := _reason_to_stay(user, each, locale):
            raise LanguageChangeError(reason)
    if not target.permissions_for_user(user).can_publish_subpage():
        raise LanguageChangeError(_("You may not publish in this language."))
    words = {"title": target.specific_deferred.get_admin_display_title(), "slug": page.slug}
    if not is_slug_available(page.slug, target, page):
        text = _("Below “%(title)s” there is already a page with the address “%(slug)s”. Change one of the two first.")
        raise LanguageChangeError(text % words)
    moved = Page.objects.get(pk=page.pk).specific
    moved.locale = locale  # Wagtail lets no page move to another language's tree
    if not moved.permissions_for_user(user).can_move_to(target):
        raise LanguageChangeError(_("A page of this kind cannot be placed below “%(title)s”.") % words)
    return target.specific


def _reason_to_stay(user: User, page: Page, locale: Locale) -> str:
    """Return why one page of the tree cannot move to `locale`, or an empty string.

    A translation stays: its texts belong to the language that they were translated into.
    """
    words = {"title": page.get_admin_display_title(), "language": locale}
    permissions = page.permissions_for_user(user)
    lock = page.get_lock()
    originals = Translation.objects.filter(source__object=page.translation_key, target_locale=page.locale_id)
    if not permissions.can_publish() or not permissions.can_edit():
        return _("You may not publish “%(title)s”.") % words
    if lock and lock.for_user(user):
        return _("“%(title)s” is locked, in review or waiting to be published.") % words
    if page.alias_of_id:
        return _("“%(title)s” is an alias of another page.") % words
    if page.has_translation(locale):
        return _("“%(title)s” already has a page in %(language)s.") % words
    for translation in originals.select_related("source"):
        if Page.objects.filter(translation_key=page.translation_key, locale=translation.source.locale_id).exists():
            return _("“%(title)s” is the translation of another page.") % words
    return next((reason for hook in hooks.get_hooks("refuse_language_change") if (reason := hook(page))), "")


@transaction.atomic
def change_language(user: User, page: Page, locale: Locale) -> Page:
    """Move a page and its descendants to `locale`, below the translation of their parent. Raises LanguageChangeError.

    Page numbers and translation keys stay, so links and translations hold. Wagtail makes redirects from the old addresses.
    """
    _lock_tree(page, locale)
    page = Page.objects.get(pk=page.pk)  # as it is now that nobody else can change it
    target, old = new_parent(user, page, locale), page.locale
    pages = Page.objects.filter(path__startswith=page.path)
    for key in pages.values_list("translation_key", flat=True):
        _move_translation_source(key, old, locale)
    pages.update(locale=locale)
    MovePageAction(Page.objects.get(pk=page.pk).specific, target, pos="last-child", user=user).execute()
    page = Page.objects.get(pk=page.pk)
    data = {"from": old.language_code, "to": locale.language_code}
    for each in tree(page):
        index.insert_or_update_object(each)
        log(each, "clac.language_changed", user=user, data=data)
    purge_pages()  # of all languages: the page was in lists of the one and is in those of the other
    return page.specific


def _lock_tree(page: Page, locale: Locale) -> None:
    """Lock the page, its descendants and both parents until the transaction ends."""
    parent = page.get_parent()
    parents = Q(translation_key=parent.translation_key, locale__in=[page.locale_id, locale.pk])
    found = Page.objects.filter(parents | Q(path__startswith=page.path))
    list(found.select_for_update().order_by("pk").values_list("pk"))


def _move_translation_source(key: UUID, old: Locale, new: Locale) -> None:
    """Move what wagtail-localize knows of an original to its new language, with the translations of its texts.

    Rows about a page in the new language, which there is not, are left from a deleted page; they would be in the way.
    """
    StringTranslation.objects.filter(context__object=key, locale=new).delete()
    SegmentOverride.objects.filter(context__object=key, locale=new).delete()
    Translation.objects.filter(source__object=key, target_locale__in=[old, new]).delete()
    TranslationSource.objects.filter(object=key, locale=new).delete()
    source = TranslationSource.objects.filter(object=key, locale=old).first()
    if source is None:
        return
    content = json.loads(source.content_json)
    source.locale, source.content_json = new, json.dumps(content | {"locale": new.pk})
    source.save(update_fields=["locale", "content_json"])
    segments = StringSegment.objects.filter(source=source)
    translated = StringTranslation.objects.filter(context__object=key)
    used = Q(pk__in=segments.values("string")) | Q(pk__in=translated.values("translation_of"))
    for string in String.objects.filter(used, locale=old):
        # The same text may be in other pages, which stay in the old language: those keep the old row.
        moved, _is_new = String.objects.get_or_create(
            locale=new, data_hash=string.data_hash, defaults={"data": string.data}
        )
        segments.filter(string=string).update(string=moved)
        translated.filter(translation_of=string).update(translation_of=moved)
