"""Contact form messages in the admin."""

from collections.abc import Iterable

from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin.ui.tables import Column, DateColumn
from wagtail.admin.viewsets.model import ModelViewSet
from wagtail.permission_policies import ModelPermissionPolicy

from .models import ContactMessage


class ReadOrDeletePermissionPolicy(ModelPermissionPolicy):
    """Messages can be read and deleted, not added or changed."""

    def user_has_permission(self, user: User, action: str) -> bool:
        return action not in {"add", "change"} and super().user_has_permission(user, action)

    def user_has_any_permission(self, user: User, actions: Iterable[str]) -> bool:
        return super().user_has_any_permission(user, [a for a in actions if a not in {"add", "change"}])


class ContactMessageViewSet(ModelViewSet):
    """Messages: list and details."""

    model = ContactMessage
    name = "messages"
    icon = "comment"
    menu_label = _("Messages")
    menu_order = 630
    add_to_admin_menu = True
    permission_policy = ReadOrDeletePermissionPolicy(ContactMessage)
    list_display = [
        "name",
        "email",
        DateColumn("created_at", label=_("Received")),
        "language",
        Column("forwarding", label=_("Forwarding")),
    ]
    form_fields = ["name"]
    inspect_view_enabled = True
    copy_view_enabled = False


@hooks.register("register_admin_viewset")
def contact_message_viewset() -> ContactMessageViewSet:
    return ContactMessageViewSet()
