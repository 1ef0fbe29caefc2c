"""Dashboard panels: what people come for, scheduled pages and most read pages."""

from typing import Any

from core import i18n
from django.template import Context
from django.utils import timezone
from wagtail import hooks
from wagtail.admin.ui.components import Component
from wagtail.models import Revision
from wagtail.permission_policies.pages import PagePermissionPolicy

from editorial import page_views


class StartPanel(Component):
    """Buttons for what people come for. Apps register them with the hook `register_dashboard_buttons`."""

    name = "start"
    order = 50
    template_name = "editorial/start_panel.html"

    def get_context_data(self, parent_context: Context) -> dict[str, Any]:
        registered = hooks.get_hooks("register_dashboard_buttons")
        return {"buttons": sorted(button for find in registered for button in find(parent_context["request"]))}


class ScheduledPanel(Component):
    """Pages scheduled to be published or to expire, the next one first."""

    name = "scheduled"
    order = 150
    template_name = "editorial/scheduled_panel.html"

    def get_context_data(self, parent_context: Context) -> dict[str, Any]:
        editable = PagePermissionPolicy().instances_user_has_permission_for(parent_context["request"].user, "change")
        waiting = Revision.page_revisions.filter(approved_go_live_at__gt=timezone.now())
        numbers = [int(revision.object_id) for revision in waiting]
        pages = {str(page.pk): page for page in editable.filter(pk__in=numbers).select_related("locale")}
        rows = [
            (revision.approved_go_live_at, "publish", pages[revision.object_id])
            for revision in waiting
            if revision.object_id in pages
        ]
        rows += [(page.expire_at, "expire", page) for page in editable.filter(live=True, expire_at__gt=timezone.now())]
        return {
            "rows": [
                (i18n.site_time(time), action, page) for time, action, page in sorted(rows, key=lambda row: row[0])
            ]
        }


class MostReadPanel(Component):
    """The most viewed pages of the last thirty days."""

    name = "most_read"
    order = 320
    template_name = "editorial/most_read_panel.html"

    def get_context_data(self, parent_context: Context) -> dict[str, Any]:
        return {"rows": page_views.most_read()}
