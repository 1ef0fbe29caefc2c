"""A numbered list of goals."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from wagtail import blocks

from core.blocks.rich_text import INLINE_TEXT, RichTextBlock
from core.blocks.samples import sample_text


class GoalsBlock(blocks.StructBlock):
    """A numbered list of short goals."""

    rows = blocks.ListBlock(RichTextBlock(features=INLINE_TEXT, label=_("Goal")), label=_("Goals"), min_num=2)

    def get_preview_value(self) -> Any:
        """A sample for the block chooser."""
        return self.normalize({"rows": [sample_text(), sample_text()]})

    class Meta:
        icon = "list-ol"
        description = _("A numbered list of short goals.")
        label = _("Goals")
        template = "blocks/goals/web.html"
