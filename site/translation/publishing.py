"""Drafts of translations, and handing them over to those who publish."""

from django.contrib.auth.models import User
from django.db import transaction
from wagtail.models import Page, Revision
from wagtail_localize.models import Translation


def save_draft(translation: Translation, user: User | None) -> Revision:
    """Save the translated texts as a new revision. Raises ValidationError.

    wagtail-localize would write them to the row that readers see.
    """
    target = translation.source.get_ephemeral_translated_instance(translation.target_locale, fallback=True)
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
