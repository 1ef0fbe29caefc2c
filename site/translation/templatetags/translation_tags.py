"""Template tags for translations."""

from django import template
from django.template import Context
from wagtail.models import Page

from translation import tree_actions

register = template.Library()


@register.simple_tag(takes_context=True)
def permitted_translations(
    context: Context, action: tree_actions.Action, page: Page, destination: Page | None = None
) -> list[Page]:
    """Return the translations of a page on which the current user may perform `action` as well."""
    return tree_actions.permitted_translations(context["request"].user, page, action, destination or None)
