"""What a page's StreamFields hold."""

from wagtail.fields import StreamField
from wagtail.images.blocks import ImageBlock


def streams(page):
    """The values of a page's StreamFields."""
    return [getattr(page, field.name) for field in page._meta.get_fields() if isinstance(field, StreamField)]


def pictures(page):
    """The pictures in the fields of a page, each with the words that it has there."""
    return [image for stream in streams(page) for image in _images(stream.stream_block, stream)]


def _images(block, value):
    """The images in a value of a block, each with the words it has there."""
    if isinstance(block, ImageBlock):
        return [value] if value else []
    if hasattr(value, "stream_block"):
        return [image for child in value for image in _images(child.block, child.value)]
    if hasattr(block, "child_blocks"):
        return [image for name, child in block.child_blocks.items() for image in _images(child, value.get(name))]
    if hasattr(block, "child_block"):
        return [image for child in value or [] for image in _images(block.child_block, child)]
    return []
