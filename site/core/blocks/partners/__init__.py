"""Partners and allies."""

from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail import blocks


class PartnerBlock(blocks.StructBlock):
    """A partner or ally."""

    name = blocks.CharBlock(label=_("Name"), max_length=150)
    detail = blocks.CharBlock(label=_("Detail"), required=False, max_length=250)


class PartnersBlock(blocks.StructBlock):
    """Partners and allies, lettered in their order."""

    rows = blocks.ListBlock(PartnerBlock(), label=_("Partners"))

    def get_preview_value(self) -> Any:
        """A sample for the block chooser."""
        return self.normalize({"rows": [{"name": gettext("A partner"), "detail": gettext("and what it does with us")}]})

    class Meta:
        icon = "group"
        description = _("Partners and allies, lettered in their order.")
        label = _("Partners")
        template = "blocks/partners/web.html"
