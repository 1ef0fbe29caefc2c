"""A history."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from wagtail import blocks

from core.blocks.rich_text import INLINE_TEXT, RichTextBlock
from core.blocks.samples import sample_text


class MomentBlock(blocks.StructBlock):
    """A moment of a history."""

    date = blocks.CharBlock(label=_("When"), max_length=40)
    text = RichTextBlock(label=_("What happened"), features=INLINE_TEXT)


class TimelineBlock(blocks.StructBlock):
    """Moments of a history along a line."""

    rows = blocks.ListBlock(MomentBlock(), label=_("Moments"), min_num=2)

    def get_preview_value(self) -> Any:
        """A sample for the block chooser."""
        return self.normalize({"rows": [{"date": year, "text": sample_text()} for year in ("2020", "2024")]})

    class Meta:
        icon = "history"
        description = _("A history, set like a path from moment to moment.")
        label = _("Timeline")
        template = "blocks/timeline/web.html"
