"""Write slices into one file, slab by slab, in any order, from several threads; a killed run goes on.

While `<name>` is written, `.<name>.partial` holds the bytes and `.<name>.progress` the plan and one small file
for each slab that is complete (its least and greatest value and a sample of the others). The file gets its
name when the last slab is there, so nothing takes an unfinished one for a finished one.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.atomic_files import write_at, write_json, write_whole
from tomarium.errors import FormatError, InputError
from tomarium.formats.resumable.full_disk import NOT_KEPT, saying_full
from tomarium.formats.resumable.slabs import check_complete, check_slab, check_volume, done_slabs
from tomarium.formats.resumable.value_range import ValueRange, extremes, sampled

# What is cast at once, and searched for its extremes by one thread while another writes it.
_PIECE_BYTES: Final = 4 << 20
# Slabs of a volume that is copied whole are about this large.
_SLAB_BYTES: Final = 64 << 20


@dataclass(frozen=True)
class SlabPlan:
    """What an unfinished file will be."""

    shape: tuple[int, int, int]  # z, y, x
    dtype: str  # NumPy's name of the stored type; bytes are stored little-endian
    slab_rows: int  # slices of a slab
    offset: int  # byte where the first slice lies
    origin: str = ""  # where its content comes from, as `origins.origin_of` says; "" where that is not told


class SlabFile:
    """A file of slices that is being written; different slabs may come from different threads or processes."""

    def __init__(self, path: Path, plan: SlabPlan) -> None:
        self.path = path
        self._plan = plan

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows and columns: z, y, x."""
        return self._plan.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a stored voxel."""
        return np.dtype(self._plan.dtype)

    @property
    def slab_rows(self) -> int:
        """Slices of a slab; the last one may have fewer."""
        return self._plan.slab_rows

    @property
    def offset(self) -> int:
        """Byte where the first slice lies."""
        return self._plan.offset

    def done(self) -> tuple[int, ...]:
        """List the slabs that are complete, by their first slice."""
        return done_slabs(file.stem for file in _progress(self.path).glob("slab-*.npy"))

    def write(self, z0: int, block: NDArray[Any]) -> None:
        """Write one slab; it counts as done when all of it was handed to the disk.

        `z0`: its first slice, a multiple of `slab_rows`. `block`: the slab, whole: `slab_rows` slices, or
        what is left at the end. Cast to the file's type.
        """
        check_slab(self.path, self.shape, self.slab_rows, z0, block.shape, "file")
        least, greatest, place = math.inf, -math.inf, self._offset(z0)
        with saying_full(self.path, f"{len(self.done())} slabs are kept; free some space and resume"):
            descriptor = os.open(_partial(self.path), os.O_WRONLY)
            try:
                with ThreadPoolExecutor(1) as beside:
                    for piece in self._pieces(block):
                        searched = beside.submit(extremes, piece)
                        write_at(descriptor, piece.data.cast("B"), place)
                        place += piece.nbytes
                        low, high = searched.result()
                        least, greatest = min(least, low), max(greatest, high)
            finally:
                os.close(descriptor)
            self._mark(z0, np.concatenate([[least, greatest], sampled(block)]))

    def values(self) -> ValueRange:
        """Return what the slabs written so far say of the values."""
        kept = [np.load(_mark(self.path, z0)) for z0 in self.done()]
        if not kept:
            return ValueRange(math.nan, math.nan, np.empty(0))
        least, greatest = min(one[0] for one in kept), max(one[1] for one in kept)
        if least > greatest:
            least = greatest = math.nan
        return ValueRange(float(least), float(greatest), np.concatenate([one[2:] for one in kept]))

    def check_complete(self) -> None:
        """Refuse to end before every slab is written."""
        check_complete(self.path, self.shape[0], self.slab_rows, self.done())

    def finish(self, head: bytes | None = None) -> Path:
        """Give the file its name.

        `head`: what takes the place of the bytes before the first slice; as long as these.
        """
        self.check_complete()
        if head is not None and len(head) != self._plan.offset:
            raise InputError(
                f"{self.path}: a head of {len(head)} bytes was given for one of {self._plan.offset}"
            )
        with saying_full(self.path, "free some space and finish again"):
            if head is not None:
                with _partial(self.path).open("r+b") as stream:
                    stream.write(head)
            _partial(self.path).replace(self.path)
        shutil.rmtree(_progress(self.path))
        return self.path

    def _offset(self, z0: int) -> int:
        return self._plan.offset + z0 * math.prod(self.shape[1:]) * self.dtype.itemsize

    def _pieces(self, block: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """Yield the slab in little-endian runs of rows."""
        rows = block.reshape(-1, self.shape[2])
        step = max(1, _PIECE_BYTES // (self.shape[2] * self.dtype.itemsize))
        for start in range(0, len(rows), step):
            yield np.ascontiguousarray(rows[start : start + step], dtype=self.dtype.newbyteorder("<"))

    def _mark(self, z0: int, values: NDArray[np.float64]) -> None:
        mark = _mark(self.path, z0)
        draft = mark.with_suffix(".draft")
        with draft.open("wb") as stream:
            np.save(stream, values)
        draft.replace(mark)


def create_slab_file(
    path: Path,
    shape: tuple[int, int, int],
    dtype: np.dtype[Any],
    slab_rows: int,
    head: bytes = b"",
    *,
    origin: str = "",
) -> SlabFile:
    """Begin a file of slices.

    `path`: the file; its folder is made where it is absent. `dtype`: type to store, little-endian: integers
    or floats of at most 64 bits.
    """
    check_volume(path, shape, dtype, slab_rows)
    if path.exists() or _progress(path).exists():
        remedy = "remove it or choose another path" if path.exists() else "resume it, or remove it first"
        raise FormatError(f"{path}: exists already, {'whole' if path.exists() else 'unfinished'}; {remedy}")
    plan = SlabPlan(shape, dtype.newbyteorder("=").name, min(slab_rows, shape[0]), len(head), origin)
    with saying_full(path, NOT_KEPT):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _partial(path).open("wb") as stream:
            stream.write(head)
            stream.truncate(len(head) + math.prod(shape) * dtype.itemsize)
        _progress(path).mkdir()
        write_json(_progress(path) / "plan.json", asdict(plan))
    return SlabFile(path, plan)


def open_slab_file(path: Path) -> SlabFile:
    """Go on with a file of slices that is unfinished.

    Result: its `done()` lists what need not be written again.
    """
    if not (_progress(path) / "plan.json").is_file() or not _partial(path).is_file():
        what = "is finished already" if path.exists() else "is no file tomarium began to write"
        raise FormatError(f"{path}: {what}; there is nothing to resume")
    try:
        found = json.loads((_progress(path) / "plan.json").read_text("utf-8"))
        plan = SlabPlan(
            tuple(found["shape"]), found["dtype"], found["slab_rows"], found["offset"], found["origin"]
        )
        np.dtype(plan.dtype)
    except (OSError, ValueError, TypeError, KeyError) as problem:
        raise FormatError(
            f"{_progress(path)}: the plan of this unfinished file is damaged ({problem}); remove it and write "
            f"the file again"
        ) from problem
    return SlabFile(path, plan)


def resume_slab_file(
    path: Path,
    shape: tuple[int, int, int],
    dtype: np.dtype[Any],
    slab_rows: int,
    head: bytes = b"",
    *,
    origin: str = "",
) -> SlabFile:
    """Go on with a file of slices, or begin it where there is none, or one of another origin.

    Result: its `done()` lists what need not be written again.
    """
    if not path.exists() and not (_progress(path) / "plan.json").is_file():
        # Killed before its plan was there, if it was begun at all.
        shutil.rmtree(_progress(path), ignore_errors=True)
    if path.exists() or not _progress(path).exists():
        return create_slab_file(path, shape, dtype, slab_rows, head, origin=origin)
    file = open_slab_file(path)
    if file._plan.origin != origin:
        shutil.rmtree(_progress(path))
        _partial(path).unlink(missing_ok=True)
        return create_slab_file(path, shape, dtype, slab_rows, head, origin=origin)
    if (file.shape, file.dtype, file.slab_rows, file.offset) != (
        shape,
        dtype,
        min(slab_rows, shape[0]),
        len(head),
    ):
        raise InputError(
            f"{path}: its unfinished volume has shape {file.shape}, type {file.dtype.name} and slabs of "
            f"{file.slab_rows}, not {shape}, {dtype.name} and {slab_rows}, or another description; remove it or "
            f"choose another path"
        )
    return file


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


def _progress(path: Path) -> Path:
    return path.with_name(f".{path.name}.progress")


def _mark(path: Path, z0: int) -> Path:
    return _progress(path) / f"slab-{z0:06d}.npy"
