"""Notification e-mails to translators and publishers, each in the language of the recipient."""

import logging

from core.page_permissions import HOME_DEPTH, users_with_permission
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.utils import translation as languages
from django_tasks import task
from wagtail.admin.mail import send_mail
from wagtail.admin.utils import get_admin_base_url
from wagtail.models import Page, TranslatableMixin
from wagtail.users.models import UserProfile
from wagtail_localize.models import Translation

from translation.status import texts_left

logger = logging.getLogger(__name__)


@task()
def notify_translators(translation_id: int) -> None:
    """Notify the translators of a language of the number of untranslated texts of a page. Publishers are left out."""
    translation = Translation.objects.get(pk=translation_id)
    page = translation.get_target_instance()
    if isinstance(page, Page):
        people = translators(page).exclude(pk__in=users_with_permission("publish", page))
        send(people, "translation/mail/to_translate", page, left=texts_left(translation))


@task()
def notify_publishers(translation_id: int, by_id: int) -> None:
    """Notify the publishers of a language, except the user `by_id`, that a translation is complete."""
    translation = Translation.objects.get(pk=translation_id)
    page = translation.get_target_instance()
    if isinstance(page, Page):
        by = get_user_model().objects.get(pk=by_id)
        send(
            users_with_permission("publish", page).exclude(pk=by.pk), "translation/mail/translation_ready", page, by=by
        )


@task()
def notify_refused(translation_id: int) -> None:
    """Notify translators and publishers that a translation was to be published and is not complete."""
    translation = Translation.objects.get(pk=translation_id)
    instance = translation.get_target_instance()
    people = translators(instance) | _who_may(instance, users_with_permission("publish", place(instance)))
    title = instance.get_admin_display_title() if isinstance(instance, Page) else str(instance)
    url = translation.get_target_instance_edit_url()
    left = texts_left(translation)
    send(people.distinct(), "translation/mail/not_published", instance, left=left, title=title, url=url)


def place(instance: TranslatableMixin) -> Page:
    """Return the page whose permissions decide about a translation: itself, or for a snippet its language's home page."""
    return instance if isinstance(instance, Page) else Page.objects.get(depth=HOME_DEPTH, locale=instance.locale_id)


def translators(instance: TranslatableMixin) -> QuerySet[User]:
    """Return those who translate a page or snippet: they may change it, but not everything on the site."""
    at_root = users_with_permission("change", Page.get_first_root_node())
    return _who_may(instance, users_with_permission("change", place(instance)).exclude(pk__in=at_root))


def _who_may(instance: TranslatableMixin, people: QuerySet[User]) -> QuerySet[User]:
    """Leave out those who may not change a snippet of this kind."""
    if isinstance(instance, Page):
        return people
    kind = ContentType.objects.get_for_model(instance)
    permission = Permission.objects.get(content_type=kind, codename=f"change_{instance._meta.model_name}")
    return people.filter(pk__in=get_user_model().objects.filter(groups__permissions=permission))


def send(users: QuerySet[User], template: str, page: TranslatableMixin, **context: object) -> None:
    """Send users a mail about a page or snippet: the templates `template`_subject.txt and `template`.txt.

    A mail that cannot be sent is logged; the others go out.
    """
    for user in users.exclude(email=""):
        profile = UserProfile.get_for_user(user)
        if not profile.submitted_notifications:
            continue
        context |= {"page": page, "user": user, "base_url": get_admin_base_url()}
        try:
            with languages.override(profile.get_preferred_language()):
                subject = render_to_string(f"{template}_subject.txt", context).strip()
                send_mail(subject, render_to_string(f"{template}.txt", context), [user.email])
        except Exception:  # whatever a mail server makes of one address: the others get theirs
            logger.exception("Notification %s was not sent to user %s", template, user.pk)
