"""OME-Zarr 0.5 and 0.4: read a multiscale image, refuse an unfinished one, and write a whole volume at once.

Source: the OME-NGFF specifications (https://ngff.openmicroscopy.org/0.5/ and /0.4/). They are two formats here,
for a user chooses which one to write: 0.5 has few large files, 0.4 is what older programs read. How a volume is
written slab by slab is in `zarr/writer.py`.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium import units
from tomarium.errors import FormatError, InputError, UnitError
from tomarium.formats.format import Format, Match, no_match
from tomarium.formats.provenance.source_fingerprint import origin_of
from tomarium.formats.resumable.hidden_file import OnProgress
from tomarium.formats.zarr.array import ZarrArray
from tomarium.formats.zarr.image import write_image
from tomarium.formats.zarr.missing_chunks import check_absent
from tomarium.formats.zarr.progress import is_unfinished, load_progress
from tomarium.formats.zarr.writer import VolumeWriter, create, open_writer
from tomarium.model import Axis, Image, Volume

__all__ = [
    "FORMAT",
    "FORMAT_0_4",
    "VolumeWriter",
    "create",
    "detect",
    "detect_0_4",
    "level_axes",
    "open_writer",
    "read",
    "tells_places",
    "write",
]

# Metadata of a group is small; a larger file is none.
_LONGEST_METADATA: Final = 16 << 20
# Each halves the one before.
_MOST_LEVELS: Final = 64
# What is in memory at once when a whole volume is written.
_MOST_ROWS: Final = 64
_LARGEST_SLAB: Final = 1 << 30
_SPACE: Final = ("z", "y", "x")


def detect(path: Path) -> Match | None:
    """Look for a Zarr v3 group with multiscales, or for a volume that is still being written."""
    return None if _is_old(path) else _detect(path)


def detect_0_4(path: Path) -> Match | None:
    """Look for a Zarr v2 group with multiscales, or for a volume of that kind that is still being written.

    Result: None where there is no such group.
    """
    return _detect(path) if _is_old(path) else None


def _is_old(path: Path) -> bool:
    """Tell whether a folder is a group of Zarr v2: the metadata of 0.4 lie in a file of their own."""
    return not (path / "zarr.json").is_file() and ((path / ".zattrs").is_file() or _begun_as(path) == "0.4")


def _begun_as(path: Path) -> str:
    try:
        return load_progress(path).plan.version if is_unfinished(path) else ""
    except FormatError:
        return ""


def _detect(path: Path) -> Match | None:
    if not path.is_dir():
        return None
    if is_unfinished(path):
        return Match(0.9, "unfinished", "a volume tomarium began to write")
    try:
        attributes = attributes_of(path)
    except FormatError as problem:
        return no_match(str(problem))
    if attributes is None:
        return None
    ome = attributes.get("ome", attributes)
    if not isinstance(ome, Mapping) or not ome.get("multiscales"):
        return no_match("it is a Zarr group without multiscales; choose the image in it")
    version = str(ome.get("version") or "0.4")
    return Match(1.0, version, f"a Zarr group with OME multiscales, version {version}")


def attributes_of(path: Path) -> Mapping[str, Any] | None:
    """Read a group's attributes: zarr.json (Zarr v3) or .zattrs (v2)."""
    for name in ("zarr.json", ".zattrs"):
        file = path / name
        if not file.is_file():
            continue
        try:
            if file.stat().st_size > _LONGEST_METADATA:
                raise ValueError(f"{file.stat().st_size} bytes of metadata")
            content = json.loads(file.read_text("utf-8"))
            attributes = content.get("attributes", {}) if name == "zarr.json" else content
            if not isinstance(attributes, Mapping):
                raise ValueError("its attributes are no mapping")
        except (OSError, ValueError, AttributeError, RecursionError) as problem:
            raise FormatError(f"{file}: cannot be read ({problem}); copy it again") from problem
        return attributes
    return None


def read(path: Path, match: Match, *, in_part: bool = False) -> Image:
    """Read the header of an OME-Zarr image.

    `path`: folder of the group. `in_part`: whether to open it where files of chunks are absent, which then
    read as the fill value: for a look at what is lost. Result: a `Volume` with all its levels where the axes
    are z, y, x; lengths in m. Raises FormatError: the volume is unfinished, or its metadata are damaged.
    """
    if is_unfinished(path):
        progress = load_progress(path)
        raise FormatError(
            f"{path}: is unfinished, {len(progress.done())} of {progress.count} slabs are written; "
            f"resume the run"
        )
    attributes = attributes_of(path) or {}
    try:
        ome = attributes.get("ome", attributes)
        multiscale = ome["multiscales"][0]
        if len(multiscale["datasets"]) > _MOST_LEVELS:
            raise FormatError(
                f"{path}: tells of {len(multiscale['datasets'])} levels of resolution, which is absurd; it is made to "
                f"mislead, so take it from its origin"
            )
        own = own_attributes(attributes)
        counts = own.pop("shards", None) or [None] * len(multiscale["datasets"])
        counts = [None] * len(counts) if in_part else counts
        levels = tuple(
            ZarrArray(_inside(path, str(level["path"])), count)
            for level, count in zip(multiscale["datasets"], counts, strict=True)
        )
        placed = [_axes_of_level(multiscale, number) for number in range(len(levels))]
        axes, notes = placed[0]
        placing = tells_places(ome, multiscale)
        shapes = [level.shape for level in levels]
        name = str(multiscale.get("name") or path.name)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as problem:
        raise FormatError(
            f"{path}: its OME metadata are incomplete ({type(problem).__name__}: {problem}); copy it again"
        ) from problem
    if any(len(shape) != len(axes) for shape in shapes):
        raise FormatError(
            f"{path}: has {len(axes)} axes in its metadata and arrays of shape {shapes[0]}; copy it again"
        )
    for level in levels:
        level.check_names(tuple(axis.name for axis in axes))
    several = len(ome["multiscales"])
    if several > 1:
        notes.append(f"{several} multiscale images lie in this group; the first was opened")
    if counts[0] is None and not in_part:  # what was written here tells how many chunks it has
        notes.extend(check_absent(path, levels))
    if notes:
        own["notes"] = [
            *own.get("notes", []),
            *(note for note in notes if note not in own.get("notes", [])),
        ]
    if any(axis.unit == "px" for axis in axes if axis.name in _SPACE):
        own["uncalibrated"] = True
    if "image-label" in ome:
        own["labels"] = True
    unit = str(own.pop("unit", ""))
    if [axis.name for axis in axes] == ["z", "y", "x"]:
        return Volume(levels[0], axes, unit, name, path, own, levels=levels,
                      level_axes=tuple(axes_of_level for axes_of_level, _ in placed) if placing else ())  # fmt: skip
    return Image(levels[0], axes, unit, name, path, own)


def level_axes(path: Path, level: int) -> tuple[Axis, ...]:
    """Read the scale and the offset of one level of an image.

    Parameters
    ----------
    path : Path
        Folder of the group.
    level : int
        Its number; 0 is the finest.

    Returns
    -------
    tuple of Axis
        As `read` gives those of the finest level, in m where they are lengths.

    Raises
    ------
    FormatError
        The metadata cannot be read, or tell of no such level.
    """
    attributes = attributes_of(path) or {}
    try:
        multiscale = attributes.get("ome", attributes)["multiscales"][0]
        return _axes_of_level(multiscale, level)[0]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as problem:
        raise FormatError(
            f"{path}: its OME metadata tell of no level {level} ({type(problem).__name__}: {problem}); copy it again"
        ) from problem


def own_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what tomarium keeps of a volume among the attributes of its group."""
    own = attributes.get("tomarium")
    return dict(own) if isinstance(own, Mapping) else {}


def _inside(path: Path, name: str) -> Path:
    place = (path / name).resolve()
    if not place.is_relative_to(path.resolve()):
        raise FormatError(
            f"{path}: its metadata point to {name}, outside the volume's own folder, which is refused"
        )
    return path / name


def tells_places(ome: Mapping[str, Any], multiscale: Mapping[str, Any]) -> bool:
    """Tell whether the levels are where their metadata put them.

    Many programs write means of voxels and only their scale: without a translation nothing says that they lie in the
    middle of what they are taken of. Of labels voxels are picked, and these need none.
    """
    transformations = [level.get("coordinateTransformations", ()) for level in multiscale["datasets"]]
    return (
        "image-label" in ome
        or multiscale.get("type") == "nearest"
        or all(
            any(transformation["type"] == "translation" for transformation in level_transformations)
            for level_transformations in transformations
        )
    )


def _axes_of_level(multiscale: Mapping[str, Any], level: int) -> tuple[tuple[Axis, ...], list[str]]:
    """Apply the transformations of a level first, then those of all levels (0.4 and 0.5, "multiscales")."""
    own = multiscale["datasets"][level].get("coordinateTransformations", [])
    return _axes(multiscale["axes"], [*own, *multiscale.get("coordinateTransformations", [])])


def _axes(axes_written: list[Any], transformations: list[Any]) -> tuple[tuple[Axis, ...], list[str]]:
    """Return the axes, in m where they are lengths, and what of their scale cannot be used, in words."""
    scale, offset = [1.0] * len(axes_written), [0.0] * len(axes_written)
    notes: list[str] = []
    for part in transformations:  # one after the other: a scale stretches the offset before it too
        if part["type"] == "scale" and "scale" in part:
            factors = [float(factor) for factor in part["scale"]]
            scale = [a * b for a, b in zip(scale, factors, strict=True)]
            offset = [a * b for a, b in zip(offset, factors, strict=True)]
        elif part["type"] == "translation" and "translation" in part:
            offset = [a + float(b) for a, b in zip(offset, part["translation"], strict=True)]
        elif part["type"] != "identity":
            notes.append(
                f"the transformation {part['type']} is not applied, so the axes of space are in pixels"
            )
    lost = bool(notes)
    axes = []
    for part, size, start in zip(axes_written, scale, offset, strict=True):
        name, unit = str(part["name"]), str(part.get("unit") or "px")
        space = part.get("type") == "space" or ("type" not in part and name in _SPACE)
        possible = size > 0 and math.isfinite(size) and math.isfinite(start)
        if not possible:
            notes.append(
                f"the axis {name} has a scale of {size:g} and an offset of {start:g}, so it is in pixels"
            )
        if not possible or (lost and space):
            size, start, unit = 1.0, 0.0, "px"
        if space and unit != "px":
            try:
                metres = units.factor(unit, "m")
            except UnitError:
                metres = 0.0  # an unknown unit stays as it is written, and the volume is not calibrated
            if metres:
                size, start, unit = float(f"{size * metres:.15g}"), float(f"{start * metres:.15g}"), "m"
        axes.append(Axis(name, size, start, unit))
    return tuple(axes), notes


def write(
    path: Path,
    volume: Image,
    *,
    resume: bool = False,
    on_progress: OnProgress | None = None,
    version: str = "0.5",
) -> None:
    """Write a whole volume.

    `path`: folder to make. `volume`: a volume is read in slabs of 64 slices, or of as many as fit 1 GiB, and gets a
    pyramid; another image is written as `write_image` says. `version`: of OME-NGFF: "0.5" or "0.4". Raises InputError:
    the axes are not z, y, x.
    """
    if not isinstance(volume, Volume):
        write_image(path, volume, version)
        return
    if volume.ndim != 3:
        raise InputError(f"{path}: a volume of {volume.ndim} axes cannot be written; it needs three")
    origin = origin_of(volume, f"ome-zarr {version}") if resume else ""
    if resume and is_unfinished(path) and load_progress(path).plan.origin != origin:
        shutil.rmtree(path)  # what another volume left unfinished
    is_begun = resume and is_unfinished(path)
    writer = _resumed(path, volume, version) if is_begun else _create(path, volume, version, origin)
    finished, bytes_of_slice = set(writer.done()), math.prod(volume.shape[1:]) * volume.dtype.itemsize
    for start in range(0, len(volume), writer.slab_rows):
        stop = min(start + writer.slab_rows, len(volume))
        if start not in finished:
            writer.write(start, np.asarray(volume[start:stop]))
        if on_progress is not None:
            on_progress(stop * bytes_of_slice, len(volume) * bytes_of_slice)
    writer.finish()


def _slab_rows(volume: Volume) -> int:
    bytes_of_slice = volume.shape[1] * volume.shape[2] * volume.dtype.itemsize
    rows = _MOST_ROWS
    while rows > 1 and rows * bytes_of_slice > _LARGEST_SLAB:
        rows //= 2
    return rows


def _create(path: Path, volume: Volume, version: str, origin: str) -> VolumeWriter:
    voxel = volume.voxel_m
    z, y, x = (axis.offset for axis in volume.axes)
    return create(
        path,
        (volume.shape[0], volume.shape[1], volume.shape[2]),
        volume.dtype,
        voxel_m=voxel,
        slab_rows=_slab_rows(volume),
        unit=volume.unit,
        name=volume.name or path.name,
        origin_m=(0.0, 0.0, 0.0) if voxel is None else (z, y, x),
        attributes=volume.metadata,
        version=version,
        origin=origin,
        labels=volume.holds_labels,
    )


def _resumed(path: Path, volume: Volume, version: str) -> VolumeWriter:
    writer, begun_version = open_writer(path), load_progress(path).plan.version
    if (writer.shape, writer.dtype, begun_version) != (volume.shape, volume.dtype, version):
        raise FormatError(
            f"{path}: holds an unfinished volume of shape {writer.shape}, type {writer.dtype} and version "
            f"{begun_version}, not of {volume.shape}, {volume.dtype} and {version}; remove it, or choose another path"
        )
    return writer


FORMAT = Format(
    name="ome-zarr",
    title="OME-Zarr 0.5",
    suffixes=(".zarr",),
    detect=detect,
    read=read,
    write=write,
    writes=frozenset({"volume", "image"}),
    resumes=True,
)

# Without an ending of its own: it is written only where it is named.
FORMAT_0_4 = replace(
    FORMAT,
    name="ome-zarr-0.4",
    title="OME-Zarr 0.4",
    suffixes=(),
    detect=detect_0_4,
    write=partial(write, version="0.4"),
)
