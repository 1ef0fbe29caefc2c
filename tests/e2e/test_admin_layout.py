"""Every screen of the admin fits a desktop, a tablet and a phone: nothing sticks out at its side."""

import re
from itertools import pairwise

import pytest

from tests.core.test_access import read_table

pytestmark = pytest.mark.e2e
WIDTHS = (1280, 1024, 390)
# Parts of screens, answers for scripts, and what a click on a link would do.
NOT_SCREENS = re.compile(
    r"[<(^]|choose|/api/|results|logout|jsi18n|sprite|export|render|dismiss|process|preview|embed|styleguide|test404|failwhale|/link|external|email|phone|anchor"
)
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def screens():
    return [
        f"/{route}" for route in sorted(read_table()) if route.startswith("admin/") and not NOT_SCREENS.search(route)
    ]


def test_no_screen_is_wider_than_its_window(admin):
    wide = {}
    for address in screens():
        response = admin.request.get(address)
        if not response.ok or "<html" not in response.text():
            continue
        admin.goto(address)
        for width in WIDTHS:
            admin.set_viewport_size({"width": width, "height": 900})
            if (by := admin.evaluate(OVERFLOW)) > 0:
                wide[address, width] = by
    assert wide == {}


def test_the_fields_of_a_filter_do_not_lie_over_each_other(admin):
    admin.goto("/admin/translations/")
    fields = admin.locator(".filters").first.locator("input:visible, select")
    boxes = [field.bounding_box() for field in fields.all()]
    rows = [(one, other) for one, other in pairwise(boxes) if other["x"] > one["x"]]
    assert len(rows) >= 2
    assert all(one["x"] + one["width"] < other["x"] for one, other in rows)
