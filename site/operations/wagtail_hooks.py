"""System status and outgoing mail in the admin."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse_lazy
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin.menu import MenuItem
from wagtail.log_actions import LogActionRegistry

from operations import views


@hooks.register("register_admin_urls")
def admin_urls() -> list[URLPattern]:
    return [
        path("operations/", views.status_page, name="operations"),
        path("operations/run/<slug:name>/", views.run_job_now, name="operations_run"),
        path("mail/", views.outbox_readers_only(views.MailListView.as_view()), name="localmail_list"),
        path("mail/<str:key>/", views.mail_detail, name="localmail_detail"),
        path("mail/<str:key>/html/", views.mail_html, name="localmail_html"),
    ]


class PermittedMenuItem(MenuItem):
    """Menu item for users with a permission."""

    def __init__(self, *arguments: Any, permission: str, **options: Any) -> None:
        self.permission = permission
        super().__init__(*arguments, **options)

    def is_shown(self, request: HttpRequest) -> bool:
        return request.user.has_perm(self.permission)


class LocalMailMenuItem(MenuItem):
    """Menu item for superusers of a site that stores its mail locally."""

    def is_shown(self, request: HttpRequest) -> bool:
        return settings.EMAIL_PROVIDER == "local" and request.user.is_superuser


@hooks.register("register_admin_menu_item")
def local_mail_menu_item() -> LocalMailMenuItem:
    return LocalMailMenuItem(_("Outgoing mail"), reverse_lazy("localmail_list"), icon_name="mail", order=900)


@hooks.register("register_reports_menu_item")
def operations_menu_item() -> PermittedMenuItem:
    return PermittedMenuItem(
        _("Operations"), reverse_lazy("operations"), permission="auth.change_user", icon_name="cogs", order=120
    )


@hooks.register("register_log_actions")
def log_actions(actions: LogActionRegistry) -> None:
    actions.register_action("clac.job_run", _("Run a job now"), _("Asked for the job to run now"))
