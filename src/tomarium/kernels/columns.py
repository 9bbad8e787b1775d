"""Columns of a sinogram beside their neighbours: medians of them, and means of blocks of angles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def block_means(values: NDArray[np.float32], blocks: int) -> NDArray[np.float64]:
    """Average blocks of neighbouring angles.

    Parameters
    ----------
    values : array of float32, shape (angle, column)
        One sinogram.
    blocks : int
        Blocks, as equal as can be.

    Returns
    -------
    array of float64, shape (block, column)
        Mean of each.
    """
    return np.stack([part.mean(axis=0, dtype=np.float64) for part in np.array_split(values, blocks)])


def mirrored_places(columns: int, reach: int) -> NDArray[np.intp]:
    """Return which column stands at each place of a row that is mirrored at its ends.

    Parameters
    ----------
    columns : int
        Columns of the row, at least 1.
    reach : int
        Columns beyond either end.

    Returns
    -------
    array of int, shape (columns + 2 * reach,)
        … 1 0 | 0 1 2 … | columns - 1, columns - 2 …
    """
    places = np.arange(-reach, columns + reach) % (2 * columns)
    return np.minimum(places, 2 * columns - 1 - places)


def median_over_columns(values: NDArray[Any], size: int) -> NDArray[Any]:
    """Return the median over neighbouring columns, mirrored at the edges.

    Parameters
    ----------
    values : array, shape (…, column)
        One value for each column.
    size : int
        Columns of the median, odd.

    Returns
    -------
    array, shape (…, column)
        Medians.
    """
    mirrored = values[..., mirrored_places(values.shape[-1], size // 2)]
    if size == 9 and np.issubdtype(mirrored.dtype, np.floating):
        return _median_of_nine(mirrored)
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(mirrored, size, axis=-1), axis=-1))


def _median_of_nine(values: NDArray[Any]) -> NDArray[Any]:
    """Take it of three neighbouring threes in order: each serves three windows, and minima and maxima are quick.

    It is the median of the largest of their least, of the median of their middle ones, and the least of their largest.
    """
    a, b, c = values[..., :-2], values[..., 1:-1], values[..., 2:]
    low, high = np.minimum(a, b), np.maximum(a, b)
    middle = np.maximum(low, np.minimum(high, c))
    np.minimum(low, c, out=low)
    np.maximum(high, c, out=high)
    lows, middles, highs = ((x[..., :-6], x[..., 3:-3], x[..., 6:]) for x in (low, middle, high))
    largest = np.maximum(np.maximum(lows[0], lows[1]), lows[2])
    least = np.minimum(np.minimum(highs[0], highs[1]), highs[2])
    return _median_of_three(largest, _median_of_three(*middles), least)


def _median_of_three(a: NDArray[Any], b: NDArray[Any], c: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c)))
