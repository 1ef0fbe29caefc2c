"""Drafts of translations, handing them over to those who publish, and the guard that keeps half a translation from readers."""

import logging

from core.csp import current_request
from core.page_permissions import groups_with_permission
from django.contrib import messages
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Model
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from wagtail.models import Page, Revision, TranslatableMixin
from wagtail_localize.models import StringTranslation, Translation

from translation import notifications
from translation.models import RefusedPublication
from translation.status import texts_left, translation_of

logger = logging.getLogger(__name__)
SCHEDULE = ("go_live_at", "expire_at")


def save_draft(translation: Translation, user: User | None, schedule: Model | None = None) -> Revision:
    """Save the translated texts as a new revision, with the dates of the object `schedule` if given. Raises ValidationError.

    wagtail-localize would write them to the row that readers see.
    """
    target = translation.source.get_ephemeral_translated_instance(translation.target_locale, fallback=True)
    for name in SCHEDULE if schedule else ():
        setattr(target, name, getattr(schedule, name))
    return target.save_revision(user=user)


@transaction.atomic
def hand_over(translation: Translation, page: Page, user: User) -> None:
    """Submit the translated page to its workflow, again if it was sent back. Raises ValidationError."""
    save_draft(translation, user)
    page.refresh_from_db()
    state = page.current_workflow_state
    if state:
        state.resume(user)
    else:
        page.get_workflow().start(page, user)


def choose_revision(instance: Model, revision: Revision, user: User | None) -> Revision | None:
    """Return the revision to publish instead of `revision`, whose object is `instance`; None if the translation is incomplete.

    A revision from before the last texts were translated may still hold the original's, so a new one takes its place.
    """
    translation = translation_of(instance) if isinstance(instance, TranslatableMixin) else None
    if translation is None:
        return revision
    if left := texts_left(translation):
        _refuse(translation, revision, left)
        return None
    RefusedPublication.objects.filter(translation=translation).delete()
    newer = StringTranslation.objects.filter(
        context__object=translation.source.object_id,
        locale=translation.target_locale,
        updated_at__gt=revision.created_at,
    )
    return save_draft(translation, user, instance) if newer.exists() else revision


def _explanation(translation: Translation, left: int) -> str:
    """Return why a translation was not published, and what to do. An approver reads it beside Wagtail's "approved"."""
    instance = translation.get_target_instance()
    title = instance.get_admin_display_title() if isinstance(instance, Page) else str(instance)
    people = notifications.translators(instance)
    groups = Group.objects.filter(
        user__in=people, pk__in=groups_with_permission("change", notifications.place(instance))
    )
    words = {"title": title, "left": left, "people": get_text_list(sorted({str(group) for group in groups}), _("or"))}
    text = ngettext(
        "“%(title)s” was to be published, but %(left)s text of it is not translated yet. It is kept as a draft.",
        "“%(title)s” was to be published, but %(left)s texts of it are not translated yet. It is kept as a draft.",
        left,
    )
    if groups:
        text += " " + _("Ask someone of %(people)s to translate them; then publish it.")
    else:
        text += " " + _("Translate them; then publish it.")
    return text % words


def _refuse(translation: Translation, revision: Revision, left: int) -> None:
    """Keep the revision as a draft, remember that it was refused, and tell whoever asked for it, and translators and publishers
    once."""
    Revision.objects.filter(pk=revision.pk).update(approved_go_live_at=None)
    _refused, is_new = RefusedPublication.objects.update_or_create(translation=translation, defaults={"left": left})
    logger.warning("Translation %s is incomplete and was not published: %s texts are missing", translation.pk, left)
    request = current_request()
    if request:
        messages.error(request, _explanation(translation, left), fail_silently=True)
    if is_new:
        notifications.notify_refused.enqueue(translation.pk)
