"""Where finished slices go: a volume on disk, or an array in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tomarium.model import Slab


class Sink(Protocol):
    """Something that takes finished slabs, from several threads, each slab once."""

    def write(self, z0: int, block: NDArray[Any]) -> None:
        """Store slices (z, y, x); the first is slice `z0` of the volume."""
        ...

    def finish(self, attributes: Mapping[str, Any] | None = None) -> object:
        """Say that every slab is there, and keep what is known of the whole."""
        ...


class ArraySink:
    """A volume in memory.

    Attributes
    ----------
    array : array, shape (z, y, x)
        The volume; slabs not yet written are not initialised.
    """

    def __init__(self, shape: tuple[int, int, int], dtype: DTypeLike) -> None:
        self.array: NDArray[Any] = np.empty(shape, dtype)

    def write(self, z0: int, block: NDArray[Any]) -> None:
        """Store slices (z, y, x); the first is slice `z0` of the volume."""
        self.array[z0 : z0 + len(block)] = block

    def finish(self, attributes: Mapping[str, Any] | None = None) -> None:
        """Nothing is left to do: the array is whole."""


@dataclass(frozen=True)
class VolumeTarget:
    """Slices of a volume that begins at a row of the scan.

    Attributes
    ----------
    sink : Sink
        Where slices go.
    first_row : int
        Row of the scan that its first slice is.
    """

    sink: Sink
    first_row: int

    def put(self, slab: Slab) -> None:
        """Store slices."""
        self.sink.write(slab.rows.start - self.first_row, slab.data)
