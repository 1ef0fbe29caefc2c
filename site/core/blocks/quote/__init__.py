"""A quotation."""

from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail import blocks


class QuoteBlock(blocks.StructBlock):
    """A quotation and its source."""

    text = blocks.TextBlock(label=_("Words"))
    source = blocks.CharBlock(label=_("Who says so"), required=False, max_length=150)

    def get_preview_value(self) -> Any:
        """A sample for the block chooser."""
        return self.normalize({"text": gettext("We decide together."), "source": gettext("Somebody's name")})

    class Meta:
        icon = "openquote"
        description = _("Somebody's words, and whose they are.")
        label = _("Quotation")
        template = "blocks/quote/web.html"
