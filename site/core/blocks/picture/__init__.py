"""One picture."""

from typing import Any

from compat.wagtail import ImageBlock
from django.utils.translation import gettext_lazy as _
from wagtail import blocks

from core.blocks.samples import sample_picture


class PictureBlock(blocks.StructBlock):
    """A picture with its alternative text and a caption."""

    image = ImageBlock(label=_("Image"), search_index=False)
    caption = blocks.CharBlock(label=_("Caption"), required=False, max_length=250)

    def get_preview_value(self) -> Any:
        """A sample for the block chooser."""
        return self.normalize(sample_picture())

    class Meta:
        icon = "image"
        description = _("One picture with its alternative text and, if you like, a caption.")
        label = _("Picture")
        template = "blocks/picture/web.html"
