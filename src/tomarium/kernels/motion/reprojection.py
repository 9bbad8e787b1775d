"""Views that were jolted, each on its own, laid on projections of the slices that they make together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.fbp import fbp
from tomarium.kernels.motion.register import Offset, band_pass, register
from tomarium.kernels.projection import project
from tomarium.kernels.shifts import move_views

LEVELS: Final = (4, 2, 1)
SETTLED_PX: Final = 0.05
FINEST_PX: Final = 0.7
FEWEST_COLUMNS: Final = 24

Array = NDArray[np.float64]
Stack = NDArray[np.float32]


@dataclass(frozen=True)
class Alignment:
    """Where the sample stands in each view.

    Attributes
    ----------
    columns_px, rows_px : array of float64, shape (view,)
        How far it lies towards higher columns and rows, pixels. The mean along rows is zero.
    change_px : float
        Median of how far the last round moved the views, pixels.
    rounds : int
        Rounds that were made at the finest level.
    likeness : float
        Median correlation of the views with the projections of the slices, -1 to 1.
    """

    columns_px: Array
    rows_px: Array
    change_px: float
    rounds: int
    likeness: float


def align(
    views: Stack, angles_deg: Array, axis_column: float, reach_px: float, rounds: int, coarsest_px: float
) -> Alignment:
    """Lay views on projections of the slices they make, coarse to fine.

    1. Along rows, the sum over the columns of a view is the same in all views: its profiles are laid on each other.
    2. Slices are made of the views with the shifts known so far, negative values are left out, and they are projected.
    3. Each view is registered with its projection; motion of the form b cos + c sin, another place on the stage, is
       left out. 2 and 3 are repeated until the median change is below 0.05 px, at a quarter, half and all pixels.

    Parameters
    ----------
    views : array of float32, shape (view, row, column)
        Attenuation.
    angles_deg : array of float64, shape (view,)
        Degrees.
    axis_column : float
        Rotation axis, 0-based.
    reach_px : float
        Farthest shift, pixels.
    rounds : int
        Rounds at each level at most.
    coarsest_px : float
        Structures coarser than this are not compared, pixels.

    Returns
    -------
    Alignment
        Shifts of the views.

    References
    ----------
    D. Gürsoy et al., Scientific Reports 7, 11818 (2017), doi 10.1038/s41598-017-12141-9.
    """
    columns, rows = np.zeros(len(views)), _by_profiles(views, reach_px)
    turning = np.stack([np.cos(np.deg2rad(angles_deg)), np.sin(np.deg2rad(angles_deg))])
    change, likeness, rounds_made = float("nan"), 0.0, 0
    for level in LEVELS:
        binned = _binned(views, level)
        if level > 1 and (binned.shape[2] < FEWEST_COLUMNS or min(binned.shape[1:]) < 4):
            continue
        axis = (axis_column + 0.5) / level - 0.5
        for rounds_made in range(1, rounds + 1):  # noqa: B007 - the number of the last round is told
            offsets = _round(
                binned, angles_deg, axis, columns / level, rows / level, reach_px / level, coarsest_px
            )
            new = np.array([[offset.columns, offset.rows] for offset in offsets]).T * level
            new[0] -= _place(new[0], turning)
            new[1] -= new[1].mean()
            change = float(np.median(np.hypot(new[0] - columns, new[1] - rows)))
            columns, rows = new
            likeness = float(np.median([offset.likeness for offset in offsets]))
            if change < SETTLED_PX * (level if level > 1 else 0.5):
                break
    return Alignment(columns, rows, change, rounds_made, likeness)


def _binned(views: Stack, level: int) -> Stack:
    count, rows, columns = views.shape
    height, width = rows // level, columns // level
    if level == 1 or not height or not width:
        return views if level == 1 else views[:, :1, :1]
    part = views[:, : height * level, : width * level]
    return np.asarray(part.reshape(count, height, level, width, level).mean(axis=(2, 4)), np.float32)


def _by_profiles(views: Stack, reach_px: float) -> Array:
    """Lay the sums over the columns on each other; what sums over the whole width does not depend on the angle."""
    if views.shape[1] < 8:
        return np.zeros(len(views))
    profiles = band_pass(np.ascontiguousarray(views.mean(axis=2)[:, None]), 0.7, views.shape[1] / 4)
    shifts = np.zeros(len(views))
    for _ in range(3):
        moved = np.empty_like(profiles)
        move_views(profiles, shifts, np.zeros(len(views)), moved)
        mean = np.median(moved, axis=0)
        shifts = np.array([register(mean, profile, reach_px).columns for profile in profiles])
        shifts -= np.median(shifts)
    return shifts


def _round(
    views: Stack, angles_deg: Array, axis: float, columns: Array, rows: Array, reach: float, coarsest: float
) -> list[Offset]:
    """Register each view with the projection of the slices that all of them make."""
    level = np.empty_like(views)
    move_views(views, np.zeros(len(views)), rows, level)
    slices = fbp(level, angles_deg, axis, shift_columns_px=columns, window="hann", padding="zero")
    np.maximum(slices, 0, out=slices)
    projected = project(slices, angles_deg, axis, views.shape[2])
    fixed, moving = band_pass(projected, FINEST_PX, coarsest), band_pass(views, FINEST_PX, coarsest)
    offsets = []
    for expected, view, column, row in zip(fixed, moving, columns, rows, strict=True):
        near = register(expected, view, reach, start=(float(column), float(row)))
        far = register(expected, view, reach)
        offsets.append(near if near.likeness >= far.likeness else far)
    return offsets


def _place(curve: Array, turning: Array) -> Array:
    """Return the part b cos + c sin of a curve, found beside a constant."""
    basis = np.concatenate([turning, np.ones((1, curve.size))])
    coefficients = np.linalg.lstsq(basis.T, curve, rcond=None)[0]
    return np.asarray(coefficients[:2] @ turning)
