"""Volumes as one TIFF, BigTIFF or OME-TIFF file of many pages, which ImageJ opens with the voxel size."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium.errors import FormatError, InputError
from tomarium.formats.format import ASSUMED, TAKEN_FOR, Format, Match
from tomarium.formats.frames.memory_mapped import MappedArray
from tomarium.formats.opening.filenames import is_named_projection, name_of_slices, taken_for_slices
from tomarium.formats.resumable.array_file import write_voxels
from tomarium.formats.resumable.full_disk import write_text
from tomarium.formats.resumable.hidden_file import OnProgress
from tomarium.formats.resumable.value_range import ValueRange
from tomarium.formats.tiff.frames import frames_of, guarded, is_stack, opened_tiff, page_count
from tomarium.formats.tiff.header import TiffPlan, tiff_head
from tomarium.formats.tiff.ifd_check import is_tiff, lost_pages
from tomarium.formats.tiff.metadata import (
    Calibration,
    calibration_of,
    described_planes,
    hyperstack_evidence,
    is_volume,
    slice_calibration,
)
from tomarium.formats.tiff.pco_timestamp import stamp_of_file
from tomarium.formats.tiff.pyramid import levels_of
from tomarium.model import Axis, Image, Scan, Volume
from tomarium.model.image import Sliceable

_UNDESCRIBED: Final = "pages"
"""Dialect of a file whose description tells no volume."""


def detect(path: Path) -> Match | None:
    """Look for a TIFF file of many pages whose description tells a voxel size, or that nothing calls projections."""
    try:
        if not path.is_file() or not is_tiff(path):
            return None
        with guarded(path), opened_tiff(path) as tif:
            why = is_volume(tif)
            pages, stack = page_count(tif), is_stack(tif)
            big = "BigTIFF" if tif.is_bigtiff else "TIFF"
            calibration = calibration_of(tif)
            levels = len(levels_of(path, tif)) if why else 0
            is_other = hyperstack_evidence(tif) is not None or described_planes(tif).get("times", 1) > 1
            kind = None if why or is_other else np.dtype(tif.pages[0].dtype).kind
    except (OSError, FormatError):
        return None
    if not stack:
        return None
    if why is None or calibration is None:
        return None if pages < 2 or kind is None else _undescribed(path, pages, kind)
    why = f"a {big} file of {pages} pages; {why}"
    if not levels:
        return Match(0.8, calibration.dialect, why)
    entries = tuple(f"level {number}" for number in range(levels))
    return Match(0.8, calibration.dialect, f"{why}; {levels} levels of resolution", entries[0], entries)


def _undescribed(path: Path, pages: int, kind: str) -> Match | None:
    """Say what speaks for slices where the file itself is silent; None where projections do."""
    if is_named_projection(path) or stamp_of_file(path) is not None:
        return None
    held = f"a TIFF file of {pages} pages without a voxel size"
    name = name_of_slices([path], path.parent)
    if name:
        return Match(0.7, _UNDESCRIBED, f"{held}; {name}")
    if kind == "f":
        why = "its pixels are floating-point numbers, as of slices and not of a camera"
        return Match(0.65, _UNDESCRIBED, f"{held}; {why}")
    return Match(ASSUMED, _UNDESCRIBED, f"{held}; {taken_for_slices(pages)}")


def read(path: Path, match: Match) -> Volume:
    """Open a TIFF volume; only what is sliced is read.

    `match.entry` names the level of a pyramid, "level 0" the finest. Result: with the levels from that one
    on; `metadata["levels"]` lists all. Axes in m where the description tells the voxel size. Where values
    were scaled to integers, `metadata["grey_range"]` holds the values that 0 and the greatest integer stand
    for and their unit. Raises FormatError: the file is damaged, or its pages are not alike.
    """
    with guarded(path), opened_tiff(path) as tif:
        calibration = calibration_of(tif)
        if calibration is None and match.dialect == _UNDESCRIBED:
            voxel_m, notes = slice_calibration(tif)
            calibration = Calibration(_UNDESCRIBED, voxel_m, "", "", None, {}, notes)
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
    if match.score == ASSUMED:
        metadata[TAKEN_FOR] = match.why
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
        _axis(name, length, "px" if voxel is None else "m", whole / length_of_level)
        for name, length, whole, length_of_level in zip(
            "zyx", voxel or (1.0, 1.0, 1.0), finest, data.shape, strict=True
        )
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
    cast_range = _cast_range(volume)
    unit = volume.unit if cast_range is None else str(cast_range.get("unit", ""))
    grey_range = None if cast_range is None else (float(cast_range["low"]), float(cast_range["high"]))
    is_ome = path.name.lower().endswith((".ome.tif", ".ome.tiff"))
    plan = TiffPlan((z, y, x), volume.dtype, volume.voxel_m, unit, volume.name, is_ome, grey_range)

    def ending(values: ValueRange) -> bytes:
        """Keep the grey range in a side-car; return the head with the range that viewers show."""
        if grey_range is not None:
            side_car = {"grey_range": {"low": grey_range[0], "high": grey_range[1], "unit": unit}}
            write_text(path.with_name(f"{path.name}.json"), json.dumps(side_car, indent=2) + "\n")
        return tiff_head(plan, (values.least, values.greatest))

    write_voxels(
        path,
        volume,
        volume.dtype,
        "tiff",
        ending,
        head=lambda: tiff_head(plan),
        resume=resume,
        on_progress=on_progress,
    )


def _cast_range(volume: Volume) -> Mapping[str, Any] | None:
    """Return what a volume of integers says they stand for."""
    grey_range = volume.metadata.get("grey_range")
    whole = volume.dtype in (np.uint8, np.uint16)
    return (
        grey_range
        if whole and isinstance(grey_range, Mapping) and {"low", "high"} <= grey_range.keys()
        else None
    )


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
