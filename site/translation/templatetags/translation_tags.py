"""Template tags for translations."""

from django import template

from translation import tree_actions

register = template.Library()


@register.simple_tag(takes_context=True)
def translations_to(context, action, page, destination=None):
    """The translations of a page that may be deleted, unpublished or moved together with it by whoever is asked."""
    return tree_actions.others(context["request"].user, page, action, destination or None)
