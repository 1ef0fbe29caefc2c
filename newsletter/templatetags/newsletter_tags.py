"""Template tags of the newsletter's web pages."""

from core.navigation import section
from django import template
from django.utils.translation import get_language
from wagtail.models import Page

from newsletter.forms import SignUpForm
from newsletter.models import NewsletterPage

register = template.Library()


@register.simple_tag
def sign_up_form() -> SignUpForm:
    """Return an empty sign-up form."""
    return SignUpForm()


@register.simple_tag
def newsletter_page() -> Page | None:
    """Return the public page of the newsletter in the active language, or None."""
    return section(NewsletterPage, get_language())
