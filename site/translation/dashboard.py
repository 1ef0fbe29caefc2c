"""The translation panel of the dashboard."""

from typing import Any

from django.template import Context
from wagtail.admin.ui.components import Component

from translation import status


class BoardPanel(Component):
    """Number of pages in each translation state, by language."""

    name = "translation_board"
    order = 250
    template_name = "translation/board_panel.html"

    def get_context_data(self, parent_context: Context) -> dict[str, Any]:
        return {
            "rows": [
                (locale, [(state, status.LABELS[state], number) for state, number in numbers.items()])
                for locale, numbers in status.summary().items()
            ]
        }
