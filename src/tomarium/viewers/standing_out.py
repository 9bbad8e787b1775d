"""What stands out in the volume of a record: its bright parts, counted in a volume that was averaged down."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tomarium.model import Record
from tomarium.viewers.slices import voxel_m
from tomarium.viewers.small_volume import small_of
from tomarium.viewers.volume import volume_path, volume_window

VOXELS: Final = 128**3
LEAST: Final = 0.001
MOST: Final = 0.97
"""Shares of the volume between which the bright parts are a body and no speck, and not everything."""


@dataclass(frozen=True)
class Body:
    """The bright parts of a volume.

    Attributes
    ----------
    dense : array of bool, shape (z, y, x)
        Whether a voxel of the small volume is brighter than Otsu's threshold; without specks.
    voxel_m : tuple of float
        Size (z, y, x) of such a voxel, m.
    areas : array of int, shape (z,)
        Voxels of each slice.
    count : int
        Of all.
    unsure : int
        Half of those at a surface, on either side, may be wrong: so many.
    """

    dense: NDArray[np.bool_]
    voxel_m: tuple[float, float, float]
    areas: NDArray[Any]
    count: int
    unsure: int

    @property
    def pixel_m2(self) -> float:
        """Area of one in a slice, m²."""
        return self.voxel_m[1] * self.voxel_m[2]

    @property
    def per_slice(self) -> int:
        """Voxels of a slice."""
        return int(self.dense.shape[1] * self.dense.shape[2])

    @property
    def cubes(self) -> bool:
        """Whether the voxels are cubes, to two in a hundred: as many fit into the volume along each axis."""
        return max(self.voxel_m) <= 1.02 * min(self.voxel_m)

    def widest_row(self, index: int) -> tuple[float, float, float]:
        """Find where a slice shows the body widest; where it is cut off at both sides, its longest piece that is not.

        Parameters
        ----------
        index : int
            Of a slice that shows some of it.

        Returns
        -------
        row, left, right : float
            Its row (the middle) and both ends, as shares of the height and the width of the slice.
        """
        rows, columns = self.dense.shape[1:]
        row, left, right = self._outline(index)
        if left == 0 and right == columns and (piece := self._longest_piece(index)):
            row, left, right = piece
        return (row + 0.5) / rows, left / columns, right / columns

    def _longest_piece(self, index: int) -> tuple[int, int, int] | None:
        """Find the longest run of a row that ends before the edges: a grain, a wall."""
        padded = np.pad(self.dense[index].astype(np.int8), ((0, 0), (1, 1)))
        steps, columns = np.diff(padded, axis=1), self.dense.shape[2]
        (row, left), (_, right) = np.nonzero(steps == 1), np.nonzero(steps == -1)  # in the same order
        inner = (left > 0) & (right < columns)
        if not inner.any() or (longest := (right - left)[inner].max()) < columns / 20:
            return None
        best = int(np.flatnonzero(inner & (right - left == longest))[0])
        return int(row[best]), int(left[best]), int(right[best])

    def _outline(self, index: int) -> tuple[int, int, int]:
        one = self.dense[index]
        first, last = one.argmax(axis=1), one.shape[1] - one[:, ::-1].argmax(axis=1)
        wide = np.where(one.any(axis=1), last - first, 0)
        # Of rows that are as wide the middle one: the upper edge of a box is no good place for a mark.
        rows = np.flatnonzero(wide == wide.max())
        row = int(rows[len(rows) // 2])
        return row, int(first[row]), int(last[row])


def body_of(record: Record, folder: Path) -> Body | None:
    """Part what stands out in the volume of a record from what is around it.

    Parameters
    ----------
    record : Record
        With a volume of known voxel size.
    folder : Path
        Its folder.

    Returns
    -------
    Body or None
        In the volume averaged to about two million voxels, above Otsu's threshold, each voxel as most of the 3 x 3 x 3
        about it are; None where that is less than a thousandth or almost all of the volume.

    Raises
    ------
    FormatError
        The volume is damaged.
    """
    size = voxel_m(record)
    path = folder / str(volume_path(record))
    changed = (path / "zarr.json").stat().st_mtime_ns
    small = small_of(path, changed, volume_window(record, folder), VOXELS)
    dense = small.grey >= small.threshold
    if min(dense.shape) >= 3:
        dense = ndimage.uniform_filter(dense.astype(np.float32), 3, mode="nearest") > 0.5
    if size is None or not LEAST < dense.mean() < MOST:
        return None
    inner = ndimage.binary_erosion(dense, border_value=1)
    outer = ndimage.binary_dilation(dense, border_value=0)
    surface = int(dense.sum() - inner.sum()), int(outer.sum() - dense.sum())
    full = record.volume["shape"]
    z, y, x = (n * s / m for n, s, m in zip(full, size, dense.shape, strict=True))
    return Body(dense, (z, y, x), dense.sum(axis=(1, 2)), int(dense.sum()), -(-max(surface) // 2))
