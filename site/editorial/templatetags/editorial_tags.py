"""Template tags for what checks find."""

from django import template
from django.contrib.auth.models import User

from editorial import fixes

register = template.Library()


@register.simple_tag
def ways_to_fix(found: tuple[fixes.Fix, ...], user: User) -> list[tuple[fixes.Fix, bool, str]]:
    """Return [(Fix, whether the user may follow it, who may instead)]."""
    ways = [(fix, fix.may(user)) for fix in found]
    return [(fix, is_own, "" if is_own else fixes.people_to_ask(fix, user)) for fix, is_own in ways]
