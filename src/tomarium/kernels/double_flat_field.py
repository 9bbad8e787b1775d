"""What a pixel adds to all views, seen in the mean of many: the double flat field."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, Final, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tomarium.array import lies_elsewhere, namespace, on_host
from tomarium.errors import InputError
from tomarium.kernels.columns import mirrored_places

Background = Literal["median", "gaussian", "homogeneous"]
"""What of a mean view is the sample: its median in a window, its Gaussian mean, or the median of each row."""

LOWEST: Final = 1e-6
"""Transmission below which nothing is told apart."""

CHUNK: Final = 4 << 20
"""Numbers whose logarithm is taken at a time."""

BLOCKS: Final = 16
"""Blocks of angles, at most."""

LEAST_VIEWS: Final = 8
"""Views of a block, at least."""

LEFT_OUT: Final = 0.2
"""Part of the blocks that is left out on either side."""

ALONE: Final = 1 << 18
"""Numbers of windows for which a thread is begun: fewer take one less time than its start."""

GOES_ON: Final = 5
"""Rows about a pixel over which what is on the axis goes on."""

SMOOTH_COLUMNS: Final = 7
"""Columns of a window in which a parabola is told from an error, at least."""

ABOVE_SPREAD: Final = 0.9
"""Spreads of the errors in a row beyond which a shape is one of the sample."""

MISFIT: Final = 0.4
"""Part of a shape's height by which it may differ from parabolas."""

AGREED: Final = 3.0
"""Errors of the median over rows above which something goes on over them."""

REACH: Final = 4.0
"""Standard deviations after which a Gaussian is cut off."""


def mean_attenuation(
    views: Any, *, transmission: bool = False, mean_of_transmission: bool = False
) -> NDArray[np.float64]:
    """Average attenuation over the views.

    Parameters
    ----------
    views : array of float32, shape (angle, row, column)
        Attenuation p, or transmission T; wherever they lie.
    transmission : bool
        Whether they are T, whose logarithm is taken.
    mean_of_transmission : bool
        Whether -ln⟨T⟩ is returned in place of ⟨-ln T⟩, as other programs do; an error of gain is exact in the latter.

    Returns
    -------
    array of float64, shape (row, column)
        Mean attenuation.

    Raises
    ------
    InputError
        There are no views, or a value is not finite.
    """
    views = views if lies_elsewhere(views) else np.asarray(views)
    if views.ndim != 3 or not views.shape[0]:
        raise InputError(
            f"double_flat_field: views have shape {tuple(views.shape)}; give (angle, row, column)"
        )
    xp, angles = namespace(views), views.shape[0]
    total: Any = 0.0
    count = max(1, CHUNK // max(1, views.shape[1] * views.shape[2]))
    for start in range(0, angles, count):
        part = views[start : min(start + count, angles), ...]
        if transmission and not mean_of_transmission:
            part = -xp.log(xp.maximum(part, LOWEST))
        elif mean_of_transmission and not transmission:
            part = xp.exp(-part)
        total = total + xp.sum(part, axis=0, dtype=xp.float64)
    mean = on_host(total / angles)
    if mean_of_transmission:
        mean = -np.log(np.maximum(mean, LOWEST))
    if not np.isfinite(mean).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(mean))[0])
        raise InputError(
            f"double_flat_field: a view is not finite at row {row} of the slab and column {column}; every value "
            f"must be: normalise with flat and dark fields first"
        )
    return mean


def pixel_errors(
    mean: NDArray[np.float64],
    *,
    background: Background = "median",
    size: tuple[int, int] = (9, 9),
    columns_only: bool = False,
    threads: int = 1,
) -> NDArray[np.float64]:
    """Return what stands out of the smooth background of a mean view.

    Parameters
    ----------
    mean : array of float64, shape (row, column)
        Attenuation averaged over views.
    background : {"median", "gaussian", "homogeneous"}
        The median of a window of `size`, and the smooth shapes that it cuts off, see `_shapes`; a Gaussian of that full
        width at half maximum; or the median of each row.
    size : tuple of int
        Rows and columns, odd. Rings up to half of its columns wide are told from the sample.
    columns_only : bool
        Whether only what continues along the columns counts: the background is taken within each row, and what stands
        out of it is the median over `size[0]` rows.
    threads : int
        Rows in work at a time.

    Returns
    -------
    array of float64, shape (row, column)
        Error of each pixel, in attenuation; 0 where there is none.
    """
    window = (1, size[1]) if columns_only else size
    if background == "homogeneous":
        smooth = np.broadcast_to(np.median(mean, axis=1, keepdims=True), mean.shape)
    elif background == "gaussian":
        smooth = _gaussian(mean, window)
    else:
        smooth = _median(mean, window, threads)
    error = mean - smooth
    if columns_only:
        return _median(error, (size[0], 1), threads)
    return error - _shapes(error, size, threads) if background == "median" else error


def constant_errors(
    views: Any,
    *,
    transmission: bool = False,
    mean_of_transmission: bool = False,
    background: Background = "median",
    size: tuple[int, int] = (9, 9),
    columns_only: bool = False,
    spared: NDArray[np.float64] | None = None,
    threads: int = 1,
) -> NDArray[np.float64]:
    """Return what each pixel adds to all views, the same at all angles.

    1. The views are parted into up to 16 blocks of neighbouring angles, of 8 views or more. In each the errors are
       what stands out of the smooth background of its mean.
    2. Of the blocks' errors of each pixel the lowest and the highest fifth are left out, and the others averaged: an
       error of the pixel is the same in all, and what of the sample passes it is in some. One mean of all views is
       taken where that of the transmission is asked for.
    3. About the axis the sample hardly moves: what there goes on over the 5 rows about a pixel, beyond what the median
       of independent errors does, is lessened by `spared`.

    Parameters
    ----------
    views : array of float32, shape (angle, row, column)
        Attenuation p, or transmission T.
    transmission, mean_of_transmission : bool
        As in `mean_attenuation`.
    background, size, columns_only
        As in `pixel_errors`.
    spared : array of float64, shape (column,), optional
        Part of what goes on over rows that is told, see `spared_about_axis`; by default all.
    threads : int
        Rows in work at a time.

    Returns
    -------
    array of float64, shape (row, column)
        In attenuation.

    Raises
    ------
    InputError
        There are no views, or a value is not finite.
    """
    angles = views.shape[0]
    count = 1 if mean_of_transmission else max(1, min(BLOCKS, angles // LEAST_VIEWS))
    edges = np.linspace(0, angles, count + 1).round().astype(int).tolist()
    errors = []
    for first, last in pairwise(edges):
        mean = mean_attenuation(
            views[first:last, ...], transmission=transmission, mean_of_transmission=mean_of_transmission
        )
        error = pixel_errors(
            mean, background=background, size=size, columns_only=columns_only, threads=threads
        )
        errors.append(
            error if spared is None else spare_about_axis(error, mean, spared, size[0], columns_only, threads)
        )
    left_out = int(LEFT_OUT * count)
    return np.asarray(np.sort(errors, axis=0)[left_out : count - left_out].mean(axis=0))


def spare_about_axis(
    error: NDArray[np.float64],
    mean: NDArray[np.float64],
    spared: NDArray[np.float64],
    rows: int = GOES_ON,
    columns_only: bool = False,
    threads: int = 1,
) -> NDArray[np.float64]:
    """Lessen what goes on over rows, where `spared` is below 1.

    Parameters
    ----------
    error, mean : array of float64, shape (row, column)
        Errors of pixels, and the mean attenuation they were found in.
    spared : array of float64, shape (column,)
        Part that is left of them, see `spared_about_axis`.
    rows : int
        Rows about a pixel over which a thing of the sample goes on, odd; at most 5 are looked at.
    columns_only : bool
        Whether all errors go on over rows.
    threads : int
        Rows in work at a time.

    Returns
    -------
    array of float64, shape (row, column)
        Errors that are to be removed.
    """
    where = np.flatnonzero(spared < 1)
    if not len(where):
        return error
    part = slice(int(where[0]), int(where[-1]) + 1)
    going_on = error[:, part]
    if not columns_only:
        about = min(rows, GOES_ON)
        own = mean[:, part] - _median(mean[:, part], (about, 1), threads)
        going_on = going_on - own
        going_on *= _agreed_over_rows(going_on, mean[:, part], about)
    result = error.copy()
    result[:, part] -= (1 - spared[part]) * going_on
    return result


def _agreed_over_rows(
    going_on: NDArray[np.float64], mean: NDArray[np.float64], rows: int
) -> NDArray[np.float64]:
    """Return the part of a median over rows that is beyond chance: that of errors alone is half of their deviation.

    The deviation is that of all these columns together: five rows of one column tell it by half at best.
    """
    if rows < 2:
        return np.ones_like(going_on)
    windows = sliding_window_view(mean[mirrored_places(len(mean), rows // 2)], rows, axis=0)
    # The median of so many normal numbers has 1.25 times the error of their mean, at most.
    deviation = np.sqrt(windows.var(axis=2, ddof=1).mean(axis=1, keepdims=True))
    error = 1.25 * deviation / rows**0.5
    return np.asarray(np.maximum(0, 1 - (AGREED * error / np.maximum(np.abs(going_on), 1e-12)) ** 2))


def halo_rows(background: Background, rows: int, columns_only: bool) -> int:
    """Return the rows above and below that the error of a pixel depends on.

    Parameters
    ----------
    background : {"median", "gaussian", "homogeneous"}
        As in `pixel_errors`.
    rows : int
        Rows of its window.
    columns_only : bool
        As in `pixel_errors`.

    Returns
    -------
    int
        0 where each row is corrected by itself; 2 or more else, to see what goes on over rows.
    """
    least = min(rows, GOES_ON) // 2
    if background == "median" and not columns_only:
        return 2 * (rows // 2)
    if columns_only:
        return rows // 2
    return max(_reach(rows), least) if background == "gaussian" else least


def spared_about_axis(columns: int, axis_column: float, width: float) -> NDArray[np.float64]:
    """Return how much of an error is to be removed: the middle of the sample hardly moves, as a ring does not.

    Parameters
    ----------
    columns : int
        Columns of the detector.
    axis_column : float
        Column c of the rotation axis, 0-based, pixel centres at integers.
    width : float
        Columns w on either side of it.

    Returns
    -------
    array of float64, shape (column,)
        min(1, (|u - c| / w)²), 1 everywhere where w is 0.
    """
    away = np.abs(np.arange(columns) - axis_column)
    return np.minimum(1, (away / width) ** 2) if width > 0 else np.ones(columns)


def _reach(size: int) -> int:
    return int(np.ceil(REACH * _deviation(size))) if size > 1 else 0


def _deviation(size: int) -> float:
    return size / float(np.sqrt(8 * np.log(2)))


def _median(image: NDArray[np.float64], size: tuple[int, int], threads: int) -> NDArray[np.float64]:
    """Return the median of a window about each pixel, the image mirrored at its edges."""
    if size == (1, 1):
        return image.copy()
    rows, columns = (mirrored_places(n, s // 2) for n, s in zip(image.shape, size, strict=True))
    windows = sliding_window_view(image[np.ix_(rows, columns)], size)
    result = np.empty_like(image)

    def some(places: NDArray[np.intp]) -> None:
        for row in places:
            neighbours = windows[row].reshape(len(windows[row]), -1)
            middle = neighbours.shape[1] // 2
            result[row] = np.partition(neighbours, middle, axis=1)[:, middle]

    workers = min(threads, len(image), max(1, windows.size // ALONE))
    parts = np.array_split(np.arange(len(image)), workers)
    if workers == 1:
        some(parts[0])
        return result
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(some, parts))
    return result


def _shapes(error: NDArray[np.float64], size: tuple[int, int], threads: int) -> NDArray[np.float64]:
    """Return what of the errors is the sample: where it bends a median cuts off, and that goes on smoothly.

    The median over the rows of a window, and over 3 columns, is drawn by parabolas over its columns (Savitzky and
    Golay). They are believed where they are higher than the spread of the errors in the row, and differ by little from
    what they are drawn through: the edge of a band of wrong columns is sharp. A window of few rows or columns tells
    nothing.
    """
    rows, columns = size
    if rows < GOES_ON or columns < SMOOTH_COLUMNS or len(error) < rows or error.shape[1] < columns:
        return np.zeros_like(error)
    going_on = _median(_median(error, (rows, 1), threads), (1, 3), threads)
    places = mirrored_places(error.shape[1], columns // 2)
    terms = np.vander(np.arange(columns) - columns // 2, 3)
    drawn = sliding_window_view(going_on[:, places], columns, axis=1) @ np.linalg.pinv(terms)[2]
    about = (
        sliding_window_view(np.abs(curve)[:, places], columns, axis=1) for curve in (going_on - drawn, drawn)
    )
    misfit, height = (extremes.max(axis=2) for extremes in about)
    spread = 1.4826 * np.median(np.abs(error), axis=1, keepdims=True)
    return np.where((np.abs(drawn) > ABOVE_SPREAD * spread) & (misfit < MISFIT * height), drawn, 0)


def _gaussian(image: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """Smooth along both axes, the image mirrored at its edges."""
    for axis, width in enumerate(size):
        reach = _reach(width)
        if not reach:
            continue
        offsets = np.arange(-reach, reach + 1)
        weights = np.exp(-0.5 * (offsets / _deviation(width)) ** 2)
        mirrored = np.take(image, mirrored_places(image.shape[axis], reach), axis=axis)
        image = sliding_window_view(mirrored, len(offsets), axis=axis) @ (weights / weights.sum())
    return image
