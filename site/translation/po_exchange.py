"""Export and import of translations as PO files."""

import io
import lzma
import re
import uuid
import zipfile
import zlib
from collections.abc import Callable
from datetime import date
from functools import partial

import polib
from core.html import without_control_characters
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _
from wagtail.models import Locale
from wagtail_localize.models import Translation

from translation.permissions import may_edit_translation

MAX_BYTES = 20_000_000  # of an upload, and of its unpacked files
# Raised by zipfile for damaged or encrypted archives and unsupported compression.
UNPACKING_ERRORS = (zipfile.BadZipFile, RuntimeError, EOFError, OSError, zlib.error, lzma.LZMAError)

TRANSLATION_ID = "X-WagtailLocalize-TranslationID"
CHARSET = re.compile(rb"^\"Content-Type:.*charset=([\w.-]+)", re.MULTILINE)


def export(user: User | AnonymousUser, locale: Locale, since: date | None = None) -> bytes:
    """Return a ZIP archive, as bytes, with a PO file of each translation into `locale` that `user` may edit.

    With `since` (a date), only those whose source changed on that day or later.
    """
    rows = Translation.objects.filter(target_locale=locale, enabled=True).select_related("source").order_by("pk")
    if since:
        rows = rows.filter(source__last_updated_at__date__gte=since)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for row in rows:
            if has_target(row) and may_edit_translation(user, row.get_target_instance()):
                archive.writestr(f"{slugify(row.source.object_repr)[:60]}-{row.pk}.po", str(row.export_po()))
    return content.getvalue()


def has_target(translation: Translation) -> bool:
    """Return whether the translated page or snippet exists."""
    return translation.source.object.get_instance_or_none(translation.target_locale) is not None


def open_members(file: UploadedFile) -> list[tuple[str, Callable[[], bytes]]]:
    """Return [(name, function that reads its bytes)] of an uploaded PO file, or of the PO files in a ZIP archive.

    Raises ValidationError if the archive is damaged, empty, or unpacks to more than MAX_BYTES.
    """
    if not zipfile.is_zipfile(file):
        file.seek(0)
        return [(str(file.name), file.read)]
    try:
        archive = zipfile.ZipFile(file)
    except UNPACKING_ERRORS:
        raise ValidationError(_("The archive is damaged. Please make it again.")) from None
    members = [
        member
        for member in archive.infolist()
        if member.filename.lower().endswith(".po") and not member.filename.startswith("__MACOSX/")  # macOS's own notes
    ]
    if not members or sum(member.file_size for member in members) > MAX_BYTES:
        raise ValidationError(_("The archive holds no PO files, or too much."))
    return [(member.filename, partial(archive.read, member)) for member in members]


def parse(content: bytes) -> polib.POFile:
    """Parse bytes into a polib.POFile. Raises ValueError."""
    text = without_control_characters(_decoded(content))
    # polib would take any other text for the name of a file.
    if not text.lstrip("\ufeff \t\r\n").startswith(("#", "msgid", "msgctxt")):
        raise ValueError("not a PO file")
    try:
        po = polib.pofile(text)
    except Exception as error:  # polib's parser raises various types
        raise ValueError("not a PO file") from error
    for entry in po:
        if entry.fuzzy:  # a tool's guess, which nobody confirmed; empty texts are left out
            entry.msgstr = ""
    return po


def _decoded(content: bytes) -> str:
    """Decode bytes as UTF-8, or by the character set that their header names. Raises ValueError."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        if not (named := CHARSET.search(content)):
            raise
    try:
        return content.decode(named[1].decode())
    except LookupError as error:  # no such character set
        raise ValueError("not a PO file") from error


def apply(user: User | AnonymousUser, po: polib.POFile, only: Translation | None) -> int:
    """Import one PO file as `user`. Returns the number of texts that the source no longer has.

    Raises ValidationError, whose message has the placeholder `name`, if the file belongs to no translation of this site, not
    to the Translation `only`, or to one that the user may not edit.
    """
    row = _translation_of(po)
    if row is None or not has_target(row):
        raise ValidationError(_("“%(name)s” belongs to no translation of this site."))
    if only and row != only:
        raise ValidationError(_("“%(name)s” belongs to another translation."))
    if not may_edit_translation(user, row.get_target_instance()):
        raise ValidationError(_("“%(name)s” is not yours to translate."))
    po.metadata[TRANSLATION_ID] = str(row.uuid)  # as wagtail-localize compares it
    with transaction.atomic():
        return len(row.import_po(po, user=user, tool_name="PO"))


def _translation_of(po: polib.POFile) -> Translation | None:
    try:
        number = uuid.UUID(po.metadata.get(TRANSLATION_ID, ""))
    except ValueError:
        return None
    return Translation.objects.filter(uuid=number).first()
