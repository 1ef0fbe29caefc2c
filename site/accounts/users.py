"""The admin's pages of users and groups: a new user's form asks for the language, an invitation can be sent again, and groups
have their names in the reader's language."""

from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin.localization import get_available_admin_languages
from wagtail.admin.ui.tables import TitleColumn
from wagtail.admin.widgets.button import Button
from wagtail.users.forms import UserCreationForm
from wagtail.users.models import UserProfile
from wagtail.users.views import groups as wagtail_groups
from wagtail.users.views import users as wagtail_users

from accounts import services


class UserInvitationForm(UserCreationForm):
    """Form of a new user."""

    preferred_language = forms.ChoiceField(
        label=_("Language"),
        choices=get_available_admin_languages,
        initial=get_language,
        help_text=_("The language of the invitation and of the admin. The person can change it in their account."),
    )

    def save(self, commit: bool = True) -> User:
        """Save the user, and the language in their profile."""
        user = super().save(commit)
        if commit:
            profile = UserProfile.get_for_user(user)
            profile.preferred_language = self.cleaned_data["preferred_language"]
            profile.save(update_fields=["preferred_language"])
        return user


class EditView(wagtail_users.EditView):
    """Adds the button that sends an invitation again."""

    @cached_property
    def header_more_buttons(self) -> list[Button]:
        buttons = super().header_more_buttons
        if services.may_invite(self.request.user, self.object):
            url = reverse("signin_invite", args=[self.object.pk])
            buttons.append(Button(gettext("Send the invitation again"), url, icon_name="mail", priority=15))
        return buttons


class UserViewSet(wagtail_users.UserViewSet):
    edit_view_class = EditView

    def get_form_class(self, for_update: bool = False) -> type[forms.ModelForm[Any]]:
        return super().get_form_class(for_update) if for_update else UserInvitationForm


class GroupIndexView(wagtail_groups.IndexView):
    columns = [TitleColumn("name", label=_("Name"), accessor=str, sort_key="name", url_name="wagtailusers_groups:edit")]


class GroupViewSet(wagtail_groups.GroupViewSet):
    index_view_class = GroupIndexView
