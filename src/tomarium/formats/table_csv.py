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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError, InputError
from tomarium.formats.slab_file import write_text

_LONGEST: Final = 1 << 30
_NAMED: Final = re.compile(r"(?P<name>.*?)\s*(?:\[(?P<unit>[^\]]*)\])?")


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name : str
        "energy", "counts" …
    unit : str
        Unit of its values, or "".
    values : array, shape (row,)
        Integers or float64.
    """

    name: str
    unit: str
    values: NDArray[Any]


@dataclass(frozen=True)
class Position:
    """A value that held for the whole table, such as a motor's.

    Attributes
    ----------
    value : float or str
        Number or text.
    unit : str
        Its unit, or "".
    """

    value: float | str
    unit: str = ""


@dataclass(frozen=True)
class Table:
    """Columns of equal length.

    Attributes
    ----------
    columns : tuple of Column
        In order.
    title : str
        What it shows.
    positions : Mapping of str to Position
        Name → value.
    """

    columns: tuple[Column, ...]
    title: str = ""
    positions: Mapping[str, Position] = field(default_factory=dict)


def write_table(path: Path, table: Table) -> None:
    """Write a table as CSV.

    Parameters
    ----------
    path : Path
        File; an older one is replaced when the new one is whole.
    table : Table
        What; numbers are written so that they are read back the same to the bit.

    Raises
    ------
    InputError
        Columns have different lengths or more than one axis, or a name holds brackets or a line end.
    StorageFull
        The disk is full.
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
    rows.writerow(f"{one.name} [{one.unit}]" if one.unit else one.name for one in table.columns)
    lists = [one.values.tolist() for one in table.columns]
    rows.writerows([_number_text(value) for value in row] for row in zip(*lists, strict=True))
    write_text(path, text.getvalue())


def _check(path: Path, table: Table) -> None:
    lengths = {one.values.shape for one in table.columns}
    if len(lengths) != 1 or len(next(iter(lengths), ())) != 1:
        told = ", ".join(f"{one.name} {one.values.shape}" for one in table.columns) or "none"
        raise InputError(f"{path}: columns of a table have one axis of the same length; these are {told}")
    for one in table.columns:
        if one.values.dtype.kind not in "iuf":
            raise InputError(f"{path}: column {one.name!r} holds {one.values.dtype}; give numbers")
    names = [one.name for one in table.columns]
    for name in [*names, *(one.unit for one in table.columns), *table.positions]:
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

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Table
        Columns are int64 where every number is whole and written so, else float64; an empty field is NaN.

    Raises
    ------
    FormatError
        It is no text, or a row has another number of fields or something else than numbers.
    """
    try:
        if path.stat().st_size > _LONGEST:
            raise FormatError(f"{path}: has {path.stat().st_size} bytes; a table is shorter")
        text = path.read_text("utf-8-sig")
        lines = text.splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise FormatError(f"{path}: cannot be read as text ({problem}); give a CSV file") from problem
    comments = [line[1:].strip() for line in lines if line.startswith("#")]
    try:
        rows = list(csv.reader(line for line in lines if line.strip() and not line.startswith("#")))
    except csv.Error as problem:
        raise FormatError(f"{path}: is no CSV ({problem}); give a table of numbers") from problem
    if not rows:
        raise FormatError(f"{path}: holds no names of columns; its first line must tell them")
    names = [_NAMED.fullmatch(field.strip()) for field in rows[0]]
    for number, row in enumerate(rows[1:], 1):
        if len(row) != len(names):
            raise FormatError(
                f"{path}: row {number} has {len(row)} fields, the names are {len(names)}; mend it"
            )
    if any(line.startswith("# rows:") for line in lines) and not text.endswith("\n"):
        raise FormatError(f"{path}: is truncated: its last line has no end; copy it again")
    columns = tuple(
        Column(
            found["name"],
            found["unit"] or "",
            _numbers(path, found["name"], [row[place] for row in rows[1:]]),
        )
        for place, found in enumerate(names)
        if found is not None
    )
    title, positions = "", {}
    for comment in comments:
        name, colon, told = comment.partition(":")
        if colon and name == "title":
            title = told.strip()
        elif colon and name == "rows" and told.strip().isdigit():
            if int(told) != len(rows) - 1:
                raise FormatError(
                    f"{path}: is truncated: it holds {len(rows) - 1} rows of {told.strip()}; copy it again"
                )
        elif colon:
            positions[name.strip()] = _position(told.strip())
    return Table(columns, title, positions)


def _numbers(path: Path, name: str, fields: Sequence[str]) -> NDArray[Any]:
    try:
        if fields and all(re.fullmatch(r"\s*[+-]?\d{1,18}\s*", one) for one in fields):
            return np.array([int(one) for one in fields], dtype=np.int64)
        return np.array([float(one) if one.strip() else math.nan for one in fields], dtype=np.float64)
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
