"""Template tags of the mails."""

from core.markup import absolute
from django import template
from django.utils.safestring import mark_safe

from newsletter import rendering

register = template.Library()

MAIL_WIDTH = 544  # px: the sheet of 600 less its margins

register.filter("absolute", absolute)


@register.filter
def mail_html(rich_text):
    """Rich text as simple HTML with absolute links."""
    return mark_safe(rendering.mail_html(rich_text))


@register.filter
def mail_text(rich_text):
    """Rich text as plain text."""
    return mark_safe(rendering.plain_text(rendering.mail_html(rich_text)))


@register.simple_tag
def mail_image(image):
    """A rendition that mail programs take (JPEG): {url, alt, width}."""
    rendition = image.get_rendition(f"width-{MAIL_WIDTH * 2}|format-jpeg")
    return {
        "url": absolute(rendition.url),
        "alt": rendition.alt,
        "width": min(MAIL_WIDTH, rendition.width),
    }
