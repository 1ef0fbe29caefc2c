"""Template tags of the mails."""

from core import renditions
from core.html import absolute
from django import template
from django.utils.safestring import mark_safe

from newsletter.delivery import personalisation
from newsletter.editions import rendering

register = template.Library()

MAIL_WIDTH = 544  # px: the sheet of 600 less its margins
PREHEADER_LETTERS = 150  # about what mail programs show beside the subject
INVISIBLE = "\u034f\u200c\u00a0"  # joiner, non-joiner, space: wide enough to fill the line, nothing to see

register.filter("absolute", absolute)


@register.filter
def mail_html(rich_text):
    """Rich text as simple HTML with absolute links."""
    return mark_safe(rendering.mail_html(rich_text))


@register.filter
def mail_text(rich_text):
    """Rich text as plain text."""
    return mark_safe(rendering.plain_text(rendering.mail_html(rich_text)))


@register.filter
def underlined(heading: str) -> str:
    """A heading of the text part, with a line below it."""
    heading = " ".join(str(heading).split())
    return f"{heading}\n{'-' * len(heading)}"


@register.filter
def padded_preheader(preheader: str) -> str:
    """A preheader followed by invisible characters, so that mail programs show nothing of the body after it."""
    return preheader + INVISIBLE * max(0, PREHEADER_LETTERS - len(preheader))


@register.simple_tag
def mail_image(image, width=MAIL_WIDTH):
    """A rendition sharp at `width` pixels: {url, alt, width, height}; None if there can be none."""
    rendition = renditions.find_for_mail(image, width * 2)
    if rendition is None:
        return None
    shown = min(width, rendition.width)
    return {
        "url": absolute(rendition.url),
        "alt": rendition.alt,
        "width": shown,
        "height": round(rendition.height * shown / rendition.width),
    }


@register.simple_tag
def greeting(value):
    """A greeting's two versions with their tokens, of which each mail keeps one."""
    named = value["named"].replace("{name}", personalisation.NAME)
    return f"{personalisation.NAMED}{named}{personalisation.UNNAMED}{value['unnamed']}{personalisation.END}"


@register.simple_tag
def news_of(value, issue):
    """The articles of a list of news for an edition."""
    return value.articles(issue)
