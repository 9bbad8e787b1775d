"""Stripes that begin and end at once: bands of columns, and columns that are wrong over an interval of angles."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.columns import median_over_columns
from tomarium.kernels.stripes import bridge

WIDEST: Final = 8
"""Columns of a band, or of several that touch."""

SLOPES: Final = 9
"""Differences between columns whose median is the slope of the sample there."""

USUAL_OVER: Final = 51
"""Differences whose median is usual."""

JUMP: Final = 5.0
"""Times the usual that a difference must be to begin or end a band."""

AGREEMENT: Final = 4.0
"""Student's t over the blocks of angles of a difference that begins or ends a band."""

ALIKE: Final = 0.5
"""Least ratio of the two differences that a band lies between."""

CLOSED: Final = 0.2
"""Part of the largest of the differences about and within bands that touch, below which their sum is."""

BESIDE: Final = 6
"""Columns on either side of a band through which its background is drawn."""

BINS: Final = 256
"""Parts of a scan between which an interval is looked for first."""

FEWEST: Final = 8
"""Views of an interval, and beside it."""

SHARP: Final = 0.7
"""Part of an interval's height by which its ends rise within a few views."""

REST: Final = 3.0
"""Times the noise from view to view, or a tenth of an interval's height, that what is left may deviate by."""

HIGH: Final = 4.0
"""Standard deviations of the rest of a column by which an interval is high, over the root of the views at its end."""


def bands(means: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which columns lie in bands of up to 8, or in several that touch, that add something to the sample alike.

    Parameters
    ----------
    means : array of float64, shape (block, column)
        Mean attenuation of blocks of angles.

    Returns
    -------
    array of bool, shape (column,)
        Columns between two opposite jumps of their means, less the slope about, that the blocks agree on; and those
        between three or more such jumps whose sum is 0, as of bands side by side or on each other.
    """
    in_band = np.zeros(means.shape[1], np.bool_)
    if means.shape[1] < 2 * SLOPES:
        return in_band
    steps = np.diff(means, axis=1)
    steps = steps - median_over_columns(steps, SLOPES)
    mean = steps.mean(axis=0)
    error = np.maximum(steps.std(axis=0, ddof=1) / len(steps) ** 0.5, 1e-12)
    usual = median_over_columns(np.abs(mean)[None], USUAL_OVER)[0]
    jumps = (np.abs(mean) > JUMP * usual) & (np.abs(mean) > AGREEMENT * error)
    places, heights = np.flatnonzero(jumps).tolist(), mean.tolist()
    for number, first in enumerate(places):
        total, largest, end = heights[first], abs(heights[first]), 0
        for count, last in enumerate(places[number + 1 :], 2):
            if last - first > WIDEST:
                break
            total, largest = total + heights[last], max(largest, abs(heights[last]))
            if count > 2 and abs(total) < CLOSED * largest:
                end = last
                break
            if count == 2 and abs(total) < ALIKE * largest:
                end = last
                if abs(total) < CLOSED * largest:
                    break
        in_band[first + 1 : end + 1] = True
    return in_band


def background_below(means: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Draw means through masked columns, by a parabola through 6 others on either side.

    Parameters
    ----------
    means : array of float64, shape (block, column)
        Mean attenuation of blocks of angles.
    mask : array of bool, shape (column,)
        Columns that are drawn anew.

    Returns
    -------
    array of float64, shape (block, column)
        The others are as they were.
    """
    result = means.copy()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    firsts, lasts = edges[::2], edges[1::2]
    good = np.flatnonzero(~mask)
    before = np.searchsorted(good, firsts)  # how many good columns are before each band
    inner = (before >= BESIDE) & (len(good) - before >= BESIDE)
    if inner.any():
        beside = good[before[inner][:, None] + np.arange(-BESIDE, BESIDE)]
        _draw(result, means, firsts[inner], lasts[inner], beside, degree=2)
    for first, last, count in zip(firsts[~inner], lasts[~inner], before[~inner], strict=True):
        beside = good[max(0, count - BESIDE) : count + BESIDE]
        if 0 < count < len(good):
            degree = 2 if len(beside) > BESIDE else 1
            _draw(result, means, np.array([first]), np.array([last]), beside[None], degree)
    return result


def _draw(
    result: NDArray[np.float64],
    means: NDArray[np.float64],
    firsts: NDArray[np.intp],
    lasts: NDArray[np.intp],
    beside: NDArray[np.intp],
    degree: int,
) -> None:
    """Draw each band, `firsts` to `lasts` - 1, by least squares through the columns beside it, shape (band, column)."""
    middle = 0.5 * (firsts + lasts - 1)
    orthogonal, triangle = np.linalg.qr(_powers((beside - middle[:, None]) / BESIDE, degree))
    sums = orthogonal.swapaxes(1, 2) @ means[:, beside].transpose(1, 2, 0)
    factors = np.linalg.solve(triangle, sums)  # (band, power, block)
    band = np.repeat(np.arange(len(firsts)), lasts - firsts)
    columns = np.concatenate([np.arange(*ends) for ends in zip(firsts, lasts, strict=True)])
    terms = _powers((columns - middle[band]) / BESIDE, degree)
    result[:, columns] = np.einsum("cp,cpb->bc", terms, factors[band])


def _powers(places: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    return np.stack([places**power for power in range(degree + 1)], axis=-1)


def without_intervals(sinogram: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Level masked columns that are higher or lower than their neighbours over an interval of angles.

    1. What a column is above the straight line between its nearest good neighbours is fitted by one height within an
       interval of angles and another beside it, so that the squares that are left are least.
    2. The interval is believed if what is left deviates little beyond the noise from view to view, so that it is the
       only one; if the height is four times the error of a mean over the few views about an end; and if both ends that
       lie within the scan rise by 0.7 of it there: what passes of the sample comes and goes over many views.
    3. The height is subtracted within it; of an interval at an end of the scan and the rest, within that which is
       farther from the straight line.

    Parameters
    ----------
    sinogram : array of float32, shape (angle, column)
        Attenuation.
    mask : array of bool, shape (column,)
        Columns that may be wrong.

    Returns
    -------
    array of float32, shape (angle, column)
        The sinogram, other columns as they were.
    """
    result = sinogram.copy()
    above = sinogram - bridge(sinogram, mask)
    for column in np.flatnonzero(mask).tolist():
        interval = _interval(above[:, column].astype(np.float64))
        if interval is not None:
            first, last, height = interval
            result[first:last, column] -= np.float32(height)
    return result


def _interval(values: NDArray[np.float64]) -> tuple[int, int, float] | None:
    """Return where values are higher or lower than beside it, and by how much; None where it is not sharp."""
    count = len(values)
    edges = np.unique(np.linspace(0, count, min(BINS, count) + 1).round().astype(int))
    first, last = _best(values, edges, edges)
    reach = np.arange(-(count // len(edges)) - 2, count // len(edges) + 3)
    first, last = _best(values, np.clip(first + reach, 0, count), np.clip(last + reach, 0, count))
    inside = np.zeros(count, np.bool_)
    inside[first:last] = True
    if min(inside.sum(), (~inside).sum()) < FEWEST:
        return None
    height = float(values[inside].mean() - values[~inside].mean())
    rest = values - np.where(inside, height, 0)
    least_views = max(FEWEST // 2, count // 64)
    noise = float(np.median(np.abs(np.diff(values)))) / (0.6745 * 2**0.5)
    if (
        rest.std() > max(REST * noise, 0.1 * abs(height))
        or abs(height) < HIGH * rest.std() / least_views**0.5
    ):
        return None
    for end, sign in ((first, 1), (last, -1)):
        if least_views <= end <= count - least_views:
            rise = sign * (values[end : end + least_views].mean() - values[end - least_views : end].mean())
            if rise / height < SHARP:
                return None
    if (first == 0 or last == count) and abs(values[~inside].mean()) > abs(values[inside].mean()):
        return (last, count, -height) if first == 0 else (0, first, -height)
    return first, last, height


def _best(values: NDArray[np.float64], firsts: NDArray[Any], lasts: NDArray[Any]) -> tuple[int, int]:
    """Return the ends of the interval within which and beside which the squares about the mean are least."""
    total = np.concatenate([[0.0], np.cumsum(values - values.mean())])
    lengths = (lasts[None] - firsts[:, None]).astype(np.float64)
    valid = (lengths > 0) & (lengths < len(values))
    lengths = np.where(valid, lengths, 1)
    between = (
        (total[lasts][None] - total[firsts][:, None]) ** 2 * len(values) / (lengths * (len(values) - lengths))
    )
    place = int(np.argmax(np.where(valid, between, -1)))
    row, column = divmod(place, len(lasts))
    return int(firsts[row]), int(lasts[column])
