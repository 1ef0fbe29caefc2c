"""The blocks of an edition: some of the pages' blocks and a list of news.

Each is rendered three times: for the web by its own template, for the mail by templates/newsletter/mail/<name>.mjml and
for the text part by <name>.txt beside it.
"""

from core.blocks import ButtonBlock, HeadingBlock, PictureBlock, QuoteBlock, TextBlock
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.models import Locale

from news.models import ArticlePage


class NewsListValue(blocks.StructValue):
    """The articles of a list of news, in the active language."""

    @property
    def articles(self):
        """The chosen articles that are published in this language; the latest ones if none was chosen."""
        chosen = [page.localized.specific for page in self["chosen"] if page]
        if chosen:
            return [page for page in chosen if page.live and page.locale.language_code == get_language()]
        return list(ArticlePage.latest(Locale.get_active())[: self["latest"]])


class NewsListBlock(blocks.StructBlock):
    """News, chosen by hand or the latest."""

    chosen = blocks.ListBlock(
        blocks.PageChooserBlock(page_type="news.ArticlePage"), label=_("Chosen articles"), default=[], required=False
    )
    latest = blocks.IntegerBlock(
        label=_("or so many of the latest"),
        default=3,
        min_value=1,
        max_value=10,
        help_text=_("Counts if none is chosen."),
    )

    class Meta:
        icon = "doc-full"
        label = _("News")
        template = "newsletter/blocks/news.html"
        value_class = NewsListValue


class IssueBlock(blocks.StreamBlock):
    """What an edition is made of."""

    heading = HeadingBlock()
    text = TextBlock()
    picture = PictureBlock()
    button = ButtonBlock()
    news = NewsListBlock()
    quote = QuoteBlock()
