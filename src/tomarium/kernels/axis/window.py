"""The part of the detector that sees both of two opposite projections."""

from __future__ import annotations

from math import ceil, floor

import numpy as np
from numpy.typing import NDArray


def overlap(columns: int, axis_column: float) -> slice:
    """Return the columns whose mirror image about the axis lies on the detector too.

    Parameters
    ----------
    columns : int
        Width of the detector in px.
    axis_column : float
        Column of the axis, 0-based.

    Returns
    -------
    slice
        Columns.
    """
    half = min(axis_column, columns - 1 - axis_column)
    return slice(max(0, ceil(axis_column - half - 1e-6)), min(columns, floor(axis_column + half + 1e-6) + 1))


def taper(columns: int, axis_column: float, *, edge: float = 0.2) -> NDArray[np.float32]:
    """Return weights that fade to zero where the overlap ends, and mirror exactly about the axis.

    Parameters
    ----------
    columns : int
        Width of the detector in px.
    axis_column : float
        Column of the axis, 0-based; need not be a pixel's centre.
    edge : float
        Share of the half width over which they fade, as a raised cosine.

    Returns
    -------
    array of float32, shape (column,)
        From 0 to 1. A window that followed the pixels instead would draw the estimate to its own middle.
    """
    half = min(axis_column, columns - 1 - axis_column) + 0.5
    return mirrored_window(np.arange(columns), axis_column, half, edge=edge)


def mirrored_window(
    columns: NDArray[np.integer], axis_column: float, half: float, *, edge: float
) -> NDArray[np.float32]:
    """Return weights that fade to zero at a distance from a column.

    Parameters
    ----------
    columns : array, shape (column,)
        Columns wanted.
    axis_column : float
        Column of the axis.
    half : float
        Distance from the axis in px at which the weights reach zero.
    edge : float
        Share of it over which they fade, as a raised cosine.

    Returns
    -------
    array of float32, shape (column,)
        From 0 to 1.
    """
    inside = np.clip((half - np.abs(columns - axis_column)) / (edge * half), 0, 1)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * inside), np.float32)


def vertex(values: NDArray[np.floating], index: int) -> float:
    """Return where the parabola through a value and its two neighbours has its extremum.

    Parameters
    ----------
    values : array, shape (sample,)
        Samples about an extremum.
    index : int
        Sample of the extremum.

    Returns
    -------
    float
        Position in samples; `index` itself at the ends, or where the three lie in a line.
    """
    if not 0 < index < len(values) - 1:
        return float(index)
    left, middle, right = (float(value) for value in values[index - 1 : index + 2])
    bend = left - 2 * middle + right
    return index + (left - right) / (2 * bend) if bend else float(index)
