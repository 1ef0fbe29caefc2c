"""The salutation."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _
from wagtail import blocks


class GreetingBlock(blocks.StructBlock):
    """The salutation, with the name where it is known, else without. The web page shows the latter."""

    named = blocks.CharBlock(
        label=_("With a name"),
        max_length=120,
        search_index=False,
        help_text=_("{name} stands where the name goes: “Dear {name},”"),
    )
    unnamed = blocks.CharBlock(
        label=_("Without a name"), max_length=120, help_text=_("For those whose name is not known, and on the web.")
    )

    def clean(self, value: blocks.StructValue) -> blocks.StructValue:
        """Require exactly one {name} placeholder; a draft may have none yet."""
        cleaned = super().clean(value)
        placeholders = cleaned["named"].count("{name}")
        if placeholders > 1 or (not placeholders and not self.is_deferred_validation):
            error = ValidationError(_("Write {name}, with its braces, once where the name goes."))
            raise blocks.StructBlockValidationError(block_errors={"named": error})
        return cleaned

    def get_default(self) -> Any:
        """A salutation in the language in which editions are written first."""
        with override(settings.LANGUAGE_CODE):
            return self.get_preview_value()

    def get_preview_value(self) -> Any:
        """A sample for the block chooser."""
        return self.normalize({"named": gettext("Dear {name},"), "unnamed": gettext("Dear friends,")})

    class Meta:
        icon = "user"
        description = _("The salutation, with the reader's name where it is known.")
        label = _("Greeting")
        template = "blocks/greeting/web.html"
