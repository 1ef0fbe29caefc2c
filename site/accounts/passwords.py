"""What makes a password: long, not a name of ours, and not one that was found in a breach (NIST SP 800-63B)."""

import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from pwned_passwords_django.validators import PwnedPasswordsValidator

# What whoever guesses would try first; without them a password still has to have LEFT characters.
WORDS = ["clac", "comerciojusto", "fairtrade", "boletin", "wagtail", "contraseña", "senha", "password"]
LEFT = 8


class BreachedPasswordValidator(PwnedPasswordsValidator):
    """Asks Have I Been Pwned with five digits of the hash; Django's list of common passwords while it does not answer."""

    def __init__(self):
        super().__init__(
            help_message=_("Your password can’t be one that was found in a breach of another site."),
            error_message=ngettext_lazy(
                "This password was found in a breach of another site. Choose another one.",
                "This password was found in breaches of other sites. Choose another one.",
                "amount",
            ),
        )


class ContextWordsValidator:
    """Refuses passwords that are little more than WORDS."""

    def validate(self, password, user=None):
        """Raise ValidationError if too little is left without WORDS."""
        rest = re.sub(r"[\W_]", "", password.lower())
        for word in WORDS:
            rest = rest.replace(word, "")
        if len(rest) < LEFT:
            raise ValidationError(_("This password is too close to names that everybody knows here."), code="context")

    def get_help_text(self):
        return _("Your password can’t be made of the site’s own names.")
