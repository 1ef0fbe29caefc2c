"""What our lists in the admin add to Wagtail's."""

from typing import Any

from django.utils.functional import Promise, cached_property
from wagtail.admin.ui.tables import UserColumn
from wagtail.admin.views.generic.base import BaseListingView


class IntroducedList(BaseListingView):
    """A mixin for list and report views: a sentence above the list, and one in place of an empty list."""

    template_name = "core/list.html"
    introduction: str | Promise = ""
    if_empty: str | Promise = ""

    @cached_property
    def no_results_message(self) -> str | Promise:
        """The words in place of an empty list; Wagtail's if a search or a filter finds nothing."""
        return super().no_results_message if self.is_searching or self.is_filtering else self.if_empty


class NameColumn(UserColumn):
    """A person's name, without a picture: that would be a query for each row. A dash stands for accounts that are gone."""

    cell_template_name = "wagtailadmin/tables/cell.html"

    def get_cell_context_data(self, instance: Any, parent_context: dict[str, Any]) -> dict[str, Any]:
        context = super().get_cell_context_data(instance, parent_context)
        return context | {"value": context["display_name"]}
