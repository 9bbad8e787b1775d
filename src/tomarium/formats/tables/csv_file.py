"""Tables of 1-D data as CSV that keeps its units: read by any spreadsheet, and back without a loss.

Lines that begin with "#" come first: `# title: …`, `# rows: …`, by which a truncated file is known, and one
`# name: value unit` for each position, a value that held for the whole table. Then one line of names with their
units, `energy [keV]`, and one line a row.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final, TextIO

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError, InputError
from tomarium.formats.resumable.full_disk import write_text

_LONGEST: Final = 1 << 30
_LONGEST_LINE: Final = 1 << 20
_BLOCK_ROWS: Final = 1 << 14


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str  # "energy", "counts" …
    unit: str  # unit of its values, or ""
    values: NDArray[Any]  # shape (row,): integers or float64


@dataclass(frozen=True)
class Position:
    """A value that held for the whole table, such as a motor's."""

    value: float | str  # number or text
    unit: str = ""  # its unit, or ""


@dataclass(frozen=True)
class Table:
    """Columns of equal length."""

    columns: tuple[Column, ...]
    title: str = ""  # what it shows
    positions: Mapping[str, Position] = field(default_factory=dict)  # name → value


def write_table(path: Path, table: Table) -> None:
    """Write a table as CSV.

    `path`: file; an older one is replaced when the new one is whole. `table`: what; numbers are written so
    that they are read back the same to the bit.
    """
    _check(path, table)
    text = io.StringIO()
    if table.title:
        text.write(f"# title: {' '.join(table.title.split())}\n")
    text.write(f"# rows: {len(table.columns[0].values)}\n")
    for name, position in table.positions.items():
        value = (
            _number_text(position.value) if isinstance(position.value, int | float) else str(position.value)
        )
        text.write(f"# {name}: {' '.join(f'{value} {position.unit}'.split())}\n")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(
        f"{column.name} [{column.unit}]" if column.unit else column.name for column in table.columns
    )
    lists = [column.values.tolist() for column in table.columns]
    rows.writerows([_number_text(value) for value in row] for row in zip(*lists, strict=True))
    write_text(path, text.getvalue())


def _check(path: Path, table: Table) -> None:
    lengths = {column.values.shape for column in table.columns}
    if len(lengths) != 1 or len(next(iter(lengths), ())) != 1:
        shapes = ", ".join(f"{column.name} {column.values.shape}" for column in table.columns) or "none"
        raise InputError(f"{path}: columns of a table have one axis of the same length; these are {shapes}")
    for column in table.columns:
        if column.values.dtype.kind not in "iuf":
            raise InputError(f"{path}: column {column.name!r} holds {column.values.dtype}; give numbers")
    names = [column.name for column in table.columns]
    for name in [*names, *(column.unit for column in table.columns), *table.positions]:
        if re.search(r"[\[\]\r\n]", name) or name.startswith("#"):
            raise InputError(
                f"{path}: {name!r} can be no name or unit of a table; leave out brackets, # and lines"
            )
    if (
        any(":" in name or name in ("title", "rows") for name in table.positions)
        or len(set(names)) < len(names)
        or not all(names)
    ):
        raise InputError(
            f"{path}: names must differ, be there, and those of positions hold no ':'; got {names}"
        )


def _number_text(value: float) -> str:
    return repr(float(value)) if isinstance(value, float) else str(value)


def read_table(path: Path) -> Table:
    """Read a table that `write_table` wrote, or any CSV of numbers with names in its first line.

    Result: columns are int64 where every number is whole and written so, else float64; an empty field is NaN.
    """
    comments: list[str] = []
    try:
        if path.stat().st_size > _LONGEST:
            raise FormatError(f"{path}: has {path.stat().st_size} bytes; a table is shorter")
        with path.open(encoding="utf-8-sig") as stream:
            names, columns, count = _rows(path, csv.reader(_lines(path, stream, comments)))
    except csv.Error as problem:
        raise FormatError(f"{path}: is no CSV ({problem}); give a table of numbers") from problem
    except (OSError, UnicodeDecodeError) as problem:
        raise FormatError(f"{path}: cannot be read as text ({problem}); give a CSV file") from problem
    title, positions = "", {}
    for comment in comments:
        name, colon, text = comment.partition(":")
        if colon and name == "title":
            title = text.strip()
        elif colon and name == "rows" and text.strip().isdigit():
            if int(text) != count:
                raise FormatError(
                    f"{path}: is truncated: it holds {count} rows of {text.strip()}; copy it again"
                )
        elif colon:
            positions[name.strip()] = _position(text.strip())
    table_columns = tuple(Column(*name, values) for name, values in zip(names, columns, strict=True))
    return Table(table_columns, title, positions)


def _lines(path: Path, stream: TextIO, comments: list[str]) -> Iterator[str]:
    """Yield the lines of a table and collect its comments; no more than a line is in memory."""
    line, counted = "", False
    while piece := stream.readline(_LONGEST_LINE):
        line = piece
        if len(line) == _LONGEST_LINE or "\0" in line:
            reason = "bytes of zero" if "\0" in line else f"more than {_LONGEST_LINE} characters"
            raise FormatError(f"{path}: is no table of numbers: a line of it holds {reason}")
        if line.startswith("#"):
            comments.append(line[1:].strip())
            counted = counted or line.startswith("# rows:")
        elif line.strip():
            yield line
    if counted and not line.endswith("\n"):
        raise FormatError(f"{path}: is truncated: its last line has no end; copy it again")


def _rows(path: Path, rows: Iterator[list[str]]) -> tuple[list[tuple[str, str]], list[NDArray[Any]], int]:
    """Return the names with their units, the columns, and how many rows there are."""
    head = next(rows, None)
    if head is None:
        raise FormatError(f"{path}: holds no names of columns; its first line must tell them")
    names = [_name_and_unit(field) for field in head]
    blocks: list[list[NDArray[Any]]] = [[] for _ in names]
    count = 0
    while block := list(islice(rows, _BLOCK_ROWS)):
        for number, row in enumerate(block, count + 1):
            if len(row) != len(names):
                raise FormatError(
                    f"{path}: row {number} has {len(row)} fields, the names are {len(names)}; mend it"
                )
        count += len(block)
        for place, (name, _) in enumerate(names):
            blocks[place].append(_numbers(path, name, [row[place] for row in block]))
    # Whole numbers of one block become real where another block of the column holds real ones.
    return (
        names,
        [
            np.concatenate(blocks_of_column) if blocks_of_column else np.array([], np.float64)
            for blocks_of_column in blocks
        ],
        count,
    )


def _name_and_unit(field: str) -> tuple[str, str]:
    """Split "energy [keV]"; without a pattern, whose time would grow with the square of its blanks."""
    text = field.strip()
    start = text.find("[", text[:-1].rfind("]") + 1)
    return (text[:start].rstrip(), text[start + 1 : -1]) if text.endswith("]") and start >= 0 else (text, "")


def _numbers(path: Path, name: str, fields: Sequence[str]) -> NDArray[Any]:
    try:
        if fields and all(re.fullmatch(r"\s*[+-]?\d{1,18}\s*", field) for field in fields):
            return np.array([int(field) for field in fields], dtype=np.int64)
        if any("_" in field for field in fields):  # Python reads 1_0 as ten
            raise ValueError("an underscore in a number")
        return np.array([float(field) if field.strip() else math.nan for field in fields], dtype=np.float64)
    except ValueError as problem:
        raise FormatError(
            f"{path}: column {name!r} holds something else than numbers ({problem})"
        ) from problem


def _position(text: str) -> Position:
    number, _, unit = text.partition(" ")
    try:
        return Position(float(number), unit)
    except ValueError:
        return Position(text)
