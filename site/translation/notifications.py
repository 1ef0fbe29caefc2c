"""E-mails to the people of the admin, in each one's language: what there is to translate, what is ready to be published."""

from core.page_permissions import people_with
from django.contrib.auth import get_user_model
from django.template.loader import render_to_string
from django.utils import translation as languages
from django_tasks import task
from wagtail.admin.mail import send_mail
from wagtail.admin.utils import get_admin_base_url
from wagtail.models import Page
from wagtail.users.models import UserProfile
from wagtail_localize.models import Translation


@task()
def to_translate(translation_id):
    """Tell the translators of a language how many texts of a published page wait for them."""
    translation = Translation.objects.get(pk=translation_id)
    page = translation.get_target_instance()
    if isinstance(page, Page):
        total, done = translation.get_progress()
        everywhere = people_with("change", Page.get_first_root_node())
        people = people_with("change", page).exclude(pk__in=everywhere)
        _tell(people.exclude(pk__in=people_with("publish", page)), "to_translate", page, left=total - done)


@task()
def translation_ready(translation_id, by_id):
    """Tell the publishers of a language that a translation is complete."""
    translation = Translation.objects.get(pk=translation_id)
    page = translation.get_target_instance()
    if isinstance(page, Page):
        by = get_user_model().objects.get(pk=by_id)
        _tell(people_with("publish", page).exclude(pk=by.pk), "translation_ready", page, by=by)


def _tell(people, name, page, **context):
    for user in people.exclude(email=""):
        profile = UserProfile.get_for_user(user)
        if not profile.submitted_notifications:
            continue
        context |= {"page": page, "user": user, "base_url": get_admin_base_url()}
        with languages.override(profile.get_preferred_language()):
            subject = render_to_string(f"translation/mail/{name}_subject.txt", context).strip()
            send_mail(subject, render_to_string(f"translation/mail/{name}.txt", context), [user.email])
