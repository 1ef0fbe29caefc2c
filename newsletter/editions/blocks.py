"""The blocks of an edition: some of the page blocks, and some for mails only.

Each block is rendered three times: for the web with its own template, for the mail with
templates/newsletter/mail/<name>.mjml, and for the text part with <name>.txt beside it.
"""

from typing import TYPE_CHECKING

from core.blocks import INLINE_TEXT, ButtonBlock, HeadingBlock, PictureBlock, QuoteBlock, RichTextBlock, TextBlock
from core.navigation import public
from core.previews import sample
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.images.blocks import ImageBlock
from wagtail.models import Locale

from news.models import ArticlePage

if TYPE_CHECKING:
    from newsletter.models import IssuePage


class GreetingBlock(blocks.StructBlock):
    """The salutation, with the name where it is known, else without. The web page shows the latter."""

    named = blocks.CharBlock(
        label=_("With a name"),
        max_length=120,
        search_index=False,
        help_text=_("{name} stands where the name goes: “Dear {name},”"),
    )
    unnamed = blocks.CharBlock(
        label=_("Without a name"), max_length=120, help_text=_("For those whose name is not known, and on the web.")
    )

    def clean(self, value: blocks.StructValue) -> blocks.StructValue:
        """Require exactly one {name} placeholder."""
        cleaned = super().clean(value)
        if cleaned["named"].count("{name}") != 1:
            error = ValidationError(_("Write {name}, with its braces, once where the name goes."))
            raise blocks.StructBlockValidationError(block_errors={"named": error})
        return cleaned

    class Meta:
        icon = "user"
        description = _("The salutation, with the reader's name where it is known.")
        preview_value = sample("greeting")
        label = _("Greeting")
        template = "newsletter/blocks/greeting.html"


class NewsListValue(blocks.StructValue):
    """A list of news."""

    def articles(self, issue: "IssuePage") -> list[ArticlePage]:
        """Return the articles of an edition: the chosen ones published in the active language; else the latest when
        it was sent, or all since the previous edition."""
        chosen = [page.translation_key for page in self["chosen"] if page]
        if chosen:
            readable = public(ArticlePage.objects.filter(translation_key__in=chosen, locale=Locale.get_active()))
            return sorted(readable, key=lambda article: chosen.index(article.translation_key))
        since, until = issue.news_period()
        found = ArticlePage.latest(Locale.get_active())
        if until:
            found = found.filter(first_published_at__lte=until)
        if since and self["since_last"]:
            found = found.filter(first_published_at__gt=since)
        return list(found[: self["latest"]])


class NewsListBlock(blocks.StructBlock):
    """News: chosen by hand, since the last edition, or the latest."""

    chosen = blocks.ListBlock(
        blocks.PageChooserBlock(page_type="news.ArticlePage"), label=_("Chosen articles"), default=[], required=False
    )
    since_last = blocks.BooleanBlock(
        label=_("only what was published since the last edition"),
        default=False,
        required=False,
        help_text=_("Counts if none is chosen."),
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
        description = _("News of the site: those you choose, or the latest ones.")
        preview_value = sample("news")
        label = _("News")
        template = "newsletter/blocks/news.html"
        value_class = NewsListValue


class ColumnBlock(blocks.StructBlock):
    """One of two or three columns."""

    image = ImageBlock(label=_("Image"), required=False, search_index=False)
    title = blocks.CharBlock(label=_("Title"), max_length=120)
    text = RichTextBlock(label=_("Text"), features=INLINE_TEXT, required=False)


class ColumnsBlock(blocks.StructBlock):
    """Two or three columns side by side, one below the other on phones."""

    rows = blocks.ListBlock(ColumnBlock(), label=_("Columns"), min_num=2, max_num=3)

    class Meta:
        icon = "table"
        description = _("Two or three columns, one below the other on phones.")
        preview_value = sample("columns")
        label = _("Columns")
        template = "newsletter/blocks/columns.html"


class DividerBlock(blocks.StaticBlock):
    """A decorative divider."""

    class Meta:
        icon = "minus"
        description = _("A woven band between two parts.")
        preview_value = sample("divider")
        label = _("Divider")
        template = "newsletter/blocks/divider.html"
        admin_text = _("A woven band. It has nothing to be filled in.")


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
