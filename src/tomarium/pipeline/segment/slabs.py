"""A volume read slab by slab with as many neighbours as a method needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.flat_smoothing import smooth_flat, smoothing_halo
from tomarium.kernels.image_statistics import counted_columns
from tomarium.model import Volume

SLAB_BYTES: Final = 256 << 20
"""Bytes that a method uses for a slab, but for a single slice with its neighbours that needs more."""


@dataclass(frozen=True)
class Smoothed:
    """A volume of finite numbers, smoothed when it is read.

    Attributes
    ----------
    volume : Volume
        Its own values.
    sigma_px : float
        As `smooth_flat` takes it; 0 leaves the values.
    fill : float
        What stands for values that are not finite.
    """

    volume: Volume
    sigma_px: float
    fill: float = 0.0

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of its axes."""
        return self.volume.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel, float32."""
        return np.dtype(np.float32)

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        """Return slices: a slice along z alone."""
        start, stop, _ = key.indices(self.shape[0])
        return self.read(start, stop)

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the slices start to stop - 1; the same numbers in whatever slabs they are read."""
        halo, depth = smoothing_halo(self.sigma_px), self.shape[0]
        low, high = max(0, start - halo), min(depth, stop + halo)
        block = np.array(self.volume[low:high], np.float32)
        np.copyto(block, np.float32(self.fill), where=~np.isfinite(block))
        return smooth_flat(block, self.sigma_px)[start - low : stop - low]


def slab_height(shape: tuple[int, ...], bytes_a_voxel: int, halo: int = 0) -> int:
    """Return how many slices a slab has; `bytes_a_voxel` counts all arrays of a method."""
    bytes_of_slice = max(1, shape[1] * shape[2] * bytes_a_voxel)
    return max(1, min(shape[0], SLAB_BYTES // bytes_of_slice - 2 * halo))


def slabs(depth: int, height: int) -> Iterator[tuple[int, int]]:
    """Yield the first slice of each slab, and the one after its last."""
    for start in range(0, depth, height):
        yield start, min(start + height, depth)


def inside(shape: tuple[int, ...], *, disc: bool = True) -> NDArray[np.bool_]:
    """Return which voxels of a slice count: all, or with `disc` the inscribed circle of square ones."""
    first, last = counted_columns(shape[1], shape[2], disc=disc)
    x = np.arange(shape[2])
    return np.asarray((x >= first[:, None]) & (x < last[:, None]))
