"""The buttons at the foot of the translation editor."""

from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser, User
from django.urls import reverse
from django.utils.translation import gettext as _
from wagtail.admin.admin_url_finder import AdminURLFinder
from wagtail.models import DraftStateMixin, Page, TranslatableMixin
from wagtail.permission_policies.base import ModelPermissionPolicy
from wagtail_localize.models import Translation


@dataclass(frozen=True)
class Action:
    """A button: a link if it has no `method`, else a form that posts `value` as its action. Without a URL it tells a state."""

    label: str
    url: str = ""
    icon: str = ""
    method: str = ""
    value: str = ""


def main_action(user: User | AnonymousUser, translation: Translation, instance: TranslatableMixin) -> Action | None:
    """Return what comes next for the user: publish or hand over. None if they may do neither."""
    if may_publish(user, instance):
        url = AdminURLFinder(user).get_edit_url(instance)
        return Action(_("Publish in %(language)s") % {"language": instance.locale}, url, "upload", "post", "publish")
    if not isinstance(instance, Page):
        return None
    if instance.workflow_in_progress:
        return Action(_("Handed over, waits to be published"), icon="check")
    if instance.permissions_for_user(user).can_submit_for_moderation():
        return Action(_("Hand over"), reverse("translation_hand_over", args=[translation.pk]), "resubmit", "post")
    return None


def may_publish(user: User | AnonymousUser, instance: TranslatableMixin) -> bool:
    """Return whether a user may publish a page or snippet. A snippet without drafts is published by those who change it."""
    if isinstance(instance, Page):
        return instance.permissions_for_user(user).can_publish()
    right = "publish" if isinstance(instance, DraftStateMixin) else "change"
    return ModelPermissionPolicy(type(instance)).user_has_permission(user, right)


def menu_actions(user: User | AnonymousUser, translation: Translation, instance: TranslatableMixin) -> list[Action]:
    """Return the other actions that the user may take. Those that lose something ask for confirmation."""
    actions = []
    if isinstance(instance, Page):
        rights, number = instance.permissions_for_user(user), [instance.pk]
        if rights.can_unpublish():
            actions.append(Action(_("Unpublish"), reverse("wagtailadmin_pages:unpublish", args=number), "download"))
        if instance.locked and rights.can_unlock():
            actions.append(Action(_("Unlock"), reverse("wagtailadmin_pages:unlock", args=number), "lock-open", "post"))
        if not instance.locked and rights.can_lock():
            actions.append(Action(_("Lock"), reverse("wagtailadmin_pages:lock", args=number), "lock", "post"))
        if rights.can_publish():
            url = reverse("wagtail_localize:convert_to_alias", args=number)
            actions.append(Action(_("Make it a copy of the original again"), url, "wagtail-localize-convert"))
    url = reverse("wagtail_localize:stop_translation", args=[translation.pk])
    actions.append(Action(_("Edit it without the original"), url, "cross"))
    url = _delete_url(user, instance)
    if url:
        actions.append(Action(_("Delete"), url, "bin"))
    return actions


def preview_actions(translation: Translation, instance: TranslatableMixin) -> list[Action]:
    """Return a link to each preview of a page; the first one is its ordinary one."""
    actions = []
    for mode, name in instance.preview_modes if isinstance(instance, Page) else []:
        is_default = mode == instance.default_preview_mode
        url = reverse(
            "wagtail_localize:preview_translation", args=[translation.pk] if is_default else [translation.pk, mode]
        )
        actions.append(Action(_("Preview") if is_default else f"{_('Preview')}: {name}", url, "view"))
    return actions


def _delete_url(user: User | AnonymousUser, instance: TranslatableMixin) -> str:
    if isinstance(instance, Page):
        may_delete = instance.permissions_for_user(user).can_delete()
        return reverse("wagtailadmin_pages:delete", args=[instance.pk]) if may_delete else ""
    may_delete = ModelPermissionPolicy(type(instance)).user_has_permission(user, "delete")
    return reverse(type(instance).snippet_viewset.get_url_name("delete"), args=[instance.pk]) if may_delete else ""
