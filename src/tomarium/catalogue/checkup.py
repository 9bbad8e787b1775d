"""What the doctor is handed of a record: its crate, its volume, and which files are not as they were filed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tomarium.catalogue.checksums import MANIFEST, is_manifest, list_files, read_manifest
from tomarium.catalogue.record_folder import read_record, verify
from tomarium.doctor import Subject, subject_of
from tomarium.doctor.core.subject import Opener, Problem
from tomarium.errors import TomariumError
from tomarium.standards.ro_crate import FILENAME
from tomarium.viewers.volume import open_volume, volume_path

COMPARED_BYTES: Final = 1_000_000_000
"""Bytes of files whose checksums are compared: some seconds. Of larger records only the names are."""


def subject_of_path(path: Path, opener: Opener | None = None) -> Subject:
    """Open what is to be examined, records among it.

    Parameters
    ----------
    path : Path
        The folder of a record, a scan, an image or volume, or a table of metadata.
    opener : callable, optional
        What opens it as a scan or an image, for a user who tells something of it.

    Returns
    -------
    Subject
        With what could be opened; a damaged record has its problems, not an exception.
    """
    if opener is None and (path / FILENAME).is_file():
        return subject_of_record(path)
    return subject_of(path, opener)


def subject_of_record(folder: Path) -> Subject:
    """Open a record to be examined.

    Parameters
    ----------
    folder : Path
        It has a crate.

    Returns
    -------
    Subject
        With the record and its volume, as far as they can be read, and the problems of its files.
    """
    name = folder.name or str(folder)
    try:
        record = read_record(folder)
    except TomariumError as problem:
        return Subject(name, folder, problems=(Problem(FILENAME, str(problem)),))
    problems, not_compared = _problems(folder)
    place = volume_path(record)
    image = None
    if place is not None:
        try:
            image = open_volume(folder / place)
        except TomariumError as problem:
            problems = (*problems, Problem(place, str(problem)))
    return Subject(
        name, folder, image=image, record=record, problems=problems, not_compared_bytes=not_compared
    )


def _problems(folder: Path) -> tuple[tuple[Problem, ...], int]:
    try:
        present = {path: (folder / path).stat().st_size for path in list_files(folder)}
        total = sum(present.values())
        if total <= COMPARED_BYTES:
            return tuple(Problem(mismatch.path, mismatch.problem) for mismatch in verify(folder)), 0
        listed = read_manifest(folder / MANIFEST).keys()
        data_files = {path for path in present if path != FILENAME and not is_manifest(path)}
    except TomariumError as problem:
        return (Problem(MANIFEST, str(problem)),), 0
    missing = [Problem(path, "missing") for path in sorted(listed - data_files)]
    return (*missing, *(Problem(path, "unlisted") for path in sorted(data_files - listed))), total
