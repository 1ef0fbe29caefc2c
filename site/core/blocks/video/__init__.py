"""A video of another site."""

from typing import Any

from compat.wagtail import ImageBlock
from django.core.exceptions import ValidationError
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail import blocks

from core import embeds


class EmbedValue(blocks.StructValue):
    """A video of another site."""

    @property
    def embed(self) -> embeds.Embed | None:
        """Return the Embed, or None."""
        return embeds.find(self["address"])


class VideoBlock(blocks.StructBlock):
    """A video of another site. It is loaded when the reader clicks on its picture, from a URL that sets no cookies."""

    address = blocks.URLBlock(
        label=_("Address"),
        help_text=format_lazy(
            _("As you copy it from the browser. Known places: {places}."), places=embeds.PROVIDER_NAMES
        ),
    )
    title = blocks.CharBlock(label=_("Title"), max_length=150, help_text=_("What the video shows."))
    picture = ImageBlock(
        label=_("Picture"),
        required=False,
        search_index=False,
        help_text=_("Stands in the video's place until it is started."),
    )

    def clean(self, value: blocks.StructValue) -> blocks.StructValue:
        """Require a URL of a supported provider."""
        cleaned = super().clean(value)
        if cleaned["address"] and not embeds.find(cleaned["address"]):
            message = format_lazy(_("This address is not known. Known places: {places}."), places=embeds.PROVIDER_NAMES)
            raise blocks.StructBlockValidationError(block_errors={"address": ValidationError(message)})
        return cleaned

    def get_preview_value(self) -> Any:
        """A sample for the block chooser."""
        return self.normalize(
            {"address": "https://www.youtube.com/watch?v=aaaaaaaaaaa", "title": gettext("A video"), "picture": None}
        )

    class Meta:
        icon = "media"
        description = _("A video from elsewhere. It loads only when a reader clicks on it.")
        label = _("Video")
        template = "blocks/video/web.html"
        value_class = EmbedValue
