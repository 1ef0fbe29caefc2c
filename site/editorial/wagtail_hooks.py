"""Handbook, reports, dashboard panels, and the checks before a page is published."""

from collections.abc import Iterator

from core import renditions
from core.models import BasePage
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse, reverse_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin.menu import MenuItem
from wagtail.admin.ui.components import Component
from wagtail.admin.widgets import Button
from wagtail.models import Page, TaskState

from editorial import content_checks, dashboard, views


@hooks.register("register_admin_urls")
def admin_urls() -> list[URLPattern]:
    return [
        path("handbook/", views.handbook, name="handbook"),
        path("handbook/pictures/<slug:language>/<slug:name>.webp", views.handbook_picture, name="handbook_picture"),
        path("pages/<int:page_id>/checks/", views.page_checks, name="page_checks"),
        path("pages/<int:page_id>/side-by-side/", views.side_by_side, name="side_by_side"),
        path("reports/problems/", views.ProblemsView.as_view(), name="problems_report"),
        path(
            "reports/problems/results/", views.ProblemsView.as_view(results_only=True), name="problems_report_results"
        ),
        path("reports/unused-images/", views.UnusedImagesView.as_view(), name="unused_images_report"),
    ]


@hooks.register("register_help_menu_item")
def handbook_menu_item() -> MenuItem:
    return MenuItem(_("Handbook"), reverse_lazy("handbook"), icon_name="help", order=10)


@hooks.register("construct_help_menu")
def leave_out_news_of_wagtail(request: HttpRequest, items: list[MenuItem]) -> None:
    """Remove the link to Wagtail's release notes: they are in English, and for developers."""
    items[:] = [item for item in items if not item.name.startswith("whats-new-in-wagtail")]


@hooks.register("register_reports_menu_item")
def problems_menu_item() -> MenuItem:
    return MenuItem(_("Problems"), reverse_lazy("problems_report"), icon_name="warning", order=100)


@hooks.register("register_reports_menu_item")
def unused_images_menu_item() -> MenuItem:
    return MenuItem(_("Unused images"), reverse_lazy("unused_images_report"), icon_name="image", order=110)


@hooks.register("register_page_header_buttons")
def page_buttons(page: Page, user: User, view_name: str, next_url: str | None = None) -> Iterator[Button]:
    """Add “Checks” and “Languages side by side” to the menu of a page."""
    if page.depth > 1 and page.permissions_for_user(user).can_edit():
        yield Button(_("Checks"), reverse("page_checks", args=[page.pk]), icon_name="check", priority=70)
        yield Button(
            _("Languages side by side"), reverse("side_by_side", args=[page.pk]), icon_name="desktop", priority=71
        )


@hooks.register("construct_homepage_panels")
def add_panels(request: HttpRequest, panels: list[Component]) -> None:
    panels += [dashboard.StartPanel(), dashboard.ScheduledPanel(), dashboard.MostReadPanel()]


@hooks.register("register_dashboard_buttons")
def waiting_button(request: HttpRequest) -> Iterator[Button]:
    number = TaskState.objects.reviewable_by(request.user).count()
    if number:
        url = reverse("wagtailadmin_reports:workflow_tasks") + "?reviewable=true"
        yield Button(gettext("Waiting for me (%(n)s)") % {"n": number}, url, icon_name="tasks", priority=40)


@hooks.register("before_publish_page")
def check_before_publishing(request: HttpRequest, page: BasePage) -> HttpResponse | None:
    """Keep a page with blocking problems as a draft and show them."""
    problems = content_checks.check_page(page)
    if not content_checks.any_blocking(problems):
        return None
    for problem in problems:
        if problem.level == content_checks.BLOCKS:
            messages.error(request, gettext("Not published, kept as a draft: %(problem)s") % {"problem": problem.text})
    return redirect("wagtailadmin_pages:edit", page.pk)


@hooks.register("before_publish_page", order=10)
def wait_for_renditions(request: HttpRequest, page: BasePage) -> HttpResponse | None:
    """Postpone publishing until the page's renditions exist, and tell the editor."""
    user = request.user if request.user.is_authenticated else None
    if not renditions.postpone_publishing(page.latest_revision, user, skip_permission_checks=True):
        return None
    messages.info(request, renditions.postponed_message(page))
    return redirect("wagtailadmin_pages:edit", page.pk)


@hooks.register("after_publish_page")
def warn_after_publishing(request: HttpRequest, page: BasePage) -> None:
    """Show the problems that did not prevent publishing."""
    for problem in content_checks.check_page(page):
        if problem.level == content_checks.WARNS:
            messages.warning(request, problem.text)
