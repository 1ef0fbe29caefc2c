"""Photograph ten pages of a running site, wide and narrow, light and dark, for docs/design.md:

.venv/bin/python bin/take_screenshots.py http://127.0.0.1:8000
"""

import sys
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures"
LONG_TITLE = "As organizações de pequenas produtoras e de pequenos produtores compartilham responsabilidades e conhecimentos da região"
PAGES = {
    "home": "/es/",
    "who-we-are": "/es/quienes-somos/",
    "mission": "/en/who-we-are/mission-vision-and-purpose/",
    "guidelines": "/pt-br/quem-somos/diretrizes-estrategicas/",
    "partners": "/es/quienes-somos/alianzas-y-membresias/",
    "news": "/en/news/",
    "article": "/es/noticias/dos-redes-abren-el-camino/",
    "long-title": "/pt-br/noticias/a-clac-obtem-personalidade-juridica/",
    "nothing-found": "/es/buscar/?q=xyzzyx",
    "newsletter": "/pt-br/boletim/",
}
Scheme = Literal["light", "dark"]
WIDTHS = (1280, 390)
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
SHEET_HEIGHT, MOST = 1100, 2400  # px: of the sheet; of a page before it is cut off


def photograph(browser: Browser, base: str, path: str, width: int, scheme: Scheme, is_long: bool) -> Image.Image:
    """One page as a Pillow image, cut off at MOST pixels."""
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    answer = page.goto(base + path)
    if answer is None or answer.status != 200:
        sys.exit(f"{path} did not answer 200")
    if is_long:
        page.evaluate("title => { document.querySelector('h1').textContent = title }", LONG_TITLE)
    picture = Image.open(BytesIO(page.screenshot(full_page=True))).convert("RGB")
    context.close()
    return picture.crop((0, 0, picture.width, min(picture.height, MOST * width // 1280 + 1400 * (width < 600))))


def sheet(pictures: Sequence[Image.Image]) -> Image.Image:
    """The pictures side by side, scaled to one height."""
    scale = SHEET_HEIGHT / max(picture.height for picture in pictures)
    small = [picture.resize((int(p.width * scale), int(p.height * scale))) for p in pictures for picture in [p]]
    whole = Image.new("RGB", (sum(p.width for p in small) + 16 * (len(small) - 1), SHEET_HEIGHT), "#8a8a8a")
    left = 0
    for picture in small:
        whole.paste(picture, (left, 0))
        left += picture.width + 16
    return whole


def main(base: str) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        for name, path in PAGES.items():
            modes = [(width, scheme) for width in WIDTHS for scheme in SCHEMES]
            pictures = [photograph(browser, base, path, *mode, name == "long-title") for mode in modes]
            sheet(pictures).save(FOLDER / f"{name}.webp", quality=72, method=6)
            print(name, (FOLDER / f"{name}.webp").stat().st_size)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"))
