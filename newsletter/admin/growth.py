"""Growth of the list: a report, and a dashboard panel."""

from collections.abc import Mapping
from typing import Any

from core.i18n import local_date
from core.requests import AuthenticatedHttpRequest
from core.svg_charts import line_chart
from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from wagtail.admin.auth import permission_required
from wagtail.admin.ui.components import Component

from newsletter.subscribers import growth_report


def context_of(number: int) -> dict[str, Any]:
    """Return the chart and table of the last `number` months."""
    months = growth_report.months(number)
    names = [name for code, name in settings.LANGUAGES]
    series = [[month.active[code] for month in months] for code, _name in settings.LANGUAGES]
    labels = [local_date(month.first, "N Y") for month in months]
    return {
        "months": [(label, month, [month.active[code] for code, _n in settings.LANGUAGES]) for label, month in zip(labels, months, strict=True)],
        "languages": names,
        "chart": line_chart(names, series, labels),
    }  # fmt: skip


@permission_required("newsletter.view_subscriber")
@require_safe
def report(request: AuthenticatedHttpRequest) -> HttpResponse:
    """Show two years of growth by language, gains and losses, and sources."""
    context = context_of(24) | {"sources": growth_report.sources()}
    return render(request, "newsletter/admin/growth.html", context)


class GrowthPanel(Component):
    """Dashboard panel: the last twelve months."""

    name = "newsletter_growth"
    order = 300
    template_name = "newsletter/admin/growth_panel.html"

    def get_context_data(self, parent_context: Mapping[str, Any]) -> dict[str, Any]:
        return context_of(12)
