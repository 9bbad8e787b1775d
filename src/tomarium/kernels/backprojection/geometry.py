"""What every engine of filtered backprojection needs to know, worked out once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.backprojection.angular_weights import angular_weights
from tomarium.kernels.ramp import Padding, Window, check_padding, filter_response, good_length


@dataclass(frozen=True)
class Task:
    """One filtered backprojection.

    Pixel (row, column) = (i, j) of the image lies at x = j - (size - 1) / 2 and y = (size - 1) / 2 - i from
    the axis, in pixels, and is seen at detector column axis_column + x cos(angle) + y sin(angle). Inside the
    engines the second coordinate runs with the rows, i - (size - 1) / 2, and `sine` carries the sign.

    Attributes
    ----------
    cosine, sine : array of float64, shape (angle,)
        cos(angle), and -sin(angle) for the image's rows run downwards.
    weight : array of float64, shape (angle,)
        Angle each projection stands for, in radians; their sum is pi.
    columns : int
        Detector columns.
    axes : array of float64, shape (angle,)
        Where the rotation axis lies in each view, in pixels from the centre of column 0: all alike where nothing moved.
    row_offsets : array of float64, shape (row,), or None
        How far the axis of each row lies behind `axes`, in pixels; None where it does not. For the gridding engine.
    size : int
        Pixels along an edge of the whole image.
    region : tuple of int
        (y0, y1, x0, x1): the part of it that is wanted, ends excluded.
    padded : int
        Samples of a padded projection.
    window, cutoff
        See `tomarium.kernels.ramp.window_response`.
    padding : {"zero", "edge"}
        What is taken beyond the detector.
    scale : float
        Factor of the result.
    threads : int
        Threads to use.
    """

    cosine: NDArray[np.float64]
    sine: NDArray[np.float64]
    weight: NDArray[np.float64]
    columns: int
    axes: NDArray[np.float64]
    row_offsets: NDArray[np.float64] | None
    size: int
    region: tuple[int, int, int, int]
    padded: int
    window: Window
    cutoff: float
    padding: Padding
    scale: float
    threads: int

    @cached_property
    def response(self) -> NDArray[np.float64]:
        """Windowed ramp of the padded projections, shape (padded // 2 + 1,)."""
        return filter_response(self.padded, self.window, self.cutoff)

    @property
    def axis_range(self) -> tuple[float, float]:
        """Lowest and highest column at which the rotation axis lies in any view and row."""
        return _extremes(self.axes, self.row_offsets)

    @property
    def left(self) -> int:
        """Pixels the disc reaches before the detector's first column, and two more for interpolation."""
        return max(0, ceil(self.size / 2 - float(self.axes.min()))) + 2


def make_task(
    angles_deg: NDArray[np.float64],
    columns: int,
    axis_column: float,
    size: int,
    region: tuple[int, int, int, int],
    window: Window,
    cutoff: float,
    padding: Padding,
    scale: float,
    threads: int,
    turn_deg: float = 180.0,
    beyond: int = 0,
    shift_columns_px: NDArray[np.float64] | None = None,
    row_offsets: NDArray[np.float64] | None = None,
) -> Task:
    """Work out directions, weights and padding of one filtered backprojection.

    Parameters
    ----------
    angles_deg : array of float64, shape (angle,)
        Angles in degrees.
    columns, size, region, padding, scale, threads
        See `Task`.
    axis_column : float
        Rotation axis in pixels from the centre of column 0.
    window, cutoff
        See `tomarium.kernels.ramp.window_response`.
    turn_deg
        See `angular_weights`.
    beyond
        See `padded_length`.
    shift_columns_px : array of float64, shape (angle,), optional
        How far the sample stands towards higher columns in each view; the axis moves with it.
    row_offsets
        See `Task`.

    Returns
    -------
    Task
        The task.

    Raises
    ------
    ParameterError
        There is no such padding.
    """
    check_padding(padding)
    angles = np.deg2rad(angles_deg)
    axes = np.full(len(angles), float(axis_column))
    if shift_columns_px is not None:
        axes += shift_columns_px
    padded = max(padded_length(columns, edge, size, beyond) for edge in _extremes(axes, row_offsets))
    return Task(
        np.cos(angles), -np.sin(angles), angular_weights(angles_deg, turn_deg), columns, axes, row_offsets, size,
        region, padded, window, cutoff, padding, scale, threads,
    )  # fmt: skip


def _extremes(axes: NDArray[np.float64], row_offsets: NDArray[np.float64] | None) -> tuple[float, float]:
    offsets = np.zeros(1) if row_offsets is None else row_offsets
    return float(axes.min() + offsets.min()), float(axes.max() + offsets.max())


def padded_length(columns: int, axis_column: float, size: int, beyond: int = 0) -> int:
    """Return how far projections are padded so that no filtered value wraps around into the image.

    Parameters
    ----------
    columns : int
        Detector columns.
    axis_column : float
        Rotation axis in pixels from the centre of column 0.
    size : int
        Pixels along an edge of the image.
    beyond : int
        Columns at either end that continue the detector's own, at which no pixel looks.

    Returns
    -------
    int
        Even length with a fast transform: twice the greatest distance between a column that was measured and
        a column that a pixel of the disc looks at; 2 N for an axis in the middle.
    """
    reach = max(columns - beyond, axis_column + size / 2, columns - 1 - axis_column + size / 2)
    return good_length(max(2 * ceil(reach), size + 8, columns + 8))


def disc(size: int, region: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    """Return which pixels of a region lie in the image's inscribed disc.

    Parameters
    ----------
    size : int
        Pixels along an edge of the whole image.
    region : tuple of int
        (y0, y1, x0, x1), ends excluded.

    Returns
    -------
    array of bool, shape (y1 - y0, x1 - x0)
        True where a pixel's centre lies at most size / 2 from the axis.
    """
    y, x = offsets(size, region)
    inside: NDArray[np.bool_] = x**2 + y[:, None] ** 2 <= 0.25 * size**2
    return inside


def offsets(size: int, region: tuple[int, int, int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where the rows and columns of a region lie from the axis.

    Parameters
    ----------
    size : int
        Pixels along an edge of the whole image.
    region : tuple of int
        (y0, y1, x0, x1), ends excluded.

    Returns
    -------
    tuple of array of float64
        Rows and columns less those of the axis, in pixels.
    """
    y0, y1, x0, x1 = region
    middle = (size - 1) / 2
    return np.arange(y0, y1, dtype=np.float64) - middle, np.arange(x0, x1, dtype=np.float64) - middle
