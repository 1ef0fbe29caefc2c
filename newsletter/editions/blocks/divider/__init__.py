"""A decorative divider."""

from django.utils.translation import gettext_lazy as _
from wagtail import blocks


class DividerBlock(blocks.StaticBlock):
    """A decorative divider."""

    class Meta:
        icon = "minus"
        description = _("A woven band between two parts.")
        preview_value = None
        label = _("Divider")
        template = "blocks/divider/web.html"
        admin_text = _("A woven band. It has nothing to be filled in.")


# Migrations name Wagtail's block, so that this class can move.
DECONSTRUCT_ALIASES = {DividerBlock: "wagtail.blocks.StaticBlock"}
