"""Template tags for translations."""

from django import template

from translation import tree_actions

register = template.Library()


@register.simple_tag(takes_context=True)
def permitted_translations(context, action, page, destination=None):
    """Return the translations of a page on which the current user may perform `action` as well."""
    return tree_actions.permitted_translations(context["request"].user, page, action, destination or None)
