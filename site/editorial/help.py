"""The editors' handbook (docs/editors/), shown in the admin in the user's language."""

from functools import cache

import markdown
from django.conf import settings
from django.utils.safestring import SafeString, mark_safe

FOLDER = settings.BASE_DIR / "docs" / "editors"


@cache
def render_handbook(language: str) -> SafeString:
    """Return the handbook in `language`, or in the default one if there is none, as HTML with anchors on its headings."""
    path = FOLDER / f"{language}.md"
    if not path.exists():
        path = FOLDER / f"{settings.LANGUAGE_CODE}.md"
    text = path.read_text(encoding="utf-8")
    return mark_safe(markdown.markdown(text, extensions=["tables", "toc"]))
