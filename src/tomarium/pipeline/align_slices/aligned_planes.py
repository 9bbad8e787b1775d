"""Slices taken where they lie, one by one, when they are read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors
from tomarium.kernels.alignment.section_warp import warp_section
from tomarium.kernels.curtains import remove_curtains
from tomarium.pipeline.align_slices.slice_series import SliceSeries

Plane = NDArray[np.float32]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Curtains:
    """How curtains are taken out.

    Attributes
    ----------
    widest_px : float
        Widest stripes, pixels.
    length_px : float or None
        Over how much of a stripe is averaged; None: a sixth of the rows.
    """

    widest_px: float
    length_px: float | None = None


@dataclass(frozen=True, eq=False)
class AlignedPlanes:
    """The planes of an aligned volume; anything that slices like NumPy along z reads it.

    Attributes
    ----------
    series : SliceSeries
        The slices as they were taken.
    sources : tuple of tuple
        For each plane the slice it is made of and that slice again, or the two between which it is filled in, and the
        share of the second.
    matrices, shifts : array of float64, shape (slice, 2, 2) and (slice, 2)
        As `warp_section` takes them.
    gains, offsets : array of float64, shape (slice,)
        Values are multiplied and then added to.
    frame : tuple of int
        Rows and columns of a plane, and the row and column of the slices at which it begins.
    curtains : Curtains or None
        Whether and how curtains are taken out.
    dtype : dtype
        Type of a voxel.
    """

    series: SliceSeries
    sources: tuple[tuple[int, int, float], ...]
    matrices: Array
    shifts: Array
    gains: Array
    offsets: Array
    frame: tuple[int, int, int, int]
    curtains: Curtains | None
    dtype: np.dtype[Any]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Planes, rows and columns."""
        return len(self.sources), self.frame[0], self.frame[1]

    def __getitem__(self, key: Any) -> Any:
        planes, *further = key if isinstance(key, tuple) else (key,)
        if planes is Ellipsis:
            return self[(slice(None), *further)]
        if isinstance(planes, int | np.integer):
            return self._make_plane(range(self.shape[0])[int(planes)])[tuple(further)]
        numbers = range(*planes.indices(self.shape[0]))
        result = np.zeros((len(numbers), *self.shape[1:]), self.dtype)
        with ThreadPoolExecutor(processors()) as pool:
            for at, plane in enumerate(pool.map(self._make_plane, numbers)):
                result[at] = plane
        return result[(slice(None), *further)]

    def _make_plane(self, number: int) -> NDArray[Any]:
        first, second, share = self.sources[number]
        plane = self._warped_slice(first)
        if share:
            plane = (1 - np.float32(share)) * plane + np.float32(share) * self._warped_slice(second)
        if self.dtype.kind == "f":
            return plane.astype(self.dtype)
        limits = np.iinfo(self.dtype)
        return np.clip(np.rint(plane.astype(np.float64)), limits.min, limits.max).astype(self.dtype)

    def _warped_slice(self, number: int) -> Plane:
        values = finite(self.series.plane(number))
        if self.curtains is not None:
            values, _ = remove_curtains(values, self.curtains.widest_px, length_px=self.curtains.length_px)
        gain, offset = self.gains[number], self.offsets[number]
        if gain != 1 or offset != 0:
            values = values * np.float32(gain) + np.float32(offset)
        shift = (float(self.shifts[number, 0]), float(self.shifts[number, 1]))
        moved, inside = warp_section(values, self.matrices[number], shift, self.frame)
        moved[~inside] = 0
        return moved


def finite(plane: NDArray[Any]) -> Plane:
    """Return a slice as float32 whose values that are not finite are its median."""
    values = np.asarray(plane, np.float32)
    good = np.isfinite(values)
    if good.all():
        return values
    return np.where(good, values, np.median(values[good]) if good.any() else 0.0).astype(np.float32)
