"""Generated weaving patterns as images for the starter content, which has no photographs."""

import random
from collections.abc import Sequence
from io import BytesIO

from PIL import Image, ImageDraw
from PIL.ImageDraw import ImageDraw as Draw

PAPER, INK, GREEN, MAIZE, CLAY, LEAF = "#fbf4e4", "#2b1a12", "#24512b", "#e8b238", "#a8431f", "#5d8a4a"
WIDTH, HEIGHT, THREAD = 1600, 900, 20  # px


def weave(seed: str, ground: str = GREEN, threads: Sequence[str] = (MAIZE, CLAY, PAPER, LEAF)) -> bytes:
    """Return a PNG of woven bands with stepped diamonds; the same for the same `seed`."""
    chance = random.Random(seed)  # noqa: S311
    picture = Image.new("RGB", (WIDTH, HEIGHT), ground)
    draw = ImageDraw.Draw(picture)
    top = 0
    while top < HEIGHT:
        steps = chance.choice([2, 3, 4, 5])
        _band(draw, top, steps, chance.sample(threads, 2), chance.random() < 0.5)
        top += (2 * steps + 3) * THREAD
    output = BytesIO()
    picture.save(output, "PNG", optimize=True)
    return output.getvalue()


def _band(draw: Draw, top: int, steps: int, colours: Sequence[str], is_striped: bool) -> None:
    """Draw a band: a row of diamonds between two stripes."""
    height = (2 * steps + 1) * THREAD
    if is_striped:
        draw.rectangle((0, top, WIDTH, top + height), fill=INK)
    for x in range(0, WIDTH + height, height + THREAD):
        _diamond(draw, x, top + height // 2, steps, colours[0])
        _diamond(draw, x, top + height // 2, steps - 2, colours[1])
    draw.rectangle((0, top + height, WIDTH, top + height + THREAD // 2), fill=colours[1])


def _diamond(draw: Draw, x: int, y: int, steps: int, colour: str) -> None:
    """Draw a diamond with stepped edges."""
    for row in range(-steps, steps + 1):
        half = (steps - abs(row)) * THREAD + THREAD // 2
        draw.rectangle(
            (x - half, y + row * THREAD - THREAD // 2, x + half, y + row * THREAD + THREAD // 2 - 1), fill=colour
        )
