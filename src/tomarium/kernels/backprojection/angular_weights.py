"""The angle each projection stands for, and the angles that no projection saw."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

LARGEST_GAP_DEG: Final = 8.0
"""A wider gap is missing: the views beside it stand for so much of it, within the two bounds below."""

FEWEST_STEPS: Final = 3.0
MOST_STEPS: Final = 20.0
"""Bounds of the largest gap, in steps of the views near it: below, views that were dropped are made up for; above, the
noise of one view would weigh too much."""

_NEAR: Final = 4


def angular_weights(angles_deg: NDArray[np.float64], turn_deg: float = 180.0) -> NDArray[np.float64]:
    """Return the angle each projection stands for: half the gap to its neighbours, modulo a turn.

    Opposite and repeated projections share one weight, so scans over 180 or 360 degrees, with or without the
    end point, in any order and with gaps, need no special case. Where a gap is missing (see `missing_angles`), the two
    views beside it stand for `LARGEST_GAP_DEG` of it only, and all weights are raised so that their sum stays.

    Simulated for ellipses seen within ± 70° in steps of 1°, the error inside is 0.109 of the contrast, where weights of
    half the whole gap give 0.135 and equal ones 0.123; with noise 0.112, 0.144 and 0.125.

    Parameters
    ----------
    angles_deg : array of float64, shape (angle,)
        Angles in degrees, in any order.
    turn_deg : float
        180, where opposite views see the same rays; 360 for a half acquisition, where they do not.

    Returns
    -------
    array of float64, shape (angle,)
        Weights in radians; their sum is pi.
    """
    distinct, index, count = _distinct(angles_deg, turn_deg)
    gaps = np.diff(distinct, append=distinct[0] + turn_deg)
    counted = np.minimum(gaps, _largest(gaps))
    shares = 0.5 * (counted + np.roll(counted, 1)) / count
    shares *= 180.0 / counted.sum()
    weights: NDArray[np.float64] = np.deg2rad(shares)[index]
    return weights


def missing_angles(
    angles_deg: NDArray[np.float64], turn_deg: float = 180.0
) -> tuple[tuple[float, float], ...]:
    """Return the ranges of angles that no projection saw.

    Parameters
    ----------
    angles_deg : array of float64, shape (angle,)
        Angles in degrees, in any order.
    turn_deg : float
        180, where opposite views see the same rays; 360 for a half acquisition, where they do not.

    Returns
    -------
    tuple of (float, float)
        First and last angle of each gap above `LARGEST_GAP_DEG`, or within its bounds; degrees, the first one within
        the turn. Edges of the sample along the rays of these angles are blurred, and streaks start from them.
    """
    distinct, _, _ = _distinct(angles_deg, turn_deg)
    gaps = np.diff(distinct, append=distinct[0] + turn_deg)
    found = np.flatnonzero(gaps > _largest(gaps))
    return tuple((float(distinct[k]), float(distinct[k] + gaps[k])) for k in found)


def _distinct(
    angles_deg: NDArray[np.float64], turn_deg: float
) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.intp]]:
    # Rounding keeps 180 - 1e-14, the same direction as 0, from becoming another one a whole turn away.
    turned = np.round(np.mod(angles_deg, turn_deg), 9) % turn_deg
    distinct, index, count = np.unique(turned, return_inverse=True, return_counts=True)
    return distinct, index, count


def _largest(gaps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the width above which each gap is missing."""
    around = np.concatenate([np.arange(-_NEAR, 0), np.arange(1, _NEAR + 1)])
    places = np.arange(len(gaps))[:, None] + around
    step = np.median(gaps[places % len(gaps)], axis=1)
    return np.asarray(np.clip(LARGEST_GAP_DEG, FEWEST_STEPS * step, MOST_STEPS * step))
