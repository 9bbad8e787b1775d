"""Reconstruct a scan in one call: the whole volume, or a single slice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from tomarium import array, formats
from tomarium.errors import InputError, ParameterError
from tomarium.formats.format import Match
from tomarium.formats.zarr import reader as ome_zarr
from tomarium.kernels.fbp import BATCH
from tomarium.kernels.half_acquisition import turn_of
from tomarium.model import Axis, Scan, Slab, Value, Volume
from tomarium.pipeline.plan.cost import needs_whole_frames, reach_of
from tomarium.pipeline.plan.resources import find_room, measure
from tomarium.pipeline.plan.slabs import reached
from tomarium.pipeline.protocol.protocol import Protocol
from tomarium.pipeline.protocol.read import AnyProtocol, as_protocol
from tomarium.pipeline.protocol.resolve import Resolution, Resolved, resolve
from tomarium.pipeline.run.data_check import checked
from tomarium.pipeline.run.evaluate import evaluate, rows_for, through
from tomarium.pipeline.run.journal import Journal
from tomarium.pipeline.run.output import ArraySink
from tomarium.pipeline.run.over_device import Traffic, traffic_to
from tomarium.pipeline.run.probes import ask_probes
from tomarium.pipeline.run.result_files import PROJECTIONS, VOLUME, as_scan, first_voxel, grey_metadata
from tomarium.pipeline.run.runner import Map, Outcome, Progress, in_turn, run, silent
from tomarium.pipeline.run.slab_steps import make_ready
from tomarium.pipeline.run.spool import Spool
from tomarium.steps.core.context import Scratch
from tomarium.steps.core.step import View
from tomarium.steps.views.frames import HeldRows

AnyScan = Scan | str | PathLike[str]
"""A scan, or the path of its file."""


def as_scan_of(given: Any) -> Scan:
    """Return a scan, opened where its path was given.

    Parameters
    ----------
    given : Scan or path
        What a user takes for a scan.

    Returns
    -------
    Scan
        The scan.

    Raises
    ------
    InputError
        It is no scan, or its file holds none.
    """
    if isinstance(given, Scan):
        return given
    if isinstance(given, str | PathLike):
        opened = formats.open(given)
        if isinstance(opened, Scan):
            return opened
        raise InputError(f"{opened.path} holds an image of shape {opened.shape}, not a scan with projections")
    kind = f"an array of shape {given.shape}" if isinstance(given, np.ndarray) else type(given).__name__
    raise InputError(
        f"a scan or the path of its file is wanted, but {kind} was given; make a scan of an array with "
        f"tomarium.scan_of_arrays(projections, angles_deg, flats=…, darks=…)"
    )


def reconstruct(
    scan: AnyScan,
    protocol: AnyProtocol = None,
    *,
    output: str | Path | None = None,
    rows: slice | int | None = None,
    axis_column: float | None = None,
    memory: str | None = None,
    mapper: Map = in_turn,
    device: str | int | None = None,
    device_memory: str | None = None,
    force: bool = False,
    on_progress: Progress = silent,
) -> Volume | Scan:
    """Reconstruct a scan.

    Parameters
    ----------
    scan : Scan or path
        As `open` returns it, or the path of its file.
    protocol : Protocol, mapping, sequence, str, path or None
        What is done; by default: find the rotation axis, flat field, filtered backprojection. Text is YAML, such as
        "steps: [flat_field, fbp]", or the name of a preset; a sequence is the steps, such as
        ["flat_field", {"paganin": {"delta_beta": 300}}, "fbp"].
    output : path, optional
        Folder for the volume, its protocol and its provenance; without it the volume stays in memory.
    rows : slice or int, optional
        Detector rows wanted, or one of them; all by default.
    axis_column : float, optional
        Column of the rotation axis, 0-based, pixel centres at integers; looked for where absent.
    memory : str, optional
        Limit such as "4GB"; by default 60 % of what is available.
    mapper : callable
        Executor; see `tomarium.executors`.
    device : str or int, optional
        GPU that slabs go over: "auto", one where there is one; "none"; or its number. By default what the environment
        variable TOMARIUM_DEVICE says, else "auto".
    device_memory : str, optional
        Limit of the memory there; by default 80 % of what is free.
    force : bool
        Whether to go on where the frames cannot give a right volume; what is wrong becomes a warning.
    on_progress : callable
        `on_progress(section, done, total)`.

    Returns
    -------
    Volume or Scan
        Volume of shape (z, y, x), float32, in 1/cm where the pixel size is known, else in 1/px; whole numbers where
        the protocol casts them. A protocol that
        ends without a reconstruction gives a scan of the corrected projections.

    Raises
    ------
    InputError, CannotFit, Interrupted, StorageFull
        As `tomarium.pipeline.run.runner.run`.
    """
    opened = with_axis(as_scan_of(scan), axis_column)
    read_protocol = as_protocol(protocol, opened.domain)
    folder = None if output is None else Path(output)
    workers = 1 if mapper is in_turn else array.processors()
    outcome = run(
        checked(opened, read_protocol, force=force),
        read_protocol,
        folder,
        measure(
            folder, memory, workers, on=None if device is None else str(device), device_memory=device_memory
        ),
        rows=_rows(rows, opened),
        mapper=mapper,
        on_progress=on_progress,
    )
    return as_volume(outcome)


def _rows(rows: slice | int | None, scan: Scan) -> slice | None:
    if rows is None or isinstance(rows, slice):
        return rows
    if not isinstance(rows, int | np.integer):
        raise InputError(
            f"rows={rows!r}: a number or a slice of detector rows is wanted, such as rows=5 or rows=slice(5, 9)"
        )
    height = scan.shape[1]
    row = int(rows) + height * (rows < 0)
    if not 0 <= row < height:
        raise InputError(
            f"{scan.path}: row {rows} was asked for, but the scan has the rows 0 to {height - 1}"
        )
    return slice(row, row + 1)


def with_axis(scan: Scan, axis_column: float | None) -> Scan:
    """Give a scan the column of its rotation axis.

    Parameters
    ----------
    scan : Scan
        The scan.
    axis_column : float or None
        0-based column; None leaves the scan as it is.

    Returns
    -------
    Scan
        With the value's origin "user".
    """
    if axis_column is None:
        return scan
    return scan.with_geometry(axis_column=Value(float(axis_column), "user", "given by the user"))


def as_volume(outcome: Outcome) -> Volume | Scan:
    """Return what a run has made.

    Parameters
    ----------
    outcome : Outcome
        As `run` returns it.

    Returns
    -------
    Volume or Scan
        Lazy from the folder, or in memory.
    """
    if outcome.folder is not None:
        if outcome.plan.output == "projections":
            result = formats.open(outcome.folder / PROJECTIONS)
            assert isinstance(result, Scan)
            return result
        volume = ome_zarr.FORMAT.read(outcome.folder / VOLUME, Match(1.0, "", "just written"))
        assert isinstance(volume, Volume)
        return volume
    if isinstance(outcome.sink, Spool):
        return as_scan(outcome.plan, outcome.sink)
    assert isinstance(outcome.sink, ArraySink)
    voxel_m = outcome.plan.layout.geometry.voxel_m
    scales, unit = ((1.0, 1.0, 1.0), "px") if voxel_m is None else (voxel_m, "m")
    starts = (outcome.plan.rows.start, *first_voxel(outcome.plan))
    return Volume(
        data=outcome.sink.array,
        axes=tuple(
            Axis(name, scale, start * scale, unit)
            for name, scale, start in zip("zyx", scales, starts, strict=True)
        ),
        unit=outcome.plan.unit,
        name=outcome.scan.name,
        metadata={"tomarium": outcome.provenance, **grey_metadata(outcome.plan.layout)},
    )


@dataclass(frozen=True)
class Slices:
    """Slices of a scan, and what was used for them.

    Attributes
    ----------
    slab : Slab
        Slices (z, y, x), or rows of projections (angle, row, column).
    resolution : Resolution
        The protocol as it was carried out.
    answers : mapping
        What the probes told.
    """

    slab: Slab
    resolution: Resolution
    answers: Mapping[str, Mapping[str, Any]]


def slice_at(
    scan: AnyScan, row: int | None = None, protocol: AnyProtocol = None, *, on_progress: Progress = silent
) -> Slices:
    """Reconstruct one slice, fast: only the rows it needs are read.

    Parameters
    ----------
    scan : Scan or path
        The scan; where its axis is known from the user, it is not looked for.
    row : int, optional
        Detector row of the scan with the protocol's views, negative from the end; the middle one by default.
    protocol : Protocol, mapping, path or None
        As for `reconstruct`.
    on_progress : callable
        `on_progress(section, done, total)`.

    Returns
    -------
    Slices
        One slice, shape (1, y, x), or one row of projections, (angle, 1, column).

    Raises
    ------
    InputError
        The scan has no such row.
    MissingData, ParameterError
        As `plan`.
    """
    [slices] = slices_at(scan, [row], protocol, on_progress=on_progress)
    return slices


def slices_at(
    scan: AnyScan,
    rows: Sequence[int | None],
    protocol: AnyProtocol = None,
    *,
    device: str | int | None = None,
    force: bool = False,
    on_progress: Progress = silent,
    demand_wanted: Callable[[], object] | None = None,
) -> list[Slices]:
    """Reconstruct several slices: only the rows they need are read, and probes are asked once.

    Parameters
    ----------
    scan, protocol, on_progress
        As for `slice_at`.
    rows : sequence of int or None
        Detector rows, negative from the end; None is the middle one.
    device : str or int, optional
        GPU to use: its number, "auto" or "none"; by default none, for one slice is made before a GPU is started.
    force : bool
        As for `reconstruct`.
    demand_wanted : callable, optional
        As for `tomarium.pipeline.run.runner.run`.

    Returns
    -------
    list of Slices
        One for each row.

    Raises
    ------
    InputError
        The scan has no such row.
    MissingData, ParameterError
        As `plan`.
    """
    opened = as_scan_of(scan)
    opened.demand_frames()
    read_protocol = as_protocol(protocol, opened.domain)
    planned = resolve(read_protocol, opened)
    height = planned.scan.shape[1]
    chosen = [_row(row, height, opened) for row in rows]
    opened = _checked_at(opened, read_protocol, planned, chosen, force)
    answers = ask_probes(opened, read_protocol, Journal(None, {}), on_progress, demand_wanted)
    resolution = resolve(read_protocol, opened, answers)
    parts = [slice(row, row + 1) for row in chosen]
    slabs = evaluate(resolution, resolution.work, parts, array.processors(), demand_wanted, _traffic(device))
    return [Slices(slab, resolution, answers) for slab in slabs]


def _checked_at(
    opened: Scan, protocol: Protocol, planned: Resolution, rows: Sequence[int], force: bool
) -> Scan:
    """Look at the frames of a scan, at the first of some rows where they are those of its file."""
    if not rows or any(isinstance(item.step, View) for item in protocol.items):
        return checked(opened, protocol, force=force)
    if len(rows) == 1 and not needs_whole_frames(planned.work):
        # The check looks at the row, too, and of frames packed one by one all before it is read for that.
        read = rows_for(planned.scan, planned.work, slice(rows[0], rows[0] + 1))
        opened = replace(opened, projections=HeldRows(opened.projections, read))
    return checked(opened, protocol, rows[0], force=force)


def slices_at_axes(
    scan: AnyScan,
    columns: Sequence[float],
    row: int | None = None,
    protocol: AnyProtocol = None,
    *,
    device: str | int | None = None,
    force: bool = False,
    keep: Callable[[Any], Any] = np.asarray,
    on_progress: Progress = silent,
) -> list[Slices]:
    """Reconstruct one slice about several rotation axes; what does not depend on the axis is done once.

    Parameters
    ----------
    scan, row, protocol, device, force, on_progress
        As for `slices_at`.
    columns : sequence of float
        Columns of the axis, 0-based, pixel centres at integers of the scan as its file holds it.
    keep : function
        Makes what is kept of each image (y, x), such as a smaller one: memory of whole slices is then used again.

    Returns
    -------
    list of Slices
        One for each axis. The field of a half acquisition is as wide as its axis tells: all are cut to the smallest,
        about the middle, where the axis is.

    Raises
    ------
    InputError
        The scan has no such row, or no axis was given.
    ParameterError
        The protocol has no step that needs an axis.
    """
    opened = as_scan_of(scan)
    read_protocol = as_protocol(protocol, opened.domain)
    if not columns:
        raise InputError("no rotation axis was given to try; give columns such as 290:300:1")
    planned = resolve(read_protocol, with_axis(opened, columns[0]))
    chosen = _row(row, planned.scan.shape[1], opened)
    opened = _checked_at(opened, read_protocol, planned, [chosen], force)
    resolutions = [resolve(read_protocol, with_axis(opened, column)) for column in columns]
    first = resolutions[0]
    number = next((k for k, item in enumerate(first.work) if "axis_column" in item.values), None)
    if number is None:
        raise ParameterError("the protocol has no step that needs a rotation axis; add fbp")
    at_once = _all_at_once(resolutions, number)
    reach = () if at_once else reach_of(first.work[number:], "row")
    needed_rows = reached(slice(chosen, chosen + 1), reach, first.scan.shape[1])
    traffic = _traffic(device)
    [slab] = evaluate(first, first.work[:number], [needed_rows], array.processors(), traffic=traffic)
    slab = replace(
        slab, data=np.array(slab.data), halo=(chosen - needed_rows.start, needed_rows.stop - chosen - 1)
    )
    if at_once:
        return _about_axes(resolutions, number, slab, chosen, on_progress, traffic, keep)
    height, width = (min(resolution.layout.shape[k] for resolution in resolutions) for k in (1, 2))
    results = []
    for number_done, resolution in enumerate(resolutions):
        on_progress("axis", number_done, len(resolutions))
        ready = make_ready(resolution.work[number:], resolution.scan, "row", needed_rows)
        result = through(slab, ready, array.processors(), traffic)
        images = _kept(_middle(result.data, height, width), keep)
        results.append(Slices(replace(result, data=np.stack(images)), resolution, {}))
    on_progress("axis", len(resolutions), len(resolutions))
    return results


def _traffic(device: str | int | None) -> Traffic | None:
    """Open the device that is asked for; None where none is."""
    room, _ = find_room("none" if device is None else str(device))
    if room is None:
        return None
    return traffic_to(room.index)


def _all_at_once(resolutions: Sequence[Resolution], number: int) -> bool:
    """Say whether nothing but fbp of half a turn depends on the axis, in slices of one size."""
    items = [resolution.work[number:] for resolution in resolutions]
    if any(steps[-1].step.name != "fbp" or not all(_leaves(item) for item in steps[:-1]) for steps in items):
        return False
    last = items[0][-1]
    if len({resolution.layout.shape for resolution in resolutions}) > 1:
        return False
    angles, columns = last.before.geometry.angles_deg.value, last.before.shape[2]
    return all(turn_of(angles, steps[-1].plain["axis_column"], columns) == 180 for steps in items)


def _leaves(item: Resolved) -> bool:
    """Say whether a step leaves a scan of half a turn as it is: a preset has it for other scans."""
    return item.step.name == "half_acquisition" and item.plain["mode"] != "on"


def _about_axes(
    resolutions: Sequence[Resolution],
    number: int,
    slab: Slab,
    row: int,
    on_progress: Progress,
    traffic: Traffic | None,
    keep: Callable[[Any], Any],
) -> list[Slices]:
    """Reconstruct the one row of a slab about all axes, `BATCH` at a time."""
    scratch = None if keep is np.asarray else Scratch()
    axes = np.array([resolution.work[-1].plain["axis_column"] for resolution in resolutions], np.float64)
    results: list[Slices] = []
    for first in range(0, len(resolutions), BATCH):
        on_progress("axis", first, len(resolutions))
        batch = resolutions[first : first + BATCH]
        copies = np.broadcast_to(slab.data, (len(slab.data), len(batch), slab.data.shape[2]))
        copied = replace(slab, data=copies, rows=slice(row, row + len(batch)))
        ready = make_ready(batch[0].work[number:], batch[0].scan, "row", copied.rows)
        about = axes[first : first + BATCH]
        result = through(copied, ready, array.processors(), traffic, row_axes=about, scratch=scratch)
        report = {
            name: count // len(batch) if name.startswith("fbp.") else count
            for name, count in result.report.items()
        }
        for image, resolution in zip(_kept(result.data, keep), batch, strict=True):
            single = replace(result, data=image[None], rows=slice(row, row + 1), report=report)
            results.append(Slices(single, resolution, {}))
    on_progress("axis", len(resolutions), len(resolutions))
    return results


def _middle(images: Any, height: int, width: int) -> Any:
    """Cut images (image, y, x) to a size, half a pixel above the middle where the parity differs."""
    top, left = (images.shape[1] - height) // 2, (images.shape[2] - width) // 2
    return images[:, top : top + height, left : left + width]


def _kept(images: Any, keep: Callable[[Any], Any]) -> list[Any]:
    """Take of each image what is kept, in memory of its own unless it is all."""
    if keep is np.asarray:
        return list(images)
    with ThreadPoolExecutor(array.processors()) as pool:
        return list(pool.map(lambda image: np.array(keep(image)), images))


def _row(row: int | None, height: int, scan: Scan) -> int:
    chosen = (height // 2) if row is None else row + height * (row < 0)
    if not 0 <= chosen < height:
        raise InputError(f"{scan.path}: row {row} was asked for, but the scan has the rows 0 to {height - 1}")
    return chosen
