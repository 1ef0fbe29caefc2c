"""The editors' handbook (docs/editors/) in the admin, in the language of whoever reads it."""

from functools import cache

import markdown
from django.conf import settings
from django.http import FileResponse, Http404
from django.shortcuts import render
from django.utils.safestring import mark_safe
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

FOLDER = settings.BASE_DIR / "docs" / "editors"


@cache
def html_of(language):
    """The handbook in one language, as HTML. Its headings have anchors."""
    text = (FOLDER / f"{language}.md").read_text(encoding="utf-8")
    return mark_safe(markdown.markdown(text, extensions=["tables", "toc"]))


@require_safe
def handbook(request):
    """The handbook; Spanish if there is none in the admin's language."""
    language = get_language()
    known = {code for code, _name in settings.LANGUAGES}
    return render(request, "editorial/handbook.html", {"text": html_of(language if language in known else "es")})


@require_safe
def picture(request, language, name):
    """One of its pictures."""
    file = FOLDER / "pictures" / language / f"{name}.webp"
    if not file.is_file():
        raise Http404
    return FileResponse(file.open("rb"), content_type="image/webp")
