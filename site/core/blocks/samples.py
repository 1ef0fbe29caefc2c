"""Values for the blocks' `get_preview_value()`, in the editor's language."""

from django.utils.translation import gettext as _

from core.images import CustomImage


def sample_text() -> str:
    """A paragraph of rich text."""
    return f"<p>{_('Small producers and workers organise, decide together and trade on fair terms.')}</p>"


def sample_image() -> CustomImage | None:
    """The first image of the library with its own alternative text, if there is one."""
    image = CustomImage.objects.first()
    if image:
        image.contextual_alt_text, image.decorative = image.description, False
    return image


def sample_points() -> list[dict[str, object]]:
    """Two titled texts."""
    return [{"title": title, "text": sample_text()} for title in (_("Autonomy"), _("Equity"))]


def sample_picture() -> dict[str, object]:
    """The value of a PictureBlock."""
    return {"image": sample_image(), "caption": _("A woven band")}
