"""One strong sentence."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from core.blocks.samples import sample_text
from core.blocks.text import TextBlock


class StatementBlock(TextBlock):
    """One strong sentence, set large, like a line of a manifesto."""

    def get_preview_value(self) -> Any:
        """A sample for the block chooser."""
        return self.normalize(sample_text())

    class Meta:
        icon = "openquote"
        description = _("One strong sentence, set large. Use it once on a page.")
        label = _("Statement")
        template = "blocks/statement/web.html"


# Migrations name Wagtail's block, so that this class can move.
DECONSTRUCT_ALIASES = {StatementBlock: "wagtail.blocks.RichTextBlock"}
