"""What a worker's confined process does for the page of work: it opens a scan, and makes slices or a volume of it.

It knows no catalogue; `work_jobs` asks it, and keeps or files what it made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium.beamtime import quick_look, work_results
from tomarium.beamtime.look_at_scan import row_of
from tomarium.beamtime.scan_parameters import FoundAxis
from tomarium.beamtime.work_settings import WorkSettings, detector_column, rows_of, settings_of
from tomarium.beamtime.work_source import facts_of, open_scan
from tomarium.catalogue.make_record import make_record
from tomarium.errors import InputError
from tomarium.model import Scan
from tomarium.pipeline.protocol.protocol import Protocol, from_data
from tomarium.pipeline.protocol.resolve import resolve
from tomarium.pipeline.run.reconstruct import with_axis
from tomarium.pipeline.run.runner import Progress
from tomarium.steps.core.step import View

CANDIDATES: Final = 9
"""Columns of the axis that are tried side by side."""
STRIP_PX: Final = 512
"""Width of the middle of a slice that is shown for each column."""
SPACING: Final = {"high": 1.0, "given": 1.0, "medium": 2.0}
"""Columns between two candidates by the confidence of the axis; 4 where it is low or there is none."""

Axes = dict[tuple[str, int, int, str], FoundAxis]
"""Axes that were found: file, its time and size, and the steps behind which each was looked for."""


def make_slices(
    progress: Progress, path: Path, values: Mapping[str, str], kind: str, axes_before: Axes
) -> dict[str, Any]:
    """Make one slice of a scan, or one about several columns of the axis.

    Parameters
    ----------
    progress : callable
        `progress(stage, done, total)`.
    path : Path
        The scan.
    values : Mapping of str to str
        As `settings_of` reads it.
    kind : str
        "axes" for several columns.
    axes_before : dict
        Axes that were found before.

    Returns
    -------
    dict
        The "stack" of slices as bytes of float32 and its "shape", "facts" of it, and the "axes" that were found now.

    Raises
    ------
    InputError, MissingData, ParameterError
        As `quick_look.look`.
    """
    settings, axes = settings_of(values), dict(axes_before)
    scan = open_scan(path)
    scan.demand_frames()
    whole_slice_protocol = _without_region(settings.protocol(scan.domain))
    height = resolve(whole_slice_protocol, scan).scan.shape[1]
    row = _row_of(settings, scan, height)
    make = _make_axis_strip if kind == "axes" else _make_slice
    images, facts = make(axes, scan, whole_slice_protocol, row, settings, progress)
    averaged = [work_results.averaged(image) for image in images]
    stack = np.stack([image for image, _ in averaged])
    facts |= {"scan": facts_of(scan), "domain": scan.domain, "height": height, "factor": averaged[0][1]}
    new_axes = [[list(key), list(astuple(axes[key]))] for key in axes.keys() - axes_before.keys()]
    content = np.ascontiguousarray(stack, np.float32).tobytes()
    return {"stack": content, "shape": list(stack.shape), "facts": facts, "axes": new_axes}


def make_volume(
    progress: Progress,
    path: Path,
    protocol: Mapping[str, Any],
    folder: Path,
    rows: str,
    title: str,
    id: str,
) -> list[str]:
    """Make the record of a volume; one that was begun is gone on with.

    Parameters
    ----------
    progress : callable
        `progress(stage, done, total)`.
    path : Path
        The scan.
    protocol : Mapping
        What is done, as `from_data` reads it.
    folder : Path
        Of the record.
    rows : str
        As `rows_of` reads it.
    title, id : str
        Of the record.

    Returns
    -------
    list of str
        Warnings.

    Raises
    ------
    TomariumError
        As `make_record`.
    """
    chosen = from_data(protocol, "the protocol that was shown")
    outcome = make_record(
        open_scan(path), chosen, folder, rows=rows_of(rows), title=title, id=id, on_progress=progress
    )
    return list(outcome.provenance["warnings"])


def _row_of(settings: WorkSettings, scan: Scan, height: int) -> int | None:
    """Return the row of the binned frames that holds the detector's row that was typed; None for the middle one."""
    if not settings.row:
        return None
    try:
        typed = str(int(settings.row) // settings.binning[0])
    except ValueError:  # a height, or what is refused
        typed = settings.row
    return row_of(typed, scan, height)


def _without_region(protocol: Protocol) -> Protocol:
    """Leave the region out, so that the whole slice is seen with the region drawn over it."""
    return Protocol(
        tuple(replace(i, given={k: v for k, v in i.given.items() if k != "region"}) for i in protocol.items)
    )


def _find_axis(
    axes: Axes, scan: Scan, protocol: Protocol, progress: Progress
) -> tuple[FoundAxis | None, tuple[str, ...]]:
    """Find the axis as a run would, once for a file, in columns of binned frames; None where it is told already."""
    behind = quick_look.steps_behind_axis(protocol)
    is_given = any("axis_column" in item.given for item in protocol.items) or scan.axis_column is not None
    if behind is None or is_given:
        return None, ()
    state = scan.path.stat()
    key = (str(scan.path), state.st_mtime_ns, state.st_size, behind)
    if key in axes:
        return axes[key], ()
    found_axis, notes = quick_look.find_axis(scan, protocol, on_progress=progress)
    axes[key] = found_axis
    return found_axis, notes


def _make_slice(
    axes: Axes,
    scan: Scan,
    protocol: Protocol,
    row: int | None,
    settings: WorkSettings,
    progress: Progress,
) -> tuple[list[Any], dict[str, Any]]:
    """Make one slice; its row and the axis are told as the detector's own, whatever is binned."""
    axis, notes = _find_axis(axes, scan, protocol, progress)
    rows, columns = settings.binning
    scan_with_axis, found_axis = scan, axis
    if axis is not None and any(isinstance(item.step, View) for item in protocol.items):
        scan_with_axis, found_axis = (
            with_axis(scan, detector_column(axis.column, columns)),
            None,
        )  # told of the file's own columns
    slice_look = quick_look.look(scan_with_axis, protocol, row, found_axis, on_progress=progress)
    _demand_region(settings, slice_look.image.shape)
    column = slice_look.axis_column
    return [slice_look.image], {
        "row": slice_look.row * rows,
        "full": list(slice_look.image.shape),
        "first_voxel": list(slice_look.first_voxel),
        "pixel_m": slice_look.pixel_m,
        "unit": slice_look.unit,
        "axis_column": None if column is None else detector_column(column, columns),
        "axis_source": slice_look.axis_source if axis is None else f"found, confidence {axis.confidence}",
        "confidence": axis.confidence if axis is not None else "",
        "warnings": list(dict.fromkeys([*slice_look.warnings, *notes])),
    }


def _demand_region(settings: WorkSettings, shape: tuple[int, ...]) -> None:
    """Refuse a region that does not lie in the slice, in the words of the step that would."""
    if settings.region is None:
        return
    try:
        y, x = (part.split(":") for part in settings.region.split(","))
        x0, x1, y0, y1 = (int(text) for text in (*x, *y))
        inside = 0 <= x0 < x1 <= shape[1] and 0 <= y0 < y1 <= shape[0]
    except ValueError:
        inside = False
    if not inside:
        raise InputError(
            f"step fbp: region {settings.region!r} does not lie in a slice of {shape[0]} × {shape[1]} voxels; write "
            f"Y0:Y1,X0:X1 with numbers from 0 to {max(shape)}"
        )


def _make_axis_strip(
    axes: Axes,
    scan: Scan,
    protocol: Protocol,
    row: int | None,
    settings: WorkSettings,
    progress: Progress,
) -> tuple[list[Any], dict[str, Any]]:
    """Make the middle of one slice about several columns, the found or given one in their middle."""
    free = Protocol(
        tuple(
            replace(i, given={k: v for k, v in i.given.items() if k != "axis_column"}) for i in protocol.items
        )
    )
    found_axis, notes = _find_axis(axes, scan, free, progress)
    rows, columns_binned = settings.binning
    if settings.axis:
        middle, source, confidence = float(settings.axis), "given", "given"
    elif found_axis is not None:
        middle, source = detector_column(found_axis.column, columns_binned), "found"
        confidence = found_axis.confidence
    elif scan.axis_column is not None:
        middle, source, confidence = float(scan.axis_column.value), "as the file tells", "given"
    else:
        middle, source, confidence = (scan.shape[2] - 1) / 2, "the middle of the frames", "unknown"
    spacing = SPACING.get(confidence, 4.0) * columns_binned
    columns = [round(middle + k * spacing, 3) for k in range(-(CANDIDATES // 2), CANDIDATES // 2 + 1)]
    images, row_used, pixel = quick_look.look_at_axes(scan, free, columns, row, on_progress=progress)
    side = min(STRIP_PX, *(min(image.shape) for image in images))
    return [_crop_middle(image, side) for image in images], {
        "row": row_used * rows,
        "full": list(images[0].shape),
        "pixel_m": pixel,
        "unit": "",
        "columns": columns,
        "axis_column": middle,
        "axis_source": source,
        "confidence": confidence,
        "found": None if found_axis is None else detector_column(found_axis.column, columns_binned),
        "warnings": list(notes),
    }


def _crop_middle(image: Any, side: int) -> Any:
    top, first = ((length - side) // 2 for length in image.shape)
    return image[top : top + side, first : first + side]
