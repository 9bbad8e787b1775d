"""One dark or flat field out of many frames, whatever cosmic rays and bad frames are among them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError, ParameterError

FEW = 8
"""Frames from which a clipped mean is worth more than the median, whose variance is pi / 2 times larger."""

CLIP_SIGMA = {"flat": 3.5, "dark": 5.0}
"""How many standard deviations from the median a value may lie."""

BLOCK = 1 << 22
"""Values worked on at a time."""


def reduce_references(
    frames: Any, kind: Literal["flat", "dark"], by: Literal["mean", "median"] = "mean"
) -> NDArray[np.float32]:
    """Reduce repeated frames to one.

    Flat fields: from eight frames on the mean of what lies within 3.5 standard deviations of the median,
    from three on the median, else the mean. Dark fields: from three on the mean of what lies within 5. The
    standard deviation is 1.4826 times the median absolute deviation of the pixel, but at least that of the
    typical pixel of its row, and one count where counts are integers.

    Parameters
    ----------
    frames : array, shape (frame, row, column)
        Counts of any real type; values that are not finite are left out.
    kind : {"flat", "dark"}
        What the frames are.
    by : {"mean", "median"}
        "median": that of all frames, whatever their number, as tomodata averages flats.

    Returns
    -------
    array of float32, shape (row, column)
        Counts; NaN where no frame has a finite value. Sums are made in float64.

    Raises
    ------
    InputError
        There is no frame, or the shape is another one.
    ParameterError
        There is no such kind.
    """
    if kind not in CLIP_SIGMA:
        raise ParameterError(f"reduce_references: there is no kind {kind!r}; choose from flat, dark")
    frames = np.asarray(frames)
    if frames.ndim != 3 or len(frames) == 0:
        raise InputError(
            f"reduce_references: the {kind} frames have shape {frames.shape}; "
            f"give (frame, row, column) with at least one frame"
        )
    count, rows, columns = frames.shape
    result = np.empty((rows, columns), np.float32)
    step = max(1, BLOCK // max(1, count * columns))
    floor = 1.0 if frames.dtype.kind in "ui" else 0.0
    for row in range(0, rows, step):
        block = frames[:, row : row + step].astype(np.float64)
        block[~np.isfinite(block)] = np.nan
        result[row : row + step] = _median(block) if by == "median" else _reduce(block, kind, floor)
    return result


def _reduce(block: NDArray[np.float64], kind: str, floor: float) -> NDArray[np.float64]:
    count = len(block)
    if count < 3:
        return _mean(block, ~np.isnan(block))
    middle = _median(block)
    if kind == "flat" and count < FEW:
        return middle
    deviation = np.abs(block - middle)
    sigma = 1.4826 * _median(deviation)
    # Row by row: a slice must not depend on which other rows were averaged with it.
    typical = _median(np.where(np.isfinite(sigma), sigma, np.nan).T)
    sigma = np.fmax(sigma, np.fmax(typical, floor)[:, None])
    return _mean(block, deviation <= CLIP_SIGMA[kind] * sigma)


def _median(block: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median along the frames of what is not NaN; NaN where nothing is."""
    ordered = np.sort(block, axis=0)
    count = np.count_nonzero(~np.isnan(block), axis=0)[None]
    lower = np.take_along_axis(ordered, np.maximum(count - 1, 0) // 2, axis=0)
    upper = np.take_along_axis(ordered, np.minimum(count // 2, len(block) - 1), axis=0)
    middle: NDArray[np.float64] = (0.5 * (lower + upper))[0]
    return middle


def _mean(block: NDArray[np.float64], kept: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean along the frames of what is kept; NaN where nothing is."""
    count = np.count_nonzero(kept, axis=0)
    total = np.where(kept, block, 0.0).sum(axis=0)
    mean: NDArray[np.float64] = np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)
    return mean
