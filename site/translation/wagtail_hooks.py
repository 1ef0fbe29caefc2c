"""Translations in the admin's menu and on its dashboard."""

from django.urls import path, reverse_lazy
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin.menu import MenuItem

from translation import dashboard, po_exchange, tree_actions, views  # noqa: F401 – their hooks


@hooks.register("register_admin_urls")
def admin_urls():
    return [
        path("translations/", dashboard.board, name="translation_board"),
        path("translations/publish/<int:page_id>/", dashboard.publish, name="translation_publish"),
        path("translations/po/out/", po_exchange.export_archive, name="translation_po_out"),
        path("translations/po/back/", po_exchange.import_archive, name="translation_po_back"),
    ]


@hooks.register("register_admin_menu_item")
def board_menu_item():
    return MenuItem(
        _("Translations"), reverse_lazy("translation_board"), icon_name="wagtail-localize-language", order=240
    )


@hooks.register("construct_homepage_panels")
def add_panel(request, panels):
    panels.append(dashboard.BoardPanel())
