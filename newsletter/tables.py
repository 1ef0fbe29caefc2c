"""Reading lists of addresses as other programs export them: CSV in any usual form, and XLSX, a line at a time."""

import codecs
import csv
import io
import re
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from xml.etree.ElementTree import ParseError

import openpyxl
from core.search import fold
from core.uploads import check_archive
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from . import exporters

SAMPLE_BYTES = 256 * 1024
DELIMITERS = [",", ";", "\t", "|"]
MARKS = [(codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")]
csv.field_size_limit(1024 * 1024)

UNREADABLE = _("This file cannot be read as a table. Please export it as CSV (UTF-8) or XLSX.")
NO_LINES = _("The file holds no lines below its headings.")

# What a column may be, and how the programs that people come from call it (folded, letters and digits only).
HEADINGS = {
    "email": ["email", "emailaddress", "correo", "correoelectronico", "direcciondecorreo", "enderecodeemail", "subscriber", "mail"],
    "name": ["name", "fullname", "nombre", "nombrecompleto", "nome", "nomecompleto"],
    "first_name": ["firstname", "fname", "nombres", "primernombre", "primeironome"],
    "last_name": ["lastname", "lname", "surname", "apellido", "apellidos", "sobrenome"],
    "language": ["language", "lang", "locale", "idioma", "lengua"],
    "country": ["country", "countrycode", "cc", "pais"],
    "topics": ["topics", "tags", "labels", "lists", "interests", "temas", "etiquetas"],
    "asked_at": ["optintime", "createdat", "addedtime", "subscribed", "dateadded", "signuptime", "fechadealta"],
    "confirmed_at": ["confirmtime", "confirmedat", "doubleoptin", "optinconfirmed"],
    "ip": ["confirmip", "optinip", "ip", "ipaddress"],
}  # fmt: skip


@dataclass
class Table:
    """What a file of addresses looks like: headings, and for CSV its encoding and delimiter."""

    headings: list
    sample: list = field(default_factory=list)
    encoding: str = ""
    delimiter: str = ""

    @property
    def program(self):
        """The program that exported it, as far as its headings tell; else an empty string."""
        return exporters.program_of([key_of(heading) for heading in self.headings])

    @property
    def mapping(self):
        """What each column most likely is: {what: number of the column}, and {"status": [numbers of columns]}."""
        keys = [key_of(heading) for heading in self.headings]
        found = {}
        for what, names in HEADINGS.items():
            match = next((keys.index(name) for name in names if name in keys), None)
            if match is not None and match not in found.values():
                found[what] = match
        states = [number for number in exporters.status_columns(keys) if number not in found.values()]
        return found | {"status": states} if states else found


def key_of(heading):
    """A heading reduced to what programs agree on: folded, letters and digits only."""
    return re.sub(r"[^a-z0-9]", "", fold(heading))


def is_xlsx(file):
    """Whether an open binary file is an XLSX workbook (a ZIP archive)."""
    file.seek(0)
    return file.read(4) == b"PK\x03\x04"


def inspect(file):
    """The Table that an open binary file holds, with its first lines. Raises ValidationError with a message for the editor."""
    try:
        if is_xlsx(file):
            check_archive(file, "xl/workbook.xml")
            table = Table([])
        else:
            table = _inspect_csv(file)
        with rows(file, table.encoding, table.delimiter) as lines:
            table.headings = [cell.strip() for cell in next(lines, [])]
            for _number, cells in zip(range(5), lines, strict=False):
                table.sample.append(cells)
    except (UnicodeError, csv.Error, zipfile.BadZipFile, ParseError, ValueError, KeyError, OSError) as error:
        raise ValidationError(UNREADABLE) from error
    if not table.headings or not any(table.headings):
        raise ValidationError(UNREADABLE)
    if not table.sample:
        raise ValidationError(NO_LINES)
    return table


def _inspect_csv(file):
    encoding = _encoding(file)
    file.seek(0)
    sample = codecs.getincrementaldecoder(encoding)("replace").decode(file.read(SAMPLE_BYTES))
    if "\0" in sample:
        raise ValidationError(UNREADABLE)
    first = sample.lstrip("\ufeff").split("\n", 1)[0]
    return Table([], encoding=encoding, delimiter=max(DELIMITERS, key=first.count))


def _encoding(file):
    """The encoding of a text file: by its mark, by the zero bytes of UTF-16, UTF-8 if all of it is, else Windows' Latin."""
    file.seek(0)
    start = file.read(4096)
    for mark, encoding in MARKS:
        if start.startswith(mark):
            return encoding
    if start[1::2].count(0) > len(start) // 4:
        return "utf-16-le"
    if start[::2].count(0) > len(start) // 4:
        return "utf-16-be"
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.seek(0)
    try:
        while block := file.read(SAMPLE_BYTES):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


@contextmanager
def rows(file, encoding, delimiter):
    """An iterator over the lines of an open binary file, each a list of strings, headings first, in constant memory."""
    file.seek(0)
    if not encoding:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        try:
            yield (
                ["" if cell is None else str(cell) for cell in line] for line in book.active.iter_rows(values_only=True)
            )
        finally:
            book.close()
    else:
        text = io.TextIOWrapper(file, encoding, errors="replace", newline="")
        try:
            yield csv.reader(text, delimiter=delimiter)
        finally:
            text.detach()  # the file is not ours to close
