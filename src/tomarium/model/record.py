"""A record: what the catalogue, the page and the archive know of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import Any, Final

from tomarium.model.account import in_lines, rows_of_record
from tomarium.model.entity import Entity
from tomarium.model.link import Link
from tomarium.model.part import Part
from tomarium.model.person import Person
from tomarium.model.plain_card import PlainCard
from tomarium.model.publication import Funding, Publication, Related
from tomarium.model.value import Value

_MADE_BY: Final = {
    "fused": "fusion with maps",
    "segmentation": "segmentation",
    "aligned_slices": "alignment of slices",
    "stitched": "stitching of volumes",
    "rescued": "calibration of a figure",
}
"""What provenance names what, and what it was."""


@dataclass(frozen=True)
class FileEntry:
    r"""One file of a record, or a folder that is one thing, such as an OME-Zarr volume.

    Attributes
    ----------
    path : str
        Path below the record's folder, with "/" as separator; a folder's path ends in "/".
    bytes : int
        Size; of a folder, the sum of its files.
    sha256 : str
        Checksum of the content, lower-case hexadecimal. Of a folder: of its lines in `manifest-sha256.txt`
        ("<checksum>  <path>\n" for each of its files, sorted by path, UTF-8).
    media_type : str
        IANA media type.
    role : str
        "volume", "preview", "protocol", "provenance", "manifest", "file table", "patches", "log", "data"
        or "other".
    """

    path: str
    bytes: int
    sha256: str
    media_type: str = "application/octet-stream"
    role: str = "other"


@dataclass(frozen=True, repr=False)
class Record:
    """What is known of one dataset.

    Attributes
    ----------
    id : str
        Stable identifier, lower-case letters, digits and hyphens; also the name in its address.
    title : str
        One line for people.
    created : datetime
        When it was made, with its time zone.
    description : str
        A paragraph for people.
    creators : tuple of Person
        Who made it, in the order of the citation.
    keywords : tuple of str
        Words to be found by.
    licence : str
        SPDX identifier, or "" where none was stated.
    parameters : Mapping of str to Value
        Named values, the unit in the name: `pixel_m`, `energy_kev`, `sample_name` …
    parts : tuple of Part
        What people look at, the main one first.
    provenance : Mapping
        What was done, as the run wrote it: plan, protocol, versions, timings, source.
    files : tuple of FileEntry
        Every file of the folder but `ro-crate-metadata.json` itself; what lies in a folder that is one thing
        is not listed singly.
    publication : Publication or None
        None until it was published.
    related : tuple of Related
        Other records, papers, instruments.
    techniques : tuple of str
        PaNET identifiers, "PaNET01207".
    specimen : str
        The specimen's own identifier, such as a museum's number or an IGSN; "" where none is known.
    funding : tuple of Funding
        Who paid for it.
    acknowledgement : str
        What those who use it are asked to write.
    entities : tuple of Entity
        Specimen, proposal and instrument as the catalogue knew them when the crate was written, and what the specimen
        was made from; public facts only. That whose identifier is `specimen` is its own specimen.
    disclosed : tuple of str
        Keys of parameters that look private, such as `sample_age`, and were declared public.
    links : tuple of Link
        Where its images lie in those of other records or in the frame of a specimen, as far as all who see it may know
        the other.
    card : PlainCard
        What is told of it in plain words.

    Notes
    -----
    Parameters, parts and provenance hold JSON values: text, finite numbers, truth values, None, lists and
    mappings of them.
    """

    id: str
    title: str
    created: datetime
    description: str = ""
    creators: tuple[Person, ...] = ()
    keywords: tuple[str, ...] = ()
    licence: str = ""
    parameters: Mapping[str, Value[Any]] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[FileEntry, ...] = ()
    publication: Publication | None = None
    related: tuple[Related, ...] = ()
    techniques: tuple[str, ...] = ()
    specimen: str = ""
    funding: tuple[Funding, ...] = ()
    acknowledgement: str = ""
    entities: tuple[Entity, ...] = ()
    disclosed: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    card: PlainCard = field(default_factory=PlainCard)

    def __repr__(self) -> str:
        return in_lines(f"Record {self.id}", rows_of_record(self))

    def _repr_html_(self) -> str:
        """Give a notebook a table; what writes it lies above this floor."""
        return str(import_module("tomarium.notebook").record_html(self))

    def entity(self, kind: str) -> Entity | None:
        """Return what the record tells of its own specimen, proposal or instrument."""
        own = (entity for entity in self.entities if entity.kind == kind)
        return next((entity for entity in own if kind != "specimen" or entity.id == self.specimen), None)

    @property
    def volume(self) -> Mapping[str, Any]:
        """What is told in short of the first volume among its parts; empty where there is none."""
        return next((part.summary for part in self.parts if part.kind == "volume"), {})

    @property
    def made_by(self) -> str:
        """What made its volume or image, as its provenance tells: "reconstruction" unless it names something else."""
        return next((words for key, words in _MADE_BY.items() if key in self.provenance), "reconstruction")
