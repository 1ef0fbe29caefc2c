"""wagtail-localize 1.14: parts without a documented API."""

from wagtail_localize import models
from wagtail_localize.views import edit_translation


def show_dates_as_numbers() -> None:
    """Patch the format of the translation editor's dates, whose months are in English whatever the reader's language."""
    models.DATE_FORMAT = edit_translation.DATE_FORMAT = "%Y-%m-%d"
