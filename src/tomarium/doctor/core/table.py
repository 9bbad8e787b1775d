"""A bare table of metadata, CSV or JSON: names, numbers, units; turned into facts, nothing guessed."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

from tomarium import units
from tomarium.doctor.core.facts import FACTS, TEXTS, VECTORS
from tomarium.doctor.core.written_numbers import read_number
from tomarium.errors import FormatError, UnitError
from tomarium.model import Value

LARGEST_BYTES: Final = 16 * 1024 * 1024
# A table of metadata has some hundred lines, its names some words.
_MOST_ROWS: Final = 20_000
_LONGEST_NAME: Final = 200
# What may follow a number that has no unit.
_COUNTED: Final = frozenset(
    {"", "x", "×", "px", "pixel", "pixels", "frames", "images", "projections", "views", "%"}
)
_PREAMBLE: Final = re.compile(r"^#\s*([^:]{1,200}):\s*(.*?),*$")
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
    contradicted : tuple of Row
        Lines that say something else than an earlier one of their name.
    scans : tuple of (str, Table)
        Where each line, or column, is a scan: "line 3 (bone_02)" and what it says.
    """

    facts: dict[str, Value[Any]]
    without_unit: tuple[Row, ...] = ()
    unreadable: tuple[Row, ...] = ()
    empty: tuple[Row, ...] = ()
    unknown: tuple[str, ...] = ()
    contradicted: tuple[Row, ...] = ()
    scans: tuple[tuple[str, Table], ...] = ()


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
        may stand in its own column, behind the number, or in the name: "Pixel size (µm)", "pixel_um". Or one
        scan a line, column or object, the names in the header.

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
        text = decoded(path.read_bytes())
        content = json.loads(text) if path.suffix.lower() == ".json" else cells_of(text)
        scans = _scans(content)
        rows_read = _rows_of_json(content) if path.suffix.lower() == ".json" else _rows_of_csv(content)
        rows = [] if scans else list(islice(rows_read, _MOST_ROWS + 1))
    except (ValueError, csv.Error, RecursionError) as problem:
        raise FormatError(
            f"{path}: cannot be read as a table ({problem}); give CSV with the columns name, value, unit, "
            f"or JSON that maps names to values with units"
        ) from problem
    if len(rows) > _MOST_ROWS:
        raise FormatError(
            f"{path}: has more than {_MOST_ROWS} lines, too many for a table of metadata; give names, values and units"
        )
    if scans:
        labelled = ((place, label, understand(lines, path.name)) for place, label, lines in scans)
        labelled_tables = tuple(
            (f"{place} ({label})" if label else place, table) for place, label, table in labelled
        )
        return Table({}, scans=labelled_tables)
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
    sorted_out: dict[str, list[Row]] = {"without_unit": [], "unreadable": [], "empty": [], "contradicted": []}
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
                    _add_number(facts, sorted_out, name, Row(row.name, last, unit, row.place), where)
                if times.strip().isdigit():
                    facts.setdefault("scans_per_stage", Value(float(times), "read", where))
            continue
        matches = _matching_facts(plain)
        if not matches:
            unknown.append(row.name)
        elif matches[0] in TEXTS:
            if row.value.strip():
                facts.setdefault(matches[0], Value(row.value.strip(), "read", where))
        else:
            _add_number(
                facts,
                sorted_out,
                _fact_by_unit(matches, row, unit),
                Row(row.name, row.value, unit, row.place),
                where,
            )
    rows_by_kind = {key: tuple(rows) for key, rows in sorted_out.items()}
    return Table(
        facts,
        rows_by_kind["without_unit"],
        rows_by_kind["unreadable"],
        rows_by_kind["empty"],
        tuple(unknown),
        rows_by_kind["contradicted"],
    )


def _add_number(
    facts: dict[str, Value[Any]], sorted_out: dict[str, list[Row]], name: str, row: Row, where: str
) -> None:
    """Put one number among the facts, or say why not."""
    if row.value.strip().lower() in _WITHOUT | {""}:
        sorted_out["empty"].append(row)
        return
    base_unit = FACTS[name].unit
    read = read_number(row.value, whole=FACTS[name].whole)
    if read is None or (not base_unit and read.unit.lower() not in _COUNTED):
        sorted_out["unreadable"].append(row)
        return
    unit = read.unit or row.unit
    if base_unit and not unit:
        sorted_out["without_unit"].append(row)
        return
    try:
        size = units.factor(unit, base_unit) if base_unit else 0.01 if unit == "%" else 1.0
    except UnitError:
        sorted_out["unreadable"].append(row)
        return
    number = float(f"{read.number * size:.12g}")
    first = facts.setdefault(name, Value(number, "read", where))
    # "Energy" and "Energy (avg)" may differ; what has the very same name may not.
    same_name = first.source.lower().endswith(f": {row.name.lower()}")
    if same_name and abs(number - first.value) > 1e-9 * abs(first.value):
        both = f"{units.show(number, base_unit)} here, {units.show(first.value, base_unit)} above"
        sorted_out["contradicted"].append(replace(row, value=both))


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
        ending = next(
            (spelling for spelling in units.SPELLINGS if spelling.lower() == ending.lower()), ending
        )
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
    for base_unit in {fact.unit for fact in FACTS.values()} - {""}:
        try:
            units.factor(spelling, base_unit)
        except UnitError:
            continue
        return True
    return False


def _matching_facts(plain: str) -> list[str]:
    spelt = plain.replace(" ", "_")
    names = [name for name, words in TEXTS.items() if plain in words or spelt == name]
    return names or [name for name, fact in FACTS.items() if plain in fact.aliases or spelt == name]


def _fact_by_unit(names: list[str], row: Row, unit: str) -> str:
    """Choose between facts of one name by the unit: a "size" may be of a sensor or of a file."""
    read = read_number(row.value)
    spelling = (read.unit if read else "") or unit
    for name in names:
        try:
            units.factor(spelling, FACTS[name].unit)
        except UnitError:
            continue
        return name
    return names[0]


def _rows_of_json(content: Any) -> Iterator[Row]:
    if isinstance(content, dict):
        content = list(_flatten(content))
    if not isinstance(content, list):
        return
    for number, item in enumerate(content, 1):
        if isinstance(item, dict) and isinstance(item.get("name"), str):
            value = item.get("value")
            text = (
                ",".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
            )
            yield Row(item["name"], text, str(item.get("unit") or item.get("units") or ""), f"item {number}")


def _flatten(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield name, value and unit of an object and of those within it."""
    for name, value in content.items():
        if not isinstance(value, dict):
            yield {"name": name, "value": value}
        elif "value" in value:
            yield {**value, "name": name}
        else:
            yield from _flatten(value)


def decoded(content: bytes) -> str:
    """Decode text that may come from a spreadsheet.

    Parameters
    ----------
    content : bytes
        UTF-16 with its mark, UTF-8, or Windows' Western letters.

    Returns
    -------
    str
        The text.
    """
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252")


def cells_of(text: str) -> list[list[str]]:
    """Cut CSV into cells.

    Parameters
    ----------
    text : str
        With tabs, semicolons or commas between cells, whichever all lines have most of.

    Returns
    -------
    list of list of str
        Lines of cells, without spaces around them.
    """
    sample = text[:4096]
    delimiter = max(
        "\t;,",
        key=lambda sign: min((line.count(sign) for line in sample.splitlines() if line.strip()), default=0),
    )
    read = csv.reader(io.StringIO(text, newline=None), delimiter=delimiter)
    return [[cell.strip() for cell in line] for line in islice(read, _MOST_ROWS + 2)]


def _rows_of_csv(lines: list[list[str]]) -> Iterator[Row]:
    columns = {"name": 0, "value": 1, "unit": 2}
    if lines:
        head = [cell.lower() for cell in lines[0]]
        column_of_key = {
            key: next((head.index(word) for word in words if word in head), -1)
            for key, words in _HEADERS.items()
        }
        if column_of_key["name"] >= 0 and column_of_key["value"] >= 0:
            columns = column_of_key
            lines = [[], *lines[1:]]
    first = [line[0] for line in lines if line and line[0] and line[0][:1] != "#"]
    of_numbers = 2 * sum(read_number(cell) is not None for cell in first) >= max(2, len(first))
    for number, line in enumerate(lines, 1):
        match = _PREAMBLE.match(",".join(line)) if line and line[0][:1] == "#" else None
        if match is not None and match[1].lower() != "rows" and _names_a_fact(match[1]):
            yield Row(match[1], match[2], "", f"line {number}")  # as `tomarium convert` begins its tables
        cells = {key: line[i] if 0 <= i < len(line) else "" for key, i in columns.items()}
        # Where numbers stand in the place of names, it is a spectrum or the like.
        if cells["name"] and cells["name"][:1] != "#" and not of_numbers:
            yield Row(cells["name"], cells["value"], cells["unit"], f"line {number}")


def _scans(content: Any) -> list[tuple[str, str, list[Row]]]:
    """Return place, name and rows of each scan, where a table has one a line, column or object; else nothing."""
    if isinstance(content, dict):
        entries = {
            name: entry for name, entry in content.items() if isinstance(entry, dict) and "value" not in entry
        }
        shared = Counter(name for entry in entries.values() for name in entry if _names_a_fact(name))
        if len(entries) < 2 or max(shared.values(), default=0) < 2:
            return []
        return [(name, "", list(_rows_of_json(entry))) for name, entry in entries.items()]
    if not isinstance(content, list) or not content:
        return []
    if isinstance(content[0], dict):
        objects = [(i, entry) for i, entry in enumerate(content, 1) if isinstance(entry, dict)]
        if {"name", "value"} <= content[0].keys() or sum(
            sum(map(_names_a_fact, entry)) > 1 for _, entry in objects
        ) < 2:
            return []
        return [(f"item {i}", _label(entry), list(_rows_of_json(entry))) for i, entry in objects]
    if not isinstance(content[0], list):
        return []
    lines = [(n, line) for n, line in enumerate(content, 1) if any(line) and line[0][:1] != "#"]
    if len(lines) < 2 or any(cell.lower() in _HEADERS["value"] for cell in lines[0][1]):
        return []
    return _scans_in_lines(lines) or _scans_in_columns(lines)


def _scans_in_lines(lines: list[tuple[int, list[str]]]) -> list[tuple[str, str, list[Row]]]:
    (_, head), body = lines[0], lines[1:]
    columns = [i for i, cell in enumerate(head) if _names_a_fact(cell)]
    if len(columns) < 2 or sum(_names_a_fact(line[0]) for _, line in body) >= len(columns):
        return []
    units_of_columns = [""] * len(head)
    below = [body[0][1][i] for i in columns if i < len(body[0][1])]
    if any(below) and all(not cell or _is_unit(cell) for cell in below):
        units_of_columns[: len(body[0][1])] = body[0][1][: len(head)]
        body = body[1:]
    name_column = next((i for i in range(len(head)) if i not in columns), len(head))
    return [
        (
            f"line {n}",
            line[name_column] if name_column < len(line) else "",
            [Row(head[i], line[i], units_of_columns[i], f"line {n}") for i in columns if i < len(line)],
        )
        for n, line in body
    ]


def _scans_in_columns(lines: list[tuple[int, list[str]]]) -> list[tuple[str, str, list[Row]]]:
    (_, head), body = lines[0], lines[1:]
    rows = [(n, line) for n, line in body if _names_a_fact(line[0])]
    if len(rows) < 2 or _names_a_fact(head[0]):
        return []
    columns = {i: [line[i] for _, line in rows if i < len(line)] for i in range(1, len(head))}
    numbers = [
        i
        for i, cells in columns.items()
        if 2 * sum(read_number(cell) is not None for cell in cells) > len(rows)
    ]
    unit = next((i for i in columns if head[i].lower() in _HEADERS["unit"]), len(lines))
    if len(numbers) < 2 or any(read_number(head[i]) is not None for i in numbers):
        return []
    return [
        (
            f"column {i + 1}",
            head[i],
            [
                Row(line[0], line[i], line[unit] if unit < len(line) else "", f"line {n}")
                for n, line in rows
                if i < len(line)
            ],
        )
        for i in numbers
    ]


def _names_a_fact(text: object) -> bool:
    if not isinstance(text, str) or not 0 < len(text) <= _LONGEST_NAME:
        return False
    return bool(_matching_facts(_plain(Row(text, "", "", ""))[0]))


def _label(entry: dict[str, Any]) -> str:
    return next(
        (text for name, text in entry.items() if isinstance(text, str) and not _names_a_fact(name)), ""
    )
