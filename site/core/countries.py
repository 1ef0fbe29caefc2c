"""Names of the countries of Latin America and the Caribbean, and their outlines on the map."""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TypedDict

from django.utils.translation import gettext_lazy as _
from search.text import fold

# ISO 3166-1 alpha-2; French Guiana and Puerto Rico are on the map so that it has no gaps.
COUNTRIES = {
    "AG": _("Antigua and Barbuda"),
    "AR": _("Argentina"),
    "BS": _("Bahamas"),
    "BB": _("Barbados"),
    "BZ": _("Belize"),
    "BO": _("Bolivia"),
    "BR": _("Brazil"),
    "CL": _("Chile"),
    "CO": _("Colombia"),
    "CR": _("Costa Rica"),
    "CU": _("Cuba"),
    "DM": _("Dominica"),
    "DO": _("Dominican Republic"),
    "EC": _("Ecuador"),
    "SV": _("El Salvador"),
    "GF": _("French Guiana"),
    "GD": _("Grenada"),
    "GT": _("Guatemala"),
    "GY": _("Guyana"),
    "HT": _("Haiti"),
    "HN": _("Honduras"),
    "JM": _("Jamaica"),
    "MX": _("Mexico"),
    "NI": _("Nicaragua"),
    "PA": _("Panama"),
    "PY": _("Paraguay"),
    "PE": _("Peru"),
    "PR": _("Puerto Rico"),
    "KN": _("Saint Kitts and Nevis"),
    "LC": _("Saint Lucia"),
    "VC": _("Saint Vincent and the Grenadines"),
    "SR": _("Suriname"),
    "TT": _("Trinidad and Tobago"),
    "UY": _("Uruguay"),
    "VE": _("Venezuela"),
}

# Unicode's code of an unknown region, for all other countries.
ANOTHER_COUNTRY = ("ZZ", _("Another country"))


class Outlines(TypedDict):
    """The map drawn by bin/draw_map.py."""

    width: int
    height: int
    countries: dict[str, str]  # {code: SVG path}


@cache
def outlines() -> Outlines:
    """Return the map."""
    return json.loads((Path(__file__).parent / "map.json").read_text())


def sorted_names(codes: Iterable[str]) -> list[str]:
    """Return the names of countries in the active language, sorted without regard to accents."""
    return sorted((str(COUNTRIES[code]) for code in codes if code in COUNTRIES), key=fold)
