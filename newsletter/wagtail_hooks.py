"""The newsletter in the admin: menu, addresses, buttons."""

from django.urls import include, path, reverse
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin.menu import MenuItem
from wagtail.admin.ui.tables import Column, DateColumn
from wagtail.admin.viewsets.model import ModelViewSet
from wagtail.admin.widgets import Button
from wagtail.permission_policies import ModelPermissionPolicy

from . import admin_views
from .models import IssuePage, Subscriber


class NobodyAdds(ModelPermissionPolicy):
    """Subscribers come from the sign-up form only: consent cannot be typed in by somebody else."""

    def user_has_permission(self, user, action):
        return action != "add" and super().user_has_permission(user, action)

    def user_has_any_permission(self, user, actions):
        return super().user_has_any_permission(user, [action for action in actions if action != "add"])


class SubscriberViewSet(ModelViewSet):
    """Subscribers: list, search, details."""

    model = Subscriber
    name = "subscribers"
    icon = "mail"
    menu_label = _("Subscribers")
    menu_order = 620
    add_to_admin_menu = True
    permission_policy = NobodyAdds(Subscriber)
    list_display = [
        "email",
        Column("get_state_display", label=_("State"), sort_key="state"),
        Column("get_language_display", label=_("Language"), sort_key="language"),
        DateColumn("created_at", label=_("Asked"), sort_key="created_at"),
        DateColumn("confirmed_at", label=_("Confirmed"), sort_key="confirmed_at"),
    ]
    list_filter = ["state", "language", "topics"]
    search_fields = ["email", "name"]
    search_backend_name = None
    form_fields = ["name", "language", "country", "topics"]
    inspect_view_enabled = True
    inspect_view_fields = ["email", "name", "state", "language", "country", "created_at", "confirmed_at"]
    copy_view_enabled = False


@hooks.register("register_admin_viewset")
def subscriber_viewset():
    return SubscriberViewSet()


@hooks.register("register_admin_urls")
def admin_urls():
    urls = [
        path("campaigns/", admin_views.campaign_list, name="newsletter_campaigns"),
        path("campaigns/<int:campaign_id>/", admin_views.campaign, name="newsletter_campaign"),
        path(
            "campaigns/<int:campaign_id>/progress/", admin_views.campaign_progress, name="newsletter_campaign_progress"
        ),
        path("campaigns/<int:campaign_id>/csv/", admin_views.campaign_csv, name="newsletter_campaign_csv"),
        *(
            path(
                f"campaigns/<int:campaign_id>/{action}/",
                admin_views.campaign_change,
                {"action": action},
                name=f"newsletter_campaign_{action}",
            )
            for action in ("pause", "resume", "cancel")
        ),
        path("issues/<int:page_id>/send/", admin_views.issue_send, name="newsletter_issue_send"),
        path("issues/<int:page_id>/start/", admin_views.campaign_start, name="newsletter_campaign_start"),
    ]
    return [path("newsletter/", include(urls))]


class CampaignsMenuItem(MenuItem):
    """The entry for those who may see campaigns."""

    def is_shown(self, request):
        return request.user.has_perm("newsletter.view_campaign")


@hooks.register("register_admin_menu_item")
def campaigns_menu_item():
    return CampaignsMenuItem(_("Campaigns"), reverse("newsletter_campaigns"), icon_name="history", order=610)


@hooks.register("register_page_header_buttons")
def issue_header_button(page, user, view_name, next_url=None):
    """“Send…” in an edition's menu."""
    if isinstance(page.specific_deferred, IssuePage) and user.has_perm("newsletter.add_campaign"):
        yield Button(
            _("Send the edition…"), reverse("newsletter_issue_send", args=[page.pk]), icon_name="mail", priority=5
        )


@hooks.register("register_page_listing_more_buttons")
def issue_listing_button(page, user, next_url=None):
    yield from issue_header_button(page, user, "index")
