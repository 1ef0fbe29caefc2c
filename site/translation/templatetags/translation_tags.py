"""Template tags for translations."""

from typing import Any

from django import template
from django.template import Context
from wagtail.models import Page, TranslatableMixin
from wagtail_localize.models import Translation

from translation import editor, glossary, tree_actions

register = template.Library()


@register.simple_tag(takes_context=True)
def permitted_translations(
    context: Context, action: tree_actions.Action, page: Page, destination: Page | None = None
) -> list[Page]:
    """Return the translations of a page on which the current user may perform `action` as well."""
    return tree_actions.permitted_translations(context["request"].user, page, action, destination or None)


@register.simple_tag(takes_context=True)
def translation_editor(context: Context, translation: Translation, instance: TranslatableMixin) -> dict[str, Any]:
    """Return what our part of the translation editor shows: its buttons, previews and the terms of the glossary."""
    user = context["request"].user
    return {
        "main": editor.main_action(user, translation, instance),
        "menu": editor.menu_actions(user, translation, instance),
        "previews": editor.preview_actions(translation, instance),
        "terms": glossary.terms_by_text(translation),
    }
