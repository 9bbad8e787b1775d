"""A plane through a volume at any angle, interpolated between its voxels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import ParameterError

BLOCK: Final = 32
"""Slices that are read at a time."""


class Sliced(Protocol):
    """A volume whose parts are read when they are asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length along (z, y, x)."""
        ...

    def __getitem__(self, key: Any) -> Any: ...


@dataclass(frozen=True)
class ObliquePlane:
    """Where the pixels of a plane lie.

    Attributes
    ----------
    origin : array of float64, shape (3,)
        Place (z, y, x) of pixel (0, 0), voxels.
    down, right : array of float64, shape (3,)
        Step (z, y, x) from a pixel to the one below, and to the one on its right, voxels.
    shape : tuple of int
        Rows and columns.
    """

    origin: NDArray[np.float64]
    down: NDArray[np.float64]
    right: NDArray[np.float64]
    shape: tuple[int, int]

    def z_range(self, height: int) -> slice:
        """Return the slices that its pixels lie between, of so many."""
        rows, columns = self.shape
        ends = [
            float(self.origin[0] + r * self.down[0] + c * self.right[0])
            for r in (0, rows - 1)
            for c in (0, columns - 1)
        ]
        return slice(max(0, math.floor(min(ends))), min(height, math.floor(max(ends)) + 2))


def normal_of_angles(tilt_deg: float, turn_deg: float) -> tuple[float, float, float]:
    """Return the normal of a plane of which two angles are told.

    Parameters
    ----------
    tilt_deg : float
        Between the normal and the rotation axis: 0 is a slice, 90 an upright plane, degrees.
    turn_deg : float
        Direction in which the normal leans, in the slice from x towards y, degrees.

    Returns
    -------
    tuple of float
        (z, y, x), of length 1.
    """
    tilt, turn = math.radians(tilt_deg), math.radians(turn_deg)
    return math.cos(tilt), math.sin(tilt) * math.sin(turn), math.sin(tilt) * math.cos(turn)


def plane_through(
    shape: Sequence[int],
    normal: Sequence[float],
    point: Sequence[float] | None = None,
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
) -> ObliquePlane:
    """Lay pixels into the part of a plane that lies in a volume.

    Parameters
    ----------
    shape : sequence of int
        Voxels of the volume along (z, y, x).
    normal : sequence of float
        Direction (z, y, x) that the plane stands across; of any length but 0.
    point : sequence of float, optional
        A place (z, y, x) in the plane, voxels; the voxel in the middle of the volume by default. A pixel lies
        on it.
    spacing : sequence of float
        Size of a voxel along (z, y, x), in any unit.

    Returns
    -------
    ObliquePlane
        Pixels as large as the least edge of a voxel. Rows go down along z, or along y where the normal is nearest to
        z; columns to the right along x, or along y: planes across z, y and x are those of the volume.

    Raises
    ------
    ParameterError
        The normal has no direction, or the plane passes the volume by.
    """
    size = np.asarray(spacing, np.float64)
    across = np.asarray(normal, np.float64)
    length = float(np.linalg.norm(across))
    if across.shape != (3,) or not math.isfinite(length) or length == 0:
        raise ParameterError(
            f"a plane's normal is three numbers z,y,x that are not all 0, but {normal} was given"
        )
    across = across / length
    upright = np.array([1.0, 0, 0]) if abs(across[0]) < np.abs(across).max() - 1e-9 else np.array([0, 1.0, 0])
    down = upright - (upright @ across) * across
    down /= np.linalg.norm(down)
    right = np.cross(across, down)
    right *= -1 if (right[2] if abs(right[2]) > 1e-9 else right[1]) < 0 else 1
    middle = np.asarray(shape, np.float64) // 2
    through = (middle if point is None else np.asarray(point, np.float64)) * size
    cut = _corners((np.asarray(shape, np.float64) - 1) * size, across, through)
    if not len(cut):
        raise ParameterError(
            f"the plane through {_told(point, middle)} across {tuple(round(float(c), 4) for c in across)} lies outside "
            f"of the volume of {tuple(shape)} voxels; give a point within it"
        )
    step = float(size.min())
    along = [(cut - through) @ axis / step for axis in (down, right)]
    ends = [(math.ceil(values.min() - 1e-6), math.floor(values.max() + 1e-6)) for values in along]
    origin = (through + step * (ends[0][0] * down + ends[1][0] * right)) / size
    rows, columns = (last - first + 1 for first, last in ends)
    return ObliquePlane(origin, step * down / size, step * right / size, (rows, columns))


def _told(point: Sequence[float] | None, middle: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(value), 3) for value in (middle if point is None else point))


def _corners(
    far: NDArray[np.float64], across: NDArray[np.float64], through: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return where a plane crosses the edges of the box from 0 to `far`."""
    corners = []
    for axis in range(3):
        other_axes = [k for k in range(3) if k != axis]
        for ends in itertools.product((0.0, 1.0), repeat=2):
            start = np.zeros(3)
            start[other_axes] = far[other_axes] * ends
            slope, height = across[axis] * far[axis], (through - start) @ across
            if abs(slope) < 1e-12 * max(1.0, float(far.max())):
                continue
            part = height / slope
            if -1e-9 <= part <= 1 + 1e-9:
                start[axis] = far[axis] * min(1.0, max(0.0, part))
                corners.append(start)
    return np.array(corners).reshape(-1, 3)


def sample_plane(volume: Sliced, plane: ObliquePlane, first: int = 0) -> NDArray[np.float32]:
    """Interpolate the pixels of a plane from the eight voxels about each.

    Parameters
    ----------
    volume : array-like, shape (z, y, x)
        The volume, or some slices of it; at most 33 slices are read at a time, and of these the part that is crossed.
    plane : ObliquePlane
        As `plane_through` lays it.
    first : int
        Number of the first slice of `volume`, in the numbers of `plane`.

    Returns
    -------
    array of float32, shape (row, column)
        Linear in each direction; 0 outside of the volume.
    """
    rows, columns = plane.shape
    grid = np.arange(rows)[:, None, None] * plane.down + np.arange(columns)[None, :, None] * plane.right
    place = (plane.origin + grid).reshape(-1, 3) - (first, 0, 0)
    far = np.asarray(volume.shape, np.float64) - 1
    place = np.where(np.abs(place - np.round(place)) < 1e-9, np.round(place), place)
    inside = np.flatnonzero(((place >= 0) & (place <= far)).all(axis=1))
    result = np.zeros(len(place), np.float32)
    low = np.minimum(np.floor(place[inside]), np.maximum(far - 1, 0)).astype(np.intp)
    for begin in range(0, volume.shape[0], BLOCK):
        in_block = np.flatnonzero((low[:, 0] >= begin) & (low[:, 0] < begin + BLOCK))
        if not len(in_block):
            continue
        least, upper = low[in_block].min(axis=0), np.minimum(low[in_block].max(axis=0) + 2, volume.shape)
        block = np.asarray(
            volume[tuple(slice(int(a), int(b)) for a, b in zip(least, upper, strict=True))], np.float32
        )
        result[inside[in_block]] = _linear(block, place[inside[in_block]] - least, low[in_block] - least)
    return result.reshape(rows, columns)


def _linear(
    block: NDArray[np.float32], place: NDArray[np.float64], low: NDArray[np.intp]
) -> NDArray[np.float64]:
    part = place - low
    total = np.zeros(len(place))
    for corner in itertools.product((0, 1), repeat=3):
        weight = np.prod(np.where(np.array(corner) == 1, part, 1 - part), axis=1)
        at = np.minimum(low + corner, np.array(block.shape) - 1)
        total += np.where(weight > 0, weight * block[at[:, 0], at[:, 1], at[:, 2]], 0.0)
    return total
