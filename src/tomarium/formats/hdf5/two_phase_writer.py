"""An HDF5 file written in two passes: first its structure, closed and whole, then the pixels, block by block.

The pixels of a contiguous dataset lie in one run of bytes whose place HDF5 tells. So the structure is written and
closed first, and each block of frames then goes straight to its place: nothing of HDF5 is in flight while the
long work is done, and a killed run knows from its progress log which blocks are on disk. The file carries a hidden name
until its last block is there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from tomarium.atomic_files import write_at
from tomarium.formats.hdf5.content_hash import fingerprint
from tomarium.formats.hdf5.names import Name, as_bytes, path_of
from tomarium.formats.hdf5.writer import blocks
from tomarium.formats.provenance.source_fingerprint import files_of
from tomarium.formats.resumable.hidden_file import HiddenFile, OnProgress, hidden_file
from tomarium.model import Frames


@dataclass(frozen=True, eq=False)
class Fill:
    """Frames that a dataset waits for."""

    dataset: str  # HDF5 path of the dataset
    dtype: np.dtype[Any]  # type it stores
    frames: Frames  # what is to be written
    where: NDArray[np.intp]  # shape (frame,): which frame of the dataset each becomes
    offset: int  # first byte of the dataset in the file

    @property
    def frame_bytes(self) -> int:
        """Bytes of one stored frame."""
        _, rows, columns = self.frames.shape
        return rows * columns * self.dtype.itemsize


@dataclass
class TwoPhaseFile:
    """A file that is being written."""

    file: h5py.File  # it, open, for everything but frames
    fills: list[Fill] = field(default_factory=list)  # the frames its datasets wait for
    # every dataset of frames, whether it waits or is filled already
    names: list[str] = field(default_factory=list)

    def reserve(
        self, group: h5py.Group, name: Name, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> h5py.Dataset:
        """Make a contiguous dataset whose bytes have their place, but no content yet.

        Result: to be filled with `fill`.
        """
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        plist.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        kind, space = h5py.h5t.py_create(dtype, logical=True), h5py.h5s.create_simple(shape)
        dataset = h5py.Dataset(h5py.h5d.create(group.id, as_bytes(name), kind, space, dcpl=plist))
        self.names.append(path_of(dataset))
        return dataset

    def fill(self, dataset: h5py.Dataset, frames: Frames, where: NDArray[np.intp] | None = None) -> None:
        """Write frames into a dataset: now where it is chunked, after the structure is closed otherwise.

        `dataset`: shape (frame, row, column), or (row, column) for one frame. `where`: which frame of the
        dataset each becomes; None keeps the order.
        """
        places = np.arange(frames.shape[0]) if where is None else where
        offset = dataset.id.get_offset()
        if offset is not None:
            self.fills.append(Fill(path_of(dataset), dataset.dtype, frames, places, offset))
            return
        for start, stop in blocks(frames):
            pixels = frames.read(slice(start, stop), slice(None))
            if dataset.ndim == 2:
                dataset[...] = pixels[0]
                continue
            for run in _runs(places[start:stop]):
                first = int(places[start + run.start])
                dataset[first : first + run.stop - run.start] = pixels[run]

    def frames(self, group: h5py.Group, name: str, frames: Frames) -> h5py.Dataset:
        """Make a dataset of a stack and have it filled."""
        dataset = self.reserve(group, name, frames.shape, np.dtype(frames.dtype))
        self.fill(dataset, frames)
        return dataset


@contextmanager
def two_phase_file(
    path: Path, *, resume: bool = False, on_progress: OnProgress | None = None
) -> Iterator[TwoPhaseFile]:
    """Write an HDF5 file: its structure in the block, its frames when the block has ended, then its name.

    `path`: final name; its folder is made where it is absent, an older file of that name is replaced at the
    end. `resume`: whether a run that stops leaves what it has, hidden beside the final name, and goes on from
    there when it is repeated with the same source. Otherwise nothing is left behind. `on_progress`: told of
    progress: bytes of frames written, bytes in all.
    """
    with hidden_file(path, resume=resume) as hidden:
        fresh = hidden.partial.with_name(f"{hidden.partial.name}.new")
        try:
            # Each structure in the oldest spelling that can say it; virtual datasets need that of HDF5 1.10.
            with h5py.File(fresh, "w", libver=("earliest", "latest"), locking=False) as file:
                output = TwoPhaseFile(file)
                yield output
            _pour(hidden, output.fills, _begun(hidden, fresh, output), on_progress)
        finally:
            fresh.unlink(missing_ok=True)


def _begun(hidden: HiddenFile, fresh: Path, output: TwoPhaseFile) -> set[tuple[int, int]]:
    """Tell which blocks an earlier run has written, or take the new structure and begin."""
    key = _key(fresh, output)
    blocks_there = hidden.blocks(key)
    if blocks_there is None:
        fresh.replace(hidden.partial)
        hidden.begin(key)
    return {(number, start) for number, start in blocks_there or ()}


def _key(fresh: Path, output: TwoPhaseFile) -> str:
    """Sum up a structure by what it says, and where its pixels come from and go.

    Not by its bytes: HDF5 stamps the second into each object that is copied from a file with such stamps, so that
    no two structures of a scan from most detectors are the same.
    """
    contents = [
        (
            waiting.dataset,
            waiting.dtype.str,
            waiting.offset,
            waiting.frames.shape,
            waiting.where.tolist(),
            files_of(waiting.frames),
        )
        for waiting in output.fills
    ]
    with h5py.File(fresh, "r", locking=False) as file:
        sum_of_content = fingerprint(file, frozenset(output.names))
    size = fresh.stat().st_size
    return hashlib.sha256(json.dumps([size, sum_of_content, contents]).encode()).hexdigest()


def _pour(
    hidden: HiddenFile, fills: list[Fill], done: set[tuple[int, int]], on_progress: OnProgress | None
) -> None:
    total = sum(waiting.frames.shape[0] * waiting.frame_bytes for waiting in fills)
    bytes_written = 0
    with hidden.writing() as (file, note):
        for number, waiting in enumerate(fills):
            for start, stop in blocks(waiting.frames):
                if (number, start) not in done:
                    _put_block(file, waiting, start, stop)
                    note((number, start))
                bytes_written += (stop - start) * waiting.frame_bytes
                if on_progress is not None:
                    on_progress(bytes_written, total)


def _put_block(file: int, waiting: Fill, start: int, stop: int) -> None:
    pixels = np.ascontiguousarray(waiting.frames.read(slice(start, stop), slice(None)), dtype=waiting.dtype)
    where = waiting.where[start:stop]
    for run in _runs(where):
        place = waiting.offset + int(where[run.start]) * waiting.frame_bytes
        write_at(file, pixels[run].data.cast("B"), place)


def _runs(where: NDArray[np.intp]) -> Iterator[slice]:
    """Cut places into runs of neighbours, each of which goes out in waiting piece."""
    cuts = [0, *(np.flatnonzero(np.diff(where) != 1) + 1).tolist(), len(where)]
    for first, last in pairwise(cuts):
        if first < last:
            yield slice(first, last)
