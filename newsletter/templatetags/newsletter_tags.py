"""Template tags of the newsletter's web pages."""

from django import template

from newsletter.forms import SignUpForm

register = template.Library()


@register.simple_tag
def sign_up_form() -> SignUpForm:
    """Return an empty sign-up form."""
    return SignUpForm()
