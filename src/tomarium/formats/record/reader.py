"""The folder of a record, as `tomarium run` makes it: it opens as the volume it holds, else as its projections.

It is known by `volume.ome.zarr` beside `ro-crate-metadata.json` or `provenance.json`, or by a volume of that name whose
run was stopped. Whether its files are as they were filed is not looked at; `tomarium doctor RECORD` does that.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.formats.format import Format, Match, no_match
from tomarium.formats.zarr import reader as ome_zarr
from tomarium.formats.zarr.progress import is_unfinished
from tomarium.model import Image, Scan

VOLUME: Final = "volume.ome.zarr"
PROJECTIONS: Final = "projections.h5"
CRATE: Final = "ro-crate-metadata.json"
PROVENANCE: Final = "provenance.json"


def detect(path: Path) -> Match | None:
    """Look for a volume beside the metadata of a record, or for one that a run has begun.

    Result: None where there is no such folder; the dialect is that of the volume.
    """
    volume = path / VOLUME
    has_metadata = any((path / name).is_file() for name in (CRATE, PROVENANCE))
    if has_metadata and not volume.exists() and (path / PROJECTIONS).is_file():
        inner = data_exchange.FORMAT.detect(path / PROJECTIONS)
        return inner and replace(
            inner, why=f"it is the folder of a record; in its {PROJECTIONS}, {inner.why}"
        )
    if not volume.is_dir() or not (has_metadata or is_unfinished(volume)):
        return None
    inner = _form(volume).detect(volume)
    if inner is None or not inner.score:
        why = "it is no Zarr group" if inner is None else inner.why
        return no_match(f"it is the folder of a record, whose {VOLUME} cannot be read: {why}")
    return replace(inner, why=f"it is the folder of a record; its {VOLUME} is {inner.why}")


def read(path: Path, match: Match) -> Scan | Image:
    """Read the header of a record's volume, or of its projections.

    `path`: folder of the record. Result: as `ome_zarr.read` gives it; its path is that of the volume. Raises
    FormatError: the volume is unfinished, or its metadata are damaged.
    """
    if not (path / VOLUME).exists():
        return data_exchange.FORMAT.read(path / PROJECTIONS, match)
    return ome_zarr.read(path / VOLUME, match)


def _form(volume: Path) -> Format:
    """Return the version of OME-Zarr whose metadata lie in a volume's folder."""
    return ome_zarr.FORMAT_0_4 if (volume / ".zattrs").is_file() else ome_zarr.FORMAT


FORMAT = Format(
    name="record",
    title="Record of tomarium",
    suffixes=(),
    detect=detect,
    read=read,
)
