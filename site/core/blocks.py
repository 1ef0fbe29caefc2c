"""The StreamField blocks of pages and news: one set, each with its own template in templates/blocks/."""

from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.images.blocks import ImageBlock

RICH_TEXT = ["h3", "bold", "italic", "ol", "ul", "link", "document-link"]
INLINE_TEXT = ["bold", "italic", "link"]


class HeadingBlock(blocks.CharBlock):
    """A heading of the second level, which can be linked to."""

    class Meta:
        icon = "title"
        label = _("Heading")
        template = "blocks/heading.html"


class TextBlock(blocks.RichTextBlock):
    """Running text."""

    def __init__(self, **kwargs):
        super().__init__(features=RICH_TEXT, **kwargs)

    class Meta:
        icon = "pilcrow"
        label = _("Text")
        template = "blocks/text.html"


class StatementBlock(TextBlock):
    """One strong sentence, set large, like a line of a manifesto."""

    class Meta:
        icon = "openquote"
        label = _("Statement")
        template = "blocks/statement.html"
        help_text = _("One strong sentence, set large. Use it once on a page.")


class LinkStructValue(blocks.StructValue):
    """A link to a page or to an address, whichever the editor gave."""

    @property
    def url(self):
        page = self.get("page")
        return page.localized.url if page else self.get("address", "")


class ButtonBlock(blocks.StructBlock):
    """A link that stands out."""

    text = blocks.CharBlock(label=_("Text"), max_length=80)
    page = blocks.PageChooserBlock(label=_("Page"), required=False)
    address = blocks.URLBlock(label=_("or address"), required=False)

    def clean(self, value):
        """Ask for exactly one of page and address."""
        cleaned = super().clean(value)
        if bool(cleaned["page"]) == bool(cleaned["address"]):
            error = blocks.StructBlockValidationError(
                non_block_errors=[_("Choose a page or give an address: one of the two.")]
            )
            raise error
        return cleaned

    class Meta:
        icon = "link"
        label = _("Button")
        template = "blocks/button.html"
        value_class = LinkStructValue


class PictureBlock(blocks.StructBlock):
    """A picture with its alternative text and a caption."""

    image = ImageBlock(label=_("Image"))
    caption = blocks.CharBlock(label=_("Caption"), required=False, max_length=250)

    class Meta:
        icon = "image"
        label = _("Picture")
        template = "blocks/picture.html"


class QuoteBlock(blocks.StructBlock):
    """Somebody's words."""

    text = blocks.TextBlock(label=_("Words"))
    source = blocks.CharBlock(label=_("Who says so"), required=False, max_length=150)

    class Meta:
        icon = "openquote"
        label = _("Quotation")
        template = "blocks/quote.html"


class PointBlock(blocks.StructBlock):
    """A titled point of a list."""

    title = blocks.CharBlock(label=_("Title"), max_length=120)
    text = blocks.RichTextBlock(label=_("Text"), features=INLINE_TEXT, required=False)


class PillarsBlock(blocks.StructBlock):
    """A few principles side by side, each with a title and a text, numbered in their order."""

    rows = blocks.ListBlock(PointBlock(), label=_("Pillars"), min_num=2)

    class Meta:
        icon = "grip"
        label = _("Pillars")
        template = "blocks/pillars.html"


class GoalsBlock(blocks.StructBlock):
    """A numbered list of short goals."""

    rows = blocks.ListBlock(blocks.RichTextBlock(features=INLINE_TEXT, label=_("Goal")), label=_("Goals"), min_num=2)

    class Meta:
        icon = "list-ol"
        label = _("Goals")
        template = "blocks/goals.html"


class MomentBlock(blocks.StructBlock):
    """A moment of a history."""

    date = blocks.CharBlock(label=_("When"), max_length=40)
    text = blocks.RichTextBlock(label=_("What happened"), features=INLINE_TEXT)


class TimelineBlock(blocks.StructBlock):
    """A history, set like a path."""

    rows = blocks.ListBlock(MomentBlock(), label=_("Moments"), min_num=2)

    class Meta:
        icon = "history"
        label = _("Timeline")
        template = "blocks/timeline.html"


class FigureBlock(blocks.StructBlock):
    """A number that says something, and what it counts."""

    number = blocks.CharBlock(label=_("Number"), max_length=20)
    label = blocks.CharBlock(label=_("What it counts"), max_length=120)


class FiguresBlock(blocks.StructBlock):
    """A few large numbers."""

    rows = blocks.ListBlock(FigureBlock(), label=_("Figures"), max_num=4)

    class Meta:
        icon = "order"
        label = _("Figures")
        template = "blocks/figures.html"


class PartnerBlock(blocks.StructBlock):
    """A partner or ally."""

    name = blocks.CharBlock(label=_("Name"), max_length=150)
    detail = blocks.CharBlock(label=_("Detail"), required=False, max_length=250)


class PartnersBlock(blocks.StructBlock):
    """Partners and allies, lettered in their order."""

    rows = blocks.ListBlock(PartnerBlock(), label=_("Partners"))

    class Meta:
        icon = "group"
        label = _("Partners")
        template = "blocks/partners.html"


class BodyBlock(blocks.StreamBlock):
    """What pages and news are made of."""

    heading = HeadingBlock()
    text = TextBlock()
    statement = StatementBlock()
    pillars = PillarsBlock()
    goals = GoalsBlock()
    timeline = TimelineBlock()
    figures = FiguresBlock()
    partners = PartnersBlock()
    picture = PictureBlock()
    quote = QuoteBlock()
    button = ButtonBlock()
