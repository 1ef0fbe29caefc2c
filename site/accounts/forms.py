"""Forms of signing in: password, password reset, codes and passkeys."""

import logging
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms import auth as wagtail_forms

from accounts import passkeys, services
from accounts.tasks import mail_password_link

logger = logging.getLogger(__name__)


class LoginForm(wagtail_forms.LoginForm):
    """Sign-in form with rate limiting."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].label = _("Password")  # Wagtail does not translate it

    def passkey_availability(self) -> dict[str, Any]:
        """Return the template variables that say where passkeys work."""
        return passkeys.availability(self.request)

    def clean(self) -> dict[str, Any]:
        """Check name and password, unless the rate limit is reached."""
        name = self.cleaned_data.get("username", "")
        if not services.allow_sign_in(self.request, name):
            logger.warning("Sign-in throttled")
            raise ValidationError(services.TOO_MANY_ATTEMPTS, code="throttled")
        cleaned = super().clean()
        services.reset_sign_in_limit(self.request, name)
        return cleaned


class PasswordResetForm(wagtail_forms.PasswordResetForm):
    """Password reset form with rate limiting.

    The response and its timing are the same for known and unknown addresses, because a worker sends the mail.
    """

    def save(self, request: HttpRequest, **options: Any) -> None:
        """Enqueue the mail with the link, unless the rate limit is reached."""
        email = self.cleaned_data["email"]
        if services.allow_password_reset(request, email):
            found = get_user_model().objects.filter(email__iexact=email, is_active=True).values_list("pk", flat=True)
            mail_password_link.enqueue(list(found), get_language())


class CodeForm(forms.Form):
    """A code of the app, or a recovery code."""

    code = forms.CharField(
        label=_("Code"),
        max_length=64,
        help_text=_("Six digits from your app, or one of your recovery codes."),
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "text", "autofocus": ""}),
    )


class PasswordForm(forms.Form):
    """The password again, for users without a second step."""

    code = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": ""}),
    )


class PasskeyForm(forms.Form):
    """The name of a passkey."""

    name = forms.CharField(
        label=_("Name"),
        max_length=64,
        required=False,
        help_text=_("A name that you will recognise, such as “my phone” or “security key”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
