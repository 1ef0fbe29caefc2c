"""A map with marked countries."""

from typing import Any

from django.forms import CheckboxSelectMultiple
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail import blocks

from core import countries
from core.blocks.figures import FigureBlock


class MapValue(blocks.StructValue):
    """The map with its marked countries."""

    @property
    def shapes(self) -> list[tuple[str, bool]]:
        """Return [(SVG path, whether the country is marked)] of all countries."""
        marked = set(self["countries"])
        return [(path, code in marked) for code, path in countries.outlines()["countries"].items()]

    @property
    def size(self) -> tuple[int, int]:
        """Return (width, height) of the map in units of its view box."""
        return countries.outlines()["width"], countries.outlines()["height"]

    @property
    def names(self) -> list[str]:
        """Return the sorted names of the marked countries."""
        return countries.sorted_names(self["countries"])


class MapBlock(blocks.StructBlock):
    """A map of Latin America and the Caribbean with marked countries, which are listed beside it."""

    figures = blocks.ListBlock(FigureBlock(), label=_("Figures"), max_num=3, default=[])
    countries = blocks.MultipleChoiceBlock(
        label=_("Countries to mark"),
        choices=list(countries.COUNTRIES.items()),
        required=False,
        widget=CheckboxSelectMultiple,
    )

    def get_preview_value(self) -> Any:
        """A sample for the block chooser."""
        return self.normalize(
            {"figures": [{"number": "24", "label": gettext("countries")}], "countries": ["SV", "BR", "PE"]}
        )

    class Meta:
        icon = "globe"
        description = _("The map of Latin America and the Caribbean, with the countries that you mark.")
        label = _("Map")
        template = "blocks/map/web.html"
        value_class = MapValue
