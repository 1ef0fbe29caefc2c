"""Reading lists of addresses as other programs export them: CSV in any usual form, and XLSX, a line at a time."""

import codecs
import csv
import io
import itertools
import re
import zipfile
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

import openpyxl
from compat.openpyxl import ReadOnlyWorksheet, path_of, struck_styles
from core.html import INVALID_IN_XML, without_control_characters
from core.uploads import check_archive
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from newsletter.imports import exporters, mapping
from newsletter.subscribers import email_addresses

SAMPLE_BYTES, SAMPLE_LINES = 256 * 1024, 5
MOST_TEXT_BYTES = 64 * 1024 * 1024  # of a workbook, unpacked: some 200 MB of memory
MOST_LINES_IN_START = 20  # before the first address; what stands below is people
MOST_LINES_IN_CELLS = 20  # lines that one person's cells may take
SEPARATOR_LINE = re.compile(r"\ufeff?sep=([,;\t|])\s*$", re.IGNORECASE | re.MULTILINE)  # Excel's
DELIMITERS = [",", ";", "\t", "|"]
MARKS = [(codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")]
csv.field_size_limit(1024 * 1024)

UNREADABLE = _("This file cannot be read as a table. Please export it as CSV (UTF-8) or XLSX.")
TOO_LARGE = _("This workbook holds too much text to be read. Please export the list alone, as CSV (UTF-8).")
MERGED = _(
    "Cells that are merged over several lines (%(cells)s) cannot be read line by line. Please unmerge them and fill in each one."
)
STRUCK = _(
    "Some cells are struck through (%(cells)s), which may say that these people left. Please say it in a column of its own, and remove the strikethrough."
)
NO_LINES = _("The file holds no lines below its headings.")


class Torn(list[str]):
    """The cells of a line that cannot be trusted: the quotation marks in it may have swallowed another person."""


@dataclass
class Table:
    """What a file of addresses looks like: headings, and for CSV its encoding and delimiter."""

    headings: list[str]
    has_headings: bool = True
    sample: list[list[str]] = field(default_factory=list)
    encoding: str = ""
    delimiter: str = ""
    first_line: int = 0  # lines before the first person's
    titles: list[str] = field(default_factory=list)  # the name of the sheet, and what stands above the headings
    other_sheets: list[str] = field(default_factory=list)  # names of those that hold something, too
    hidden_rows: int = 0  # of a workbook; they are read like the other ones

    @property
    def program(self) -> str:
        """The program that exported it, as far as its headings tell; else an empty string."""
        return exporters.program_of([mapping.key_of(heading) for heading in self.headings])


def is_xlsx(file: IO[bytes]) -> bool:
    """Whether an open binary file is an XLSX workbook (a ZIP archive)."""
    file.seek(0)
    return file.read(4) == b"PK\x03\x04"


def inspect(file: IO[bytes]) -> Table:
    """The Table that an open binary file holds, with its first lines. Raises ValidationError with a message for the editor."""
    table = Table([])
    if is_xlsx(file):
        check_archive(file, "xl/workbook.xml")
        _check_texts(file)
    else:
        table.encoding, table.delimiter = _inspect_csv(file)
    try:
        if not table.encoding:
            table.titles, table.other_sheets, path = _sheets(file)
        with rows(file, table.encoding, table.delimiter) as lines:
            _read_start(table, lines)
        if not table.encoding:
            _refuse_struck_cells(file, path, table.first_line)
            table.hidden_rows = _check_layout(file, path, table.first_line)
    except ValidationError:
        raise
    except Exception as error:  # whatever a damaged workbook makes of openpyxl
        raise ValidationError(UNREADABLE) from error
    if not any(table.headings):
        raise ValidationError(UNREADABLE)
    if not table.sample:
        raise ValidationError(NO_LINES)
    return table


def _read_start(table: Table, lines: Iterator[list[str]]) -> None:
    """Read titles, headings and first lines. A list that begins with a person has no headings, and loses nobody."""
    start = list(itertools.islice(lines, MOST_LINES_IN_START))
    filled = [number for number, cells in enumerate(start) if any(cells)]
    people = (number for number in filled if any(map(email_addresses.holds_address, start[number])))
    first = next(people, len(start))
    above = [number for number in filled if number < first]
    if above:
        heading = _heading([start[number] for number in above])
        table.titles += [" ".join(filter(None, start[number])) for number in above[:heading]]
        table.headings = _without_empty_end([cell.strip() for cell in start[above[heading]]])
        table.first_line = above[heading] + 1
    elif filled:
        table.headings = [gettext("Column %(number)s") % {"number": number + 1} for number in range(len(start[first]))]
        table.first_line, table.has_headings = first, False
    after = itertools.chain(start[table.first_line :], lines)
    table.sample = list(itertools.islice(filter(any, after), SAMPLE_LINES))


def _without_empty_end(cells: list[str]) -> list[str]:
    """Cells up to the last filled one: what stands below none of them is beyond the headings."""
    return cells[: max((number for number, cell in enumerate(cells, 1) if cell), default=0)]


def _heading(lines: Sequence[Sequence[str]]) -> int:
    """Which of the lines above the first address holds the headings: the first with one that is known, else the first with
    more than a title in it."""
    for number, cells in enumerate(lines):
        if mapping.KNOWN & set(map(mapping.key_of, cells)):
            return number
    return next((number for number, cells in enumerate(lines) if len(list(filter(None, cells))) > 1), 0)


def _check_texts(file: IO[bytes]) -> None:
    """Refuse a workbook whose texts would not fit into the memory of a worker: openpyxl reads all of them at once."""
    with zipfile.ZipFile(file) as archive:
        size = sum(entry.file_size for entry in archive.infolist() if entry.filename.endswith("sharedStrings.xml"))
    if size > MOST_TEXT_BYTES:
        raise ValidationError(TOO_LARGE)


def _inspect_csv(file: IO[bytes]) -> tuple[str, str]:
    """(encoding, delimiter) of a text file. Raises ValidationError if it is none."""
    encoding = _encoding(file)
    file.seek(0)
    sample = codecs.getincrementaldecoder(encoding)(ERRORS).decode(file.read(SAMPLE_BYTES))
    if len(INVALID_IN_XML.findall(sample)) > len(sample) // 10:
        raise ValidationError(UNREADABLE)
    said = SEPARATOR_LINE.match(sample)
    if said:
        return encoding, said[1]
    first = next((line for line in sample.lstrip("\ufeff").splitlines() if line.strip(" ,;|\t")), "")
    return encoding, max(DELIMITERS, key=first.count)


def _encoding(file: IO[bytes]) -> str:
    """The encoding of a text file: by its mark, by the zero bytes of UTF-16, else UTF-8, with Windows' Latin in between."""
    file.seek(0)
    start = file.read(4096)
    for mark, encoding in MARKS:
        if start.startswith(mark):
            return encoding
    if start[1::2].count(0) > len(start) // 4:
        return "utf-16-le"
    if start[::2].count(0) > len(start) // 4:
        return "utf-16-be"
    return "utf-8"


def _as_windows_latin(error: UnicodeError) -> tuple[str, int]:
    """An error handler for decoding (codecs): bytes that are no UTF-8 are Windows' Latin, as in lists put together by hand."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


ERRORS = "clac.windows-latin"
codecs.register_error(ERRORS, _as_windows_latin)


@contextmanager
def rows(file: IO[bytes], encoding: str, delimiter: str) -> Iterator[Iterator[list[str]]]:
    """An iterator over the lines of an open binary file, each a list of strings, in constant memory; the first ones may be empty."""
    file.seek(0)
    if not encoding:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        try:
            yield _rows_of_book(book)
        finally:
            book.close()
    else:
        text = io.TextIOWrapper(file, encoding, errors=ERRORS, newline="")
        try:
            yield _rows_of_text(map(without_control_characters, text), delimiter)
        finally:
            text.detach()  # the file is not ours to close


def _rows_of_book(book: openpyxl.Workbook) -> Iterator[list[str]]:
    for line in _sheet(book).iter_rows(values_only=True):
        yield ["" if cell is None else without_control_characters(str(cell)) for cell in line]


def _sheet(book: openpyxl.Workbook) -> ReadOnlyWorksheet:
    """The sheet that was open when the workbook was saved, or its first one: a chart is no table."""
    sheets = book.worksheets
    if not sheets:
        raise ValidationError(UNREADABLE)
    return book.active if book.active in sheets else sheets[0]


def _sheets(file: IO[bytes]) -> tuple[list[str], list[str], str]:
    """([the name of the sheet that is read], [names of the other ones that hold something], its path in the archive)."""
    book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    try:
        sheet = _sheet(book)
        others = [
            each.title
            for each in book.worksheets
            if each is not sheet and any(map(any, each.iter_rows(values_only=True)))
        ]
        return [sheet.title], others, path_of(sheet)
    finally:
        book.close()


MERGED_ROWS = re.compile(rb"""<(?:\w+:)?mergeCell\s[^>]*\bref=["']([A-Z]+(\d+):[A-Z]+(\d+))["']""")
HIDDEN_ROW = re.compile(
    rb"""<(?:\w+:)?row\s(?=[^>]*\bhidden=["'](?:1|true)["'])(?![^>]*/>)(?:[^>]*\br=["'](\d+)["'])?"""
)
MOST_BYTES_IN_TAG = 4096


def _check_layout(file: IO[bytes], path: str, first_line: int) -> int:
    """The number of hidden rows with people in them. Raises ValidationError if cells are merged over several of their rows.

    In constant memory: openpyxl tells both only of a workbook that it has read as a whole.
    """
    hidden = 0
    with zipfile.ZipFile(file) as archive, archive.open(path) as sheet:
        for part in _whole_tags(sheet):
            for cells, top, bottom in MERGED_ROWS.findall(part):
                if top != bottom and int(bottom) > first_line:
                    raise ValidationError(MERGED % {"cells": cells.decode()})
            hidden += sum(not number or int(number) > first_line for number in HIDDEN_ROW.findall(part))
    return hidden


def _whole_tags(file: IO[bytes]) -> Iterator[bytes]:
    """The parts of an XML file, cut between its tags."""
    rest = b""
    while part := file.read(64 * 1024):
        part = rest + part
        cut = max(part.rfind(b"<"), 0)
        yield part[:cut]
        rest = part[cut:][:MOST_BYTES_IN_TAG]
    yield rest


def _rows_of_text(lines: Iterator[str], delimiter: str) -> Iterator[list[str]]:
    """The lines of a CSV text. A quotation mark that is never closed is a letter: it does not swallow the lines after it."""
    waiting: deque[str] = deque()
    while True:
        record: list[str] = []
        cells: list[str] | None = None
        for line in itertools.chain(_taken(waiting), lines):
            record.append(line)
            try:
                cells = _cells(record, delimiter)
            except csv.Error:
                break
            if cells is not None or len(record) == MOST_LINES_IN_CELLS:
                break
        if not record:
            return
        if cells is None:
            cells = next(csv.reader(record[:1], delimiter=delimiter, quoting=csv.QUOTE_NONE), [])
            waiting.extendleft(reversed(record[1:]))
        elif any("@" in line for line in record[1:]):
            cells = Torn(cells)
        is_said = len(record) == 1 and SEPARATOR_LINE.match(record[0])
        yield [] if is_said else cells


def _taken(waiting: deque[str]) -> Iterator[str]:
    while waiting:
        yield waiting.popleft()


def _cells(record: list[str], delimiter: str) -> list[str] | None:
    """The cells of the physical lines of a record, or None if a quotation mark is still open after them.

    Raises csv.Error if several lines make no record: its quotation marks are letters.
    """
    if len(record) == 1 and '"' not in record[0]:
        return next(csv.reader(record, delimiter=delimiter), [])
    try:
        return next(csv.reader(record, delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            return None
        if len(record) > 1:
            raise
        return next(csv.reader(record, delimiter=delimiter), [])


STYLED_CELL = re.compile(
    rb"""<(?:\w+:)?c\s(?=[^>]*\bs=["'](\d+)["'])(?=[^>]*\br=["']([A-Z]+(\d+))["'])[^>]*(?<!/)>(?!</)"""
)
STRUCK_WORDS = re.compile(rb"""<(?:\w+:)?strike\b(?![^>]*\bval=["'](?:0|false)["'])""")


def _refuse_struck_cells(file: IO[bytes], path: str, first_line: int) -> None:
    """Raise ValidationError if people's cells, or words in any cell, are struck through. In constant memory, as _check_layout()."""
    with zipfile.ZipFile(file) as archive:
        struck = struck_styles(archive)
        for name in [path, *(name for name in archive.namelist() if name.endswith("sharedStrings.xml"))]:
            with archive.open(name) as member:
                for part in _whole_tags(member):
                    if STRUCK_WORDS.search(part):
                        raise ValidationError(STRUCK % {"cells": "…"})
                    for style, cell, row in STYLED_CELL.findall(part) if struck else ():
                        if int(style) in struck and int(row) > first_line:
                            raise ValidationError(STRUCK % {"cells": cell.decode()})
