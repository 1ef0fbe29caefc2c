"""Password validators: no context-specific words and no breached passwords (NIST SP 800-63B)."""

import re

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from pwned_passwords_django.validators import PwnedPasswordsValidator

# An attacker tries these words first. A password without them must still have MIN_REMAINING characters.
CONTEXT_WORDS = ["clac", "comerciojusto", "fairtrade", "boletin", "wagtail", "contraseña", "senha", "password"]
MIN_REMAINING = 8


class BreachedPasswordValidator(PwnedPasswordsValidator):
    """Rejects breached passwords.

    Have I Been Pwned receives five digits of the hash. If it does not answer, Django's list of common passwords decides.
    """

    def __init__(self) -> None:
        super().__init__(
            help_message=_("Your password can’t be one that was found in a breach of another site."),
            error_message=ngettext_lazy(
                "This password was found in a breach of another site. Choose another one.",
                "This password was found in breaches of other sites. Choose another one.",
                "amount",
            ),
        )


class ContextWordsValidator:
    """Rejects passwords that consist mostly of CONTEXT_WORDS."""

    def validate(self, password: str, user: User | None = None) -> None:
        """Raise ValidationError if too few characters remain without CONTEXT_WORDS."""
        rest = re.sub(r"[\W_]", "", password.lower())
        for word in CONTEXT_WORDS:
            rest = rest.replace(word, "")
        if len(rest) < MIN_REMAINING:
            raise ValidationError(_("This password is too close to names that everybody knows here."), code="context")

    def get_help_text(self) -> str | Promise:
        """Return the rule, for the password form."""
        return _("Your password can’t be made of the site’s own names.")
