"""Taking a record, or a part of its volume: levels, regions, addresses, commands."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tomarium.catalogue.volume_part import MOST_BYTES
from tomarium.errors import FormatError
from tomarium.formats.zarr.reader import level_axes
from tomarium.model import Record
from tomarium.model.parameter import show_voxel
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest
from tomarium.viewers.volume import open_volume, volume_path

KINDS = (
    ("tiff", "TIFF", "ImageJ, Dragonfly, Avizo; with the voxel size"),
    ("npy", "NumPy", "numpy.load; values alone"),
    ("zarr.zip", "OME-Zarr", "with the voxel size and the place in the whole"),
)
"""Kinds of a part: of its address, for people, and what reads it."""


@dataclass(frozen=True)
class Level:
    """One resolution of the volume.

    Attributes
    ----------
    level : int
        0 is the finest.
    shape : tuple of int
        Voxels (z, y, x).
    voxel_m : float or None
        Edge of a voxel along x in metres, where it is known.
    voxel : str
        Size of a voxel in words, x × y × z where it is no cube; "" where it is not known.
    bytes : int
        Bytes of its values, unpacked.
    fits : bool
        Whether one request gives all of it.
    """

    level: int
    shape: tuple[int, ...]
    voxel_m: float | None
    voxel: str
    bytes: int
    fits: bool


@dataclass(frozen=True)
class DownloadPage:
    """Content of the page.

    Attributes
    ----------
    title, id : str
        Of the record.
    bytes : int
        Of all its files.
    volume : str
        Whole address of the volume, for programs that open it where it lies; "" where there is none.
    levels : tuple of Level
        The finest first; empty where there is no volume, or where it cannot be read now.
    most_bytes : int
        Of one part.
    suggested : int
        The finest level of which a whole request fits.
    slice : int
        The middle one of the finest level.
    kinds : tuple
        As `KINDS`.
    page : str
        Whole address of the record's page, for the command line.
    """

    title: str
    id: str
    bytes: int
    volume: str
    levels: tuple[Level, ...]
    most_bytes: int
    suggested: int = field(metadata=FOR_PEOPLE)
    slice: int = field(metadata=FOR_PEOPLE)
    kinds: tuple[tuple[str, str, str], ...] = field(metadata=FOR_PEOPLE)
    page: str = field(metadata=FOR_PEOPLE)


def content(request_context: CurrentRequest, id: str) -> DownloadPage:
    """Tell the ways to take a record: all of it, its volume at a level, a region, one slice."""
    record, folder = request_context.record(id)
    levels = tuple(_levels(record, folder))
    path = volume_path(record)
    return DownloadPage(
        title=record.title,
        id=id,
        bytes=sum(entry.bytes for entry in record.files),
        volume=request_context.address("file", {"id": id, "path": path}) if path else "",
        levels=levels,
        most_bytes=MOST_BYTES,
        suggested=next((level.level for level in levels if level.fits), len(levels) - 1),
        slice=levels[0].shape[0] // 2 if levels else 0,
        kinds=KINDS,
        page=request_context.address("record", {"id": id}),
    )


def _levels(record: Record, folder: Path) -> Iterator[Level]:
    path = volume_path(record)
    if path is None:
        return
    try:
        volume = open_volume(folder / path)
    except (FormatError, OSError):  # the page of the record says so
        return
    for number, array in enumerate(volume.levels):
        axes = level_axes(folder / path, number)
        size = math.prod(array.shape) * np.dtype(array.dtype).itemsize
        shape = tuple(int(length) for length in array.shape)
        # Tidy: a level's voxel is 2^k times that of the finest, which is one number of a cube.
        sizes = [float(f"{axis.scale:.9g}") for axis in axes] if axes[-1].unit == "m" else []
        voxel_m = float(axes[-1].scale) if sizes else None
        yield Level(number, shape, voxel_m, show_voxel(sizes), size, size <= MOST_BYTES)


DOWNLOAD = Page(
    name="download",
    path="/records/{id}/download",
    json_path="/records/{id}/download.json",
    template="download.html",
    content=content,
)
