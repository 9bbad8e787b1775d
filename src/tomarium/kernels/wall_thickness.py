"""Where a body is thinner than a wall should be, and how to make it thicker."""

from __future__ import annotations

from math import inf
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.distance import Tell, distance
from tomarium.kernels.isosurface import surrounded
from tomarium.kernels.slabs_in_threads import in_slabs
from tomarium.optional_packages import optional_import

CORNER: Final = 0.75
"""What a ball leaves of a right-angled corner is up to (√3 - 1) of its radius away from it: that is not thin."""
NEAR_PX: Final = 2.0
"""Up to this distance from the surface a field says where the surface is, px."""
LEAST_SLOPE: Final = 0.2
"""Slope of the depth on both sides of the middle of a wall, from which its top follows, px a px."""
OFF_MIDDLE_PX: Final = ((0.0, 0.25), (0.25, 0.51))
"""How far voxels in the middle of a wall may be from it; those between two of the numbers get balls of one size."""


def depth_inside(
    field: NDArray[np.float32], level: float, reach: float = inf, tell: Tell | None = None
) -> NDArray[np.float32]:
    """Measure how deep each voxel lies in the body, right to a part of a voxel.

    The distance to the nearest voxel that is not in the body, less the distance of that voxel from the surface, which
    follows from its value and the slope there.

    Parameters
    ----------
    field : array, shape (z, y, x)
        The body is where it is above the level; beyond the ends is no body.
    level : float
        In the unit of the field.
    reach : float
        Depth that is enough, px: what lies deeper gets this depth.
    tell : callable, optional
        `tell(done, total)`.

    Returns
    -------
    array of float32, same shape
        px; 0 outside.
    """
    padded = surrounded(field, level)
    body = padded > level
    # Half a voxel where the field is a step; never more than a voxel.
    gap = np.clip((level - padded) / steepness(padded), 0.0, 1.0).astype(np.float32)
    reach = min(reach, float(np.linalg.norm(body.shape)))
    deep = np.where(body, distance(body, reach=reach, less=gap, tell=tell), -gap)
    deep = in_slabs(_no_steeper_than_one, np.asarray(deep, np.float32), 2)
    return np.asarray(np.maximum(deep, 0.0)[1:-1, 1:-1, 1:-1])


def _no_steeper_than_one(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lower what is deeper than a neighbour by more than their distance, and once more what is so then.

    The nearest voxel is not always the one whose part of the surface is nearest.
    """
    for _ in range(2):
        best = depth.copy()
        beside: dict[tuple[int, ...], NDArray[np.float32]] = {(): depth}
        for axes in ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)):
            beside[axes] = _least_beside(beside[axes[:-1]], axes[-1])
            np.minimum(best, beside[axes] + np.float32(len(axes) ** 0.5), out=best)
        depth = best
    return depth


def _least_beside(values: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Take for each voxel the lesser of its two neighbours along an axis; beyond the ends all is larger."""
    result = np.full_like(values, np.inf)
    to, given = np.moveaxis(result, axis, 0), np.moveaxis(values, axis, 0)
    to[1:] = given[:-1]
    np.minimum(to[:-1], given[1:], out=to[:-1])
    return result


def greatest_depth(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Tell how deep the body is at most within a voxel around each voxel, though its middle lies between voxels.

    Along each axis the depth is a tent near the middle of a wall: it rises on one side as it falls on the other. The
    top of the tent follows from two voxels on each side.

    Parameters
    ----------
    depth : array of float32, shape (z, y, x)
        Depth in the body, px.

    Returns
    -------
    array of float32, same shape
        px.
    """
    return in_slabs(_greatest_depth, depth, 2)


def _greatest_depth(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Do as `greatest_depth`, for a slab with two planes around it."""
    best = depth.copy()
    for axis in range(3):
        if depth.shape[axis] < 4:
            continue
        a, b, c, d = (
            np.moveaxis(depth, axis, 0)[start : depth.shape[axis] - 3 + start or None] for start in range(4)
        )
        tents = np.nonzero((b - a > LEAST_SLOPE) & (c - d > LEAST_SLOPE) & (b > 0) & (c > 0))
        up, down = np.minimum(b[tents] - a[tents], 1), np.minimum(c[tents] - d[tents], 1)
        # Two lines, b + up t and c + down (1 - t), meet at t between the two voxels.
        at = (c[tents] + down - b[tents]) / (up + down)
        top = np.where((at > 0) & (at < 1), b[tents] + up * at, 0)
        along_axis = np.moveaxis(best, axis, 0)
        for beside in (along_axis[1:-2], along_axis[2:-1]):
            beside[tents] = np.maximum(beside[tents], top)
    return best


def thin_places(depth: NDArray[np.float32], wall_px: float, tell: Tell | None = None) -> NDArray[np.bool_]:
    """Find what no ball of the diameter of a wall reaches that fits into the body.

    Parameters
    ----------
    depth : array of float32, shape (z, y, x)
        As `depth_inside` gives it, px.
    wall_px : float
        Thickness that a wall should have, px.
    tell : callable, optional
        `tell(done, total)`.

    Returns
    -------
    array of bool, same shape
        Voxels of the body that are thin. Corners and edges that a ball cannot fill are not counted.

    References
    ----------
    Hildebrand & Rüegsegger, J. Microsc. 185 (1997) 67-75: local thickness.
    """
    body, radius = depth > 0, wall_px / 2
    holds = greatest_depth(depth) >= radius * (1 - 1e-3) - 0.05
    if not holds.any():
        return body
    farthest = radius * (1 + CORNER) + 1
    return np.asarray(body & (distance(~holds, reach=farthest + 1, tell=tell) > farthest))


def share_of_surface(thin: NDArray[np.bool_], depth: NDArray[np.float32]) -> float:
    """Return which part of the body's outermost voxels is thin.

    Parameters
    ----------
    thin : array of bool, shape (z, y, x)
        As `thin_places` gives it.
    depth : array of float32, same shape
        As `depth_inside` gives it, px.

    Returns
    -------
    float
        0 to 1.
    """
    outer = (depth > 0) & (depth <= 1)
    return float(int(np.count_nonzero(thin & outer)) / max(1, int(np.count_nonzero(outer))))


def thickened(
    field: NDArray[np.float32],
    level: float,
    depth: NDArray[np.float32],
    thin: NDArray[np.bool_],
    wall_px: float,
    tell: Tell | None = None,
) -> NDArray[np.float32]:
    """Put balls of the diameter of a wall around the middle of all that is thin.

    Parameters
    ----------
    field : array, shape (z, y, x)
        The body is where it is above the level.
    level : float
        In the unit of the field.
    depth : array of float32, same shape
        As `depth_inside` gives it, px.
    thin : array of bool, same shape
        As `thin_places` gives it.
    wall_px : float
        Thickness that a wall gets at least, px; it may become a voxel thicker.
    tell : callable, optional
        `tell(done, total)`.

    Returns
    -------
    array of float32, same shape
        Depth inside (above 0) and distance outside (below 0), px, right near the surface and where it matters; the
        body is what is above 0, and nothing of the given body is lost.
    """
    ndimage = optional_import("scipy.ndimage", "mesh")
    result = signed_depth(field, level, depth)
    # Of a wall only its middle: balls around all of it would make it thicker than the wall.
    off = np.maximum(greatest_depth(depth), ndimage.maximum_filter(depth, size=3)) - depth
    for number, (low, high) in enumerate(OFF_MIDDLE_PX):
        ridge = thin & (off >= low) & (off < high)
        if ridge.any():
            radius = np.float32(wall_px / 2 + 0.25 - low)
            # Beyond the bound the ball is below -2, which is the least that the result holds.
            grown = radius - distance(
                ~ridge,
                reach=float(radius) + NEAR_PX,
                tell=None if tell is None else _part(tell, number, len(OFF_MIDDLE_PX)),
            )
            np.maximum(result, grown, out=result)
    return result


def _part(tell: Tell, number: int, parts: int) -> Tell:
    """Tell of one part of several as of all."""
    return lambda done, total: tell(number * total + done, parts * total)


def signed_depth(field: NDArray[np.float32], level: float, depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the depth inside, and near the surface the distance outside.

    Near the surface it is the field itself over its usual slope there, so that the surface stays where it is.

    Parameters
    ----------
    field : array, shape (z, y, x)
        The body is where it is above the level.
    level : float
        In the unit of the field.
    depth : array of float32, same shape
        As `depth_inside` gives it, px.

    Returns
    -------
    array of float32, same shape
        px; outside not below -2.
    """
    slope = steepness(field)
    at = (depth > 0) & (depth <= 1)
    usual = float(np.median(slope[at])) if at.any() else 1.0
    near: NDArray[Any] = (field - level) / max(usual, 1e-12)
    return np.asarray(np.where(depth > NEAR_PX, depth, np.clip(near, -NEAR_PX, NEAR_PX)), np.float32)


def steepness(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the slope of a field at each voxel: along each axis the larger difference to a neighbour.

    Parameters
    ----------
    field : array, shape (z, y, x)
        In any unit.

    Returns
    -------
    array of float32, same shape
        Unit of the field a px, above 0.
    """
    return in_slabs(_steepness, np.asarray(field, np.float32), 1)


def _steepness(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Do as `steepness`, for a slab with a plane around it."""
    squares = np.full(field.shape, 1e-24, np.float32)
    for axis in range(3):
        step = np.abs(np.moveaxis(np.diff(field, axis=axis), axis, 0))
        larger = np.zeros_like(field)
        along_axis = np.moveaxis(larger, axis, 0)
        along_axis[1:] = step
        np.maximum(along_axis[:-1], step, out=along_axis[:-1])
        squares += np.multiply(larger, larger, out=larger)
    return np.sqrt(squares, out=squares)
