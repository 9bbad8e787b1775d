"""Sheets of an Excel workbook as lines of cells, as CSV gives them."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Iterator
from datetime import date, datetime, time
from itertools import islice
from pathlib import Path
from typing import Any, Final

from tomarium import units
from tomarium.errors import FormatError
from tomarium.optional_packages import optional_import

ENDINGS: Final = (".xlsx", ".xlsm")
_MOST_BYTES: Final = 512 << 20  # unpacked; a workbook of 64 MiB that unpacks to more is no table of metadata
_MOST_ROWS: Final = 20_002
_MOST_COLUMNS: Final = 2000


def workbook_lines(path: Path, named: Collection[str]) -> list[list[str]]:
    """Read the sheet of a workbook that has one of these columns.

    Parameters
    ----------
    path : Path
        An .xlsx or .xlsm file. Of formulas their last results are read.
    named : collection of str
        Names of the column that tells the sheet, in lower case.

    Returns
    -------
    list of list of str
        Lines of cells, without spaces around them; numbers as Python writes them, days as 2026-11-20.

    Raises
    ------
    FormatError
        It is no workbook, no sheet or more than one has the column, or a formula of the sheet has failed.
    EngineUnavailable
        The extra `spreadsheet` is not installed.
    """
    _demand_small(path)
    openpyxl = optional_import("openpyxl", "spreadsheet")
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as problem:  # whatever a damaged file makes it raise
        raise FormatError(
            f"{path}: cannot be read as an Excel workbook ({problem}); save it anew as .xlsx, or as CSV"
        ) from problem
    try:
        sheets = {sheet.title: list(_lines(path, sheet)) for sheet in book.worksheets}
    finally:
        book.close()
    fitting = [title for title, lines in sheets.items() if _has(lines, named)]
    if len(fitting) > 1:
        raise FormatError(
            f"{path}: the sheets {', '.join(fitting)} have a column `{next(iter(named))}` each; leave one sheet"
        )
    first = next((lines for lines in sheets.values() if any(map(any, lines))), [])
    return sheets[fitting[0]] if fitting else first


def _demand_small(path: Path) -> None:
    """Refuse what is no archive, or unpacks to far more than a table."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(zip_info.file_size for zip_info in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError) as problem:
        raise FormatError(
            f"{path}: is no Excel workbook ({problem}); save it anew as .xlsx, or as CSV"
        ) from problem
    if size > _MOST_BYTES:
        raise FormatError(
            f"{path}: unpacks to {units.show(size, 'B')}; a table of metadata of {units.show(_MOST_BYTES, 'B')} at "
            f"most was expected"
        )


def _has(lines: list[list[str]], named: Collection[str]) -> bool:
    header = next((line for line in lines if any(line)), [])
    return any(cell.lower() in named for cell in header)


def _lines(path: Path, sheet: Any) -> Iterator[list[str]]:
    # A sheet may claim a million columns; those of its rows that are there are read.
    sheet.reset_dimensions()
    for row in islice(sheet.iter_rows(max_col=_MOST_COLUMNS), _MOST_ROWS):
        failed = next((cell for cell in row if getattr(cell, "data_type", "") == "e"), None)
        if failed is not None:
            raise FormatError(
                f"{path}: sheet {sheet.title}, cell {failed.coordinate} holds {failed.value}, a formula that failed; "
                f"mend it, or empty the cell"
            )
        cells = [_text(cell.value) for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        yield cells


def _text(value: Any) -> str:
    """Write a cell as a person types it into CSV."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, datetime):
        return (value.date() if value.time() == time() else value).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return str(value).strip()
