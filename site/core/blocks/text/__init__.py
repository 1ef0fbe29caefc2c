"""Running text."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from core.blocks.rich_text import RICH_TEXT, RichTextBlock
from core.blocks.samples import sample_text


class TextBlock(RichTextBlock):
    """Running text."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(features=RICH_TEXT, **kwargs)

    def get_preview_value(self) -> Any:
        """A sample for the block chooser."""
        return self.normalize(sample_text())

    class Meta:
        icon = "pilcrow"
        description = _("Running text with bold, lists, links and small headings.")
        label = _("Text")
        template = "blocks/text/web.html"


# Migrations name Wagtail's block, so that this class can move.
DECONSTRUCT_ALIASES = {TextBlock: "wagtail.blocks.RichTextBlock"}
