"""Validation of uploaded files: size, content that matches the extension, and archive bombs."""

import logging
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Any

from django.core.exceptions import ValidationError
from django.core.files import File
from django.core.files.uploadedfile import UploadedFile
from django.forms import Field
from django.utils.translation import gettext as _
from PIL import Image
from wagtail.documents.forms import BaseDocumentForm
from wagtail.images.forms import BaseImageForm

from .alt_text import looks_like_file_name
from .images import reencode

logger = logging.getLogger(__name__)
MAX_BYTES = 20 * 1024 * 1024
MAX_UNPACKED_BYTES, MAX_MEMBERS = 300 * 1024 * 1024, 5000
ARCHIVES = {
    # {extension: member that the archive has to contain}
    "docx": "word/document.xml",
    "odt": "content.xml",
    "pptx": "ppt/presentation.xml",
    "xlsx": "xl/workbook.xml",
    "zip": None,
}
TEXTS = {"csv", "txt"}


def check(file: File, name: str) -> None:
    """Raise ValidationError if the content of an open binary `file` does not match the extension of `name` or is too large."""
    extension = Path(name).suffix.lower().lstrip(".")
    if file.size > MAX_BYTES:
        raise ValidationError(_("This file is larger than %(size)s MB.") % {"size": MAX_BYTES // 1024**2})
    file.seek(0)
    start = file.read(4096)
    if extension in ARCHIVES:
        check_archive(file, ARCHIVES[extension])
    elif (extension == "pdf" and not start.startswith(b"%PDF-")) or (extension in TEXTS and b"\0" in start):
        raise ValidationError(_wrong_content_message())
    file.seek(0)


def _wrong_content_message() -> str:
    return _("This file is not what its name says. Save it anew in the program that it was made with.")


def check_archive(file: IO[bytes], member: str | None = None) -> None:
    """Raise ValidationError if `file` is not a ZIP archive, lacks `member`, or exceeds the limits when unpacked."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise ValidationError(_wrong_content_message()) from error
    if len(entries) > MAX_MEMBERS or sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
        raise ValidationError(_("This archive would unpack to too much."))
    if member and member not in {entry.filename for entry in entries}:
        raise ValidationError(_wrong_content_message())


class DocumentForm(BaseDocumentForm):
    """Wagtail's document form with validation of the content."""

    def clean_file(self) -> File:
        """Validate a newly uploaded file."""
        file = self.cleaned_data["file"]
        if file and "file" in self.changed_data:
            check(file, file.name)
        return file


class ImageForm(BaseImageForm):
    """Wagtail's image form with validation of the whole file: truncated images would cause a 500 later."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if field := self.fields.get("file"):
            field.to_python = partial(self._to_python, field, field.to_python)
        if self.instance.was_heic and (field := self.fields.get("description")):
            field.help_text = _(
                "This picture came as HEIC, from an iPhone. It is kept as JPEG, which everybody can see."
            )

    def clean_description(self) -> str:
        """Reject a description that is a file name."""
        description = self.cleaned_data["description"]
        file = self.cleaned_data.get("file") or self.instance.file
        if description and looks_like_file_name(description, file.name if file else ""):
            raise ValidationError(
                _("This looks like the name of a file. Say what the picture shows, or leave it empty.")
            )
        return description

    @staticmethod
    def _to_python(
        field: Field, to_python: Callable[[UploadedFile | None], Any], data: UploadedFile | None
    ) -> UploadedFile | None:
        """Convert the upload and store its re-encoded content as `reencoded`. Re-encoding reads the file to its end."""
        try:
            file = to_python(data)
            if file:
                file.reencoded = reencode(file)
                file.seek(0)
        except ValidationError:
            raise
        except Image.DecompressionBombError as error:
            raise ValidationError(
                _("This picture has too many pixels. Make it smaller, and upload it again."), code="too_many_pixels"
            ) from error
        except Exception as error:  # Pillow's decoders raise many types for broken files
            logger.warning("An uploaded picture cannot be read: %r", error)
            raise ValidationError(field.error_messages["invalid_image"], code="invalid_image") from error
        return file
