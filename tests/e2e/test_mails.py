"""An edition's mail in a real browser, which is what most webmail programs show it in."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

pytestmark = pytest.mark.e2e
MAIL = Path(__file__).parents[1] / "newsletter" / "editions" / "snapshots" / "edition.html"
PAPER = {"light": (0xFB, 0xF4, 0xE4), "dark": (0x1D, 0x15, 0x10)}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 600, 900])
def test_the_paper_reaches_every_edge(browser, width, scheme):
    page = browser.new_page(viewport={"width": width, "height": 700}, color_scheme=scheme)
    page.set_content(MAIL.read_text(), wait_until="domcontentloaded")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    shown = Image.open(BytesIO(page.screenshot(full_page=True))).convert("RGB")
    page.close()
    below_the_weave = range(60, shown.height, 7)
    edges = {shown.getpixel((x, y)) for x in (1, width - 2) for y in below_the_weave}
    assert edges == {PAPER[scheme]}
