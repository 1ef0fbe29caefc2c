"""Principles side by side."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from wagtail import blocks

from core.blocks.rich_text import INLINE_TEXT, RichTextBlock
from core.blocks.samples import sample_points


class PointBlock(blocks.StructBlock):
    """A titled point of a list."""

    title = blocks.CharBlock(label=_("Title"), max_length=120)
    text = RichTextBlock(label=_("Text"), features=INLINE_TEXT, required=False)


class PillarsBlock(blocks.StructBlock):
    """A few principles side by side, each with a title and a text, numbered in their order."""

    rows = blocks.ListBlock(PointBlock(), label=_("Pillars"), min_num=2)

    def get_preview_value(self) -> Any:
        """A sample for the block chooser."""
        return self.normalize({"rows": sample_points()})

    class Meta:
        icon = "grip"
        description = _("A few principles side by side, numbered in their order.")
        label = _("Pillars")
        template = "blocks/pillars/web.html"
