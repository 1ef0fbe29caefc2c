"""The blocks of an edition: some of the page blocks, and some for mails only. One folder each.

Each block is rendered three times: for the web with web.html (a page block brings its own), for the mail with mail.mjml,
and for the text part with mail.txt.
"""

from core.blocks import ButtonBlock, HeadingBlock, PictureBlock, QuoteBlock, TextBlock
from wagtail import blocks

from newsletter.editions.blocks.columns import ColumnsBlock
from newsletter.editions.blocks.divider import DividerBlock
from newsletter.editions.blocks.greeting import GreetingBlock
from newsletter.editions.blocks.news import NewsListBlock


class IssueBlock(blocks.StreamBlock):
    """The blocks of an edition's body."""

    greeting = GreetingBlock()
    heading = HeadingBlock()
    text = TextBlock()
    picture = PictureBlock()
    button = ButtonBlock()
    news = NewsListBlock()
    quote = QuoteBlock()
    columns = ColumnsBlock()
    divider = DividerBlock()
