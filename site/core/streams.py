"""Content of a page's StreamFields."""

from typing import Any

from wagtail.blocks import Block, StreamValue
from wagtail.fields import StreamField
from wagtail.images.blocks import ImageBlock
from wagtail.images.models import AbstractImage
from wagtail.models import Page


def streams(page: Page) -> list[StreamValue]:
    """Return the values of a page's StreamFields."""
    return [getattr(page, field.name) for field in page._meta.get_fields() if isinstance(field, StreamField)]


def pictures(page: Page) -> list[AbstractImage]:
    """Return the images in a page's StreamFields, each with the alternative text given there."""
    return [image for stream in streams(page) for image in _images(stream.stream_block, stream)]


def _images(block: Block, value: Any) -> list[AbstractImage]:
    """Return the images in a block's value, recursively."""
    if isinstance(block, ImageBlock):
        return [value] if value else []
    if hasattr(value, "stream_block"):
        return [image for child in value for image in _images(child.block, child.value)]
    if hasattr(block, "child_blocks"):
        return [image for name, child in block.child_blocks.items() for image in _images(child, value.get(name))]
    if hasattr(block, "child_block"):
        return [image for child in value or [] for image in _images(block.child_block, child)]
    return []
