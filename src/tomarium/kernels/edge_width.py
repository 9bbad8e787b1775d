"""How sharp a slice is: the width of its edge-spread function, from its strongest edges."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.kernels.metrics import noise

FWHM: Final = 2 * sqrt(2 * log(2))
"""Full width at half maximum of a Gaussian of standard deviation 1."""

REACH: Final = 8
"""Pixels to either side of an edge that are looked at, along its normal."""

ALONG: Final = 2.0
"""Pixels to either side along the edge: a circle of radius r is off by 2 / r px there."""

APART: Final = 10
"""Least distance of two edges that are measured."""

LEAST_STEP: Final = 5.0
"""Height of an edge over the noise from which it is measured."""

LEAST_FIT: Final = 0.8
"""Part of the variance of its neighbourhood that a single edge must explain."""

MEASURABLE_PX: Final = 0.4, 9.0
"""Widths (FWHM) that are told apart; a sharper edge reads as the one, a wider one as the other."""

STRONG: Final = 0.5
"""Part of the steepest slope from which an edge is a strong one."""

_CLIMB: Final = 5
_SIGMAS: Final = np.geomspace(0.15, 4.0, 25)
_OFFSETS: Final = np.linspace(-2, 2, 17)


@dataclass(frozen=True)
class Edge:
    """One edge of a slice.

    Attributes
    ----------
    row, column : int
        Where it is.
    sigma_px : float
        Standard deviation of the Gaussian whose integral fits it, in pixels.
    step : float
        Its height, in the unit of the slice.
    """

    row: int
    column: int
    sigma_px: float
    step: float

    @property
    def fwhm_px(self) -> float:
        """Full width at half maximum of the line-spread function in pixels, within `MEASURABLE_PX`."""
        return min(max(FWHM * self.sigma_px, MEASURABLE_PX[0]), MEASURABLE_PX[1])


def edges(
    image: NDArray[np.floating], mask: NDArray[np.bool_] | None = None, *, most: int = 60
) -> list[Edge]:
    """Measure the strongest edges of a slice.

    1. Candidates are drawn where the slope of the slice's 3 x 3 mean, taken twice, is at least half of the steepest,
       and moved to the steepest place along their normal; they are at least 10 px apart.
    2. The pixels of a neighbourhood, 8 px along the normal of the edge and 2 px along it, are taken as they are by
       their distance from the edge, as with a slanted edge (ISO 12233): nothing is interpolated.
    3. a + b Phi((t - t0) / sigma), Phi the normal distribution, is fitted by least squares.
    4. Edges that are less than 5 times the noise, or that do not explain 80 % of the variance, are left out: corners,
       thin things, neighbours.

    Parameters
    ----------
    image : array, shape (y, x)
        Slice.
    mask : array of bool, shape (y, x), optional
        Where edges may lie; everywhere by default, but for a margin of 9 px.
    most : int
        Candidates that are looked at.

    Returns
    -------
    list of Edge
        In the order they were drawn; widths between 0.4 and 9 px (FWHM) are told apart.

    Raises
    ------
    InputError
        The slice is no image of 32 x 32 px or more.
    """
    if image.ndim != 2 or min(image.shape) < 32:
        raise InputError(f"edges of an array of shape {image.shape}: a slice of 32 x 32 px or more is needed")
    f = np.nan_to_num(np.asarray(image, np.float64))
    smooth = _mean_of_nine(_mean_of_nine(f))
    slope_y, slope_x = (np.asarray(np.gradient(smooth, axis=axis), np.float64) for axis in (0, 1))
    slope = np.hypot(slope_y, slope_x)
    margin = REACH + 1
    allowed = np.zeros(f.shape, np.bool_)
    allowed[margin:-margin, margin:-margin] = True
    if mask is not None:
        allowed &= mask
    least = LEAST_STEP * noise(f)
    measured = []
    for row, column in _candidates(np.where(allowed, slope, 0.0), slope_y, slope_x, most):
        edge = _fitted(f, slope_y, slope_x, row, column)
        if edge is not None and abs(edge.step) > least:
            measured.append(edge)
    return measured


def _mean_of_nine(f: NDArray[np.float64]) -> NDArray[np.float64]:
    padded = np.pad(f, 1, mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    mean: NDArray[np.float64] = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9
    return mean


def _candidates(
    slope: NDArray[np.float64], slope_y: NDArray[np.float64], slope_x: NDArray[np.float64], most: int
) -> list[tuple[int, int]]:
    """Draw places where the slope is strong, each moved to the steepest along its normal, none near another.

    To take the steepest of all would choose, along an edge, where the noise makes it steeper than it is.
    """
    strong = np.flatnonzero(slope >= STRONG * slope.max())
    if not slope.max():
        return []
    is_taken = np.zeros(slope.shape, np.bool_)
    candidates: list[tuple[int, int]] = []
    for place in np.random.default_rng(0).permutation(strong):
        row, column = _steepest(slope, slope_y, slope_x, *divmod(int(place), slope.shape[1]))
        if slope[row, column] and not is_taken[row, column]:
            candidates.append((row, column))
            is_taken[max(row - APART, 0) : row + APART + 1, max(column - APART, 0) : column + APART + 1] = (
                True
            )
        if len(candidates) == most:
            break
    return candidates


def _steepest(
    slope: NDArray[np.float64],
    slope_y: NDArray[np.float64],
    slope_x: NDArray[np.float64],
    row: int,
    column: int,
) -> tuple[int, int]:
    length = np.hypot(slope_y[row, column], slope_x[row, column])
    steps = np.arange(-_CLIMB, _CLIMB + 1) / length
    rows = np.clip(np.rint(row + steps * slope_y[row, column]), 0, slope.shape[0] - 1).astype(np.intp)
    columns = np.clip(np.rint(column + steps * slope_x[row, column]), 0, slope.shape[1] - 1).astype(np.intp)
    best = int(np.argmax(slope[rows, columns]))
    return int(rows[best]), int(columns[best])


def _fitted(
    f: NDArray[np.float64], slope_y: NDArray[np.float64], slope_x: NDArray[np.float64], row: int, column: int
) -> Edge | None:
    """Fit one edge; None where another shape lies there."""
    near = slice(row - 1, row + 2), slice(column - 1, column + 2)
    normal_y, normal_x = float(slope_y[near].sum()), float(slope_x[near].sum())
    length = np.hypot(normal_y, normal_x)
    if not length:
        return None
    normal_y, normal_x = normal_y / length, normal_x / length
    y, x = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1]
    across, along = y * normal_y + x * normal_x, x * normal_y - y * normal_x
    part = (np.abs(along) <= ALONG) & (np.abs(across) <= REACH)
    values = f[row - REACH : row + REACH + 1, column - REACH : column + REACH + 1][part]
    variance = float(np.var(values))
    if not variance:
        return None
    sigmas, offsets = _SIGMAS, _OFFSETS
    for finer in (True, True, False):
        residuals, step = _residuals(across[part], values, sigmas, offsets)
        at, shift = np.unravel_index(np.argmin(residuals), residuals.shape)
        sigma, offset = float(sigmas[at]), float(offsets[shift])
        if finer:
            ratio, gap = float(sigmas[1] / sigmas[0]), float(offsets[1] - offsets[0])
            sigmas, offsets = sigma * ratio ** np.linspace(-1, 1, 9), offset + gap * np.linspace(-1, 1, 9)
    if 1 - float(residuals[at, shift]) / variance < LEAST_FIT:
        return None
    return Edge(row, column, sigma, float(step[at, shift]))


def _residuals(
    t: NDArray[np.float64],
    values: NDArray[np.float64],
    sigmas: NDArray[np.float64],
    offsets: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean square residual and the step for each width and offset, each by linear least squares."""
    basis = _normal_distribution((t - offsets[:, None]) / sigmas[:, None, None])
    centred, differences = basis - basis.mean(-1, keepdims=True), values - values.mean()
    spread = np.maximum(np.square(centred).mean(-1), 1e-30)
    step = (centred * differences).mean(-1) / spread
    return np.mean(differences**2) - step**2 * spread, step


def _normal_distribution(t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Phi(t), right to 1e-7 (Abramowitz & Stegun, Handbook of Mathematical Functions, 26.2.17)."""
    k = 1 / (1 + 0.2316419 * np.abs(t))
    factors = (1.330274429, -1.821255978, 1.781477937, -0.356563782, 0.319381530)
    sum_of_powers = np.zeros_like(k)
    for factor in factors:
        sum_of_powers = (sum_of_powers + factor) * k
    tail = np.exp(-0.5 * t * t) / sqrt(2 * np.pi) * sum_of_powers
    return np.where(t < 0, tail, 1 - tail)
