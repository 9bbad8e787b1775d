"""Columns of a sinogram beside their neighbours: medians of them, and means of blocks of angles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tomarium.compiled import Engine, extension, level, takes_compiled


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


def columns_beside(
    mask: NDArray[np.bool_],
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]] | None:
    """Return between which columns masked ones lie.

    Parameters
    ----------
    mask : array of bool, shape (column,)
        Columns to interpolate.

    Returns
    -------
    masked, left, right : array of int, shape (n,)
        Masked columns, and the nearest that are not on either side of each.
    part : array of float32, shape (n,)
        How far each lies from the left one towards the right one, 0 to 1.

    None of it where no column is masked, or a third of all are.
    """
    bad, good = np.flatnonzero(mask), np.flatnonzero(~mask)
    if not 0 < len(bad) < len(mask) // 3:
        return None
    after = np.clip(np.searchsorted(good, bad), 1, len(good) - 1)
    left, right = good[after - 1], good[after]
    return bad, left, right, np.clip((bad - left) / (right - left), 0, 1).astype(np.float32)


def median_over_columns(values: NDArray[Any], size: int, engine: Engine = "auto") -> NDArray[Any]:
    """Return the median over neighbouring columns, mirrored at the edges.

    Parameters
    ----------
    values : array, shape (…, column)
        One value for each column.
    size : int
        Columns of the median, odd.
    engine : {"auto", "native", "reference"}
        Compiled kernel, or NumPy; both give the same numbers.

    Returns
    -------
    array, shape (…, column)
        Medians.
    """
    if (
        values.dtype in (np.float32, np.float64)
        and values.size
        and takes_compiled(engine, "median_over_columns")
    ):
        rows = np.ascontiguousarray(values.reshape(-1, values.shape[-1]), np.float64)
        if np.isfinite(rows).all():  # a window with a NaN would not be in order
            medians = np.empty_like(rows)
            extension().running_medians(rows, size, medians, level())
            return np.asarray(medians.reshape(values.shape), values.dtype)
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
