"""Large numbers."""

from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail import blocks


class FigureBlock(blocks.StructBlock):
    """A number and what it counts."""

    number = blocks.CharBlock(label=_("Number"), max_length=20)
    label = blocks.CharBlock(label=_("What it counts"), max_length=120)


class FiguresBlock(blocks.StructBlock):
    """A few large numbers."""

    rows = blocks.ListBlock(FigureBlock(), label=_("Figures"), max_num=4)

    def get_preview_value(self) -> Any:
        """A sample for the block chooser."""
        return self.normalize(
            {"rows": [{"number": "24", "label": gettext("countries")}, {"number": "3", "label": gettext("languages")}]}
        )

    class Meta:
        icon = "order"
        description = _("Up to four large numbers that say something.")
        label = _("Figures")
        template = "blocks/figures/web.html"
