"""Reconstruct a scan in one call: the whole volume, or a single slice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tomarium import array
from tomarium.errors import InputError
from tomarium.formats import ome_zarr
from tomarium.formats.format import Match
from tomarium.model import Axis, Scan, Slab, Value, Volume
from tomarium.pipeline.flow import follow, split
from tomarium.pipeline.journal import Journal
from tomarium.pipeline.protocol import Protocol, bind, default_protocol, from_data
from tomarium.pipeline.protocol import read as read_protocol
from tomarium.pipeline.resources import measure
from tomarium.pipeline.run import VOLUME, Map, Outcome, Progress, in_turn, probe_scan, run, silent
from tomarium.pipeline.sink import ArraySink
from tomarium.pipeline.slabs import cut_rows
from tomarium.pipeline.stage import load, make_ready, process, trim
from tomarium.steps.step import Step

AnyProtocol = Protocol | Mapping[str, Any] | str | Path | None


def as_protocol(protocol: AnyProtocol) -> Protocol:
    """Read a protocol in any of its spellings.

    Parameters
    ----------
    protocol : Protocol, mapping, path or None
        A protocol, its plain data, the path of its file, or None for the default.

    Returns
    -------
    Protocol
        The checked protocol.

    Raises
    ------
    InputError, ParameterError
        It cannot be read.
    """
    if protocol is None:
        return default_protocol()
    if isinstance(protocol, Protocol):
        return protocol
    if isinstance(protocol, Mapping):
        return from_data(protocol, "protocol")
    return read_protocol(Path(protocol))


def reconstruct(
    scan: Scan,
    protocol: AnyProtocol = None,
    *,
    output: str | Path | None = None,
    rows: slice | None = None,
    axis_column: float | None = None,
    memory: str | None = None,
    mapper: Map = in_turn,
    on_progress: Progress = silent,
) -> Volume:
    """Reconstruct a scan.

    Parameters
    ----------
    scan : Scan
        As `open` returns it.
    protocol : Protocol, mapping, path or None
        What is done; by default: find the rotation axis, flat field, filtered backprojection.
    output : path, optional
        Folder for the volume, its protocol and its provenance; without it the volume stays in memory.
    rows : slice, optional
        Detector rows wanted; all by default.
    axis_column : float, optional
        Column of the rotation axis, 0-based, pixel centres at integers; looked for where absent.
    memory : str, optional
        Limit such as "4GB"; by default 60 % of what is available.
    mapper : callable
        Executor; see `tomarium.executors`.
    on_progress : callable
        `on_progress(stage, done, total)`.

    Returns
    -------
    Volume
        Shape (z, y, x), float32, in 1/cm where the pixel size is known, else in 1/px.

    Raises
    ------
    InputError, CannotFit, Interrupted, StorageFull
        As `tomarium.pipeline.run.run`.
    """
    folder = None if output is None else Path(output)
    workers = 1 if mapper is in_turn else array.processors()
    outcome = run(
        with_axis(scan, axis_column),
        as_protocol(protocol),
        folder,
        measure(folder, memory, workers),
        rows=rows,
        mapper=mapper,
        on_progress=on_progress,
    )
    return as_volume(outcome)


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
    return replace(scan, axis_column=Value(float(axis_column), "user", "given by the user"))


def as_volume(outcome: Outcome) -> Volume:
    """Return what a run has made as a volume.

    Parameters
    ----------
    outcome : Outcome
        As `run` returns it.

    Returns
    -------
    Volume
        Lazy from the folder, or in memory.
    """
    if outcome.folder is not None:
        volume = ome_zarr.FORMAT.read(outcome.folder / VOLUME, Match(1.0, "", "just written"))
        assert isinstance(volume, Volume)
        return volume
    assert isinstance(outcome.sink, ArraySink)
    pixel_m = outcome.scan.pixel_m
    scale, unit = (1.0, "px") if pixel_m is None else (pixel_m.value, "m")
    starts = (outcome.plan.rows.start, *(-(n - 1) / 2 for n in outcome.plan.shape[1:]))
    return Volume(
        data=outcome.sink.array,
        axes=tuple(Axis(name, scale, start * scale, unit) for name, start in zip("zyx", starts, strict=True)),
        unit=outcome.plan.unit,
        name=outcome.scan.name,
        metadata={"tomarium": outcome.provenance},
    )


def slice_at(
    scan: Scan, row: int | None = None, protocol: AnyProtocol = None, *, on_progress: Progress = silent
) -> tuple[Slab, Scan]:
    """Reconstruct one slice, fast: only the rows it needs are read.

    Parameters
    ----------
    scan : Scan
        The scan; where its axis is known from the user, it is not looked for.
    row : int, optional
        Detector row, negative from the end; the middle one by default.
    protocol : Protocol, mapping, path or None
        As for `reconstruct`.
    on_progress : callable
        `on_progress(stage, done, total)`.

    Returns
    -------
    Slab, Scan
        One slice, shape (1, y, x), and the scan with what the probes found.

    Raises
    ------
    InputError
        The scan has no such row.
    MissingData, ParameterError
        As `plan`.
    """
    scan.demand_frames()
    height = scan.shape[1]
    chosen = (height // 2) if row is None else row + height * (row < 0)
    if not 0 <= chosen < height:
        raise InputError(f"{scan.path}: row {row} was asked for, but the scan has the rows 0 to {height - 1}")
    asked = as_protocol(protocol)
    follow(bind(asked, scan))
    probed, steps = probe_scan(scan, asked, Journal(None, {}), on_progress)
    bound = bind(steps, probed)
    angle, row_steps = split(bound)
    if angle:
        raise InputError(
            f"step {angle[0].step.name} works on whole frames: a single slice would cost a whole run; use run --rows"
        )
    halo = sum(b.step.halo(b.plain, probed) for b in row_steps if isinstance(b.step, Step))
    [cut] = cut_rows(slice(chosen, chosen + 1), 1, halo, height)
    ready = make_ready(row_steps, probed, array.processors(), cut.reads)
    return trim(process(load(probed.projections, cut), ready)), probed
