"""The editors' handbook (docs/editors/), shown in the admin in the user's language."""

from functools import cache

import markdown
from django.conf import settings
from django.utils.safestring import SafeString, mark_safe

FOLDER = settings.BASE_DIR / "docs" / "editors"


@cache
def render_handbook(language: str) -> SafeString:
    """Return the handbook in `language` as HTML, with anchors on its headings."""
    text = (FOLDER / f"{language}.md").read_text(encoding="utf-8")
    return mark_safe(markdown.markdown(text, extensions=["tables", "toc"]))
