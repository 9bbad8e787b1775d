"""What a worker does for the page of work: slices to look at, and reconstructions that end as filed records."""

from __future__ import annotations

import math
import os
import shutil
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlalchemy import Row

from tomarium.atomic_files import take_lock
from tomarium.beamtime import quick_look, work_results
from tomarium.beamtime.look_at_scan import row_of
from tomarium.beamtime.scan_parameters import FoundAxis
from tomarium.beamtime.work_settings import WorkSettings, detector_column, rows_of, settings_of
from tomarium.beamtime.work_source import RECORD, facts_of, open_source
from tomarium.catalogue import Catalogue, ingest
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.find_jobs import jobs_of_kind
from tomarium.catalogue.job_progress import stage_teller
from tomarium.catalogue.jobs import Ended, begin_last_part, forget_jobs, is_held, without_folders
from tomarium.catalogue.make_record import make_record
from tomarium.catalogue.queries import folder_of
from tomarium.catalogue.work import Kind, NotWanted, StillHeld
from tomarium.catalogue.workers import forget_workers
from tomarium.errors import DatabaseUnavailable, InputError
from tomarium.model import Scan
from tomarium.model.publication import Related
from tomarium.pipeline.protocol.protocol import Protocol, from_data, to_data, to_yaml
from tomarium.pipeline.protocol.resolve import resolve
from tomarium.pipeline.run.journal import is_unfinished
from tomarium.pipeline.run.reconstruct import with_axis
from tomarium.pipeline.run.runner import Progress
from tomarium.standards.ro_crate import FILENAME
from tomarium.steps.core.step import View
from tomarium.viewers.picture import robust_window

PREVIEW: Final = "preview"
"""Kind of a job that makes slices to look at."""
RECONSTRUCT: Final = "reconstruct"
"""Kind of a job that makes a volume and files it."""
LEASE_S: Final = 60.0
"""Seconds after which another worker takes such a job where the first one was killed."""
CANDIDATES: Final = 9
"""Columns of the axis that are tried side by side."""
STRIP_PX: Final = 512
"""Width of the middle of a slice that is shown for each column."""
SPACING: Final = {"high": 1.0, "given": 1.0, "medium": 2.0}
"""Columns between two candidates by the confidence of the axis; 4 where it is low or there is none."""
ASK_S: Final = 0.25
"""Seconds from one question whether a job is still wanted to the next."""
STAGES: Final = {
    "probe": "looking at the scan", "axis": "trying axes", "file": "writing previews and checksums",
}  # fmt: skip
MOST_PREVIEWS: Final = 60
"""Previews of one person that are remembered."""

Axes = dict[tuple[str, int, int, str], FoundAxis]
"""Axes that this process has found: file, its time and size, and the steps behind which it was looked for."""


def work_kinds() -> Mapping[str, Kind]:
    """Return the kinds of jobs of the page of work, for a worker's table.

    Returns
    -------
    mapping of str to Kind
        "preview" and "reconstruct"; what one process finds of an axis it remembers.
    """
    axes: Axes = {}
    return {
        PREVIEW: Kind(partial(_preview, axes), LEASE_S, urgent=True, tidy=_of_scan),
        RECONSTRUCT: Kind(_reconstruct, LEASE_S, tidy=_of_scan, noted="reconstructed", long=True),
    }


def _of_scan(catalogue: Catalogue, job: Row[Any], told: str) -> str:
    """Leave out where a record lies; the owner's own files keep their names alone."""
    places, source = [catalogue.home / "records"], str(job.arguments.get("scan", ""))
    with suppress(DatabaseUnavailable), catalogue.reading() as connection:
        folder = folder_of(connection, source.removeprefix(RECORD)) if source.startswith(RECORD) else None
        places += [] if folder is None else [folder]
    if source.startswith("path:"):
        places.append(Path(source.removeprefix("path:")).parent)
    return without_folders(told, {place: place.name for place in places})


def _preview(axes: Axes, catalogue: Catalogue, job: Row[Any]) -> Ended:
    """Make one slice, or one about several columns of the axis."""
    told = job.arguments
    settings = settings_of(told["settings"])
    folder = work_results.results_folder(catalogue.home, job.number)
    shutil.rmtree(folder, ignore_errors=True)  # what a worker that was killed has left
    wanted = Wanted(catalogue, job)
    progress = _told(wanted, stage_teller(catalogue, job, STAGES, "reconstructing"))
    scan, _ = open_source(catalogue, job.asked_by, told["scan"])
    scan.demand_frames()
    protocol = settings.protocol(scan.domain)
    seen = _without_region(protocol)
    height = resolve(seen, scan).scan.shape[1]
    row = _row_of(settings, scan, height)
    make = _axis_strip if told["what"] == "axes" else _slice
    images, facts = make(axes, scan, seen, row, settings, progress, wanted)
    kept = [work_results.averaged(image) for image in images]
    factor = kept[0][1]
    stack = np.stack([image for image, _ in kept])
    low, high = robust_window(stack)
    finite = stack[np.isfinite(stack)]
    facts |= {
        "what": told["what"],
        "scan": facts_of(scan),
        "domain": scan.domain,
        "height": height,
        "binning": list(settings.binning),
        "factor": factor,
        "shape": list(stack.shape[1:]),
        "window": [low, high],
        "values": [float(finite.min()), float(finite.max())] if finite.size else [low, high],
        "protocol": to_data(protocol),
        "yaml": to_yaml(protocol),
        "command": settings.command(scan.path.name),
    }
    if not is_held(catalogue, job):
        raise NotWanted
    work_results.write_results(folder, stack, facts)
    return "done", f"row {facts['row']}", ()


class Wanted:
    """Stops a job that nobody wants any more: raises `NotWanted` where it was cancelled, or another worker has it.

    Asked from all threads of a run; the catalogue is asked a few times a second at most.
    """

    def __init__(self, catalogue: Catalogue, job: Row[Any]) -> None:
        self._catalogue, self._job, self._lock = catalogue, job, threading.Lock()
        self._asked, self._lost = -math.inf, False

    def __call__(self) -> None:
        """Ask."""
        with self._lock:
            if not self._lost and time.monotonic() - self._asked >= ASK_S:
                with suppress(DatabaseUnavailable):
                    self._lost = not is_held(self._catalogue, self._job)
                self._asked = time.monotonic()
        if self._lost:
            raise NotWanted


def _told(wanted: Wanted, progress: Progress) -> Progress:
    """Give what is told of progress; it stops the job where nobody wants it any more."""

    def tell(stage: str, done: int, total: int) -> None:
        progress(stage, done, total)
        wanted()

    return tell


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


def _axis_of(
    axes: Axes, scan: Scan, protocol: Protocol, progress: Any, wanted: Wanted
) -> tuple[FoundAxis | None, tuple[str, ...]]:
    """Find the axis as a run would, once for a file, in columns of binned frames; None where it is told already."""
    behind = quick_look.steps_behind_axis(protocol)
    given = any("axis_column" in item.given for item in protocol.items) or scan.axis_column is not None
    if behind is None or given:
        return None, ()
    state = scan.path.stat()
    key = (str(scan.path), state.st_mtime_ns, state.st_size, behind)
    if key in axes:
        return axes[key], ()
    found_axis, notes = quick_look.find_axis(scan, protocol, on_progress=progress, demand_wanted=wanted)
    if len(axes) >= MOST_PREVIEWS:
        axes.pop(next(iter(axes)))
    axes[key] = found_axis
    return found_axis, notes


def _slice(
    axes: Axes,
    scan: Scan,
    protocol: Protocol,
    row: int | None,
    settings: WorkSettings,
    progress: Any,
    wanted: Wanted,
) -> tuple[list[Any], dict[str, Any]]:
    """Make one slice; its row and the axis are told as the detector's own, whatever is binned."""
    axis, notes = _axis_of(axes, scan, protocol, progress, wanted)
    rows, columns = settings.binning
    taken, found_axis = scan, axis
    if axis is not None and any(isinstance(item.step, View) for item in protocol.items):
        taken, found_axis = (
            with_axis(scan, detector_column(axis.column, columns)),
            None,
        )  # told of the file's own columns
    slice_look = quick_look.look(taken, protocol, row, found_axis, on_progress=progress, demand_wanted=wanted)
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


def _axis_strip(
    axes: Axes,
    scan: Scan,
    protocol: Protocol,
    row: int | None,
    settings: WorkSettings,
    progress: Any,
    wanted: Wanted,
) -> tuple[list[Any], dict[str, Any]]:
    """Make the middle of one slice about several columns, the found or given one in their middle."""
    free = Protocol(
        tuple(
            replace(i, given={k: v for k, v in i.given.items() if k != "axis_column"}) for i in protocol.items
        )
    )
    found_axis, notes = _axis_of(axes, scan, free, progress, wanted)
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
    images, used, pixel = quick_look.look_at_axes(scan, free, columns, row, on_progress=progress)
    side = min(STRIP_PX, *(min(image.shape) for image in images))
    return [_middle(image, side) for image in images], {
        "row": used * rows,
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


def _middle(image: Any, side: int) -> Any:
    top, left = ((length - side) // 2 for length in image.shape)
    return image[top : top + side, left : left + side]


def _reconstruct(catalogue: Catalogue, job: Row[Any]) -> Ended:
    """Make a volume and file it as a draft; what a worker that was killed has done of it is gone on with."""
    results = work_results.results_folder(catalogue.home, job.number)
    results.mkdir(parents=True, exist_ok=True)
    lock = _alone(results)
    try:
        return _reconstruct_alone(catalogue, job)
    except NotWanted:
        with suppress(DatabaseUnavailable):
            if _is_cancelled(catalogue, job.number):
                shutil.rmtree(_record_folder(catalogue, job), ignore_errors=True)
        raise
    finally:
        os.close(lock)


def _alone(folder: Path) -> int:
    """Hold the lock of a job, which the system lets go of when this process ends."""
    try:
        lock = take_lock(folder / "lock", "another worker is at it")
    except InputError as problem:
        raise StillHeld from problem
    if lock is None:
        raise StillHeld
    return lock


def _record_folder(catalogue: Catalogue, job: Row[Any]) -> Path:
    return catalogue.home / "records" / str(job.arguments["id"])


def _is_cancelled(catalogue: Catalogue, number: int) -> bool:
    with catalogue.reading() as connection:
        return any(row.number == number for row in jobs_of_kind(connection, RECONSTRUCT, "cancelled"))


def _reconstruct_alone(catalogue: Catalogue, job: Row[Any]) -> Ended:
    told, folder = job.arguments, _record_folder(catalogue, job)
    if not is_held(catalogue, job):
        raise NotWanted
    scan, reader = open_source(catalogue, job.asked_by, told["scan"])
    warnings: list[str] = []
    wanted = Wanted(catalogue, job)
    if not (folder / FILENAME).is_file() or is_unfinished(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        outcome = make_record(
            scan,
            from_data(told["protocol"], "the protocol that was shown"),
            folder,
            rows=rows_of(told["rows"]),
            title=told["title"],
            id=told["id"],
            on_progress=_told(wanted, stage_teller(catalogue, job, STAGES, "reconstructing ({})")),
            demand_wanted=wanted,
        )
        warnings = list(outcome.provenance["warnings"])
    if not begin_last_part(catalogue, job, "the volume is whole, and is filed"):
        raise NotWanted
    record = ingest(catalogue, folder, checksums=False, reader=reader)
    if told["scan"].startswith(RECORD) and not record.related:
        origin = Related("IsDerivedFrom", told["scan"].removeprefix(RECORD))
        edit(catalogue, reader, record.id, Changes(related=(origin,)))
    return "done", "; ".join([f"filed: {record.id}", *warnings]), (record.id,)


def clear_work(catalogue: Catalogue) -> None:
    """Clear away what nobody asks for any more: old slices, rows of old previews, and what cancelled jobs have left.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    """
    home = catalogue.home
    work_results.clear_results(home)
    forget_workers(home)
    seen: dict[str, int] = {}

    def kept(job: Row[Any]) -> bool:
        seen[job.asked_by] = seen.get(job.asked_by, 0) + 1
        whole = work_results.results_folder(home, job.number).is_dir()
        return seen[job.asked_by] <= MOST_PREVIEWS and (whole or job.state != "done")

    with catalogue.writing() as connection:
        gone = forget_jobs(connection, PREVIEW, kept)
        cancelled = jobs_of_kind(connection, RECONSTRUCT, "cancelled")
        filed = {
            row.number for row in cancelled if folder_of(connection, str(row.arguments["id"])) is not None
        }
    for number in gone:
        shutil.rmtree(work_results.results_folder(home, number), ignore_errors=True)
    for row in cancelled:
        folder = _record_folder(catalogue, row)
        if row.number in filed or not folder.is_dir():
            continue
        results = work_results.results_folder(home, row.number)
        results.mkdir(parents=True, exist_ok=True)
        with suppress(StillHeld):
            lock = _alone(results)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
