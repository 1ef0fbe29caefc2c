"""Topics, menus and site settings in the admin, and the admin's scripts and styles."""

from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.snippets.models import register_snippet
from wagtail.snippets.views.snippets import SnippetViewSet, SnippetViewSetGroup

from .models import Menu, SiteSettings, Topic


class TopicViewSet(SnippetViewSet):
    model = Topic
    icon = "tag"
    menu_label = _("Topics")
    list_display = ["name", "slug", "locale"]


class MenuViewSet(SnippetViewSet):
    model = Menu
    icon = "list-ul"
    menu_label = _("Menus")
    # Not "__str__", which Wagtail reads from the revision: in the language of whoever saved it.
    list_display = ["name", "locale"]


class SiteSettingsViewSet(SnippetViewSet):
    model = SiteSettings
    icon = "cog"
    menu_label = _("Site settings")
    list_display = ["organisation", "full_name", "locale"]


class SiteGroup(SnippetViewSetGroup):
    """Snippets that affect all pages."""

    items = (MenuViewSet, TopicViewSet, SiteSettingsViewSet)
    menu_icon = "site"
    menu_label = _("The site")
    menu_name = "site-group"
    menu_order = 250


register_snippet(SiteGroup)


@hooks.register("insert_editor_js")
def autosave_js() -> SafeString:
    return format_html('<script src="{}" defer></script>', static("js/autosave.js"))


@hooks.register("insert_global_admin_css")
def admin_css() -> SafeString:
    return format_html('<link rel="stylesheet" href="{}">', static("css/admin.css"))
