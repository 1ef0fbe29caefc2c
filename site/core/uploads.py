"""Uploaded files: their size, whether they are what their name says, and archives that would unpack to too much."""

import logging
import zipfile
from functools import partial
from pathlib import Path

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from PIL import Image
from wagtail.documents.forms import BaseDocumentForm
from wagtail.images.forms import BaseImageForm

from .alt_text import looks_like_file_name
from .images import rewritten

logger = logging.getLogger(__name__)
MAX_BYTES = 20 * 1024 * 1024
MAX_UNPACKED_BYTES, MAX_MEMBERS = 300 * 1024 * 1024, 5000
ARCHIVES = {
    # What has to be inside, by extension.
    "docx": "word/document.xml",
    "odt": "content.xml",
    "pptx": "ppt/presentation.xml",
    "xlsx": "xl/workbook.xml",
    "zip": None,
}
TEXTS = {"csv", "txt"}


def check(file, name):
    """Raise ValidationError unless an open binary `file` is what the extension of `name` says, and harmless to unpack."""
    extension = Path(name).suffix.lower().lstrip(".")
    if file.size > MAX_BYTES:
        raise ValidationError(_("This file is larger than %(size)s MB.") % {"size": MAX_BYTES // 1024**2})
    file.seek(0)
    start = file.read(4096)
    if extension in ARCHIVES:
        check_archive(file, ARCHIVES[extension])
    elif (extension == "pdf" and not start.startswith(b"%PDF-")) or (extension in TEXTS and b"\0" in start):
        raise ValidationError(_not_what_it_says())
    file.seek(0)


def _not_what_it_says():
    return _("This file is not what its name says. Save it anew in the program that it was made with.")


def check_archive(file, member=None):
    """Raise ValidationError if a ZIP archive is none, lacks a `member`, or would unpack to too much."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise ValidationError(_not_what_it_says()) from error
    if len(entries) > MAX_MEMBERS or sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
        raise ValidationError(_("This archive would unpack to too much."))
    if member and member not in {entry.filename for entry in entries}:
        raise ValidationError(_not_what_it_says())


class DocumentForm(BaseDocumentForm):
    """Wagtail's form for documents, which looks into the file."""

    def clean_file(self):
        """The file, if it is what its name says."""
        file = self.cleaned_data["file"]
        if file and "file" in self.changed_data:
            check(file, file.name)
        return file


class ImageForm(BaseImageForm):
    """Wagtail's form for images, which otherwise fails with a 500 over a file that only begins like a picture."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if field := self.fields.get("file"):
            field.to_python = partial(self._read, field, field.to_python)
        if self.instance.was_heic and (field := self.fields.get("description")):
            field.help_text = _(
                "This picture came as HEIC, from an iPhone. It is kept as JPEG, which everybody can see."
            )

    def clean_description(self):
        """The description, unless it is only the name of a file."""
        description = self.cleaned_data["description"]
        file = self.cleaned_data.get("file") or self.instance.file
        if description and looks_like_file_name(description, file.name if file else ""):
            raise ValidationError(
                _("This looks like the name of a file. Say what the picture shows, or leave it empty.")
            )
        return description

    @staticmethod
    def _read(field, read, data):
        """The picture, and with it what it becomes when written anew: only that reads all of it, to its end."""
        try:
            file = read(data)
            if file:
                file.rewritten = rewritten(file)
                file.seek(0)
        except ValidationError:
            raise
        except Image.DecompressionBombError as error:
            raise ValidationError(
                _("This picture has too many pixels. Make it smaller, and upload it again."), code="too_many_pixels"
            ) from error
        except Exception as error:  # what the libraries of each kind raise over broken pictures is not foreseen
            logger.warning("An uploaded picture cannot be read: %r", error)
            raise ValidationError(field.error_messages["invalid_image"], code="invalid_image") from error
        return file
