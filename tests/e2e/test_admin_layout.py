"""Every screen of the admin fits a desktop, a tablet and a phone: nothing is cut off at its side."""

import re
from itertools import pairwise

import pytest

from tests.core.test_access import read_table

pytestmark = pytest.mark.e2e
WIDTHS = (390, 1024, 1280)
# Parts of screens, answers for scripts, and what a click on a link would do.
NOT_SCREENS = re.compile(
    r"[<(^]|choose|/api/|results|logout|jsi18n|sprite|export|render|dismiss|process|preview|embed|styleguide|test404|failwhale|/link|external|email|phone|anchor"
)
# Wagtail cuts off what is wider than its main column, so the document's width says nothing. What scrolls by itself,
# what only a screen reader reads, and Wagtail's panels at the side, which slide in, may reach beyond the edge.
CUT_OFF = """() => {
  const slides = ".form-side, .w-minimap, [data-minimap-container], .w-sr-only, .w-panel__anchor, svg *";
  const scrolls = (element) => {
    for (let above = element; above && above.tagName !== "MAIN"; above = above.parentElement)
      if (["auto", "scroll"].includes(getComputedStyle(above).overflowX)) return true;
    return false;
  };
  return [...document.querySelectorAll("main *")]
    .filter((element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true }))
    .filter((element) => element.getBoundingClientRect().right > innerWidth + 1 && !element.closest(slides))
    .filter((element) => !scrolls(element))
    .map((element) => element.tagName.toLowerCase() + "." + element.className);
}"""


def screens():
    return [
        f"/{route}" for route in sorted(read_table()) if route.startswith("admin/") and not NOT_SCREENS.search(route)
    ]


def test_no_screen_is_cut_off(admin):
    cut, measured = [], 0
    for address in screens():
        response = admin.request.get(address)
        if not response.ok or "<html" not in response.text():
            continue
        measured += 1
        admin.set_viewport_size({"width": WIDTHS[0], "height": 900})
        admin.goto(address)
        for width in WIDTHS:
            admin.set_viewport_size({"width": width, "height": 900})
            if found := admin.evaluate(CUT_OFF):
                cut.append(f"{address} at {width}: {found[0]}")
    assert cut == []
    assert measured > 50


def test_the_fields_of_a_filter_do_not_lie_over_each_other(admin):
    admin.goto("/admin/translations/")
    fields = admin.locator(".filters").first.locator("input:visible, select")
    boxes = [field.bounding_box() for field in fields.all()]
    rows = [(one, other) for one, other in pairwise(boxes) if other["x"] > one["x"]]
    assert len(rows) >= 2
    assert all(one["x"] + one["width"] < other["x"] for one, other in rows)
