"""What a worker does for the page of work: slices to look at, and reconstructions that end as filed records."""

from __future__ import annotations

import math
import os
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlalchemy import Row

from tomarium.atomic_files import take_lock
from tomarium.beamtime import work_results
from tomarium.beamtime.scan_parameters import FoundAxis
from tomarium.beamtime.work_in_child import Axes, make_slices, make_volume
from tomarium.beamtime.work_settings import settings_of
from tomarium.beamtime.work_source import RECORD, find_source
from tomarium.catalogue import Catalogue, ingest
from tomarium.catalogue.confined_work import confined
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.find_jobs import jobs_of_kind
from tomarium.catalogue.job_progress import stage_teller
from tomarium.catalogue.jobs import Ended, begin_last_part, forget_jobs, is_held, without_folders
from tomarium.catalogue.queries import folder_of
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.work import Kind, NotWanted, StillHeld
from tomarium.catalogue.workers import forget_workers
from tomarium.errors import DatabaseUnavailable, FormatError, InputError
from tomarium.model.publication import Related
from tomarium.pipeline.protocol.protocol import to_data, to_yaml
from tomarium.pipeline.run.journal import is_unfinished
from tomarium.standards.ro_crate import FILENAME
from tomarium.viewers.picture import robust_window

PREVIEW: Final = "preview"
"""Kind of a job that makes slices to look at."""
RECONSTRUCT: Final = "reconstruct"
"""Kind of a job that makes a volume and files it."""
LEASE_S: Final = 60.0
"""Seconds after which another worker takes such a job where the first one was killed."""
ASK_S: Final = 0.25
"""Seconds from one question whether a job is still wanted to the next."""
STAGES: Final = {
    "probe": "looking at the scan", "axis": "trying axes", "file": "writing previews and checksums",
}  # fmt: skip
MOST_PREVIEWS: Final = 60
"""Previews of one person that are remembered."""


def work_kinds() -> Mapping[str, Kind]:
    """Return the kinds of jobs of the page of work, for a worker's table.

    Returns
    -------
    mapping of str to Kind
        "preview" and "reconstruct"; what one process finds of an axis it remembers.
    """
    axes: Axes = {}
    return {
        PREVIEW: Kind(partial(_make_preview, axes), LEASE_S, urgent=True, tidy=_without_places),
        RECONSTRUCT: Kind(_reconstruct, LEASE_S, tidy=_without_places, noted="reconstructed", long=True),
    }


def _without_places(catalogue: Catalogue, job: Row[Any], text: str) -> str:
    """Leave out where a record lies; the owner's own files keep their names alone."""
    places, source = [catalogue.home / "records"], str(job.arguments.get("scan", ""))
    with suppress(DatabaseUnavailable), catalogue.reading() as connection:
        folder = folder_of(connection, source.removeprefix(RECORD)) if source.startswith(RECORD) else None
        places += [] if folder is None else [folder]
    if source.startswith("path:"):
        places.append(Path(source.removeprefix("path:")).parent)
    return without_folders(text, {place: place.name for place in places})


def _make_preview(axes: Axes, catalogue: Catalogue, job: Row[Any]) -> Ended:
    """Make one slice, or one about several columns of the axis."""
    arguments = job.arguments
    settings = settings_of(arguments["settings"])
    folder = work_results.results_folder(catalogue.home, job.number)
    shutil.rmtree(folder, ignore_errors=True)  # what a worker that was killed has left
    path, readable, _ = find_source(catalogue, job.asked_by, arguments["scan"])
    slices = confined(
        make_slices,
        *(path, arguments["settings"], arguments["what"], axes),
        readable=[readable],
        tell=stage_teller(catalogue, job, STAGES, "reconstructing"),
        demand_wanted=Wanted(catalogue, job),
    )
    _keep_axes(axes, slices["axes"])
    stack = np.frombuffer(slices["stack"], np.float32).reshape(slices["shape"])
    facts = dict(slices["facts"])
    protocol = settings.protocol(facts["domain"])
    low, high = robust_window(stack)
    finite = stack[np.isfinite(stack)]
    facts |= {
        "what": arguments["what"],
        "binning": list(settings.binning),
        "shape": list(stack.shape[1:]),
        "window": [low, high],
        "values": [float(finite.min()), float(finite.max())] if finite.size else [low, high],
        "protocol": to_data(protocol),
        "yaml": to_yaml(protocol),
        "command": settings.command(path.name),
    }
    if not is_held(catalogue, job):
        raise NotWanted
    work_results.write_results(folder, stack, facts)
    return "done", f"row {facts['row']}", ()


def _keep_axes(axes: Axes, new_axes: Sequence[Any]) -> None:
    """Keep the axes that were found, the newest ones."""
    for key, axis in new_axes:
        path, changed_ns, size, behind = key
        axes[path, changed_ns, size, behind] = FoundAxis(*axis)
        while len(axes) > MOST_PREVIEWS:
            axes.pop(next(iter(axes)))


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


def _reconstruct(catalogue: Catalogue, job: Row[Any]) -> Ended:
    """Make a volume and file it as a draft; what a worker that was killed has done of it is gone on with."""
    results = work_results.results_folder(catalogue.home, job.number)
    results.mkdir(parents=True, exist_ok=True)
    lock = _lock_job(results)
    try:
        return _reconstruct_alone(catalogue, job)
    except NotWanted:
        with suppress(DatabaseUnavailable):
            if _is_cancelled(catalogue, job.number):
                shutil.rmtree(_record_folder(catalogue, job), ignore_errors=True)
        raise
    finally:
        os.close(lock)


def _lock_job(folder: Path) -> int:
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
    arguments, folder = job.arguments, _record_folder(catalogue, job)
    if not is_held(catalogue, job):
        raise NotWanted
    path, readable, reader = find_source(catalogue, job.asked_by, arguments["scan"])
    warnings: list[str] = []
    if not (folder / FILENAME).is_file() or is_unfinished(folder):
        folder.mkdir(parents=True, exist_ok=True)
        warnings = confined(
            make_volume,
            *(path, arguments["protocol"], folder, arguments["rows"], arguments["title"], arguments["id"]),
            readable=[readable],
            writable=[folder],
            tell=stage_teller(catalogue, job, STAGES, "reconstructing ({})"),
            demand_wanted=Wanted(catalogue, job),
        )
    if not begin_last_part(catalogue, job, "the volume is whole, and is filed"):
        raise NotWanted
    if read_record(folder).publication is not None:  # a file could have taken over the process that read it
        raise FormatError(
            f"{path.name}: the process that read it made no draft of it; take it from its origin"
        )
    record = ingest(catalogue, folder, checksums=False, reader=reader)
    if arguments["scan"].startswith(RECORD) and not record.related:
        origin = Related("IsDerivedFrom", arguments["scan"].removeprefix(RECORD))
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
    previews_of_person: dict[str, int] = {}

    def kept(job: Row[Any]) -> bool:
        previews_of_person[job.asked_by] = previews_of_person.get(job.asked_by, 0) + 1
        whole = work_results.results_folder(home, job.number).is_dir()
        return previews_of_person[job.asked_by] <= MOST_PREVIEWS and (whole or job.state != "done")

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
            lock = _lock_job(results)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
