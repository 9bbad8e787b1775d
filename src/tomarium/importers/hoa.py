"""The Human Organ Atlas: JSON of its datasets, by the names of the portal's pages or of the Atlas's public schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tomarium import units
from tomarium.catalogue.filing import id_words
from tomarium.catalogue.quantity import parameter_of
from tomarium.errors import FormatError, InputError, ParameterError
from tomarium.importers.found import DraftEntity, DraftRecord, Found, Notes, Source
from tomarium.importers.hoa_fields import BLOCKS, PLACES, SCHEMA_UNITS, squeezed
from tomarium.importers.people import person_of
from tomarium.importers.read_text import objects_in, read_json
from tomarium.model import Funding, Person, Related, Value
from tomarium.model.parameter import unit as unit_of
from tomarium.model.person import write_person
from tomarium.model.publication import read_funding
from tomarium.standards import identifiers
from tomarium.standards.licences import read_licence

_PANET: Final = "PaNET01152"
"""Propagation phase contrast tomography: PaNET has no term of its own for HiP-CT; this is the next broader one."""
PRIVATE: Final = frozenset(
    {"Info", "info", "diabetes", "hypertension", "smoker", "cause_of_death", "date_of_death"}
)
"""Names of fields that tell of a donor's health though their words do not say so."""
CONTAINERS: Final = frozenset({"Patient", "patient", "Donor", "donor"})
"""Names of blocks, of whose fields not all are private."""
_KEYS: Final = {
    "ring_current": "ring_current_ma",
    "exposure": "exposure_s",
    "pixel": "pixel_m",
    "distance": "distance_m",
    "source_distance": "source_distance_m",
    "energy": "energy_kev",
    "voxel": "voxel_m",
}
_EMPTY: Final[tuple[Any, ...]] = ("", None, "Click to edit", "click to edit", [], {})


def read(path: Path) -> Found:
    """Read JSON of the Human Organ Atlas.

    Parameters
    ----------
    path : Path
        A file with one dataset, a list of them, or an object of them by their names; or a folder of such files.

    Returns
    -------
    Found
        Datasets as records; donor and organ as a specimen, whose private facts are its owner's alone; proposals and
        instruments.
    """
    notes = Notes()
    files = sorted(file for file in path.glob("*.json") if file.is_file()) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path}: holds no JSON; give that of a dataset, or a folder of them")
    records: list[DraftRecord] = []
    entities: dict[tuple[str, str], DraftEntity] = {}
    for file in files:
        for number, (name, content) in enumerate(_datasets(read_json(file), file.stem), 1):
            record, of_it = _read(content, name, f"{file.name}: dataset {number}", notes)
            records.append(record)
            entities |= {(draft_entity.kind, draft_entity.key): draft_entity for draft_entity in of_it}
    if not records:
        raise FormatError(
            f"{path}: holds no dataset of the Human Organ Atlas, with fields such as organ or pixel size"
        )
    return Found(tuple(entities.values()), tuple(records), notes)


def _datasets(content: Any, stem: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Find the datasets in a JSON value: one, a list, or an object of them by their names."""
    for number, dataset in enumerate(objects_in(content), 1):
        if any(squeezed(name) in PLACES or squeezed(name) in BLOCKS for name in dataset):
            yield stem if number == 1 else f"{stem}-{number}", dataset
        else:
            yield from ((name, value) for name, value in dataset.items() if isinstance(value, dict))


@dataclass
class _Dataset:
    """Fields of one dataset, sorted by the entity or record that they belong to."""

    record: dict[str, Any] = field(default_factory=dict)
    specimen: dict[str, list[str]] = field(default_factory=dict)
    proposal: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Value[Any]] = field(default_factory=dict)


def _read(
    content: dict[str, Any], name: str, where: str, notes: Notes
) -> tuple[DraftRecord, list[DraftEntity]]:
    dataset = _Dataset()
    by_schema = isinstance(content.get("scan"), Mapping) and isinstance(content.get("donor"), Mapping)
    for block, field_name, value in _fields(content):
        _put_field(dataset, block, field_name, value, where, by_schema, notes)
    key = str(dataset.record.get("name") or dataset.record.get("doi") or name)
    entities = [
        draft_entity
        for draft_entity in (_specimen(dataset), _proposal(dataset, notes), _instrument(dataset))
        if draft_entity
    ]
    keys = {entity.kind: entity.key for entity in entities}
    related = _related(dataset, notes)
    people = _people(dataset, notes)
    if "grey_minimum" in dataset.parameters:
        notes.problems.append(
            f"{key}: the grey values from which 16 bits were made are told without a unit; they are kept without one"
        )
    return (
        DraftRecord(
            key=key,
            title=str(dataset.record.get("title") or key),
            created=_day(dataset.record.get("created")),
            description=str(dataset.record.get("description") or ""),
            creators=people,
            keywords=tuple(
                dict.fromkeys(["Human Organ Atlas", *map(str, dataset.record.get("keywords", []))])
            ),
            licence=_licence(dataset, notes),
            techniques=_techniques(dataset, notes),
            related=related,
            funding=_funding(dataset, notes),
            parameters=dataset.parameters,
            specimen=keys.get("specimen", ""),
            proposal=keys.get("proposal", ""),
            instrument=keys.get("instrument", ""),
            original=content,
            private_names=PRIVATE,
            containers=CONTAINERS,
            is_open=any(relation.relation == "IsIdenticalTo" for relation in related),
        ),
        entities,
    )


def _fields(content: Mapping[str, Any], block: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yield block, name and value of all fields; those of a block of the portal stand under its name."""
    for name, value in content.items():
        if isinstance(value, Mapping) and value.keys() <= {"value", "unit", "units"} and "value" in value:
            unit = value.get("unit") or value.get("units")
            yield block, f"{name} ({unit})" if unit else name, value["value"]
        elif isinstance(value, Mapping):
            yield from _fields(value, squeezed(name))
        elif isinstance(value, list) and value and all(isinstance(entry, Mapping) for entry in value):
            names = [str(entry.get("name", "")) for entry in value]
            yield block, name, names
        else:
            yield block, name, value


def _put_field(
    dataset: _Dataset, block: str, name: str, value: Any, where: str, by_schema: bool, notes: Notes
) -> None:
    """Put a field where it belongs; what has no place is noted and stays in the original metadata."""
    plain = squeezed(name)
    prefixed = f"{BLOCKS.get(block, '')}{plain}"
    if block == "donor" and plain == "id":
        prefixed = "donorid"
    place = PLACES.get(prefixed) or PLACES.get(plain)
    if block == "proposal" and plain == "title":
        place = PLACES["proposaltitle"]
    if block == "sensor" and plain in ("name", "mode", "size"):
        place = PLACES[f"sensor{plain}"]
    if block == "registration":
        place = None
    if place is None:
        notes.unknown[f"{block}.{name}" if block else name] += 1
        return
    if value in _EMPTY or place.to == "ignored":
        return
    inside = re.search(r"\(([^)]*)\)", name)
    unit = place.unit
    if by_schema:
        unit = SCHEMA_UNITS.get(plain, unit)
    elif unit and inside and inside[1].strip() not in ("None", "avg", "x,y,z", "xy", "years"):
        unit = inside[1].strip()
    if place.to == "record":
        if place.key == "keywords":
            dataset.record.setdefault("keywords", []).append(value)
        else:
            dataset.record.setdefault(place.key, value)
    elif place.to == "proposal":
        dataset.proposal[place.key] = value
    elif place.to == "specimen":
        text = f"{value} {unit}".strip() if unit else _words(value)
        labelled = place.key in ("medical_history", "preparation") and plain not in (
            "info",
            "preparation",
            "medicalhistory",
        )
        dataset.specimen.setdefault(place.key, []).append(f"{name}: {text}" if labelled else text)
    else:
        key, parameter = _parameter(place.key, name, value, unit, where)
        dataset.parameters.setdefault(key, parameter)


def _parameter(key: str, name: str, value: Any, unit: str, where: str) -> tuple[str, Value[Any]]:
    """Make a parameter; one whose text is no number with this unit stays that text."""
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    if isinstance(value, str):
        value = _as_number(value)
    source = f"{where}: {name} = {value}{f' {unit}' if unit else ''}"
    if (our_key := _KEYS.get(key)) and isinstance(value, float | int):
        return our_key, Value(units.convert(float(value), unit, unit_of(our_key)), "read", source)
    own, parameter = parameter_of(key, value, unit, where)
    return own, Value(parameter.value, "read", source)


def _as_number(text: str) -> Any:
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() and "." not in text and "e" not in text.lower() else number


def _specimen(dataset: _Dataset) -> DraftEntity | None:
    texts_by_key = dict(dataset.specimen)
    donor = next(iter(texts_by_key.pop("donor_identifier", [])), "")
    organ = next(iter(texts_by_key.get("organ", [])), "")
    if not (donor or organ):
        return None
    name = " ".join(filter(None, (donor, organ)))
    facts = {key: "\n".join(dict.fromkeys(texts)) for key, texts in texts_by_key.items()}
    return DraftEntity("specimen", name, name, facts | ({"donor": donor} if donor else {}))


def _proposal(dataset: _Dataset, notes: Notes) -> DraftEntity | None:
    number = str(dataset.proposal.get("number") or "")
    if not number:
        return None
    people = [person_of(name, "", "", "", notes) for name in _names(dataset.proposal.get("team"))]
    facts = {"number": number, "team": "\n".join(write_person(person) for person in people if person)}
    return DraftEntity(
        "proposal", number, str(dataset.proposal.get("title") or number), facts, id=id_words(number)
    )


def _instrument(dataset: _Dataset) -> DraftEntity | None:
    name = str(dataset.record.get("instrument") or "")
    return DraftEntity("instrument", name, name, {"facility": "ESRF"}) if name else None


def _people(dataset: _Dataset, notes: Notes) -> tuple[Person, ...]:
    names = _names(dataset.record.get("creators")) or _names(dataset.record.get("contributors"))
    return tuple(dict.fromkeys(person for text in names if (person := person_of(text, "", "", "", notes))))


def _names(value: Any) -> list[str]:
    texts = value if isinstance(value, list) else re.split(r"[,;]", str(value or ""))
    return [str(text).strip() for text in texts if str(text).strip()]


def _techniques(dataset: _Dataset, notes: Notes) -> tuple[str, ...]:
    technique = str(dataset.record.get("technique") or "")
    if "phase-contrast tomography" in technique.lower() or "hip-ct" in technique.lower():
        return (_PANET,)
    if technique:
        notes.unknown[f"technique {technique!r}"] += 1
    return ()


def _related(dataset: _Dataset, notes: Notes) -> tuple[Related, ...]:
    related = []
    if doi := str(dataset.record.get("doi") or ""):
        identifier, kind = identifiers.classify(doi)
        if kind == "DOI":
            related.append(Related("IsIdenticalTo", identifier))
        else:
            notes.unknown[f"{doi}, no DOI"] += 1
    return tuple(related)


def _licence(dataset: _Dataset, notes: Notes) -> str:
    licence = str(dataset.record.get("licence") or "")
    try:
        return read_licence(licence) if licence else ""
    except ParameterError:
        notes.unknown[f"licence {licence[:60]!r}"] += 1
        return ""


def _funding(dataset: _Dataset, notes: Notes) -> tuple[Funding, ...]:
    funding = []
    for text in _names(dataset.record.get("funding")):
        try:
            funding.append(read_funding(text))
        except ParameterError as problem:
            notes.problems.append(str(problem))
    return tuple(funding)


def _day(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value)) if value else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


HOA = Source("hoa", "JSON of the Human Organ Atlas: one dataset, a list, or a folder of them", read)
