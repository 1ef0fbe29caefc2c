#!/usr/bin/env python3
"""Draw the icons of browsers and phones from static/img/mark.svg, with Chromium. Run it when the mark changes."""

import io
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

FOLDER = Path(__file__).parents[1] / "static" / "img"
PAPER = "#fbf4e4"


def draw(browser: Browser, size: int, margin: float = 0, background: str = "transparent") -> Image.Image:
    """Return the mark on a square of `size` px, with a margin as a part of it."""
    inner = round(size * (1 - 2 * margin))
    mark = (FOLDER / "mark.svg").read_text().replace("<svg ", f'<svg width="{inner}" height="{inner}" ', 1)
    style = f"margin:0; display:grid; place-items:center; height:{size}px; background:{background}"
    page = browser.new_page(viewport={"width": size, "height": size})
    page.set_content(f'<body style="{style}">{mark}</body>')
    return Image.open(io.BytesIO(page.screenshot(omit_background=True)))


def main() -> None:
    """Write the icons. Those of phones have a background and a margin, as phones cut them to their own shapes."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        for name, size in (("apple-touch-icon", 180), ("icon-192", 192), ("icon-512", 512)):
            icon = draw(browser, size, 0.15, PAPER).convert("RGB").quantize(64)
            icon.save(FOLDER / f"{name}.png", optimize=True)
        small, middle, large = (draw(browser, size) for size in (16, 32, 48))
        large.save(FOLDER / "favicon.ico", append_images=[small, middle], sizes=[(16, 16), (32, 32), (48, 48)])


if __name__ == "__main__":
    main()
