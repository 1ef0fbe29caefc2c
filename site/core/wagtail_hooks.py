"""The admin's shared parts: topics, menus, site settings, and the outgoing mail of a site without a provider."""

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import path, reverse, reverse_lazy
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin import messages
from wagtail.admin.auth import user_passes_test
from wagtail.admin.menu import MenuItem
from wagtail.admin.widgets import Button
from wagtail.snippets.models import register_snippet
from wagtail.snippets.views.snippets import SnippetViewSet, SnippetViewSetGroup

from . import board, dashboard, handbook, localmail, mending, operations, po, signin, together, translating  # noqa: F401 – their hooks
from .models import Menu, SiteTexts, Topic


class TopicViewSet(SnippetViewSet):
    model = Topic
    icon = "tag"
    menu_label = _("Topics")
    list_display = ["name", "slug", "locale"]


class MenuViewSet(SnippetViewSet):
    model = Menu
    icon = "list-ul"
    menu_label = _("Menus")
    list_display = ["__str__", "locale"]


class SiteTextsViewSet(SnippetViewSet):
    model = SiteTexts
    icon = "cog"
    menu_label = _("Site settings")
    list_display = ["organisation", "full_name", "locale"]


class SiteGroup(SnippetViewSetGroup):
    """What stands on every page."""

    items = (MenuViewSet, TopicViewSet, SiteTextsViewSet)
    menu_icon = "site"
    menu_label = _("The site")
    menu_name = "site-group"
    menu_order = 250


register_snippet(SiteGroup)

# The pages of the local outbox: for administrators of a site that keeps its mail.
may_read_mail = user_passes_test(lambda user: user.is_superuser and settings.EMAIL_PROVIDER == "local")


@may_read_mail
def mail_list(request):
    """The newest mails kept on this machine."""
    return render(request, "core/mail_list.html", {"messages_kept": localmail.recent()})


def _kept_mail(key):
    try:
        return localmail.read(key)
    except (FileNotFoundError, ValueError):
        raise Http404 from None


@may_read_mail
def mail_detail(request, key):
    """One mail: its headers, the HTML part in a frame, the text part."""
    message = _kept_mail(key)
    text = message.get_body(("plain",))
    context = {"key": key, "message": message, "headers": message.items(), "text": text.get_content() if text else ""}
    return render(request, "core/mail_detail.html", context)


@may_read_mail
def mail_html(request, key):
    """The HTML part of one mail, in a sandbox."""
    body = _kept_mail(key).get_body(("html",))
    response = HttpResponse(body.get_content() if body else "")
    sandbox = "allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation"
    response["Content-Security-Policy"] = f"{localmail.MAIL_POLICY}; sandbox {sandbox}"
    return response


@hooks.register("register_admin_urls")
def admin_urls():
    return [
        path("translations/", board.board, name="translation_board"),
        path("translations/publish/<int:page_id>/", board.publish, name="translation_publish"),
        path("translations/po/out/", po.out, name="translation_po_out"),
        path("translations/po/back/", po.back, name="translation_po_back"),
        path("sign-in/", signin.manage, name="signin_manage"),
        path("sign-in/code/", signin.ask, name="signin_ask"),
        path("sign-in/set-up/", signin.set_up, name="signin_set_up"),
        path("sign-in/set-up/app/", signin.set_up_app, name="signin_set_up_app"),
        path("sign-in/set-up/options/", signin.create_options, name="signin_create_options"),
        path("sign-in/passkey/<int:key_id>/", signin.passkey, name="signin_passkey"),
        path("sign-in/change/<slug:what>/", signin.change, name="signin_change"),
        path("sign-in/reset/<int:user_id>/", signin.reset, name="signin_reset"),
        path("operations/", operations.page, name="operations"),
        path("operations/run/<slug:name>/", operations.run_now, name="operations_run"),
        path("handbook/", handbook.handbook, name="handbook"),
        path("handbook/pictures/<slug:language>/<slug:name>.webp", handbook.picture, name="handbook_picture"),
        path("pages/<int:page_id>/checks/", mending.look_at_page, name="page_checks"),
        path("pages/<int:page_id>/side-by-side/", mending.side_by_side, name="side_by_side"),
        path("reports/problems/", mending.report, name="problems_report"),
        path("reports/unused-images/", mending.unused_images, name="unused_images_report"),
        path("mail/", mail_list, name="localmail_list"),
        path("mail/<str:key>/", mail_detail, name="localmail_detail"),
        path("mail/<str:key>/html/", mail_html, name="localmail_html"),
    ]


class PermittedMenuItem(MenuItem):
    """Shown to who has a permission."""

    def __init__(self, *arguments, permission, **options):
        self.permission = permission
        super().__init__(*arguments, **options)

    def is_shown(self, request):
        return request.user.has_perm(self.permission)


class LocalMailMenuItem(MenuItem):
    """Shown to administrators of a site that keeps its mail."""

    def is_shown(self, request):
        return settings.EMAIL_PROVIDER == "local" and request.user.is_superuser


@hooks.register("register_admin_menu_item")
def local_mail_menu_item():
    return LocalMailMenuItem(_("Outgoing mail"), reverse_lazy("localmail_list"), icon_name="mail", order=900)


@hooks.register("register_admin_menu_item")
def board_menu_item():
    return MenuItem(
        _("Translations"), reverse_lazy("translation_board"), icon_name="wagtail-localize-language", order=240
    )


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


@hooks.register("register_reports_menu_item")
def operations_menu_item():
    return PermittedMenuItem(
        _("Operations"), reverse_lazy("operations"), permission="auth.change_user", icon_name="cogs", order=120
    )


@hooks.register("register_log_actions")
def log_actions(actions):
    """What the site history shows besides Wagtail's own: sign-ins and changes of how somebody signs in."""
    for name, label, text in [
        ("job_run", _("Run a job now"), _("Asked for the job to run now")),
        ("sign_in", _("Sign in"), _("Signed in")),
        ("sign_out", _("Sign out"), _("Signed out")),
        ("sign_in_failed", _("Sign in"), _("Could not sign in: wrong password")),
        ("second_step_failed", _("Second step"), _("Wrong code at the second step")),
        ("second_step_set_up", _("Second step"), _("Connected an app")),
        ("second_step_removed", _("Second step"), _("Disconnected the app")),
        ("second_step_reset", _("Second step"), _("Passkeys, app and recovery codes were reset")),
        ("passkey_added", _("Passkey"), _("Added a passkey")),
        ("passkey_removed", _("Passkey"), _("Removed a passkey")),
        ("passkey_refused", _("Passkey"), _("Could not sign in: the passkey was refused")),
        ("recovery_codes", _("Recovery codes"), _("Made new recovery codes")),
        ("sessions_ended", _("Sessions"), _("Ended all other sessions")),
    ]:
        actions.register_action(f"clac.{name}", label, text)


@hooks.register("after_create_user")
def invite(request, user):
    signin.invite(user)
    messages.success(request, _("%(name)s gets a mail with a link to choose a password.") % {"name": user})


@hooks.register("register_account_menu_item")
def account_menu_item(request):
    return {
        "url": reverse("signin_manage"),
        "label": _("Signing in"),
        "help_text": _("Your passkeys, your app, recovery codes, and where you are signed in."),
    }


@hooks.register("register_user_listing_buttons")
def user_buttons(user, request_user):
    """“Reset signing in” for administrators."""
    if request_user.has_perm("auth.change_user"):
        yield Button(_("Reset signing in"), reverse("signin_reset", args=[user.pk]), icon_name="lock-open", priority=90)


@hooks.register("construct_homepage_panels")
def add_panels(request, panels):
    panels += [dashboard.ScheduledPanel(), board.BoardPanel(), dashboard.MostReadPanel()]


@hooks.register("insert_editor_js")
def autosave_js():
    return format_html('<script src="{}" defer></script>', static("js/autosave.js"))


@hooks.register("insert_global_admin_css")
def admin_css():
    return format_html('<link rel="stylesheet" href="{}">', static("css/admin.css"))
