"""Wagtail hooks of the newsletter: menu, URLs, buttons, dashboard panels."""

from collections.abc import Iterator

from core.page_permissions import url_to_add
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import URLResolver, include, path, reverse, reverse_lazy
from django.utils.functional import Promise
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin.menu import Menu, MenuItem, SubmenuMenuItem
from wagtail.admin.ui.components import Component
from wagtail.admin.viewsets.model import ModelViewSet
from wagtail.admin.widgets import Button
from wagtail.log_actions import LogActionRegistry
from wagtail.models import Page

from .admin import campaigns, editions, growth, imports, postal_address, segments, subscribers
from .editions import drafts
from .models import Campaign, IssuePage, NewsletterPage

newsletter_menu = Menu(register_hook_name="register_newsletter_menu_item")


@hooks.register("register_admin_menu_item")
def newsletter_menu_item() -> MenuItem:
    return SubmenuMenuItem(_("Newsletter"), newsletter_menu, name="newsletter", icon_name="mail", order=610)


class PermittedItem(MenuItem):
    """A menu item shown to users with a permission."""

    def __init__(self, permission: str, label: Promise, url_name: str, icon: str, order: int) -> None:
        super().__init__(label, reverse_lazy(url_name), icon_name=icon, name=url_name, order=order)
        self.permission = permission

    def is_shown(self, request: HttpRequest) -> bool:
        return request.user.has_perm(self.permission)


ENTRIES = [
    ("newsletter.view_campaign", _("Campaigns"), "newsletter_campaigns", "history", 10),
    ("newsletter.add_campaign", _("Repeating edition"), "newsletter_digest", "rotate", 16),
    ("newsletter.view_subscriber", _("Growth"), "newsletter_growth", "order-up", 40),
    ("newsletter.add_subscriberimport", _("Import"), "newsletter_imports", "upload", 50),
    ("newsletter.add_subscriberexport", _("Export"), "newsletter_export", "download", 60),
    ("newsletter.delete_subscriber", _("Erase, suppressed addresses"), "newsletter_suppressions", "lock", 70),
]
for entry in ENTRIES:
    hooks.register("register_newsletter_menu_item", lambda entry=entry: PermittedItem(*entry))


@hooks.register("register_admin_viewset")
def viewsets() -> list[ModelViewSet]:
    hook = "register_newsletter_menu_item"
    return [
        editions.IssueTemplateViewSet(menu_hook=hook, menu_order=15),
        subscribers.SubscriberViewSet(menu_hook=hook, menu_order=20),
        segments.SegmentViewSet(menu_hook=hook, menu_order=30),
        subscribers.ProviderEventViewSet(menu_hook=hook, menu_order=65),
        subscribers.UnreadableReportViewSet(menu_hook=hook, menu_order=66),
    ]


@hooks.register("register_admin_urls")
def admin_urls() -> list[URLResolver]:
    urls = [
        path("campaigns/", campaigns.CampaignIndexView.as_view(), name="newsletter_campaigns"),
        path(
            "campaigns/results/",
            campaigns.CampaignIndexView.as_view(results_only=True),
            name="newsletter_campaigns_results",
        ),
        path("campaigns/<int:campaign_id>/", campaigns.campaign, name="newsletter_campaign"),
        path("campaigns/<int:campaign_id>/progress/", campaigns.campaign_progress, name="newsletter_campaign_progress"),
        path(
            "campaigns/<int:campaign_id>/recipients/",
            campaigns.RecipientIndexView.as_view(),
            name="newsletter_campaign_recipients",
        ),
        path(
            "campaigns/<int:campaign_id>/recipients/results/",
            campaigns.RecipientIndexView.as_view(results_only=True),
            name="newsletter_campaign_recipients_results",
        ),
        path("campaigns/<int:campaign_id>/csv/", campaigns.campaign_csv, name="newsletter_campaign_csv"),
        *(
            path(
                f"campaigns/<int:campaign_id>/{action}/",
                campaigns.campaign_change,
                {"action": action},
                name=f"newsletter_campaign_{action}",
            )
            for action in campaigns.ACTIONS
        ),
        path("issues/new/", editions.new, name="newsletter_issue_new"),
        path("issues/new/news/", editions.new_from_news, name="newsletter_issue_new_from_news"),
        path("issues/new/last/", editions.new_from_last, name="newsletter_issue_new_from_last"),
        path(
            "issues/new/template/<int:template_id>/",
            editions.new_from_template,
            name="newsletter_issue_new_from_template",
        ),
        path("issues/<int:page_id>/save-template/", editions.save_template, name="newsletter_issue_save_template"),
        path("postal-address/", postal_address.edit_postal_address, name="newsletter_postal_address"),
        path("digest/", editions.edit_digest, name="newsletter_digest"),
        path("issues/<int:page_id>/send/", campaigns.issue_send, name="newsletter_issue_send"),
        path(
            "issues/<int:page_id>/leave-out/<str:block_id>/",
            campaigns.leave_out_list,
            name="newsletter_issue_leave_out",
        ),
        path("issues/<int:page_id>/confirm/", campaigns.issue_confirm, name="newsletter_issue_confirm"),
        path("issues/<int:page_id>/preview/", campaigns.issue_preview, name="newsletter_issue_preview"),
        path("issues/<int:page_id>/mail/", campaigns.issue_mail, name="newsletter_issue_mail"),
        path("issues/<int:page_id>/start/", campaigns.campaign_start, name="newsletter_campaign_start"),
        path(
            "issues/<int:page_id>/confirm-again/",
            campaigns.issue_confirm,
            {"is_again": True},
            name="newsletter_issue_confirm_again",
        ),
        path(
            "issues/<int:page_id>/start-again/",
            campaigns.campaign_start,
            {"is_again": True},
            name="newsletter_campaign_start_again",
        ),
        path("subscribers/<int:pk>/", subscribers.history, name="newsletter_subscriber"),
        path("subscribers/<int:pk>/end/", subscribers.end, name="newsletter_subscriber_end"),
        path("subscribers/<int:pk>/data/", subscribers.download_data, name="newsletter_subscriber_data"),
        path("suppressions/", subscribers.suppressions, name="newsletter_suppressions"),
        path("export/", subscribers.ExportIndexView.as_view(), name="newsletter_export"),
        path("imports/", imports.ImportIndexView.as_view(), name="newsletter_imports"),
        path("imports/results/", imports.ImportIndexView.as_view(results_only=True), name="newsletter_imports_results"),
        path("imports/<int:pk>/", imports.show, name="newsletter_import"),
        path("imports/<int:pk>/progress/", imports.progress, name="newsletter_import_progress"),
        path("imports/<int:pk>/forecast/", imports.forecast, name="newsletter_import_forecast"),
        path("imports/<int:pk>/bad-lines/", imports.bad_lines, name="newsletter_import_bad_lines"),
        *(
            path(f"imports/<int:pk>/{action}/", imports.change, {"action": action}, name=f"newsletter_import_{action}")
            for action in ("start", "cancel")
        ),
        path("segments/count/", segments.count, name="newsletter_segment_count"),
        path("growth/", growth.GrowthView.as_view(), name="newsletter_growth"),
    ]
    return [path("newsletter/", include(urls))]


@hooks.register("insert_global_admin_js")
def segment_and_guide_js() -> SafeString:
    scripts = [(static(f"js/{name}.js"),) for name in ("segment", "guide")]
    return format_html_join("", '<script src="{}" defer></script>', scripts)


@hooks.register("register_dashboard_buttons")
def new_edition_button(request: HttpRequest) -> Iterator[Button]:
    """Add “New edition”: with the ways to begin one, or for translators straight to an empty one in their language."""
    if drafts.parent_for(request.user):
        url = reverse("newsletter_issue_new")
    else:
        url = url_to_add(request.user, IssuePage, NewsletterPage)
    if url:
        yield Button(_("New edition"), url, icon_name="mail", priority=20)


@hooks.register("construct_homepage_panels")
def add_growth_panel(request: HttpRequest, panels: list[Component]) -> None:
    if request.user.has_perm("newsletter.view_subscriber"):
        panels.append(growth.GrowthPanel())


@hooks.register("construct_homepage_panels")
def add_newsletter_panel(request: HttpRequest, panels: list[Component]) -> None:
    if request.user.has_perm("newsletter.view_campaign"):
        panels.append(campaigns.NewsletterPanel())


@hooks.register("register_log_actions")
def register_log_actions(actions: LogActionRegistry) -> None:
    """Register the newsletter's audit log actions."""
    actions.register_action("newsletter.end", _("Take off the list"), _("Took a subscriber off the list"))
    actions.register_action("newsletter.data", _("Hand over data"), _("Took a subscriber's data to hand it over"))
    actions.register_action("newsletter.erase", _("Erase"), _("Erased a person's data"))
    actions.register_action("newsletter.lift", _("Lift a suppression"), _("Let a suppressed address in again"))


@hooks.register("register_page_header_buttons")
def issue_header_button(page: Page, user: User, view_name: str, next_url: str | None = None) -> Iterator[Button]:
    """Add “Send…” and “Save as template…” to an edition's menu."""
    if not isinstance(page.specific_deferred, IssuePage):
        return
    if user.has_perm("newsletter.add_campaign"):
        yield Button(
            _("Send the edition…"), reverse("newsletter_issue_send", args=[page.pk]), icon_name="mail", priority=5
        )
    if drafts.parent_for(user):
        url = reverse("newsletter_issue_save_template", args=[page.pk])
        yield Button(_("Save as template…"), url, icon_name="copy", priority=55)


@hooks.register("refuse_language_change")
def keep_language_of_sent_edition(page: Page) -> str:
    """Return why an edition with campaigns cannot change its language: their figures and links are about the language sent."""
    if Campaign.objects.filter(issue__translation_key=page.translation_key).exists():
        return gettext("“%(title)s” is an edition that was sent or is scheduled.") % {"title": page.title}
    return ""


@hooks.register("register_page_listing_more_buttons")
def issue_listing_button(page: Page, user: User, next_url: str | None = None) -> Iterator[Button]:
    yield from issue_header_button(page, user, "index")
