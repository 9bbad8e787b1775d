"""A spreadsheet of metadata for many records: what is empty is filled, what agrees is left, what differs is listed."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from tomarium import units
from tomarium.catalogue import queries
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.edit import FIELDS, Changes, edit
from tomarium.catalogue.filing import own_description
from tomarium.catalogue.quantity import KNOWN, parameter_of
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.withheld_values import is_withheld, withheld_of
from tomarium.catalogue.workbook import ENDINGS, workbook_lines
from tomarium.doctor.core.table import cells_of, decoded
from tomarium.errors import FormatError, InputError
from tomarium.model import Record, Value, parameter
from tomarium.model.person import read_person
from tomarium.model.plain_card import FIELDS as CARD
from tomarium.model.plain_card import read_field
from tomarium.model.publication import read_funding, read_related
from tomarium.standards.licences import read_licence
from tomarium.standards.panet import id_of

LARGEST_BYTES: Final = 64 << 20
NAMES: Final = ("record", "id", "identifier")
"""Headers of the column that names the record."""
OTHER_SHEETS: Final = (".xls", ".xlsb", ".ods", ".numbers")
LISTS: Final[dict[str, Callable[[str], Any]]] = {
    "creators": read_person,
    "keywords": str,
    "techniques": id_of,
}
ALIASES: Final = {
    "license": "licence",
    "creator": "creators",
    "authors": "creators",
    "author": "creators",
    "keyword": "keywords",
    "technique": "techniques",
    "abstract": "description",
    "sample id": "specimen",
    "funders": "funding",
    "funder": "funding",
    "related to": "related",
}
PLAIN: Final = frozenset(f"plain_{name}" for name in CARD)
"""Columns of the card in plain words."""
_WHOLE: Final = re.compile(r"[+-]?(0|[1-9][0-9]*)")
_NUMBER: Final = re.compile(r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_UNIT: Final = re.compile(r"(.+?)\s*[\[(]([^\])]+)[\])]\s*")


@dataclass(frozen=True)
class Cell:
    """What a spreadsheet says of a field of a record, and what the record says.

    Attributes
    ----------
    place : str
        "metadata.csv, line 3, column licence".
    record : str
        Identifier of the record.
    field : str
        Field or parameter.
    before, wanted : object
        What the record says (None: nothing), and the spreadsheet.
    text : str
        The latter as it is written there.
    """

    place: str
    record: str
    field: str
    before: Any
    wanted: Any
    text: str = ""

    @property
    def conflicts(self) -> bool:
        """Whether the record says something else."""
        added = self.field == "keywords" and set(self.before) <= set(self.wanted)
        return bool(self.before) and self.before != self.wanted and not added


@dataclass(frozen=True)
class Merged:
    """What became of a spreadsheet.

    Attributes
    ----------
    changed : tuple of Cell
        Fields that were set.
    conflicts : tuple of Cell
        Fields of which the record says something else; they were left, or set where that was wanted.
    problems : tuple of str
        Cells and lines that could not be used, each with its reason.
    new : tuple of str
        Columns that are no field and no parameter that is known, and became parameters; each with its key.
    private : tuple of str
        Keys of parameters that may tell of a person, and are withheld unless they were declared public.
    """

    changed: tuple[Cell, ...]
    conflicts: tuple[Cell, ...]
    problems: tuple[str, ...]
    new: tuple[str, ...] = ()
    private: tuple[str, ...] = ()


def merge_table(
    catalogue: Catalogue, reader: Reader, path: Path, *, overwrite: bool = False, dry_run: bool = False
) -> Merged:
    """Merge a spreadsheet of metadata into records.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who changes the records.
    path : Path
        CSV, TSV or an Excel workbook (.xlsx) with a header: `record` names the record, then fields (title,
        description, creators, licence, keywords, techniques, specimen, acknowledgement, funding, related; lists with
        ";" between) and parameters, with the unit in the name: "energy_kev", "Pixel size (um)". Columns plain_title,
        plain_what, plain_why and plain_look_for are its card in plain words.
    overwrite : bool
        Whether what differs is set to what the spreadsheet says; keywords are added otherwise.
    dry_run : bool
        Whether nothing is changed.

    Returns
    -------
    Merged
        What was done, record by record; a line that cannot be used keeps no other from being used.

    Raises
    ------
    FormatError
        It is no such table.
    """
    changed: list[Cell] = []
    conflicts: list[Cell] = []
    problems: list[str] = []
    new: dict[str, str] = {}
    private: dict[str, None] = {}
    for line, id, row in _rows(path):
        try:
            record, kept = _record(catalogue, reader, id)
        except InputError as problem:
            problems.append(f"{path.name}, line {line}: {problem}")
            continue
        told = {**kept, **record.parameters}
        cells = []
        for header, text in row.items():
            try:
                cell = _cell(
                    f"{path.name}, line {line}, column {header}", record, told, header, text, overwrite
                )
            except InputError as problem:
                problems.append(f"{path.name}, line {line}, column {header}: {problem}")
                continue
            cells.append(cell)
            if cell.field not in {*FIELDS, *PLAIN, *parameter.PARAMETERS, *told}:
                new[header] = cell.field
        cells = [cell for cell in cells if cell.before != cell.wanted]
        differing = [cell for cell in cells if cell.conflicts]
        accepted = cells if overwrite else [cell for cell in cells if not cell.conflicts]
        if accepted and not dry_run:
            try:
                edit(catalogue, reader, record.id, _changes(accepted))
            except InputError as problem:
                problems.append(f"{path.name}, line {line}: {problem}")
                continue
        changed += accepted
        conflicts += differing
        private |= {cell.field: None for cell in accepted if is_withheld(cell.field, record, kept)}
    return Merged(
        tuple(changed),
        tuple(conflicts),
        tuple(problems),
        tuple(_name_new(header, key) for header, key in new.items()),
        tuple(private),
    )


def _name_new(header: str, key: str) -> str:
    near = difflib.get_close_matches(header.lower(), [*FIELDS, *ALIASES, *PLAIN], 1, 0.8)
    return f"column {header[:60]!r} names nothing that is known, and becomes the parameter {key}" + (
        f"; {near[0]} was meant?" if near else ""
    )


def _rows(path: Path) -> Iterator[tuple[int, str, dict[str, str]]]:
    if path.stat().st_size > LARGEST_BYTES:
        raise FormatError(
            f"{path}: is larger than {units.show(LARGEST_BYTES, 'B')}; a table of metadata was expected"
        )
    if path.suffix.lower() in ENDINGS:
        lines = workbook_lines(path, NAMES)
    elif path.suffix.lower() in OTHER_SHEETS:
        raise FormatError(f"{path}: {path.suffix} is not read; save it as .xlsx or CSV in its program")
    else:
        lines = cells_of(decoded(path.read_bytes()))
    header = next((line for line in lines if any(line)), [])
    named = [cell.lower() for cell in header]
    column = next((named.index(name) for name in NAMES if name in named), None)
    if column is None or len(header) < 2:
        raise FormatError(
            f"{path}: its first line names {', '.join(header[:5]) or 'nothing'}; a column `record` and at least one "
            f"field were expected, such as: record,title,licence,energy_kev"
        )
    double = sorted({name for name in named if name and named.count(name) > 1})
    if double:
        raise FormatError(f"{path}: has two columns {double[0]!r}; leave one")
    for number, line in enumerate(lines[lines.index(header) + 1 :], lines.index(header) + 2):
        cells = {name: text for name, text in zip(header, line, strict=False) if name and text}
        if not any(line) or line[0].startswith("#"):
            continue
        id = line[column] if column < len(line) else ""
        cells.pop(header[column], None)
        yield number, id, cells


def _record(catalogue: Catalogue, reader: Reader, id: str) -> tuple[Record, Mapping[str, Value[Any]]]:
    """Read a record, and what is withheld of it from those who may not change it."""
    with catalogue.reading() as connection:
        place = queries.place_of(connection, reader, id)
        kept = withheld_of(connection, id) if place and place.mine else {}
        near = [] if place else difflib.get_close_matches(id, queries.all_folders(connection), 1)
    if place is None:
        raise InputError(f"there is no record {id[:80]!r}{f'; {near[0]} was meant?' if near else ''}")
    return read_record(place.folder), kept


def _cell(
    place: str, record: Record, told: Mapping[str, Value[Any]], header: str, text: str, overwrite: bool
) -> Cell:
    plain = " ".join(header.lower().replace("_", " ").split())
    name = ALIASES.get(plain, plain)
    if name in FIELDS:
        cell_value: Any = text
        if name in LISTS:
            cell_value = tuple(LISTS[name](word.strip()) for word in text.split(";") if word.strip())
        elif name == "licence":
            cell_value = read_licence(text)
        elif name == "funding":
            cell_value = tuple(read_funding(word) for word in text.split(";") if word.strip())
        elif name == "related":
            cell_value = tuple(read_related(word) for word in text.split(";") if word.strip())
        before = getattr(record, name)
        if name == "description" and record.parts and before == own_description(record):
            before = ""  # which nobody wrote
        if name == "keywords" and not overwrite:
            cell_value = tuple(dict.fromkeys((*before, *cell_value)))
        return Cell(place, record.id, name, before, cell_value)
    if (field := plain.removeprefix("plain ").replace(" ", "_")) in CARD and plain.startswith("plain "):
        return Cell(place, record.id, f"plain_{field}", getattr(record.card, field), read_field(field, text))
    key, number = parameter_of_cell(header, text)
    value = told.get(key)
    return Cell(place, record.id, key, value.value if value else None, number, text)


def parameter_of_cell(header: str, text: str) -> tuple[str, Any]:
    """Read a parameter as people name it.

    Parameters
    ----------
    header : str
        Its key or its name, with or without a unit: "energy_kev", "Pixel size (um)".
    text : str
        Its value, with or without the unit.

    Returns
    -------
    key : str
        With the unit that the value has now.
    value : str or number
        In that unit.

    Raises
    ------
    InputError
        The name has no letters, or the value is none of the unit.
    """
    match = _UNIT.fullmatch(header)
    words, unit = (match[1], match[2].strip()) if match else (header, "")
    key = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
    by_label = {parameter.label(text).lower(): text for text in parameter.PARAMETERS}
    key = by_label.get(words.strip().lower()) or KNOWN.get(key.replace("_", ""), key)
    if not key or not key[0].isalpha():
        raise InputError(f"the header {header[:60]!r} names no field; write letters, such as energy_kev")
    own = parameter.unit(key)
    if unit and not own:
        key, value = parameter_of(words, _number(text), unit, "")
        return key, value.value
    if own and own != "px":
        try:
            return key, units.parse(text, own)
        except InputError:
            number = _number(text)
            if isinstance(number, str):
                raise
            return key, units.convert(float(number), unit or own, own)
    return key, _number(text)


def _number(text: str) -> Any:
    """Read a number as people write it; what begins with 0 as a name does (0123), and "nan", stays text."""
    if not _NUMBER.fullmatch(text):
        return text
    number = float(text)
    return int(text) if _WHOLE.fullmatch(text) else number if math.isfinite(number) else text


def _changes(cells: list[Cell]) -> Changes:
    card = {cell.field.removeprefix("plain_"): str(cell.wanted) for cell in cells if cell.field in PLAIN}
    names = {field.name for field in fields(Changes)} & set(FIELDS)
    changes = Changes(
        parameters={
            cell.field: Value(cell.wanted, "user", f"{cell.place}: {cell.text[:200]}")
            for cell in cells
            if cell.field not in {*names, *PLAIN}
        },
        card=card,
    )
    named: Mapping[str, Any] = {cell.field: cell.wanted for cell in cells if cell.field in names}
    return replace(changes, **named)
