"""What the numbers at one place of a protocol are: their shape, kind, unit and geometry, without the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tomarium.model.geometry import Geometry
from tomarium.model.slab import Domain


@dataclass(frozen=True)
class Layout:
    """What reaches a step, or leaves it.

    Attributes
    ----------
    shape : tuple of int
        (angle, row, column) before, (z, y, x) after reconstruction.
    dtype : dtype
        Type of a number.
    domain : Domain
        What the numbers are.
    unit : str
        Their unit: "counts", "1", "1/px", "1/cm".
    geometry : Geometry
        What is known of the acquisition there: the axis column counts from the first column of `shape`.
    first_voxel : tuple of float or None
        Of slices: where the first voxel lies, (y, x) in voxels from the rotation axis; None for slices about it.
    grey_range : mapping or None
        Of slices that were cast to whole numbers: `low` and `high`, the values of 0 and of the greatest number, and
        `unit`, theirs.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    domain: Domain
    unit: str
    geometry: Geometry
    first_voxel: tuple[float, float] | None = None
    grey_range: Mapping[str, Any] | None = None

    @property
    def values(self) -> int:
        """How many numbers."""
        first, second, third = self.shape
        return first * second * third

    @property
    def bytes(self) -> int:
        """Size of the whole."""
        return self.values * self.dtype.itemsize

    def with_rows(self, rows: int) -> Layout:
        """Return the layout of a slab of so many rows (or slices)."""
        first, second, third = self.shape
        shape = (rows, second, third) if self.domain == "slice" else (first, rows, third)
        return replace(self, shape=shape)

    def with_angles(self, angles: int) -> Layout:
        """Return the layout of a slab of so many angles, before reconstruction."""
        return replace(self, shape=(angles, *self.shape[1:]))

    @property
    def rows(self) -> int:
        """Detector rows, or slices."""
        return self.shape[0] if self.domain == "slice" else self.shape[1]
