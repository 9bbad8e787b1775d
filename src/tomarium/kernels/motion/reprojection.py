"""Views that were jolted, each on its own, laid on projections of the slices that they make together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.fbp import fbp
from tomarium.kernels.motion.mass import mass_shifts
from tomarium.kernels.motion.register import Slips, band_pass, register, slip, smooth
from tomarium.kernels.projection import project
from tomarium.kernels.shifts import move_views
from tomarium.optional_packages import optional_import

LEVELS: Final = (4, 2, 1)
SETTLED_PX: Final = 0.025
FINEST_PX: Final = 0.7
FEWEST_COLUMNS: Final = 24
VIEWS_AT_ONCE: Final = 32

LIKE: Final = 0.9
"""Correlation of a view with its projection below which it is looked for anew, as far as the reach."""

SLOWEST: Final = 0.95
"""Share of its error that a round leaves, at most, in the guess of what is still to come."""

SAMPLE: Final = 0.15
"""Part of the 99th percentile of a slice above which a pixel is the sample's, once the slice is smoothed."""
SMOOTH_PX: Final = 2.0
RIM_PX: Final = 3

Array = NDArray[np.float64]
Stack = NDArray[np.float32]


@dataclass(frozen=True)
class Alignment:
    """Where the sample stands in each view.

    Attributes
    ----------
    columns_px, rows_px : array of float64, shape (view,)
        How far it lies towards higher columns and rows, pixels. The mean along rows is zero.
    unsettled_px : float
        How far the views would go on to move along columns in more rounds, rms in pixels: the last round's change,
        continued as it fell from the round before; infinite where no round could be made.
    error_px : float
        Standard error of a shift along columns in the median view, by what it differs from its projection; pixels.
    likeness : float
        Median correlation of the views with the projections of the slices, -1 to 1.
    """

    columns_px: Array
    rows_px: Array
    unsettled_px: float
    error_px: float
    likeness: float


def align(
    views: Stack, angles_deg: Array, axis_column: float, reach_px: float, rounds: int, coarsest_px: float
) -> Alignment:
    """Lay views on projections of the slices they make, coarse to fine.

    1. Along rows, the sum over the columns of a view is the same in all views: its profiles are laid on each other.
       Along columns, the centre of mass of a sample that is seen whole tells where it stands (`mass_shifts`).
    2. Slices are made of the views with the shifts known so far, zero outside the sample, and they are projected.
    3. Each view is moved towards its projection; motion of the form b cos + c sin, another place on the stage, is
       left out. 2 and 3 are repeated until the views would move by less than 0.025 px more, at a quarter, half and all
       pixels.

    What differs little from view to view is what rounds find slowest, as the slices follow it: the centre of mass tells
    it at once, and that air absorbs nothing brings it back. Nothing is asked of values inside the sample, which
    fringes may bring below zero.

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
    by_mass = mass_shifts(views, angles_deg)
    columns = np.zeros(len(views)) if by_mass is None else np.clip(by_mass, -reach_px, reach_px)
    rows = _by_profiles(views, reach_px)
    turning = np.stack([np.cos(np.deg2rad(angles_deg)), np.sin(np.deg2rad(angles_deg))])
    unsettled, error, likeness = float("inf"), float("inf"), 0.0
    for level in LEVELS:
        binned = _binned(views, level)
        if level > 1 and (binned.shape[2] < FEWEST_COLUMNS or min(binned.shape[1:]) < 4):
            continue
        axis, banded = (axis_column + 0.5) / level - 0.5, _banded(binned, coarsest_px)
        before = float("nan")
        for number in range(rounds):
            expected = _banded(
                _projected(binned, angles_deg, axis, columns / level, rows / level), coarsest_px
            )
            found = _laid(
                expected, banded, columns / level, rows / level, reach_px / level if not number else 0
            )
            new = found.columns * level
            new -= _place(new, turning)
            change, columns = float(np.sqrt(np.mean((new - columns) ** 2))), new
            rows = found.rows * level
            rows -= rows.mean()
            left = min(change / before, SLOWEST) if number else SLOWEST
            unsettled, before = change * left / (1 - left), change
            error = level * float(np.median(found.error_px))
            likeness = float(np.median(found.likeness))
            if unsettled < SETTLED_PX * level:
                break
    return Alignment(columns, rows, unsettled, error, likeness)


def _binned(views: Stack, level: int) -> Stack:
    count, rows, columns = views.shape
    height, width = rows // level, columns // level
    if level == 1 or not height or not width:
        return views if level == 1 else views[:, :1, :1]
    part = views[:, : height * level, : width * level]
    return np.asarray(part.reshape(count, height, level, width, level).mean(axis=(2, 4)), np.float32)


def _banded(views: Stack, coarsest_px: float) -> Stack:
    """Keep what is compared, of a few views at a time: their mirror images beyond the edges take memory."""
    result = np.empty_like(views)
    for start in range(0, len(views), VIEWS_AT_ONCE):
        part = slice(start, start + VIEWS_AT_ONCE)
        result[part] = band_pass(views[part], FINEST_PX, coarsest_px)
    return result


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


def _projected(views: Stack, angles_deg: Array, axis: float, columns: Array, rows: Array) -> Stack:
    """Project the slices that the views make where they stand, zero outside the sample."""
    level = np.empty_like(views)
    move_views(views, np.zeros(len(views)), rows, level)
    slices = fbp(level, angles_deg, axis, shift_columns_px=columns, window="hann", padding="zero")
    for image in slices:
        image *= _sample(image)
    return project(slices, angles_deg, axis, views.shape[2])


def _sample(image: Stack) -> NDArray[np.bool_]:
    """Return where the sample is in a slice, pores and a rim included."""
    body = np.abs(smooth(smooth(image, SMOOTH_PX, 0), SMOOTH_PX, 1))
    ndimage = optional_import("scipy.ndimage", "analysis")
    seen = ndimage.binary_fill_holes(body > SAMPLE * np.percentile(body, 99))
    return np.asarray(ndimage.binary_dilation(seen, iterations=RIM_PX))


def _laid(expected: Stack, views: Stack, columns: Array, rows: Array, reach: float) -> Slips:
    """Move each view towards its projection; one that is not like it is looked for as far as the reach, if any."""
    moved = np.empty_like(views)
    move_views(views, columns, rows, moved)
    found = slip(expected, moved)
    for k in np.flatnonzero(found.likeness < LIKE) if reach else ():
        far = register(expected[k], views[k], reach)
        if far.likeness > found.likeness[k]:
            found.columns[k], found.rows[k] = far.columns - columns[k], far.rows - rows[k]
    return replace(found, columns=columns + found.columns, rows=rows + found.rows)


def _place(curve: Array, turning: Array) -> Array:
    """Return the part b cos + c sin of a curve, found beside a constant."""
    basis = np.concatenate([turning, np.ones((1, curve.size))])
    coefficients = np.linalg.lstsq(basis.T, curve, rcond=None)[0]
    return np.asarray(coefficients[:2] @ turning)
