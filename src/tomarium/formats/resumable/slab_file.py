"""Write slices into one file, slab by slab, in any order, from several threads; a killed run goes on.

While `<name>` is written, `.<name>.partial` holds the bytes and `.<name>.progress` the plan and one small file
for each slab that is complete (its least and greatest value and a sample of the others). The file gets its
name when the last slab is there, so nothing takes an unfinished one for a finished one.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.atomic_files import write_at, write_whole
from tomarium.errors import FormatError, InputError
from tomarium.formats.resumable.full_disk import NOT_KEPT, saying_full
from tomarium.formats.resumable.progress import Slabs, check_volume, has_plan, load_slabs
from tomarium.formats.resumable.value_range import ValueRange, extremes, sampled, value_range

# What is cast at once, and searched for its extremes by one thread while another writes it.
_PIECE_BYTES: Final = 4 << 20
# Slabs of a volume that is copied whole are about this large.
_SLAB_BYTES: Final = 64 << 20


@dataclass(frozen=True)
class FilePlan:
    """What an unfinished file will be."""

    shape: tuple[int, int, int]  # z, y, x
    dtype: str  # NumPy's name of the stored type; bytes are stored little-endian
    slab_rows: int  # slices of a slab
    offset: int  # byte where the first slice lies
    origin: str = ""  # where its content comes from, as `origins.origin_of` says; "" where that is not told


@dataclass(frozen=True)
class SlabFile:
    """A file of slices that is being written; different slabs may come from different threads or processes."""

    progress: Slabs[FilePlan]
    # what is written beside the file before it has its name; returns what takes the place of its head, if anything
    ending: Callable[[ValueRange], bytes | None]

    @property
    def slab_rows(self) -> int:
        """Slices of a slab; the last one may have fewer."""
        return self.progress.plan.slab_rows

    def done(self) -> tuple[int, ...]:
        """List the slabs that are complete, by their first slice."""
        return self.progress.done()

    def write(self, z0: int, block: NDArray[Any]) -> None:
        """Write one slab; it counts as done when all of it was handed to the disk.

        `z0`: its first slice, a multiple of `slab_rows`. `block`: the slab, whole: `slab_rows` slices, or
        what is left at the end. Cast to the file's type.
        """
        path, plan = self.progress.path, self.progress.plan
        self.progress.check_slab(z0, block.shape, "file")
        dtype = np.dtype(plan.dtype)
        least, greatest = math.inf, -math.inf
        place = plan.offset + z0 * math.prod(plan.shape[1:]) * dtype.itemsize
        with saying_full(path, f"{len(self.done())} slabs are kept; free some space and resume"):
            descriptor = os.open(_partial(path), os.O_WRONLY)
            try:
                with ThreadPoolExecutor(1) as beside:
                    for piece in _pieces(block, dtype):
                        searched = beside.submit(extremes, piece)
                        write_at(descriptor, piece.data.cast("B"), place)
                        place += piece.nbytes
                        low, high = searched.result()
                        least, greatest = min(least, low), max(greatest, high)
            finally:
                os.close(descriptor)
            self.progress.mark(z0, np.concatenate([[least, greatest], sampled(block)]))

    def finish(self) -> Path:
        """Write what lies beside the file, and give it its name."""
        path = self.progress.path
        self.progress.check_complete()
        with saying_full(path, "free some space and finish again"):
            head = self.ending(value_range(self.progress.values()))
            if head is not None:
                with _partial(path).open("r+b") as stream:
                    stream.write(head)
            # Last, since a volume without its texts is none, should this run be killed between.
            _partial(path).replace(path)
        shutil.rmtree(self.progress.folder)
        return path


def _pieces(block: NDArray[Any], dtype: np.dtype[Any]) -> Iterator[NDArray[Any]]:
    """Yield a slab in little-endian runs of rows."""
    rows = block.reshape(-1, block.shape[-1])
    step = max(1, _PIECE_BYTES // (block.shape[-1] * dtype.itemsize))
    for start in range(0, len(rows), step):
        yield np.ascontiguousarray(rows[start : start + step], dtype=dtype.newbyteorder("<"))


def begin_slab_file(
    path: Path,
    shape: tuple[int, int, int],
    dtype: np.dtype[Any],
    slab_rows: int,
    head: bytes = b"",
    *,
    resume: bool = False,
    origin: str = "",
) -> Slabs[FilePlan]:
    """Begin a file of slices, or go on with it.

    `path`: the file; its folder is made where it is absent. `dtype`: type to store, little-endian: integers
    or floats of at most 64 bits. `resume`: go on with an unfinished one of the same origin where there is one.
    Result: its `done()` lists what need not be written again.
    """
    check_volume(path, shape, dtype, slab_rows)
    plan = FilePlan(shape, dtype.newbyteorder("=").name, min(slab_rows, shape[0]), len(head), origin)
    progress = Slabs(path, path.with_name(f".{path.name}.progress"), plan)
    if resume and not path.exists():
        begun = _begun(progress)
        if begun is not None:
            return begun
    if path.exists() or progress.folder.exists():
        remedy = "remove it or choose another path" if path.exists() else "resume it, or remove it first"
        raise FormatError(f"{path}: exists already, {'whole' if path.exists() else 'unfinished'}; {remedy}")
    with saying_full(path, NOT_KEPT):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _partial(path).open("wb") as stream:
            stream.write(head)
            stream.truncate(len(head) + math.prod(shape) * dtype.itemsize)
        progress.begin()
    return progress


def _begun(wanted: Slabs[FilePlan]) -> Slabs[FilePlan] | None:
    """Return what an earlier run has begun; what was killed before its plan was there, or is another's, is removed."""
    path, plan = wanted.path, wanted.plan
    if has_plan(wanted.folder) and _partial(path).is_file():
        begun = load_slabs(path, wanted.folder, FilePlan)
        if begun.plan == plan:
            return begun
        if begun.plan.origin == plan.origin:
            raise InputError(
                f"{path}: its unfinished volume has shape {begun.plan.shape}, type {begun.plan.dtype} and slabs of "
                f"{begun.plan.slab_rows}, not {plan.shape}, {plan.dtype} and {plan.slab_rows}, or another description; "
                f"remove it or choose another path"
            )
    shutil.rmtree(wanted.folder, ignore_errors=True)
    return None


def usual_slab_rows(shape: tuple[int, int, int], dtype: np.dtype[Any]) -> int:
    """Return how many slices make a slab of about 64 MiB."""
    return max(1, min(shape[0], _SLAB_BYTES // max(1, shape[1] * shape[2] * dtype.itemsize)))


def write_text(path: Path, text: str) -> None:
    """Write a small text so that the file is there whole or not at all.

    `text`: what, written as UTF-8 with the line endings it has.
    """
    with saying_full(path, NOT_KEPT):
        write_whole(path, text.encode("utf-8", "surrogateescape"))


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial")
