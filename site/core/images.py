"""Pictures: one custom model, so that fields can be added without moving data later.

What is uploaded is written anew before it is kept: nothing of a camera's notes, such as where the picture was taken, and
nothing that hides behind the picture, gets onto the site.
"""

import io

from django.core.files.base import ContentFile
from django.db import models
from django.utils.translation import gettext_lazy as _
from PIL import Image as Pillow
from PIL import ImageOps
from wagtail.images.models import AbstractImage, AbstractRendition, Image


def rewritten(file):
    """The bytes of a picture written anew: upright, with its colours and frames, without anything else."""
    file.seek(0)
    with Pillow.open(file) as picture:
        kind, frames = picture.format, getattr(picture, "n_frames", 1)
        kept = {"icc_profile": picture.info.get("icc_profile")}
        if frames > 1:
            kept |= {
                "save_all": True,
                "duration": picture.info.get("duration", 100),
                "loop": picture.info.get("loop", 0),
            }
        else:
            picture = ImageOps.exif_transpose(picture)
        if kind in {"JPEG", "WEBP", "AVIF"}:
            kept["quality"] = 92  # renditions are made from it, so it stays better than they are
        picture.info = {}
        written = io.BytesIO()
        picture.save(written, kind, **{name: value for name, value in kept.items() if value is not None})
    return written.getvalue()


class CustomImage(AbstractImage):
    """A picture that editors upload. Its description is the alt text proposed wherever it is used."""

    credit = models.CharField(_("credit"), max_length=255, blank=True, help_text=_("Who made the picture."))

    admin_form_fields = (*Image.admin_form_fields, "credit")

    class Meta(AbstractImage.Meta):
        verbose_name = _("image")
        verbose_name_plural = _("images")
        permissions = [("choose_image", "Can choose image")]

    def save(self, *args, **kwargs):
        """Write an uploaded file anew before it is kept."""
        if self.file and not self.file._committed:
            self.file = ContentFile(rewritten(self.file), name=self.file.name)
            self.file_size = self.file.size
        super().save(*args, **kwargs)


class CustomRendition(AbstractRendition):
    """A resized copy of a picture."""

    image = models.ForeignKey(CustomImage, on_delete=models.CASCADE, related_name="renditions")

    class Meta:
        unique_together = (("image", "filter_spec", "focal_point_key"),)
