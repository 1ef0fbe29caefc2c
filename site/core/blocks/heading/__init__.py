"""A second-level heading."""

from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail import blocks


class HeadingBlock(blocks.CharBlock):
    """A second-level heading with an anchor."""

    def get_preview_value(self) -> Any:
        """A sample for the block chooser."""
        return self.normalize(gettext("What we work for"))

    class Meta:
        icon = "title"
        description = _("Begins a new part of the page. Readers can jump to it.")
        label = _("Heading")
        template = "blocks/heading/web.html"


# Migrations name Wagtail's block, so that this class can move.
DECONSTRUCT_ALIASES = {HeadingBlock: "wagtail.blocks.CharBlock"}
