"""Template tags for mails."""

from core import renditions
from core.html import absolute
from core.models import CustomImage
from django import template
from django.utils.safestring import SafeString, mark_safe
from wagtail.blocks import StructValue
from wagtail.rich_text import RichText

from news.models import ArticlePage
from newsletter.delivery import personalisation
from newsletter.editions import rendering
from newsletter.editions.blocks.news import NewsListValue
from newsletter.models import IssuePage

register = template.Library()

MAIL_WIDTH = 544  # px: 600 minus the margins
PREHEADER_LETTERS = 150  # about as much as mail programs show beside the subject
INVISIBLE = "\u034f\u200c\u00a0"  # combining grapheme joiner, zero-width non-joiner, no-break space

register.filter("absolute", absolute)


@register.filter
def mail_html(rich_text: RichText) -> SafeString:
    """Convert rich text to simple HTML with absolute links."""
    return mark_safe(rendering.mail_html(rich_text))


@register.filter
def mail_text(rich_text: RichText) -> SafeString:
    """Convert rich text to plain text."""
    return mark_safe(rendering.plain_text(rendering.mail_html(rich_text)))


@register.filter
def underlined(heading: str) -> str:
    """Underline a heading of the text part."""
    heading = " ".join(str(heading).split())
    return f"{heading}\n{'-' * len(heading)}"


@register.filter
def padded_preheader(preheader: str) -> str:
    """Pad a preheader with invisible characters, so that mail programs show no body text after it."""
    return preheader + INVISIBLE * max(0, PREHEADER_LETTERS - len(preheader))


@register.simple_tag
def mail_image(image: CustomImage, width: int = MAIL_WIDTH) -> dict[str, str | int] | None:
    """Return a rendition for high-density screens at `width` pixels: {url, alt, width, height}; None if it cannot be
    made."""
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
def greeting(value: StructValue) -> str:
    """Return both versions of a greeting with their tokens; each mail keeps one."""
    named = value["named"].replace("{name}", personalisation.NAME)
    return f"{personalisation.NAMED}{named}{personalisation.UNNAMED}{value['unnamed']}{personalisation.END}"


@register.simple_tag
def news_of(value: NewsListValue, issue: IssuePage) -> list[ArticlePage]:
    """Return the articles of a news list for an edition."""
    return value.articles(issue)
