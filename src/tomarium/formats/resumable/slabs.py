"""What all volumes that are written slab by slab do alike: refuse what cannot be, and copy what is not there yet."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.formats.resumable.hidden_file import Tell
from tomarium.model import Volume


def check_volume(path: Path, shape: tuple[int, int, int], dtype: np.dtype[Any], slab_rows: int) -> None:
    """Refuse lengths of zero and types that are no integer or float of at most 64 bits."""
    if dtype.kind not in "iuf" or dtype.itemsize > 8 or min(shape) < 1 or slab_rows < 1:
        raise InputError(
            f"{path}: a volume of shape {shape}, type {dtype} and slabs of {slab_rows} cannot be written; all "
            f"lengths must be above zero and the type an integer or a float of at most 64 bits"
        )


def check_slab(
    path: Path, shape: tuple[int, int, int], slab_rows: int, z0: int, block: tuple[int, ...], what: str
) -> None:
    """Refuse a block of some shape at slice `z0` that is no slab of a volume; `what` it is one of, for the message."""
    depth = min(slab_rows, shape[0] - z0)
    if z0 % slab_rows or z0 < 0 or block != (depth, *shape[1:]):
        raise InputError(
            f"{path}: a block {block} at slice {z0} is no slab of this {what}; slabs begin at multiples of "
            f"{slab_rows} and are {(depth, *shape[1:])} there"
        )


def check_complete(path: Path, slices: int, slab_rows: int, done: Iterable[int]) -> None:
    """Refuse to end a volume before every slab is written; `done` are the first slices of those that are."""
    missing = sorted(set(range(0, slices, slab_rows)) - set(done))
    if missing:
        raise InputError(
            f"{path}: {len(missing)} of {-(-slices // slab_rows)} slabs are not written, the first at slice "
            f"{missing[0]}; write them, then finish"
        )


def done_slabs(names: Iterable[str]) -> tuple[int, ...]:
    """Return the first slices of slabs from the names of their marks, `slab-000016` …, sorted."""
    numbers = (name.removeprefix("slab-") for name in names)
    return tuple(sorted(int(number) for number in numbers if number.isdigit()))


class SlabWriter(Protocol):
    """A volume that is being written slab by slab."""

    @property
    def slab_rows(self) -> int:
        """Slices of a slab; the last one may have fewer."""

    def done(self) -> tuple[int, ...]:
        """List the slabs that are complete, by their first slice."""

    def write(self, z0: int, block: NDArray[Any], /) -> None:
        """Write the slab that begins at slice `z0`."""


def fill(
    writer: SlabWriter, volume: Volume | NDArray[Any], voxel_bytes: int, tell: Tell | None = None
) -> None:
    """Copy a volume slab by slab, one of them in memory at a time; slabs that are done are left as they are."""
    done, (slices, rows, columns) = set(writer.done()), volume.shape
    for start in range(0, slices, writer.slab_rows):
        stop = min(start + writer.slab_rows, slices)
        if start not in done:
            writer.write(start, np.asarray(volume[start:stop]))
        if tell is not None:
            tell(stop * rows * columns * voxel_bytes, slices * rows * columns * voxel_bytes)
