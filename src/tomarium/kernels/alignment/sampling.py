"""An image on a grid: coarser versions of it, and its values and slopes between the voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Block = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Grid:
    """Values on a grid whose axes are x, y, z of a frame.

    Attributes
    ----------
    values : array of float32, shape (z, y, x)
        Values; those of voxels that are not valid are finite and mean nothing.
    spacing : array of float, shape (3,)
        Distance of neighbours along x, y, z.
    first : array of float, shape (3,)
        Place of the first voxel's centre, (x, y, z).
    valid : array of bool, shape (z, y, x), or None
        Which voxels were measured; None: all.
    """

    values: Block
    spacing: Array
    first: Array
    valid: NDArray[np.bool_] | None = None

    @property
    def lengths(self) -> tuple[int, int, int]:
        """Voxels along x, y, z."""
        z, y, x = self.values.shape
        return x, y, z

    @property
    def centre(self) -> Array:
        """Middle of the grid, (x, y, z)."""
        return self.first + 0.5 * (np.array(self.lengths) - 1) * self.spacing

    def points(self) -> Array:
        """Return the centres of all voxels, in the order of the values, shape (voxel, 3)."""
        x, y, z = (
            first + step * np.arange(n)
            for first, step, n in zip(self.first, self.spacing, self.lengths, strict=True)
        )
        centres = np.empty((*self.values.shape, 3))
        centres[..., 0], centres[..., 1], centres[..., 2] = x, y[:, None], z[:, None, None]
        return centres.reshape(-1, 3)


def grid_of(
    values: NDArray[np.floating], spacing: Sequence[float] | Array, first: Sequence[float] | Array
) -> Grid:
    """Make a grid of an array, in which values that are not finite are not valid.

    Parameters
    ----------
    values : array, shape (z, y, x)
        Any numbers.
    spacing, first : sequence of float, or array, shape (3,)
        Distance of neighbours, and place of the first voxel's centre, along x, y, z.

    Returns
    -------
    Grid
        float32; what is not finite is the median of the others.
    """
    block = np.array(values, np.float32)
    finite = np.isfinite(block)
    valid = None
    if not finite.all():
        block[~finite] = np.median(block[finite]) if finite.any() else 0
        valid = finite
    return Grid(block, np.asarray(spacing, np.float64), np.asarray(first, np.float64), valid)


def coarser(grid: Grid, wanted: float, blur: float) -> Grid:
    """Average blocks of voxels until they are about as large as wanted, and blur what is made of them.

    Parameters
    ----------
    grid : Grid
        Fine values.
    wanted : float
        Distance of neighbours that is wanted, in the unit of the grid's spacing; axes that are coarser stay.
    blur : float
        Standard deviation of the Gaussian after it, over `wanted`; an axis of one voxel is not blurred.

    Returns
    -------
    Grid
        What is left over at the ends of blocks is left out.
    """
    factors = [
        max(1, min(n, round(wanted / step))) for n, step in zip(grid.lengths, grid.spacing, strict=True)
    ]
    fx, fy, fz = factors
    nx, ny, nz = (n // f for n, f in zip(grid.lengths, factors, strict=True))
    part = (slice(0, nz * fz), slice(0, ny * fy), slice(0, nx * fx))
    split = (nz, fz, ny, fy, nx, fx)
    values = grid.values[part]
    valid: NDArray[np.bool_] | None = None if grid.valid is None else grid.valid[part]
    if max(factors) > 1:
        values = values.reshape(split).mean(axis=(1, 3, 5), dtype=np.float32)
        valid = None if valid is None else np.asarray(valid.reshape(split).all(axis=(1, 3, 5)))
    spacing = grid.spacing * factors
    first = grid.first + 0.5 * (np.array(factors) - 1) * grid.spacing
    for axis, step in enumerate(spacing[::-1]):
        if values.shape[axis] > 1 and blur > 0:
            values = _blurred(values, blur * wanted / step, axis)
    return Grid(np.ascontiguousarray(values, np.float32), spacing, first, valid)


def _blurred(values: Block, sigma: float, axis: int) -> Block:
    """Blur along one axis by a Gaussian of so many voxels; edges are repeated."""
    reach = ceil(3 * sigma)
    if sigma < 0.15:
        return values
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    weights /= weights.sum()
    padded = np.pad(values, [(reach, reach) if k == axis else (0, 0) for k in range(3)], mode="edge")
    blurred = np.zeros_like(values)
    for offset, weight in enumerate(weights):
        part = [slice(None)] * 3
        part[axis] = slice(offset, offset + values.shape[axis])
        blurred += np.float32(weight) * padded[tuple(part)]
    return blurred


def sample(grid: Grid, points: Array) -> tuple[Block, Block, NDArray[np.bool_]]:
    """Interpolate a grid between its voxels, linearly along each axis.

    Parameters
    ----------
    grid : Grid
        Values; an axis of one voxel is without end.
    points : array of float, shape (point, 3)
        Places, (x, y, z).

    Returns
    -------
    values : array of float32, shape (point,)
        0 where there is nothing to interpolate.
    slopes : array of float32, shape (3, point)
        Derivatives along x, y, z, per unit of the grid's spacing; 0 along an axis of one voxel.
    inside : array of bool, shape (point,)
        Whether a point lies between the centres of voxels that are all valid.
    """
    lengths = grid.lengths
    at = ((points - grid.first) / grid.spacing).T
    inside = np.ones(len(points), bool)
    for place, n in zip(at, lengths, strict=True):
        if n > 1:
            inside &= (place >= 0) & (place <= n - 1)
    lower = [
        np.clip(place.astype(np.intp), 0, max(0, n - 2)) if n > 1 else np.zeros(len(points), np.intp)
        for place, n in zip(at, lengths, strict=True)
    ]
    t = [
        np.clip(place - low, 0, 1).astype(np.float32) if n > 1 else np.zeros(len(points), np.float32)
        for place, low, n in zip(at, lower, lengths, strict=True)
    ]
    nx, ny, nz = lengths
    corner = (lower[2] * ny + lower[1]) * nx + lower[0]
    if grid.valid is not None:
        flat_valid = grid.valid.ravel()
        for step in _corners(lengths):
            inside &= flat_valid[corner + step]
    flat = grid.values.ravel()
    dx, dy, dz = int(nx > 1), nx * int(ny > 1), nx * ny * int(nz > 1)
    planes = []
    for up in (0, dz) if dz else (0,):
        v00, v10 = flat[corner + up], flat[corner + up + dx]
        v01, v11 = flat[corner + up + dy], flat[corner + up + dy + dx]
        low, high = v00 + t[0] * (v10 - v00), v01 + t[0] * (v11 - v01)
        along_x = (v10 - v00) + t[1] * ((v11 - v01) - (v10 - v00))
        planes.append((low + t[1] * (high - low), along_x, high - low))
    slopes = np.zeros((3, len(points)), np.float32)
    values, slopes[0], slopes[1] = planes[0]
    if dz:
        upper, slope_x, slope_y = planes[1]
        slopes[2] = upper - values
        slopes[0] += t[2] * (slope_x - slopes[0])
        slopes[1] += t[2] * (slope_y - slopes[1])
        values = values + t[2] * slopes[2]
    slopes /= grid.spacing[:, None].astype(np.float32)
    values = np.where(inside, values, np.float32(0))
    slopes[:, ~inside] = 0
    return values, slopes, inside


def _corners(lengths: tuple[int, int, int]) -> list[int]:
    """Return how far the corners of a cell lie behind its first voxel."""
    nx, ny, nz = lengths
    return [
        k * nx * ny + j * nx + i
        for k in range(1 + (nz > 1))
        for j in range(1 + (ny > 1))
        for i in range(1 + (nx > 1))
    ]
