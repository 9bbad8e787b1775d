"""Runs that have not come to their end: how far they are, and how they go on."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

from tomarium.atomic_files import take_lock
from tomarium.doctor.core.check import check
from tomarium.doctor.core.finding import Finding, info, warning
from tomarium.doctor.core.subject import Subject, a_begun_run
from tomarium.errors import FormatError, InputError
from tomarium.formats.record.reader import PROVENANCE, VOLUME
from tomarium.formats.zarr.progress import is_unfinished, load_progress
from tomarium.pipeline.run.journal import FOLDER, LOCK, REQUEST, read_json


@check(a_begun_run)
def run_unfinished(subject: Subject) -> Iterator[Finding]:
    """Say that a run has not come to its end, how far it is and how it goes on.

    Parameters
    ----------
    subject : Subject
        The folder of a run.

    Yields
    ------
    Finding
        An information where the run is at work now, else a warning.
    """
    assert subject.path is not None
    far = _progress_text(subject.path)
    if _is_at_work(subject.path / FOLDER / LOCK):
        yield info(subject.name, f"a run is at work here: {far}", "a finished record")
        return
    yield warning(
        subject.name,
        f"a run was stopped here: {far}",
        "a finished record",
        f"repeat the command that began it, with the same options, and it goes on: {_command(subject.path)}",
    )


def _progress_text(folder: Path) -> str:
    volume = folder / VOLUME
    if is_unfinished(volume):
        try:
            progress = load_progress(volume)
        except FormatError as problem:
            return str(problem)
        return f"{len(progress.done())} of {progress.count} slabs are written"
    if not (folder / PROVENANCE).is_file():
        return "no slab is written yet"
    return "all slabs are written, and the record is not filed"


def _command(folder: Path) -> str:
    try:
        request = read_json(folder / FOLDER / REQUEST)
    except (OSError, ValueError):
        request = None
    scan = request.get("scan") if isinstance(request, dict) else None
    return f"tomarium run {scan if isinstance(scan, str) else 'SCAN'} -o {folder}"


def _is_at_work(lock: Path) -> bool:
    if not lock.is_file():
        return False
    try:
        with warnings.catch_warnings(action="ignore"):  # of a file system without locks
            descriptor = take_lock(lock, "")
    except InputError:
        return True
    except OSError:  # it may not be written by whoever looks
        return False
    if descriptor is not None:
        os.close(descriptor)
    return False
