"""openpyxl 3.1: where a sheet lies in its file, and which of a workbook's styles are struck through."""

import zipfile

import openpyxl
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.worksheet._read_only import ReadOnlyWorksheet

__all__ = ["ReadOnlyWorksheet", "path_of", "struck_styles"]


def path_of(sheet: ReadOnlyWorksheet) -> str:
    """Return the path of a sheet in the archive that its workbook is (ECMA-376 part 2)."""
    return sheet._worksheet_path


def struck_styles(archive: zipfile.ZipFile) -> set[int]:
    """Return the numbers of the cell styles (attribute `s` of a cell) whose font is struck through."""
    book = openpyxl.Workbook()
    apply_stylesheet(archive, book)
    return {number for number, style in enumerate(book._cell_styles) if book._fonts[style.fontId].strike}
