"""Images for social networks, drawn from the title of a page."""

import textwrap
from io import BytesIO

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe
from PIL import Image, ImageDraw, ImageFont
from wagtail.models import Page

from core.navigation import public

WIDTH, HEIGHT, MARGIN = 1200, 630, 80  # px, the recommended size for Open Graph
GREEN, CREAM, MAIZE, CLAY = "#1f4226", "#fbf4e4", "#e8b238", "#b5482a"
FONT = settings.BASE_DIR / "static" / "fonts" / "piazzolla.woff2"
SIZES = [(92, 20), (76, 25), (62, 31), (50, 39)]  # (font size in px, characters per line)


def _font(size: int, weight: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.truetype(str(FONT), size)
    font.set_variation_by_axes([weight])
    return font


def _fit(title: str) -> tuple[int, list[str]]:
    """Return the largest font size in which `title` fits into four lines, and the lines. Longer titles end in an ellipsis."""
    for size, letters in SIZES:
        lines = textwrap.wrap(title, letters, max_lines=4, placeholder=" …")
        if not lines[-1].endswith(" …"):
            return size, lines
    return size, lines


def draw(title: str, organisation: str) -> bytes:
    """Return the image as a PNG with 32 colours."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), GREEN)
    pen = ImageDraw.Draw(picture)
    size, lines = _fit(title)
    pen.text((MARGIN, MARGIN - 20), organisation, font=_font(52, 800), fill=MAIZE)
    top = MARGIN + 80
    for line in lines:
        pen.text((MARGIN, top), line, font=_font(size, 700), fill=CREAM)
        top += int(size * 1.12)
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
