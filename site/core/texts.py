"""Compiles interface texts from .po to .mo without GNU gettext."""

from django.conf import settings


def compile_texts() -> int:
    """Compile each locale/*/LC_MESSAGES/*.po whose .mo is missing or older. Returns how many were compiled."""
    import polib

    compiled = 0
    for folder in settings.LOCALE_PATHS:
        for source in folder.glob("*/LC_MESSAGES/*.po"):
            target = source.with_suffix(".mo")
            if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
                polib.pofile(source).save_as_mofile(str(target))
                compiled += 1
    return compiled
