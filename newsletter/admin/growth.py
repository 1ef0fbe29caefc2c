"""Growth of the list: a report, and a dashboard panel."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from core.admin_lists import IntroducedList
from core.i18n import local_date
from core.svg_charts import Chart, line_chart
from django.conf import settings
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from wagtail.admin.ui.components import Component
from wagtail.admin.ui.tables import BaseColumn, Column, NumberColumn, Table
from wagtail.admin.views.reports import ReportView
from wagtail.permission_policies import ModelPermissionPolicy

from newsletter.models import Subscriber
from newsletter.subscribers import growth_report
from newsletter.subscribers.growth_report import Month


def _label(month: Month) -> str:
    return local_date(month.first, "N Y")


def _active(language: str, month: Month) -> int:
    return month.active[language]


def _chart(months: Sequence[Month]) -> Chart:
    series = [[month.active[code] for month in months] for code, _name in settings.LANGUAGES]
    return line_chart([name for _code, name in settings.LANGUAGES], series, [_label(month) for month in months])


def _columns() -> list[BaseColumn]:
    return [
        Column("month", label=_("Month"), accessor=_label),
        *(NumberColumn(code, label=name, accessor=partial(_active, code)) for code, name in settings.LANGUAGES),
        NumberColumn("total", label=_("In all")),
        NumberColumn("gained", label=_("Gained")),
        NumberColumn("lost", label=_("Lost")),
    ]


class GrowthView(IntroducedList, ReportView):
    """Two years of growth by language, gains and losses, and sources."""

    permission_policy = ModelPermissionPolicy(Subscriber)
    any_permission_required = ["view"]
    template_name = "newsletter/admin/growth.html"
    page_title = _("Growth")
    header_icon = "order-up"
    paginate_by = None

    @cached_property
    def columns(self) -> list[BaseColumn]:
        return _columns()

    def get_queryset(self) -> list[Month]:
        """Return the months, the newest first."""
        return growth_report.months(24)[::-1]

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(*args, **kwargs)
        columns = [
            Column("source", label=_("Source"), accessor=lambda row: row[0]),
            NumberColumn("number", label=_("How many"), accessor=lambda row: row[1]),
        ]
        return context | {
            "chart": _chart(self.object_list[::-1]),
            "sources": Table(columns, growth_report.sources()),
        }


class GrowthPanel(Component):
    """Dashboard panel: the last twelve months."""

    name = "newsletter_growth"
    order = 300
    template_name = "newsletter/admin/growth_panel.html"

    def get_context_data(self, parent_context: Mapping[str, Any]) -> dict[str, Any]:
        months = growth_report.months(12)
        return {"chart": _chart(months), "table": Table(_columns(), months[::-1])}
