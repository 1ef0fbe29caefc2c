"""The handbook, reports and panels of the editors."""

from django.urls import path, reverse, reverse_lazy
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin.menu import MenuItem
from wagtail.admin.widgets import Button

from editorial import dashboard, help, reports


@hooks.register("register_admin_urls")
def admin_urls():
    return [
        path("handbook/", help.handbook, name="handbook"),
        path("handbook/pictures/<slug:language>/<slug:name>.webp", help.picture, name="handbook_picture"),
        path("pages/<int:page_id>/checks/", reports.look_at_page, name="page_checks"),
        path("pages/<int:page_id>/side-by-side/", reports.side_by_side, name="side_by_side"),
        path("reports/problems/", reports.report, name="problems_report"),
        path("reports/unused-images/", reports.unused_images, name="unused_images_report"),
    ]


@hooks.register("register_help_menu_item")
def handbook_menu_item():
    return MenuItem(_("Handbook"), reverse_lazy("handbook"), icon_name="help", order=10)


@hooks.register("register_reports_menu_item")
def problems_menu_item():
    return MenuItem(_("To be mended"), reverse_lazy("problems_report"), icon_name="warning", order=100)


@hooks.register("register_reports_menu_item")
def unused_images_menu_item():
    return MenuItem(_("Unused images"), reverse_lazy("unused_images_report"), icon_name="image", order=110)


@hooks.register("register_page_header_buttons")
def page_buttons(page, user, view_name, next_url=None):
    """“Checks” and “Side by side” in a page's menu."""
    if page.depth > 1 and page.permissions_for_user(user).can_edit():
        yield Button(_("Checks"), reverse("page_checks", args=[page.pk]), icon_name="check", priority=70)
        yield Button(
            _("Languages side by side"), reverse("side_by_side", args=[page.pk]), icon_name="desktop", priority=71
        )


@hooks.register("construct_homepage_panels")
def add_panels(request, panels):
    panels += [dashboard.ScheduledPanel(), dashboard.MostReadPanel()]
