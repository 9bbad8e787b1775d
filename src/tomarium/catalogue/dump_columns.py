"""The columns of the Parquet file of a catalogue: what each is called, what it holds, in which unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np

from tomarium.model import Record
from tomarium.standards.citation import cite, doi_of

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes
    ----------
    name : str
        In the file.
    kind : str
        "text", "whole", "number", "moment", "texts", "wholes", "numbers" or "people".
    told : str
        What it holds, in a sentence.
    take : callable
        `take(record, place) -> value`; None where it is not known.
    unit : str
        Of its numbers; "" for none.
    """

    name: str
    kind: str
    told: str
    take: Callable[[Record, Row], Any]
    unit: str = ""


def _parameter(key: str) -> Callable[[Record, Row], Any]:
    def take(record: Record, _place: Row) -> Any:
        value = record.parameters.get(key)
        sound = (
            value is not None and isinstance(value.value, (int, float)) and not isinstance(value.value, bool)
        )
        return float(value.value) if value is not None and sound else None

    return take


def _text(key: str) -> Callable[[Record, Row], Any]:
    def take(record: Record, _place: Row) -> Any:
        value = record.parameters.get(key)
        return value.value if value is not None and isinstance(value.value, str) else None

    return take


def _volume(key: str) -> Callable[[Record, Row], Any]:
    return lambda record, _place: record.volume.get(key) or None


def _kind(record: Record, _place: Row) -> str | None:
    return record.parts[0].kind if record.parts else None


def _shape(record: Record, _place: Row) -> list[int]:
    return [int(length) for length in record.volume.get("shape") or ()]


def _voxel(record: Record, _place: Row) -> list[float]:
    voxel = record.volume.get("voxel_m")
    if isinstance(voxel, (list, tuple)):
        return [float(length) for length in voxel]
    return [float(voxel)] * 3 if isinstance(voxel, (int, float)) else []


def _published(key: str) -> Callable[[Record, Row], Any]:
    return lambda record, _place: getattr(record.publication, key, None)


def _access(record: Record, place: Row) -> str:
    publication = record.publication
    if publication is None or publication.withdrawn:
        return "withdrawn"
    return "open" if publication.open_from.timestamp() <= place["now"] else "embargoed"


def _entity(kind: str, fact: str = "") -> Callable[[Record, Row], Any]:
    def take(record: Record, _place: Row) -> Any:
        entity = record.entity(kind)
        if entity is None:
            return None
        return str(entity.facts.get(fact, "")) or None if fact else entity.name

    return take


COLUMNS: Final[tuple[Column, ...]] = (
    Column("id", "text", "Identifier of the record in its catalogue", lambda r, _: r.id),
    Column("doi", "text", "DOI of this version", lambda r, _: doi_of(r) or None),
    Column("address", "text", "Address of its page", lambda r, p: p["address"]),
    Column("title", "text", "Title", lambda r, _: r.title),
    Column("description", "text", "Description", lambda r, _: r.description),
    Column("creators", "people", "Who made it, in the order of the citation", lambda r, _: r.creators),
    Column("keywords", "texts", "Words to be found by", lambda r, _: r.keywords),
    Column("licence", "text", "SPDX identifier of the licence", lambda r, _: r.licence or None),
    Column("access", "text", "open, embargoed or withdrawn, when the file was made", _access),
    Column("created", "moment", "When it was made", lambda r, _: r.created),
    Column("published", "moment", "When it was published", _published("published")),
    Column("open_from", "moment", "Since when, or from when, its files are open", _published("open_from")),
    Column("version", "whole", "Version, from 1", _published("version")),
    Column("publisher", "text", "Who publishes it", lambda r, _: getattr(r.publication, "publisher", None) or None),
    Column("kind", "text", "Of its main part: volume, projections, image …", _kind),
    Column("techniques", "texts", "PaNET identifiers, such as PaNET01207", lambda r, _: r.techniques),
    Column("shape", "wholes", "Voxels of its volume (z, y, x); empty where it has none", _shape),
    Column("voxel_m", "numbers", "Edges of a voxel (z, y, x); empty where not known", _voxel, "m"),
    Column("dtype", "text", "Type of a voxel", _volume("dtype")),
    Column("grey_unit", "text", "Unit of the grey values", _volume("unit")),
    Column("pixel_m", "number", "Edge of a detector pixel at the sample", _parameter("pixel_m"), "m"),
    Column("energy_kev", "number", "Photon energy", _parameter("energy_kev"), "keV"),
    Column("distance_m", "number", "From the sample to the detector", _parameter("distance_m"), "m"),
    Column("sample_name", "text", "Name of the sample, as it was measured", _text("sample_name")),
    Column("specimen", "text", "Identifier of the specimen", lambda r, _: r.specimen or None),
    Column("taxon", "text", "Taxon of the specimen", _entity("specimen", "taxon")),
    Column("instrument", "text", "Instrument", _entity("instrument")),
    Column("proposal", "text", "Proposal", _entity("proposal")),
    Column("bytes", "whole", "Size of all files", lambda r, _: sum(file.bytes for file in r.files), "B"),
    Column("citation", "text", "How it is cited", lambda r, p: cite(r, p["address"])),
)  # fmt: skip


def schema() -> Any:
    """Return the schema of the file; units and sentences are metadata of its fields.

    Returns
    -------
    arro3.core.Schema
        A field for each column.
    """
    from arro3.core import Field, Schema

    fields = []
    for column in COLUMNS:
        metadata = {"description": column.told} | ({"unit": column.unit} if column.unit else {})
        fields.append(Field(column.name, _type(column.kind), nullable=True, metadata=metadata))
    return Schema(fields)


def batch(rows: Sequence[tuple[Record, Row]]) -> Any:
    """Make a batch of rows.

    Parameters
    ----------
    rows : sequence of (Record, Mapping)
        Records, and of each its `address`, and `now`, seconds since 1970.

    Returns
    -------
    arro3.core.RecordBatch
        In the order of the records.
    """
    from arro3.core import RecordBatch

    arrays = [
        _array(column.kind, [column.take(record, place) for record, place in rows]) for column in COLUMNS
    ]
    return RecordBatch.from_arrays(arrays, schema=schema())


def _type(kind: str) -> Any:
    from arro3.core import DataType, Field

    plain = {
        "text": DataType.string(),
        "whole": DataType.int64(),
        "number": DataType.float64(),
        "moment": DataType.timestamp("us", tz="UTC"),
    }
    if kind in plain:
        return plain[kind]
    if kind == "people":
        return DataType.list(Field("item", DataType.struct(_person()), nullable=True))
    return DataType.list(Field("item", plain[kind.removesuffix("s")], nullable=True))


def _person() -> list[Any]:
    from arro3.core import DataType, Field

    return [Field(name, DataType.string(), nullable=True) for name in ("name", "orcid", "affiliation", "ror")]


def _array(kind: str, values: Sequence[Any]) -> Any:
    from arro3.core import Array, list_array, struct_array

    if kind == "moment":
        return Array([_microseconds(value) for value in values], type=_type("whole")).cast(_type("moment"))
    if kind in ("text", "whole", "number"):
        return Array(list(values), type=_type(kind))
    ends = np.cumsum([0, *(len(value) for value in values)], dtype=np.int32)
    flat = [item for value in values for item in value]
    if kind == "people":
        columns = [
            Array([getattr(person, field.name) or None for person in flat], type=field.type)
            for field in _person()
        ]
        items = struct_array(columns, fields=_person())
    else:
        items = Array(flat, type=_type(kind.removesuffix("s")))
    return list_array(Array(ends), items, type=_type(kind))


def _microseconds(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    seconds = int(moment.timestamp())
    return seconds * 1_000_000 + moment.microsecond
