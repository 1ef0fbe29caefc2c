"""Pictures: one custom model, so that fields can be added without moving data later.

What is uploaded is written anew before it is kept: nothing of a camera's notes, such as where the picture was taken, and
nothing that hides behind the picture, gets onto the site.
"""

import io
import logging
from datetime import timedelta
from pathlib import Path

from django.core.files.base import ContentFile
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from PIL import Image as Pillow
from PIL import ImageCms, ImageOps, ImageSequence
from pillow_heif import register_heif_opener
from wagtail.images.models import AbstractImage, AbstractRendition, Image

register_heif_opener()
logger = logging.getLogger(__name__)
SET_ASIDE = timedelta(hours=1)
JPEG_KINDS = {"MPO", "HEIF"}  # what phones make besides JPEG: two frames in one file, and HEIC; both become JPEG
# All that is kept of what a file says about its picture (Pillow's `info`); no notes, no place, no comments.
KEPT = ("icc_profile", "transparency", "loop")


def rewritten(file) -> tuple[bytes, str]:
    """A picture written anew, and its kind as Pillow calls it: upright, in RGB, with its transparency and frames.

    Nothing else is kept. Raises OSError, ValueError, SyntaxError and others where Pillow cannot read it.
    """
    file.seek(0)
    with Pillow.open(file) as picture:
        kind = "JPEG" if picture.format in JPEG_KINDS else picture.format
        kept = {name: picture.info[name] for name in KEPT if picture.info.get(name) is not None}
        if kind != "JPEG" and getattr(picture, "n_frames", 1) > 1:
            frames, durations = _frames(picture)
            kept.pop("transparency", None)  # the frames have it as a channel
            kept |= {"save_all": True, "append_images": frames[1:], "duration": durations, "disposal": 2}
            picture = frames[0]
        else:
            picture = _channels(_in_rgb(ImageOps.exif_transpose(picture), kept), kind, kept)
        if kind in {"JPEG", "WEBP", "AVIF"}:
            kept["quality"] = 92  # renditions are made from it, so it stays better than they are
        picture.info = {}
        written = io.BytesIO()
        picture.save(written, kind, **kept)
    return written.getvalue(), kind


def _frames(picture):
    """The frames of an animation, each whole, and for how many milliseconds each is shown."""
    frames, durations = [], []
    for frame in ImageSequence.Iterator(picture):
        frames.append(frame.convert("RGBA"))
        frames[-1].info = {}
        durations.append(int(frame.info.get("duration", 100)))
    return frames, durations


def _in_rgb(picture, kept):
    """A picture that browsers and mail programs show alike: colours for print (CMYK) become sRGB, by their own profile."""
    if picture.mode != "CMYK":
        return picture
    profile = kept.pop("icc_profile", None)
    if profile:
        try:
            return ImageCms.profileToProfile(
                picture, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except (ImageCms.PyCMSError, OSError) as error:
            logger.warning("A picture's colour profile cannot be used: %s", error)
    return picture.convert("RGB")


def _channels(picture, kind, kept):
    """A picture whose transparency is a channel of its own, or on white where its kind knows none: renditions lose the rest."""
    if "transparency" in kept and picture.mode != "P":
        kept.pop("transparency")
        picture = picture.convert("RGBA")
    if kind == "JPEG" and picture.mode not in {"L", "RGB"}:
        paper = Pillow.new("RGBA", picture.size, "white")
        picture = Pillow.alpha_composite(paper, picture.convert("RGBA")).convert("RGB")
    return picture


class CustomImage(AbstractImage):
    """A picture that editors upload. Its description is the alt text proposed wherever it is used."""

    credit = models.CharField(_("credit"), max_length=255, blank=True, help_text=_("Who made the picture."))

    resize_failed_at = models.DateTimeField(null=True, editable=False)
    was_heic = models.BooleanField(default=False, editable=False)  # uploaded as HEIC and kept as JPEG

    admin_form_fields = (*Image.admin_form_fields, "credit")

    class Meta(AbstractImage.Meta):
        verbose_name = _("image")
        verbose_name_plural = _("images")
        permissions = [("choose_image", "Can choose image")]

    @property
    def is_private(self) -> bool:
        """Whether the picture's collection, or one above it, asks who wants to see what lies in it."""
        return self.collection.get_view_restrictions().exists()

    @property
    def is_set_aside(self) -> bool:
        """Whether resizing it failed a short while ago: it is not shown, nor tried again, until then is over."""
        return bool(self.resize_failed_at) and timezone.now() - self.resize_failed_at < SET_ASIDE

    @property
    def default_alt_text(self):
        """What is proposed as alternative text: the description. The title is often the file's name, and says nothing."""
        return self.description

    def save(self, *args, **kwargs):
        """Write an uploaded file anew before it is kept."""
        # Wagtail has stored the file of a new picture already where its title was given only after the upload.
        stored = self.file if self.file and self.file._committed and self._state.adding else None
        if stored or (self.file and not self.file._committed):
            content, kind = self._rewritten(stored)
            name = Path(Path(self.file.name).name)
            self.was_heic = kind == "JPEG" and name.suffix.lower() not in {".jpg", ".jpeg"}
            self.file = ContentFile(content, name=str(name.with_suffix(".jpg") if self.was_heic else name))
            self.file_size = self.file.size
            self.resize_failed_at = None
            if self.pk:
                self.renditions.all().delete()  # they show the old file; Wagtail deletes them only after the signals
        super().save(*args, **kwargs)
        if stored and not CustomImage.objects.filter(file=stored.name).exists():
            stored.storage.delete(stored.name)

    def _rewritten(self, stored):
        if stored:
            with stored.storage.open(stored.name) as file:
                return rewritten(file)
        # The form has done it already, to see whether the file can be read: see core.uploads.
        return getattr(self.file.file, "rewritten", None) or rewritten(self.file)


class CustomRendition(AbstractRendition):
    """A resized copy of a picture."""

    image = models.ForeignKey(CustomImage, on_delete=models.CASCADE, related_name="renditions")

    class Meta:
        unique_together = (("image", "filter_spec", "focal_point_key"),)
        indexes = [models.Index(fields=["file"], name="rendition_file")]  # core.views.media looks for it
