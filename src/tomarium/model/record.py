"""A record: what the catalogue, the page and the archive know of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tomarium.model.value import Value


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
        "volume", "preview", "protocol", "provenance", "manifest", "log" or "other".
    """

    path: str
    bytes: int
    sha256: str
    media_type: str = "application/octet-stream"
    role: str = "other"


@dataclass(frozen=True)
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
    creators : tuple of str
        Names.
    keywords : tuple of str
        Words to be found by.
    licence : str
        SPDX identifier, or "" where none was stated.
    parameters : Mapping of str to Value
        Named values, the unit in the name: `pixel_m`, `energy_kev`, `sample_name` …
    volume : Mapping
        `path`, `shape` (z, y, x), `dtype`, `voxel_m` (or None), `unit`, `minimum`, `maximum`, `mean`,
        `histogram` {`edges`, `counts`}, `window` (two grey values that show it well).
    provenance : Mapping
        What was done, as the run wrote it: plan, protocol, versions, timings, source.
    files : tuple of FileEntry
        Every file of the folder but `ro-crate-metadata.json` itself; what lies in a folder that is one thing
        is not listed singly.

    Notes
    -----
    Parameters, volume and provenance hold JSON values: text, finite numbers, truth values, None, lists and
    mappings of them.
    """

    id: str
    title: str
    created: datetime
    description: str = ""
    creators: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    licence: str = ""
    parameters: Mapping[str, Value[Any]] = field(default_factory=dict)
    volume: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[FileEntry, ...] = ()
