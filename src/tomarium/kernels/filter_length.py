"""The length of Paganin's filter that a sample wants: the one that leaves the air beside it empty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.kernels.paganin import paganin

SHORTEST_PX: Final = 2.0
"""Shortest length that is tried."""

STEP: Final = 1.35
"""Ratio of a length that is tried to the one before it."""

IN_AIR: Final = 1.5
"""Longest length that is tried, in widths of the air beside the sample: longer filters leave no empty air."""

SURE_PX: Final = 8.0
"""Length below which the detector's blur moves the answer by more than some per cent."""

SURE_ERROR: Final = 0.02
"""Relative standard error of a length of high confidence."""

MOST_ERROR: Final = 0.1
"""Relative standard error above which nothing is told."""

LEAST_TOLD: Final = 6
"""Sides of views that have to tell a length."""

EDGE: Final = 0.12
"""Part of a view's strong attenuation at which the sample begins."""


LEAST_LEVEL: Final = 6.0
"""Noise of the filtered air, about, below which the sample's edge is not looked for."""

SEEN: Final = 5.0
"""Standard errors by which fringes and blur have to be seen."""


@dataclass(frozen=True)
class LengthEstimate:
    """The length that was found.

    Attributes
    ----------
    length_px : float
        Length L of the filter 1 / (1 + L² f²) in pixels.
    error : float
        Relative standard error of the length, by the scatter of views; that of δ/β is twice as much.
    confidence : {"high", "low"}
        "high": an error of 2 % at most, a length of 8 px or more, and three of four sides of views that tell one.
    told, asked : int
        Sides of views that tell a length, and those that were looked at.
    """

    length_px: float
    error: float
    confidence: Literal["high", "low"]
    told: int
    asked: int


def find_length(transmission: NDArray[Any], *, threads: int = 1) -> LengthEstimate:
    """Find the length of Paganin's filter from some views of a sample with air at its left and right.

    1. Views are filtered with lengths L from `SHORTEST_PX` up. Of a homogeneous sample whose own length is L₀ a filter
       of the length L leaves r T + (1 - r) K * T of the transmission T in contact, with r = (L₀ / L)² and the kernel K
       of the filter L. In the air beside the sample, where T is 1, that is more than 1 where L is too short, for
       fringes are left, and less where it is too long, for the sample is spread over it.
    2. In each row, the mean attenuation of a band of air, from L / 16 to 3 L / 16 beside the sample but 3 px away at
       least, is compared with the air half as near and beyond; the median over the rows is taken.
    3. Where this changes its sign, between two lengths, is L₀ on that side of the view. The median over sides and views
       is told, with the error that their scatter tells.

    Parameters
    ----------
    transmission : array, shape (angle, row, column)
        I / I₀ of some views, 3 at least.
    threads : int
        Threads.

    Returns
    -------
    LengthEstimate
        The length, its error and its confidence.

    Raises
    ------
    InputError
        The views do not tell it: there is no air at both sides, no fringes, or too much noise; the message says which.

    References
    ----------
    The criterion follows from equation 10 of D. Paganin et al., Journal of Microscopy 206, 33 (2002), doi
    10.1046/j.1365-2818.2002.01010.x.
    """
    views = np.asarray(transmission, np.float32)
    if views.ndim != 3 or min(views.shape) < 3:
        raise InputError(
            f"find_length: the transmission has shape {views.shape}; give 3 views, rows and columns at least"
        )
    middle = _attenuation(views, max(8.0, views.shape[2] / 12), threads)
    air = _air_px(middle)
    every = SHORTEST_PX * np.power(STEP, np.arange(40, dtype=np.float64))
    lengths: NDArray[np.float64] = every[every <= IN_AIR * air]
    if len(lengths) < 4:
        raise InputError(
            f"{_NOT_TOLD}: {air:.0f} columns of air are seen beside the sample where {3 * SHORTEST_PX:.0f} are needed "
            f"at both sides; it goes beyond the frames, or noise hides where it begins. {_INSTEAD}"
        )
    signs = np.stack(
        [_beside(_attenuation(views, float(length), threads), float(length)) for length in lengths]
    )
    crossings = np.array([_crossing(lengths, sign_curve) for sign_curve in signs.reshape(len(lengths), -1).T])
    finite_lengths = crossings[np.isfinite(crossings)]
    if len(finite_lengths) < min(LEAST_TOLD, crossings.size) or 2 * len(finite_lengths) < crossings.size:
        long = np.nanmedian(signs[-1]) < 0
        why = (
            f"fringes are left by all filters up to {lengths[-1]:.0f} px; {air:.0f} columns of air tell no longer one"
            if long
            else "no filter leaves fringes beside the sample: there is no propagation, or too much noise"
        )
        raise InputError(f"{_NOT_TOLD}: {why}. {_INSTEAD}")
    length = float(np.median(finite_lengths))
    if not _is_seen(lengths, signs.reshape(len(lengths), -1), length):
        raise InputError(
            f"{_NOT_TOLD}: what filters shorter and longer than {length:.0f} px leave beside the sample is not more "
            f"than its scatter. {_INSTEAD}"
        )
    # The standard error of a median, its scatter by the median deviation.
    error = (
        1.2533 * 1.4826 * float(np.median(np.abs(finite_lengths / length - 1))) / np.sqrt(len(finite_lengths))
    )
    if error > MOST_ERROR:
        raise InputError(
            f"{_NOT_TOLD}: views tell lengths about {length:.0f} px that scatter so much that it is known by "
            f"{100 * error:.0f} % only. {_INSTEAD}"
        )
    sure = error <= SURE_ERROR and length >= SURE_PX and 4 * len(finite_lengths) >= 3 * crossings.size
    return LengthEstimate(length, error, "high" if sure else "low", len(finite_lengths), crossings.size)


_NOT_TOLD: Final = "the views do not tell the length of Paganin's filter"
_INSTEAD: Final = "Give paganin.delta_beta, paganin.material or paganin.length_px"


def _attenuation(views: NDArray[np.float32], length_px: float, threads: int) -> NDArray[np.float32]:
    filtered = paganin(views, length_px, threads=threads)
    return np.asarray(-np.log(np.maximum(filtered, 1e-3)), np.float32)


def _limits(attenuation: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_]]:
    """Return the columns of air left and right of the sample in each row, and where there is a sample."""
    strong = np.percentile(attenuation, 95, axis=(1, 2))
    level = EDGE * strong
    steps = np.abs(np.diff(attenuation[:, :, [0, 2, 4, -5, -3, -1]], axis=2))[:, :, [0, 1, 3, 4]]
    level[level < LEAST_LEVEL * np.median(steps, axis=(1, 2))] = np.inf  # noise hides where the sample begins
    inside: NDArray[np.bool_] = np.greater(attenuation, level[:, None, None])
    return inside.argmax(axis=2), inside[:, :, ::-1].argmax(axis=2), np.asarray(inside.any(axis=2))


def _air_px(attenuation: NDArray[np.float32]) -> float:
    """Return the width of the air at the side that has less of it."""
    left, right, there = _limits(attenuation)
    return float(min(np.median(left[there]), np.median(right[there]))) if there.any() else 0.0


def _beside(attenuation: NDArray[np.float32], length_px: float) -> NDArray[np.float64]:
    """Return the attenuation of air near the sample over that of air farther away, for each view and side."""
    near, wide = max(3, round(length_px / 16)), max(3, round(length_px / 8))
    left, right, there = _limits(attenuation)
    place = np.arange(attenuation.shape[2])
    found = []
    for side, edge in ((attenuation, left), (attenuation[:, :, ::-1], right)):
        end = edge[:, :, None] - near
        rows = there & (edge >= near + wide + 4)
        band, far = (place <= end) & (place > end - wide), place <= (end - wide) // 2
        means = [
            (side * part).sum(axis=2, dtype=np.float64) / np.maximum(part.sum(axis=2), 1)
            for part in (band, far)
        ]
        over = np.where(rows, means[0] - means[1], np.nan)
        enough = rows.sum(axis=1) >= 3
        found.append(
            [
                float(np.nanmedian(view)) if is_enough else np.nan
                for view, is_enough in zip(over, enough, strict=True)
            ]
        )
    return np.array(found).T


def _is_seen(lengths: NDArray[np.float64], signs: NDArray[np.float64], length: float) -> bool:
    """Tell whether shorter lengths leave less and longer ones more than nothing, by five standard errors."""
    count = np.isfinite(signs).sum(axis=1)
    middle = np.array(
        [np.nanmedian(sign) if is_enough else np.nan for sign, is_enough in zip(signs, count, strict=True)]
    )
    scatter = np.array(
        [
            np.nanmedian(np.abs(sign - m)) if is_enough else np.nan
            for sign, m, is_enough in zip(signs, middle, count, strict=True)
        ]
    )
    certain = middle / (1.2533 * 1.4826 * scatter / np.sqrt(np.maximum(count, 1)) + 1e-12)
    below, above = (np.nan_to_num(certain[part]) for part in (lengths < length, lengths > length))
    return bool(below.size and above.size and below.min() < -SEEN and above.max() > SEEN)


def _crossing(lengths: NDArray[np.float64], signs: NDArray[np.float64]) -> float:
    """Return the last length at which the numbers rise through 0, between those that were tried; NaN without one."""
    rises = [k for k in range(len(lengths) - 1) if signs[k] < 0 <= signs[k + 1]]
    if not rises:
        return float("nan")
    k = rises[-1]
    part = -signs[k] / (signs[k + 1] - signs[k])
    return float(lengths[k] * (lengths[k + 1] / lengths[k]) ** part)
