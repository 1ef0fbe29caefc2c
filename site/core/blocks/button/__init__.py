"""A link that stands out."""

from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail import blocks


class LinkStructValue(blocks.StructValue):
    """A link to a page or to a URL."""

    @property
    def url(self) -> str | None:
        page = self.get("page")
        return page.localized.url if page else self.get("address", "")


class ButtonBlock(blocks.StructBlock):
    """A link that stands out."""

    text = blocks.CharBlock(label=_("Text"), max_length=80)
    page = blocks.PageChooserBlock(label=_("Page"), required=False)
    address = blocks.URLBlock(label=_("or address"), required=False)

    def clean(self, value: blocks.StructValue) -> blocks.StructValue:
        """Require exactly one of page and address; a draft may have none yet."""
        cleaned = super().clean(value)
        given = bool(cleaned["page"]) + bool(cleaned["address"])
        if given > 1 or (not given and not self.is_deferred_validation):
            error = blocks.StructBlockValidationError(
                non_block_errors=[_("Choose a page or give an address: one of the two.")]
            )
            raise error
        return cleaned

    def get_preview_value(self) -> Any:
        """A sample for the block chooser."""
        return self.normalize({"text": gettext("Read the plan"), "page": None, "address": "https://example.org/"})

    class Meta:
        icon = "link"
        description = _("A link that stands out, to a page or to another site.")
        label = _("Button")
        template = "blocks/button/web.html"
        value_class = LinkStructValue
