"""A bare table of metadata, CSV or JSON: names, numbers, units; turned into facts, nothing guessed."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from tomarium import units
from tomarium.doctor.facts import FACTS, TEXTS, VECTORS
from tomarium.errors import FormatError, UnitError
from tomarium.model import Value

LARGEST_BYTES: Final = 16 * 1024 * 1024
# A table of metadata has some hundred lines, its names some words.
_MOST_ROWS: Final = 20_000
_LONGEST_NAME: Final = 200
_NUMBER: Final = re.compile(r"^\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*$")
_HEADERS: Final = {
    "name": ("name", "key", "parameter", "field", "quantity"),
    "value": ("value", "values"),
    "unit": ("unit", "units"),
}
_WITHOUT: Final = frozenset({"none", "-", "–", "click to edit", "n/a", "unknown"})


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes
    ----------
    name, value, unit : str
        As they are written; "" where absent.
    place : str
        Where the line is, "line 12".
    """

    name: str
    value: str
    unit: str
    place: str


@dataclass(frozen=True)
class Table:
    """A table that was read.

    Attributes
    ----------
    facts : dict of str to Value
        What was understood, in the units the names carry.
    without_unit, unreadable, empty : tuple of Row
        Lines of known name whose number lacks its unit, is no number (or of another unit), or is not there.
    unknown : tuple of str
        Names the doctor has no use for.
    """

    facts: dict[str, Value[Any]]
    without_unit: tuple[Row, ...] = ()
    unreadable: tuple[Row, ...] = ()
    empty: tuple[Row, ...] = ()
    unknown: tuple[str, ...] = ()


def is_table(path: Path) -> bool:
    """Tell whether a path may hold a table of metadata.

    Parameters
    ----------
    path : Path
        Any path.

    Returns
    -------
    bool
        It is a file that ends in .csv, .tsv or .json and is not larger than 16 MiB.
    """
    return (
        path.suffix.lower() in {".csv", ".tsv", ".json"}
        and path.is_file()
        and path.stat().st_size <= LARGEST_BYTES
    )


def read_table(path: Path) -> Table:
    """Read a table of metadata.

    Parameters
    ----------
    path : Path
        CSV or TSV with the columns name, value and, if need be, unit, a header or none; or JSON: a list of
        {"name", "value", "unit"}, or an object name → value, text with a unit, or {"value", "unit"}. A unit
        may stand in its own column, behind the number, or in the name: "Pixel size (µm)", "pixel_um".

    Returns
    -------
    Table
        What was understood, and what was not and why.

    Raises
    ------
    FormatError
        It is no such table, or holds nothing the doctor knows.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        found = _of_json(text) if path.suffix.lower() == ".json" else _of_csv(text)
        rows = list(islice(found, _MOST_ROWS + 1))
    except (ValueError, csv.Error, RecursionError) as problem:
        raise FormatError(
            f"{path}: cannot be read as a table ({problem}); give CSV with the columns name, value, unit, "
            f"or JSON that maps names to values with units"
        ) from problem
    if len(rows) > _MOST_ROWS:
        raise FormatError(
            f"{path}: has more than {_MOST_ROWS} lines, too many for a table of metadata; give names, values and units"
        )
    table = understand(rows, path.name)
    if not table.facts and not table.without_unit and not table.unreadable:
        raise FormatError(
            f"{path}: holds no quantity the doctor knows among {len(rows)} lines; give names such as "
            f"'Pixel size (µm)', 'Projections', 'Energy (keV)'"
        )
    return table


def understand(rows: list[Row], source: str) -> Table:
    """Turn rows into facts.

    Parameters
    ----------
    rows : list of Row
        As they are written.
    source : str
        Name of the table, for the facts' origin.

    Returns
    -------
    Table
        The first of several lines of one name counts.
    """
    facts: dict[str, Value[Any]] = {}
    sorted_out: dict[str, list[Row]] = {"without_unit": [], "unreadable": [], "empty": []}
    unknown = []
    for row in rows:
        if len(row.name) > _LONGEST_NAME:
            unknown.append(f"{row.name[:_LONGEST_NAME]}…")
            continue
        plain, unit = _plain(row)
        where = f"{source}, {row.place}: {row.name}"
        names = VECTORS.get(plain)
        if names and "," in row.value:
            parts = [part.strip() for part in row.value.split(",")]
            for name, part in zip(names, parts, strict=False):
                times, _, last = part.replace("×", "x").rpartition("x")
                if part:
                    _take(facts, sorted_out, name, Row(row.name, last, unit, row.place), where)
                if times.strip().isdigit():
                    facts.setdefault("scans_per_stage", Value(float(times), "read", where))
            continue
        known = _known(plain)
        if not known:
            unknown.append(row.name)
        elif known[0] in TEXTS:
            if row.value.strip():
                facts.setdefault(known[0], Value(row.value.strip(), "read", where))
        else:
            _take(
                facts,
                sorted_out,
                _fitting(known, row, unit),
                Row(row.name, row.value, unit, row.place),
                where,
            )
    return Table(facts, **{key: tuple(found) for key, found in sorted_out.items()}, unknown=tuple(unknown))


def _take(
    facts: dict[str, Value[Any]], sorted_out: dict[str, list[Row]], name: str, row: Row, where: str
) -> None:
    """Put one number among the facts, or say why not."""
    if row.value.strip().lower() in _WITHOUT | {""}:
        sorted_out["empty"].append(row)
        return
    match, wanted = _number(row.value), FACTS[name].unit
    if match is None or not math.isfinite(float(match[1])):
        sorted_out["unreadable"].append(row)
        return
    number, behind = float(match[1]), match[2]
    unit = behind or row.unit
    if wanted and not unit:
        sorted_out["without_unit"].append(row)
        return
    try:
        size = units.factor(unit, wanted) if wanted else 1.0
    except UnitError:
        sorted_out["unreadable"].append(row)
        return
    facts.setdefault(name, Value(float(f"{number * size:.12g}"), "read", where))


def _number(text: str) -> re.Match[str] | None:
    # A match of blanks within blanks takes the square of their number.
    return _NUMBER.match(text) if len(text) <= _LONGEST_NAME else None


def _plain(row: Row) -> tuple[str, str]:
    """Return a name in lower case without its unit, and the unit."""
    name, unit = row.name, row.unit.strip()
    for inside in re.findall(r"[(\[]([^)\]]*)[)\]]", name):
        unit = unit or (inside if _is_unit(inside) else "")
    name = re.sub(r"[(\[][^)\]]*[)\]]", " ", name)
    words = re.sub(r"[^0-9a-z]+", " ", name.lower()).split()
    if not unit and len(words) > 1 and "_" in row.name and row.name.lower() not in FACTS:
        ending = row.name.rsplit("_", 1)[-1]
        # Names are lower case, units are not: "energy_ev".
        ending = next((one for one in units.SPELLINGS if one.lower() == ending.lower()), ending)
        if _is_unit(ending):
            unit, words = ending, words[:-1]
    if row.name.lower() in FACTS:
        unit = unit or FACTS[row.name.lower()].unit
        return row.name.lower(), unit
    return " ".join(words), "" if unit.lower() in _WITHOUT else unit


def _is_unit(text: str) -> bool:
    spelling = text.strip()
    if not spelling or spelling.lower() in _WITHOUT or re.search(r"[,\s]|^[xyz]+$|^avg$", spelling):
        return False
    for wanted in {fact.unit for fact in FACTS.values()} - {""}:
        try:
            units.factor(spelling, wanted)
        except UnitError:
            continue
        return True
    return False


def _known(plain: str) -> list[str]:
    spelt = plain.replace(" ", "_")
    found = [name for name, words in TEXTS.items() if plain in words or spelt == name]
    return found or [name for name, fact in FACTS.items() if plain in fact.aliases or spelt == name]


def _fitting(names: list[str], row: Row, unit: str) -> str:
    """Choose between facts of one name by the unit: a "size" may be of a sensor or of a file."""
    match = _number(row.value)
    spelling = (match[2] if match else "") or unit
    for name in names:
        try:
            units.factor(spelling, FACTS[name].unit)
        except UnitError:
            continue
        return name
    return names[0]


def _of_csv(text: str) -> Iterator[Row]:
    sample = text[:4096]
    delimiter = max(
        "\t;,",
        key=lambda sign: min((line.count(sign) for line in sample.splitlines() if line.strip()), default=0),
    )
    lines = list(islice(csv.reader(io.StringIO(text, newline=None), delimiter=delimiter), _MOST_ROWS + 2))
    columns = {"name": 0, "value": 1, "unit": 2}
    if lines:
        head = [cell.strip().lower() for cell in lines[0]]
        named = {
            key: next((head.index(word) for word in words if word in head), -1)
            for key, words in _HEADERS.items()
        }
        if named["name"] >= 0 and named["value"] >= 0:
            columns = named
            lines[0] = []
    for number, line in enumerate(lines, 1):
        cells = {key: line[i].strip() if 0 <= i < len(line) else "" for key, i in columns.items()}
        if cells["name"] and not cells["name"].startswith("#"):
            yield Row(cells["name"], cells["value"], cells["unit"], f"line {number}")


def _of_json(text: str) -> Iterator[Row]:
    content = json.loads(text)
    if isinstance(content, dict):
        content = [
            {"name": name, **(held if isinstance(held, dict) else {"value": held})}
            for name, held in content.items()
        ]
    if not isinstance(content, list):
        return
    for number, item in enumerate(content, 1):
        if isinstance(item, dict) and isinstance(item.get("name"), str):
            value = item.get("value")
            told = (
                ",".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
            )
            yield Row(item["name"], told, str(item.get("unit") or item.get("units") or ""), f"item {number}")
