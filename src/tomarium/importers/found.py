"""What a source found: entities and records as drafts, and what it did not understand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tomarium.model import Funding, Image, Person, Related, Scan, Value


@dataclass(frozen=True)
class DraftEntity:
    """A specimen, proposal, instrument, collection or document of a source.

    Attributes
    ----------
    kind : str
        A key of `model.entity.KINDS`.
    key : str
        Its identifier in the source.
    name : str
        One line for people.
    facts : Mapping of str to str
        Key of a fact → text, as people type it.
    members : tuple of (str, str)
        Of a collection or a document: kind ("record" or an entity's) and key of what it names.
    id : str
        The identifier it should have here; "" for one made from its name. An entity of the user that has it
        already is taken for the same.
    """

    kind: str
    key: str
    name: str
    facts: Mapping[str, str] = field(default_factory=dict)
    members: tuple[tuple[str, str], ...] = ()
    id: str = ""


@dataclass(frozen=True)
class DraftFile:
    """A file that a source tells of.

    Attributes
    ----------
    name : str
        Path in the record.
    locations : tuple of str
        Where it may lie, as the source tells it; the first that is there is taken.
    bytes : int or None
        Size that the source tells.
    checksum : str
        CRC-32, MD5, SHA-1 or SHA-256, hexadecimal; "" where none is told.
    """

    name: str
    locations: tuple[str, ...]
    bytes: int | None = None
    checksum: str = ""


@dataclass(frozen=True)
class DraftRecord:
    """A dataset of a source.

    Attributes
    ----------
    key : str
        Its identifier in the source.
    title, description, created, creators, keywords, licence, techniques, related, funding
        As in `model.Record`.
    parameters : Mapping of str to Value
        As in `model.Record`; private ones among them are withheld when they are filed.
    specimen, proposal, instrument : str
        Key of an entity of the same source; "" for none.
    derived_from : tuple of str
        Keys of records of the same source.
    files : tuple of DraftFile
        What the source tells of its files.
    data : Path or None
        File or folder of this machine that is the record's data, of a source that looked for itself.
    opened : Scan, Image or None
        What `data` holds.
    beside : tuple of (str, Path)
        Path in the record and place of files that the data refer to.
    documents : tuple of (str, Path)
        Path in the record and place of documents beside the data.
    original : JSON values
        All that the source tells of it, in its own words.
    private_names, containers : frozenset of str
        Names in `original` that are private though their words do not say so; names of blocks that are not private as
        a whole though their words say so.
    is_open : bool
        Whether the source says that everybody may see it.
    opens : datetime or None
        When the source opens its files.
    team : str
        Group of people who may change it in the source.
    """

    key: str
    title: str
    created: datetime | None = None
    description: str = ""
    creators: tuple[Person, ...] = ()
    keywords: tuple[str, ...] = ()
    licence: str = ""
    techniques: tuple[str, ...] = ()
    related: tuple[Related, ...] = ()
    funding: tuple[Funding, ...] = ()
    parameters: Mapping[str, Value[Any]] = field(default_factory=dict)
    specimen: str = ""
    proposal: str = ""
    instrument: str = ""
    derived_from: tuple[str, ...] = ()
    files: tuple[DraftFile, ...] = ()
    data: Path | None = None
    opened: Scan | Image | None = None
    beside: tuple[tuple[str, Path], ...] = ()
    documents: tuple[tuple[str, Path], ...] = ()
    original: Any = None
    private_names: frozenset[str] = frozenset()
    containers: frozenset[str] = frozenset()
    is_open: bool = False
    opens: datetime | None = None
    team: str = ""


@dataclass
class Notes:
    """What a source did not understand; filled while it reads.

    Attributes
    ----------
    unknown : Counter of str
        Field, "Dataset.colour" → how often it was told; kept in the record's original metadata.
    left_out : dict of str to str
        What is none of this catalogue's, "159 rules" → why.
    problems : list of str
        What is wrong, each with where it stands.
    """

    unknown: Counter[str] = field(default_factory=Counter)
    left_out: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Found:
    """What a source found.

    Attributes
    ----------
    entities : tuple of DraftEntity
        What is named before.
    records : tuple of DraftRecord
        What others are derived from before these.
    notes : Notes
        What was not understood.
    """

    entities: tuple[DraftEntity, ...] = ()
    records: tuple[DraftRecord, ...] = ()
    notes: Notes = field(default_factory=Notes)


@dataclass(frozen=True)
class Source:
    """An importer.

    Attributes
    ----------
    name : str
        The word that users write.
    summary : str
        One line of what it reads.
    read : callable
        `read(path) -> Found`; raises `InputError` or `FormatError` for what is none of it.
    """

    name: str
    summary: str
    read: Callable[[Path], Found]


def sources_first(records: list[DraftRecord]) -> tuple[DraftRecord, ...]:
    """Put what others were derived from before them; of a circle the order of the file stays."""
    by_key = {record.key: record for record in records}
    ordered: dict[str, DraftRecord] = {}
    for record in records:
        path, stack = set[str](), [record.key]
        while stack:
            key = stack[-1]
            waiting = [
                text
                for text in by_key[key].derived_from
                if text in by_key and text not in ordered and text not in path
            ]
            path.add(key)
            if waiting:
                stack.append(waiting[0])
                continue
            ordered.setdefault(stack.pop(), by_key[key])
    return tuple(ordered.values())
