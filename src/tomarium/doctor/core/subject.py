"""What is examined: a path with what could be opened of it, and the facts it holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from tomarium import formats
from tomarium.doctor.core.facts import facts_of_image, facts_of_record, facts_of_scan
from tomarium.doctor.core.table import Table, is_table, read_table
from tomarium.doctor.samples.frame_sample import FrameSample, sample_frames
from tomarium.doctor.samples.slice_sample import SliceSample, sample_slices
from tomarium.errors import TomariumError
from tomarium.formats.hdf5.attributes import is_hdf5
from tomarium.model import Image, Record, Scan, Value, Volume
from tomarium.pipeline.run.journal import FOLDER, REQUEST

Opener: TypeAlias = Callable[[Path], Scan | Image]
"""Opens a path as a scan or an image."""


@dataclass(frozen=True)
class Problem:
    """Something that is not as a record's own list says.

    Attributes
    ----------
    path : str
        Path below the record's folder.
    problem : str
        "missing", "changed" or "unlisted"; or a sentence where the record itself cannot be read.
    """

    path: str
    problem: str


@dataclass(frozen=True)
class Subject:
    """What is examined; a check asks for the parts it needs.

    Attributes
    ----------
    name : str
        For people.
    path : Path or None
        File or folder; None for what lies in memory.
    scan : Scan or None
        The scan that was opened.
    image : Image or None
        The image or volume that was opened.
    table : Table or None
        The table that was read.
    record : Record or None
        What a record's crate says.
    problems : tuple of Problem
        What is wrong with the files of the record.
    not_compared_bytes : int
        Bytes of a record's files whose checksums were not compared, to keep the time bounded.
    refusal : str
        Why the path could not be opened; "" where it could.
    """

    name: str
    path: Path | None = None
    scan: Scan | None = None
    image: Image | None = None
    table: Table | None = None
    record: Record | None = None
    problems: tuple[Problem, ...] = field(default=())
    not_compared_bytes: int = 0
    refusal: str = ""

    @cached_property
    def facts(self) -> Mapping[str, Value[Any]]:
        """Numbers and words by name, in the unit the name carries; the measured win over the told."""
        facts: dict[str, Value[Any]] = {}
        if self.table is not None:
            facts |= self.table.facts
        if self.record is not None:
            facts |= facts_of_record(self.record)
        if self.image is not None:
            facts |= facts_of_image(self.image)
        if self.scan is not None:
            facts |= facts_of_scan(self.scan)
        return facts

    @cached_property
    def frames(self) -> FrameSample:
        """A few frames of the scan, read once for all checks."""
        assert self.scan is not None
        return sample_frames(self.scan)

    @cached_property
    def slices(self) -> SliceSample:
        """The slices of the volume, read once for all checks, at the resolution that fits in bounded time."""
        assert isinstance(self.image, Volume)
        return sample_slices(self.image)


def subject_of(path: Path, opener: Opener | None = None) -> Subject:
    """Open what is to be examined; a path that cannot be opened is examined all the same.

    Parameters
    ----------
    path : Path
        A scan, an image or volume, a table of metadata, or a run that was stopped.
        `tomarium.catalogue.subject_of_record` opens the folder of a record.
    opener : callable, optional
        What opens it as a scan or an image, for a user who tells something of it; it is then no table.

    Returns
    -------
    Subject
        With what could be opened.
    """
    name = path.name or str(path)
    if _is_begun_run(path):  # what it holds is not there yet, and not wrong
        return Subject(name, path)
    no_table = ""
    try:
        if opener is None and is_table(path):
            try:
                return Subject(name, path, table=read_table(path))
            except TomariumError as problem:  # a spectrum, or one number for each frame, is a table too
                no_table = str(problem)
        opened = (opener or formats.open)(path)
    except TomariumError as problem:
        return Subject(name, path, refusal=no_table or str(problem))
    if isinstance(opened, Scan):
        return Subject(name, path, scan=opened)
    return Subject(name, path, image=opened)


def a_scan(subject: Subject) -> bool:
    """Tell whether it is a scan.

    Parameters
    ----------
    subject : Subject
        What is examined.

    Returns
    -------
    bool
        Whether it holds a scan.
    """
    return subject.scan is not None


def frames_there(subject: Subject) -> bool:
    """Tell whether it is a scan whose frames are there.

    Parameters
    ----------
    subject : Subject
        What is examined.

    Returns
    -------
    bool
        Whether frames can be read; frames in absent files cannot.
    """
    return subject.scan is not None and 0 not in subject.scan.shape


def has_flats(subject: Subject) -> bool:
    """Tell whether it is a scan with frames and flats.

    Parameters
    ----------
    subject : Subject
        What is examined.

    Returns
    -------
    bool
        Whether both can be read.
    """
    return frames_there(subject) and subject.scan is not None and subject.scan.flats is not None


def a_volume(subject: Subject) -> bool:
    """Tell whether it is a volume.

    Parameters
    ----------
    subject : Subject
        What is examined.

    Returns
    -------
    bool
        Whether it has three axes and no empty one.
    """
    return isinstance(subject.image, Volume) and 0 not in subject.image.shape


def a_table(subject: Subject) -> bool:
    """Tell whether it is a table of metadata.

    Parameters
    ----------
    subject : Subject
        What is examined.

    Returns
    -------
    bool
        Whether it is one.
    """
    return subject.table is not None


def a_record(subject: Subject) -> bool:
    """Tell whether it is the folder of a record, readable or not.

    Parameters
    ----------
    subject : Subject
        What is examined.

    Returns
    -------
    bool
        Whether it is one.
    """
    return subject.record is not None or bool(subject.problems)


def a_begun_run(subject: Subject) -> bool:
    """Tell whether it is the folder of a run that has not come to its end.

    Parameters
    ----------
    subject : Subject
        What is examined.

    Returns
    -------
    bool
        Whether the run's journal is in it.
    """
    return subject.path is not None and _is_begun_run(subject.path)


def _is_begun_run(path: Path) -> bool:
    return (path / FOLDER / REQUEST).is_file()


def an_hdf5_file(subject: Subject) -> bool:
    """Tell whether it is an HDF5 file, whatever it holds.

    Parameters
    ----------
    subject : Subject
        What is examined.

    Returns
    -------
    bool
        Whether its first bytes say so.
    """
    return subject.path is not None and subject.path.is_file() and is_hdf5(subject.path)


def refused(subject: Subject) -> bool:
    """Tell whether it could not be opened.

    Parameters
    ----------
    subject : Subject
        What is examined.

    Returns
    -------
    bool
        Whether there is a reason why not.
    """
    return bool(subject.refusal)
