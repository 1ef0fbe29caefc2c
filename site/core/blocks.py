"""The StreamField blocks of pages and news: one set, each with its own template in templates/blocks/."""

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.forms import CheckboxSelectMultiple
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.images.blocks import ImageBlock
from wagtail.rich_text import RichText, get_text_for_indexing

from core.previews import sample

from . import countries, embeds

RICH_TEXT = ["h3", "bold", "italic", "ol", "ul", "link", "document-link"]
INLINE_TEXT = ["bold", "italic", "link"]
LINE_END = re.compile(r"</(?:p|h\d|li|blockquote)>|<(?:br|hr)\s*/?>", re.IGNORECASE)


class RichTextBlock(blocks.RichTextBlock):
    """Rich text that is indexed for search with one line per heading, paragraph and list item."""

    def get_searchable_content(self, value: RichText) -> list[str]:
        """Return the visible text, one string per line."""
        lines = LINE_END.split(value.source)
        return [text for line in lines if (text := get_text_for_indexing(line))]


class HeadingBlock(blocks.CharBlock):
    """A second-level heading with an anchor."""

    class Meta:
        icon = "title"
        description = _("Begins a new part of the page. Readers can jump to it.")
        preview_value = sample("heading")
        label = _("Heading")
        template = "blocks/heading.html"


class TextBlock(RichTextBlock):
    """Running text."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(features=RICH_TEXT, **kwargs)

    class Meta:
        icon = "pilcrow"
        description = _("Running text with bold, lists, links and small headings.")
        preview_value = sample("text")
        label = _("Text")
        template = "blocks/text.html"


class StatementBlock(TextBlock):
    """One strong sentence, set large, like a line of a manifesto."""

    class Meta:
        icon = "openquote"
        description = _("One strong sentence, set large. Use it once on a page.")
        preview_value = sample("statement")
        label = _("Statement")
        template = "blocks/statement.html"


class LinkStructValue(blocks.StructValue):
    """A link to a page or to a URL."""

    @property
    def url(self) -> str | None:
        page = self.get("page")
        return page.localized.url if page else self.get("address", "")


class ButtonBlock(blocks.StructBlock):
    """A link that stands out."""

    text = blocks.CharBlock(label=_("Text"), max_length=80)
    page = blocks.PageChooserBlock(label=_("Page"), required=False)
    address = blocks.URLBlock(label=_("or address"), required=False)

    def clean(self, value: blocks.StructValue) -> blocks.StructValue:
        """Require exactly one of page and address."""
        cleaned = super().clean(value)
        if bool(cleaned["page"]) == bool(cleaned["address"]):
            error = blocks.StructBlockValidationError(
                non_block_errors=[_("Choose a page or give an address: one of the two.")]
            )
            raise error
        return cleaned

    class Meta:
        icon = "link"
        description = _("A link that stands out, to a page or to another site.")
        preview_value = sample("button")
        label = _("Button")
        template = "blocks/button.html"
        value_class = LinkStructValue


class PictureBlock(blocks.StructBlock):
    """A picture with its alternative text and a caption."""

    image = ImageBlock(label=_("Image"), search_index=False)
    caption = blocks.CharBlock(label=_("Caption"), required=False, max_length=250)

    class Meta:
        icon = "image"
        description = _("One picture with its alternative text and, if you like, a caption.")
        preview_value = sample("picture")
        label = _("Picture")
        template = "blocks/picture.html"


class QuoteBlock(blocks.StructBlock):
    """A quotation and its source."""

    text = blocks.TextBlock(label=_("Words"))
    source = blocks.CharBlock(label=_("Who says so"), required=False, max_length=150)

    class Meta:
        icon = "openquote"
        description = _("Somebody's words, and whose they are.")
        preview_value = sample("quote")
        label = _("Quotation")
        template = "blocks/quote.html"


class PointBlock(blocks.StructBlock):
    """A titled point of a list."""

    title = blocks.CharBlock(label=_("Title"), max_length=120)
    text = RichTextBlock(label=_("Text"), features=INLINE_TEXT, required=False)


class PillarsBlock(blocks.StructBlock):
    """A few principles side by side, each with a title and a text, numbered in their order."""

    rows = blocks.ListBlock(PointBlock(), label=_("Pillars"), min_num=2)

    class Meta:
        icon = "grip"
        description = _("A few principles side by side, numbered in their order.")
        preview_value = sample("pillars")
        label = _("Pillars")
        template = "blocks/pillars.html"


class GoalsBlock(blocks.StructBlock):
    """A numbered list of short goals."""

    rows = blocks.ListBlock(RichTextBlock(features=INLINE_TEXT, label=_("Goal")), label=_("Goals"), min_num=2)

    class Meta:
        icon = "list-ol"
        description = _("A numbered list of short goals.")
        preview_value = sample("goals")
        label = _("Goals")
        template = "blocks/goals.html"


class MomentBlock(blocks.StructBlock):
    """A moment of a history."""

    date = blocks.CharBlock(label=_("When"), max_length=40)
    text = RichTextBlock(label=_("What happened"), features=INLINE_TEXT)


class TimelineBlock(blocks.StructBlock):
    """Moments of a history along a line."""

    rows = blocks.ListBlock(MomentBlock(), label=_("Moments"), min_num=2)

    class Meta:
        icon = "history"
        description = _("A history, set like a path from moment to moment.")
        preview_value = sample("timeline")
        label = _("Timeline")
        template = "blocks/timeline.html"


class FigureBlock(blocks.StructBlock):
    """A number and what it counts."""

    number = blocks.CharBlock(label=_("Number"), max_length=20)
    label = blocks.CharBlock(label=_("What it counts"), max_length=120)


class FiguresBlock(blocks.StructBlock):
    """A few large numbers."""

    rows = blocks.ListBlock(FigureBlock(), label=_("Figures"), max_num=4)

    class Meta:
        icon = "order"
        description = _("Up to four large numbers that say something.")
        preview_value = sample("figures")
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
        description = _("Partners and allies, lettered in their order.")
        preview_value = sample("partners")
        label = _("Partners")
        template = "blocks/partners.html"


class GalleryBlock(blocks.StructBlock):
    """Several pictures; each opens enlarged on a click."""

    rows = blocks.ListBlock(PictureBlock(), label=_("Pictures"), min_num=2, max_num=24)

    class Meta:
        icon = "image"
        description = _("Several pictures; each opens larger on a click.")
        preview_value = sample("gallery")
        label = _("Gallery")
        template = "blocks/gallery.html"


class EmbedValue(blocks.StructValue):
    """A video of another site."""

    @property
    def embed(self) -> embeds.Embed | None:
        """Return the Embed, or None."""
        return embeds.find(self["address"])


class VideoBlock(blocks.StructBlock):
    """A video of another site. It is loaded when the reader clicks on its picture, from a URL that sets no cookies."""

    address = blocks.URLBlock(
        label=_("Address"),
        help_text=format_lazy(
            _("As you copy it from the browser. Known places: {places}."), places=embeds.PROVIDER_NAMES
        ),
    )
    title = blocks.CharBlock(label=_("Title"), max_length=150, help_text=_("What the video shows."))
    picture = ImageBlock(
        label=_("Picture"),
        required=False,
        search_index=False,
        help_text=_("Stands in the video's place until it is started."),
    )

    def clean(self, value: blocks.StructValue) -> blocks.StructValue:
        """Require a URL of a supported provider."""
        cleaned = super().clean(value)
        if not embeds.find(cleaned["address"]):
            message = format_lazy(_("This address is not known. Known places: {places}."), places=embeds.PROVIDER_NAMES)
            raise blocks.StructBlockValidationError(block_errors={"address": ValidationError(message)})
        return cleaned

    class Meta:
        icon = "media"
        description = _("A video from elsewhere. It loads only when a reader clicks on it.")
        preview_value = sample("video")
        label = _("Video")
        template = "blocks/video.html"
        value_class = EmbedValue


class MapValue(blocks.StructValue):
    """The map with its marked countries."""

    @property
    def shapes(self) -> list[tuple[str, bool]]:
        """Return [(SVG path, whether the country is marked)] of all countries."""
        marked = set(self["countries"])
        return [(path, code in marked) for code, path in countries.outlines()["countries"].items()]

    @property
    def size(self) -> tuple[int, int]:
        """Return (width, height) of the map in units of its view box."""
        return countries.outlines()["width"], countries.outlines()["height"]

    @property
    def names(self) -> list[str]:
        """Return the sorted names of the marked countries."""
        return countries.sorted_names(self["countries"])


class MapBlock(blocks.StructBlock):
    """A map of Latin America and the Caribbean with marked countries, which are listed beside it."""

    figures = blocks.ListBlock(FigureBlock(), label=_("Figures"), max_num=3, default=[])
    countries = blocks.MultipleChoiceBlock(
        label=_("Countries to mark"),
        choices=list(countries.COUNTRIES.items()),
        required=False,
        widget=CheckboxSelectMultiple,
    )

    class Meta:
        icon = "globe"
        description = _("The map of Latin America and the Caribbean, with the countries that you mark.")
        preview_value = sample("map")
        label = _("Map")
        template = "blocks/map.html"
        value_class = MapValue


class BodyBlock(blocks.StreamBlock):
    """The body of pages and news articles."""

    heading = HeadingBlock()
    text = TextBlock()
    statement = StatementBlock()
    pillars = PillarsBlock()
    goals = GoalsBlock()
    timeline = TimelineBlock()
    figures = FiguresBlock()
    partners = PartnersBlock()
    map = MapBlock()
    picture = PictureBlock()
    gallery = GalleryBlock()
    video = VideoBlock()
    quote = QuoteBlock()
    button = ButtonBlock()
