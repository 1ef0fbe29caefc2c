"""Several pictures."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from wagtail import blocks

from core.blocks.picture import PictureBlock
from core.blocks.samples import sample_picture


class GalleryBlock(blocks.StructBlock):
    """Several pictures; each opens enlarged on a click."""

    rows = blocks.ListBlock(PictureBlock(), label=_("Pictures"), min_num=2, max_num=24)

    def get_preview_value(self) -> Any:
        """A sample for the block chooser."""
        return self.normalize({"rows": [sample_picture(), sample_picture()]})

    class Meta:
        icon = "image"
        description = _("Several pictures; each opens larger on a click.")
        label = _("Gallery")
        template = "blocks/gallery/web.html"
