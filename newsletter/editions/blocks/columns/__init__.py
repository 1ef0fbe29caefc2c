"""Two or three columns."""

from typing import Any

from core.blocks.rich_text import INLINE_TEXT, RichTextBlock
from core.blocks.samples import sample_image, sample_points
from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.images.blocks import ImageBlock


class ColumnBlock(blocks.StructBlock):
    """One of two or three columns."""

    image = ImageBlock(label=_("Image"), required=False, search_index=False)
    title = blocks.CharBlock(label=_("Title"), max_length=120)
    text = RichTextBlock(label=_("Text"), features=INLINE_TEXT, required=False)


class ColumnsBlock(blocks.StructBlock):
    """Two or three columns side by side, one below the other on phones."""

    rows = blocks.ListBlock(ColumnBlock(), label=_("Columns"), min_num=2, max_num=3)

    def get_preview_value(self) -> Any:
        """A sample for the block chooser."""
        return self.normalize({"rows": [point | {"image": sample_image()} for point in sample_points()]})

    class Meta:
        icon = "table"
        description = _("Two or three columns, one below the other on phones.")
        label = _("Columns")
        template = "blocks/columns/web.html"
