"""Images for social networks, drawn from the title of a page."""

from collections.abc import Iterable, Iterator
from io import BytesIO
from unicodedata import normalize

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe
from PIL import Image, ImageDraw, ImageFont
from wagtail.models import Page

from core.html import without_control_characters
from core.models import SHARED_SIZE
from core.navigation import public

WIDTH, HEIGHT = SHARED_SIZE
MARGIN = 80  # px
GREEN, CREAM, MAIZE, CLAY = "#1f4226", "#fbf4e4", "#e8b238", "#b5482a"
FONT = settings.BASE_DIR / "static" / "fonts" / "piazzolla.woff2"
SIZES = (92, 84, 76, 69, 62, 56, 50, 45, 40)  # px, of the title
LINE_HEIGHT = 1.12
TITLE_TOP = MARGIN + 80
# Where the title's ink may be: letters reach a little beyond their advance, and the woven band begins below.
TITLE_BOX = (MARGIN - 16, TITLE_TOP - 16, WIDTH - MARGIN + 16, HEIGHT - 110)


def _font(size: int, weight: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.truetype(str(FONT), size)
    font.set_variation_by_axes([weight])
    return font


def _places(lines: list[str], font: ImageFont.FreeTypeFont) -> Iterator[tuple[int, str]]:
    """Yield the upper edge of each line, and the line."""
    for number, line in enumerate(lines):
        yield TITLE_TOP + int(number * font.size * LINE_HEIGHT), line


def _is_inside(lines: list[str], font: ImageFont.FreeTypeFont) -> bool:
    """Return whether all ink of the lines is inside TITLE_BOX."""
    for top, line in _places(lines, font):
        left, upper, right, lower = font.getbbox(line)
        if MARGIN + left < TITLE_BOX[0] or MARGIN + right > TITLE_BOX[2]:
            return False
        if top + upper < TITLE_BOX[1] or top + lower > TITLE_BOX[3]:
            return False
    return True


def _is_short(text: str, font: ImageFont.FreeTypeFont) -> bool:
    return font.getlength(text) <= WIDTH - 2 * MARGIN


def _pieces(word: str, font: ImageFont.FreeTypeFont) -> Iterator[str]:
    """Yield a word, hyphenated where it is longer than a line."""
    start = 0
    for end in range(1, len(word)):
        if end > start + 1 and not _is_short(f"{word[start : end + 1]}-", font):
            yield f"{word[start:end]}-"
            start = end
    yield word[start:]


def _wrap(words: Iterable[str], font: ImageFont.FreeTypeFont) -> list[str]:
    lines: list[str] = []
    for word in words:
        if lines and _is_short(f"{lines[-1]} {word}", font):
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _cut(lines: list[str], font: ImageFont.FreeTypeFont) -> list[str]:
    """Return as many words as fit, and an ellipsis."""
    words = " ".join(lines).split(" ")
    while words:
        shown = _wrap([*words, "…"], font)
        if _is_inside(shown, font):
            return shown
        words = words[: -max(1, len(words) // 16)]
    return ["…"]


def fit(title: str) -> tuple[ImageFont.FreeTypeFont, list[str]]:
    """Return the largest font in which `title` fits into TITLE_BOX, and its lines.

    Words are hyphenated, and the title is cut, only in the smallest font.
    """
    words = normalize("NFC", without_control_characters(title)).split()  # the font has composed letters only
    for size in SIZES:
        font = _font(size, 700)
        lines = _wrap(words, font)
        if _is_inside(lines, font):
            return font, lines
    lines = _wrap([piece for word in words for piece in _pieces(word, font)], font)
    return font, lines if _is_inside(lines, font) else _cut(lines, font)


def draw(title: str, organisation: str) -> bytes:
    """Return the image as a PNG with 32 colours."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), GREEN)
    pen = ImageDraw.Draw(picture)
    pen.text((MARGIN, MARGIN - 20), organisation, font=_font(52, 800), fill=MAIZE)
    font, lines = fit(title)
    for top, line in _places(lines, font):
        pen.text((MARGIN, top), line, font=font, fill=CREAM)
    _weave(pen)
    output = BytesIO()
    picture.quantize(32).save(output, "PNG", optimize=True)
    return output.getvalue()


def _weave(pen: ImageDraw.ImageDraw) -> None:
    """Draw a band of stepped diamonds along the lower edge."""
    thread, steps = 8, 4
    middle = HEIGHT - 56
    for number, x in enumerate(range(0, WIDTH + 100, (2 * steps + 2) * thread)):
        for row in range(-steps, steps + 1):
            half = (steps - abs(row)) * thread + thread // 2
            box = (x - half, middle + row * thread, x + half - 1, middle + (row + 1) * thread - 1)
            pen.rectangle(box, fill=(MAIZE, CLAY, CREAM)[number % 3])


@require_safe
def share_picture(request: HttpRequest, page_id: int) -> HttpResponse:
    """The share image of a public page."""
    page = get_object_or_404(public(Page.objects.all()), pk=page_id)
    if page.depth < 2:
        raise Http404
    specific = page.specific
    title = getattr(specific, "purpose_title", "") or page.title
    response = HttpResponse(draw(title, settings.WAGTAIL_SITE_NAME), content_type="image/png")
    response["Cache-Control"] = "public, max-age=86400"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response
