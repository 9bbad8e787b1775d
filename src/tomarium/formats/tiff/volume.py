"""Volumes as one TIFF, BigTIFF or OME-TIFF file of many pages, which ImageJ opens with the voxel size."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tomarium.errors import FormatError, InputError
from tomarium.formats.format import Format, Match
from tomarium.formats.frames.memory_mapped import MappedArray
from tomarium.formats.provenance.source_fingerprint import origin_of
from tomarium.formats.resumable.hidden_file import OnProgress
from tomarium.formats.resumable.progress import check_volume
from tomarium.formats.resumable.slab_file import SlabFile, begin_slab_file, usual_slab_rows, write_text
from tomarium.formats.resumable.slabs import fill
from tomarium.formats.resumable.value_range import ValueRange
from tomarium.formats.tiff.frames import frames_of, guarded, is_stack, opened_tiff, page_count
from tomarium.formats.tiff.header import TiffPlan, tiff_head
from tomarium.formats.tiff.ifd_check import is_tiff, lost_pages
from tomarium.formats.tiff.metadata import calibration_of, is_volume
from tomarium.formats.tiff.pyramid import levels_of
from tomarium.model import Axis, Image, Scan, Volume
from tomarium.model.image import Sliceable


def detect(path: Path) -> Match | None:
    """Look for a TIFF file of many pages whose description tells a voxel size."""
    try:
        if not path.is_file() or not is_tiff(path):
            return None
        with guarded(path), opened_tiff(path) as tif:
            why = is_volume(tif)
            pages, stack = page_count(tif), is_stack(tif)
            big = "BigTIFF" if tif.is_bigtiff else "TIFF"
            calibration = calibration_of(tif)
            levels = len(levels_of(path, tif)) if why else 0
    except (OSError, FormatError):
        return None
    if why is None or calibration is None or not stack:
        return None
    why = f"a {big} file of {pages} pages; {why}"
    if not levels:
        return Match(0.8, calibration.dialect, why)
    entries = tuple(f"level {number}" for number in range(levels))
    return Match(0.8, calibration.dialect, f"{why}; {levels} levels of resolution", entries[0], entries)


def read(path: Path, match: Match) -> Volume:
    """Open a TIFF volume; only what is sliced is read.

    `match.entry` names the level of a pyramid, "level 0" the finest. Result: with the levels from that one
    on; `metadata["levels"]` lists all. Axes in m where the description tells the voxel size. Where values
    were scaled to integers, `metadata["grey_range"]` holds the values that 0 and the greatest integer stand
    for and their unit. Raises FormatError: the file is damaged, or its pages are not alike.
    """
    with guarded(path), opened_tiff(path) as tif:
        calibration = calibration_of(tif)
        lost = lost_pages(tif, page_count(tif))
        if lost:  # the slices that are there are no whole volume
            raise FormatError(f"{path}: {lost.removeprefix(f'{path.name} ')}; copy it again from its origin")
        levels = levels_of(path, tif)
        data = levels[0] if levels else _data(path, tif)
    if calibration is None:
        raise FormatError(f"{path}: its description tells no voxel size any more; open it again")
    voxel = calibration.voxel_m
    metadata: dict[str, Any] = {
        "format": match.dialect,
        "why": match.why,
        "description": dict(calibration.metadata),
        "notes": list(calibration.notes),
    }
    if voxel is None:
        metadata["uncalibrated"] = True
    unit = calibration.unit
    if calibration.grey_range is not None:
        low, high = calibration.grey_range
        metadata["grey_range"] = {"low": low, "high": high, "unit": unit}
        unit = ""
    finest, chosen = data.shape, int(match.entry.split()[-1]) if levels and match.entry else 0
    if levels:
        metadata["levels"] = [list(level.shape) for level in levels]
        levels = levels[chosen:]
        data = levels[0]
    axes = tuple(
        _axis(name, length, "px" if voxel is None else "m", whole / held)
        for name, length, whole, held in zip("zyx", voxel or (1.0, 1.0, 1.0), finest, data.shape, strict=True)
    )
    return Volume(data, axes, unit, calibration.name or path.name.split(".")[0], path, metadata, levels)


def _axis(name: str, length: float, unit: str, ratio: float) -> Axis:
    """Scale an axis to a level; its first voxel covers several of the finest, whose middles it lies between."""
    return Axis(name, length * ratio, length * (ratio - 1) / 2, unit)


def _data(path: Path, tif: Any) -> Sliceable:
    """Map the pixels where they lie in one piece, else read them page by page."""
    series = tif.series[0] if tif.series else None
    if series is not None and series.ndim == 3 and series.dataoffset is not None and series.dtype is not None:
        stored = np.dtype(series.dtype).newbyteorder(tif.byteorder)
        array = MappedArray(path, int(series.dataoffset), tuple(map(int, series.shape)), stored)
        if stored.kind not in "iuf" or min(array.shape) < 1:
            raise FormatError(f"{path}: holds {array.shape} pixels of {stored}; a volume holds numbers")
        if array.offset + array.nbytes > tif.filehandle.size:
            raise FormatError(
                f"{path}: is truncated: its pixels end at byte {array.offset + array.nbytes}, the file at "
                f"{tif.filehandle.size}; copy it again"
            )
        return array
    return frames_of([path])


def create_tiff_volume(
    path: Path,
    shape: tuple[int, int, int],
    dtype: str,
    *,
    voxel_m: tuple[float, float, float] | None,
    slab_rows: int,
    unit: str,
    name: str,
    ome: bool = False,
    grey_range: tuple[float, float] | None = None,
    resume: bool = False,
    origin: str = "",
) -> SlabFile:
    """Begin a TIFF volume, or go on with one; it becomes BigTIFF where 4 GB would not hold it.

    `voxel_m`: distance of slices, rows and columns, m. `ome`: describe it in OME-XML instead of as ImageJ
    does. `grey_range`: the values that 0 and the greatest integer of `dtype` stand for, where they were scaled.
    `resume`: go on with an unfinished file where there is one of the same shape, type and origin. `origin`:
    where the content comes from, as `origins.origin_of` says; one of another origin is begun anew.
    """
    kind = np.dtype(dtype)
    check_volume(path, shape, kind, slab_rows)
    plan = TiffPlan(shape, kind, voxel_m, unit, name, ome, grey_range)
    head = tiff_head(plan)
    progress = begin_slab_file(path, shape, kind, slab_rows, head, resume=resume, origin=origin)

    def ending(values: ValueRange) -> bytes:
        """Keep the grey range in a side-car; return the head with the range that viewers show."""
        if grey_range is not None:
            told = {"grey_range": {"low": grey_range[0], "high": grey_range[1], "unit": unit}}
            write_text(path.with_name(f"{path.name}.json"), json.dumps(told, indent=2) + "\n")
        return tiff_head(plan, (values.least, values.greatest))

    return SlabFile(progress, ending)


def write(
    path: Path,
    volume: Image | Scan,
    *,
    resume: bool = False,
    on_progress: OnProgress | None = None,
) -> None:
    """Write a volume as one TIFF file, slab by slab, described in OME-XML where its name ends in `.ome.tif`.

    Of integers, the description and `<name>.json` keep what `metadata["grey_range"]` says they stand for. Raises
    InputError: it is no volume.
    """
    if not isinstance(volume, Volume):
        raise InputError(
            f"{path}: only a volume can be written as one TIFF file; write a scan as a TIFF series"
        )
    z, y, x = volume.shape
    stated = _stated(volume)
    writer = create_tiff_volume(
        path,
        (z, y, x),
        volume.dtype.name,
        voxel_m=volume.voxel_m,
        slab_rows=usual_slab_rows((z, y, x), volume.dtype),
        unit=volume.unit if stated is None else str(stated.get("unit", "")),
        name=volume.name,
        ome=path.name.lower().endswith((".ome.tif", ".ome.tiff")),
        grey_range=None if stated is None else (float(stated["low"]), float(stated["high"])),
        resume=resume,
        origin=origin_of(volume, "tiff") if resume else "",
    )
    fill(writer, volume, volume.dtype.itemsize, on_progress)
    writer.finish()


def _stated(volume: Volume) -> Mapping[str, Any] | None:
    """Return what a volume of integers says they stand for."""
    told = volume.metadata.get("grey_range")
    whole = volume.dtype in (np.uint8, np.uint16)
    return told if whole and isinstance(told, Mapping) and {"low", "high"} <= told.keys() else None


FORMAT = Format(
    name="tiff-volume",
    title="TIFF or OME-TIFF volume",
    suffixes=(".tif", ".tiff"),
    detect=detect,
    read=read,
    write=write,
    writes=frozenset({"volume"}),
    resumes=True,
)
