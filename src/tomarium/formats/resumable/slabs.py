"""What all volumes that are written slab by slab refuse alike."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tomarium.errors import InputError


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
