"""Custom image and rendition models.

Uploads are re-encoded before they are stored, which removes metadata, such as the place where a picture was taken, and any
other content of the file.
"""

import io
import logging
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from compat.django import is_stored
from django.core.files.base import ContentFile
from django.db import models
from django.db.models.fields.files import FieldFile
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from PIL import Image as Pillow
from PIL import ImageCms, ImageOps, ImageSequence
from pillow_heif import register_heif_opener
from wagtail.images.models import AbstractImage, AbstractRendition, Image

register_heif_opener()
logger = logging.getLogger(__name__)
RESIZE_RETRY_DELAY = timedelta(hours=1)
CONVERTED_TO_JPEG = {"MPO", "HEIF"}  # formats of phone cameras: JPEG with a second frame, and HEIC
# The only metadata (Pillow's `info`) that is kept.
KEPT_INFO = ("icc_profile", "transparency", "loop")


def reencode(file: IO[bytes]) -> tuple[bytes, str]:
    """Re-encode an image file: upright, in RGB, with transparency and animation frames, without metadata.

    Returns its content and Pillow's name of the format. Raises OSError, ValueError, SyntaxError and others if Pillow cannot read
    the file.
    """
    file.seek(0)
    with Pillow.open(file) as uploaded:
        kind = "JPEG" if uploaded.format in CONVERTED_TO_JPEG else uploaded.format or ""
        kept = {name: uploaded.info[name] for name in KEPT_INFO if uploaded.info.get(name) is not None}
        if kind != "JPEG" and getattr(uploaded, "n_frames", 1) > 1:
            frames, durations = _frames(uploaded)
            kept.pop("transparency", None)  # frames are RGBA
            kept |= {"save_all": True, "append_images": frames[1:], "duration": durations, "disposal": 2}
            picture = frames[0]
        else:
            picture = _normalise_transparency(_cmyk_to_rgb(ImageOps.exif_transpose(uploaded), kept), kind, kept)
        if kind in {"JPEG", "WEBP", "AVIF"}:
            kept["quality"] = 92  # higher than that of renditions, which are made from it
        picture.info = {}
        written = io.BytesIO()
        picture.save(written, kind, **kept)
    return written.getvalue(), kind


def _frames(picture: Pillow.Image) -> tuple[list[Pillow.Image], list[int]]:
    """Return the complete frames of an animation and their durations in milliseconds."""
    frames, durations = [], []
    for frame in ImageSequence.Iterator(picture):
        frames.append(frame.convert("RGBA"))
        frames[-1].info = {}
        durations.append(int(frame.info.get("duration", 100)))
    return frames, durations


def _cmyk_to_rgb(picture: Pillow.Image, kept: dict[str, Any]) -> Pillow.Image:
    """Convert a CMYK image to sRGB, by its embedded profile if possible; return other images unchanged."""
    if picture.mode != "CMYK":
        return picture
    profile = kept.pop("icc_profile", None)
    if profile:
        try:
            return ImageCms.profileToProfile(  # type: ignore[return-value]  # None only if it converts in place
                picture, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except (ImageCms.PyCMSError, OSError) as error:
            logger.warning("A picture's colour profile cannot be used: %s", error)
    return picture.convert("RGB")


def _normalise_transparency(picture: Pillow.Image, kind: str, kept: dict[str, Any]) -> Pillow.Image:
    """Convert transparency to an alpha channel, or to a white background if the format has none."""
    if picture.mode.startswith("I"):  # greys of 16 bits: Pillow would make nearly all of them white in a rendition
        kept.pop("transparency", None)
        picture = picture.convert("I").point(lambda value: value / 256).convert("L")
    if "transparency" in kept and picture.mode != "P":
        kept.pop("transparency")
        picture = picture.convert("RGBA")
    if kind == "JPEG" and picture.mode not in {"L", "RGB"}:
        paper = Pillow.new("RGBA", picture.size, "white")
        picture = Pillow.alpha_composite(paper, picture.convert("RGBA")).convert("RGB")
    return picture


class CustomImage(AbstractImage):
    """An image uploaded by editors. Its description is the default alternative text."""

    credit = models.CharField(_("credit"), max_length=255, blank=True, help_text=_("Who made the picture."))

    resize_failed_at = models.DateTimeField(null=True, editable=False)
    was_heic = models.BooleanField(default=False, editable=False)  # uploaded as HEIC, stored as JPEG

    file: Any  # Wagtail's field, which `save` sets
    admin_form_fields = (*Image.admin_form_fields, "credit")

    class Meta(AbstractImage.Meta):
        verbose_name = _("image")
        verbose_name_plural = _("images")
        permissions = [("choose_image", "Can choose image")]

    @property
    def is_private(self) -> bool:
        """Return whether the image's collection, or one of its ancestors, has view restrictions."""
        return self.collection.get_view_restrictions().exists()

    @property
    def resize_failed_recently(self) -> bool:
        """Return whether resizing failed within RESIZE_RETRY_DELAY. Until then the image is neither shown nor resized again."""
        return self.resize_failed_at is not None and timezone.now() - self.resize_failed_at < RESIZE_RETRY_DELAY

    @property
    def default_alt_text(self) -> str:
        """Return the description. Wagtail would use the title, which is often a file name."""
        return self.description

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Re-encode a newly uploaded file before it is stored."""
        # Wagtail stores the file of a new image before saving it if the title was entered after the upload.
        stored = self.file if self.file and is_stored(self.file) and self._state.adding else None
        if stored or (self.file and not is_stored(self.file)):
            content, kind = self._reencode(stored)
            name = Path(Path(self.file.name).name)
            self.was_heic = kind == "JPEG" and name.suffix.lower() not in {".jpg", ".jpeg"}
            self.file = ContentFile(content, name=str(name.with_suffix(".jpg") if self.was_heic else name))
            self.file_size = self.file.size
            self.resize_failed_at = None
            if self.pk:
                self.renditions.all().delete()  # of the old file; Wagtail would delete them only after the signals
        super().save(*args, **kwargs)
        if stored and not CustomImage.objects.filter(file=stored.name).exists():
            stored.storage.delete(stored.name)

    def _reencode(self, stored: FieldFile | None) -> tuple[bytes, str]:
        if stored and stored.name:
            with stored.storage.open(stored.name) as file:
                return reencode(file)
        # The upload form has already re-encoded it to validate the file (core.uploads).
        return getattr(self.file.file, "reencoded", None) or reencode(self.file)


class CustomRendition(AbstractRendition):
    """A resized copy of an image."""

    image = models.ForeignKey(CustomImage, on_delete=models.CASCADE, related_name="renditions")

    class Meta:
        unique_together = (("image", "filter_spec", "focal_point_key"),)
        indexes = [models.Index(fields=["file"], name="rendition_file")]  # for core.media.serve_media
