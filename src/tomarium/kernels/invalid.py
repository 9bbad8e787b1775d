"""Pixels without a value: filled from the valid ones around them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RINGS = 8
"""How often the filled pixels serve as neighbours of the next; beyond that the row's median is taken.

It is also how many rows away a pixel may lie that has a say in a filled one."""


def fill_invalid(frames: NDArray[np.float32], empty: float) -> int:
    """Fill what is NaN by the median of the valid pixels around it, in place.

    1. Every NaN with a valid pixel among its eight neighbours in the same frame takes their median; for an
       even number of them the mean of the middle two. Beyond the edge of the frame there is no neighbour.
    2. What is left of larger holes follows, ring by ring, `RINGS` times.
    3. What is left then takes the median of its row's valid pixels, or `empty` where there are none.

    Parameters
    ----------
    frames : array of float32, shape (angle, row, column)
        Frames; the caller's own, changed.
    empty : float
        Value of a frame in which no pixel is valid.

    Returns
    -------
    int
        How many rows of frames had no valid pixel.
    """
    # Flat indices first: numpy's search in three dimensions is ten times slower.
    holes = np.stack(np.unravel_index(np.flatnonzero(np.isnan(frames).reshape(-1)), frames.shape), axis=1)
    for _ in range(RINGS):
        if len(holes) == 0:
            return 0
        values = _neighbour_median(frames, holes)
        frames[tuple(holes.T)] = values
        holes = holes[np.isnan(values)]
    return fill_from_rows(frames, np.unique(holes[:, :2], axis=0), empty)


def fill_from_rows(frames: NDArray[np.float32], rows: NDArray[np.intp], empty: float) -> int:
    """Fill what is NaN by the median of the valid pixels of its row, in place.

    Parameters
    ----------
    frames : array of float32, shape (angle, row, column)
        Frames; the caller's own, changed.
    rows : array of int, shape (n, 2)
        Angle and row of what is looked at.
    empty : float
        Value of a row in which no pixel is valid.

    Returns
    -------
    int
        How many rows had no valid pixel.
    """
    empty_rows = 0
    for angle, row in rows:
        line = frames[angle, row]
        missing = np.isnan(line)
        if missing.all():
            empty_rows += 1
            line[:] = empty
        else:
            line[missing] = np.median(line[~missing])
    return empty_rows


def open_beam_for_invalid(
    values: NDArray[np.float32], *, transmission: bool
) -> tuple[NDArray[np.float32], int]:
    """Take the open beam for what is NaN or infinite.

    Parameters
    ----------
    values : array of float32
        Transmission or attenuation; not changed.
    transmission : bool
        Whether it is transmission, of which the open beam has 1; attenuation has 0.

    Returns
    -------
    values : array of float32
        The same array where all of it is finite.
    count : int
        How many were not.
    """
    not_finite = ~np.isfinite(values)
    count = int(np.count_nonzero(not_finite))
    return (np.where(not_finite, np.float32(transmission), values) if count else values), count


def _neighbour_median(frames: NDArray[np.float32], holes: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return the median of the valid neighbours of each hole, NaN where there is none."""
    rows, columns = frames.shape[1:]
    angle, row, column = holes.T
    around = np.full((len(holes), 8), np.nan, np.float32)
    steps = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
    for k, (i, j) in enumerate(steps):
        within = (row + i >= 0) & (row + i < rows) & (column + j >= 0) & (column + j < columns)
        around[within, k] = frames[angle[within], row[within] + i, column[within] + j]
    around.sort(axis=1)  # NaN last
    count = np.count_nonzero(~np.isnan(around), axis=1)
    every = np.arange(len(holes))
    lower, upper = around[every, np.maximum(count - 1, 0) // 2], around[every, np.minimum(count // 2, 7)]
    return np.where(count > 0, 0.5 * lower + 0.5 * upper, np.float32(np.nan)).astype(np.float32)
