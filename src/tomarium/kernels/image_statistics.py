"""Moments and histogram of the disc in an image, compiled where it can be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.compiled import Engine, extension, level, takes_compiled

TYPES: Final = (np.dtype(np.float32), np.dtype(np.uint16), np.dtype(np.uint8))
"""Types of a value that are counted without a copy."""

MOST_BINS: Final = 2048
"""Bins of the compiled histogram."""


@dataclass(frozen=True)
class Moments:
    """Sums over the finite values of part of an image.

    Attributes
    ----------
    count, not_finite : int
        Values that are finite, and that are not.
    minimum, maximum : float
        Of the finite values; infinity and minus infinity where there is none.
    sum, sum_squares : float
        Of the finite values, in double precision.
    """

    count: int
    not_finite: int
    minimum: float
    maximum: float
    sum: float
    sum_squares: float


def disc_columns(rows: int, columns: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the columns of the inscribed disc, row by row.

    Parameters
    ----------
    rows, columns : int
        Shape of the image.

    Returns
    -------
    first, last : array of int32, shape (row,)
        The columns first to last - 1 of a row lie in the disc.
    """
    radius, centre = min(rows, columns) / 2, (columns - 1) / 2
    y = np.arange(rows) - (rows - 1) / 2
    half = np.sqrt(np.clip(radius**2 - y**2, 0, None))
    first = np.ceil(centre - half).astype(np.int32)
    last = (np.floor(centre + half) + 1).astype(np.int32)
    return np.maximum(first, 0), np.minimum(last, columns)


def counted_columns(rows: int, columns: int, *, disc: bool) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the columns of an image that count, row by row.

    Parameters
    ----------
    rows, columns : int
        Shape of the image.
    disc : bool
        Whether only the inscribed disc counts, where the image is square.

    Returns
    -------
    first, last : array of int32, shape (row,)
        The columns first to last - 1 of a row count.
    """
    if disc and rows == columns:
        return disc_columns(rows, columns)
    return np.zeros(rows, np.int32), np.full(rows, columns, np.int32)


def moments(
    image: NDArray[Any],
    first: NDArray[np.int32],
    last: NDArray[np.int32],
    *,
    engine: Engine = "auto",
) -> Moments:
    """Count and sum the values of part of an image.

    Parameters
    ----------
    image : array of one of `TYPES`, shape (y, x)
        C-contiguous.
    first, last : array of int32, shape (y,)
        Columns first to last - 1 of each row count.
    engine : {"auto", "native", "reference"}
        Compiled kernel, or NumPy; "auto" takes the compiled one where it is there.

    Returns
    -------
    Moments
        Count, range and sums.

    Raises
    ------
    EngineUnavailable
        The compiled kernel was asked for and is not there.
    """
    if takes_compiled(engine, "image_statistics"):
        return Moments(*extension().moments(image, first, last, level()))
    values = counted_values(image, first, last)
    finite = values[np.isfinite(values)].astype(np.float64)
    low, high = (finite.min(), finite.max()) if finite.size else (np.inf, -np.inf)
    not_finite = values.size - finite.size
    return Moments(
        finite.size, not_finite, float(low), float(high), float(finite.sum()), float(np.square(finite).sum())
    )


def histogram(
    image: NDArray[Any],
    first: NDArray[np.int32],
    last: NDArray[np.int32],
    exponent: int,
    origin: int,
    bins: int,
    *,
    engine: Engine = "auto",
) -> NDArray[np.int64]:
    """Count the values of part of an image in bins as wide as a power of two.

    Parameters
    ----------
    image : array of one of `TYPES`, shape (y, x)
        C-contiguous.
    first, last : array of int32, shape (y,)
        Columns first to last - 1 of each row count.
    exponent, origin, bins : int
        Bin i holds [(origin + i) · 2^exponent, (origin + i + 1) · 2^exponent), for i from 0 to bins - 1.
    engine : {"auto", "native", "reference"}
        Compiled kernel, or NumPy; "auto" takes the compiled one where it is there.

    Returns
    -------
    array of int64, shape (bins,)
        Counts; values outside of the bins, NaN and infinity are in none.

    Raises
    ------
    EngineUnavailable
        The compiled kernel was asked for and is not there.
    """
    counts = np.zeros(bins, np.int64)
    # The compiled kernel computes in single precision, which holds a power of two and its products exactly.
    if (
        bins <= MOST_BINS
        and abs(exponent) < 100
        and abs(origin) < 2**30
        and takes_compiled(engine, "image_statistics")
    ):
        extension().histogram(image, first, last, 2.0**-exponent, origin, counts, level())
        return counts
    values = counted_values(image, first, last)
    places = (
        np.floor(values[np.isfinite(values)].astype(np.float64) * 2.0**-exponent).astype(np.int64) - origin
    )
    counts += np.bincount(places[(places >= 0) & (places < bins)], minlength=bins)
    return counts


def counted_values(image: NDArray[Any], first: NDArray[np.int32], last: NDArray[np.int32]) -> NDArray[Any]:
    """Return the values of part of an image, finite or not.

    Parameters
    ----------
    image : array, shape (y, x)
        The image.
    first, last : array of int32, shape (y,)
        Columns first to last - 1 of each row count.

    Returns
    -------
    array of its type, shape (value,)
        Row by row.
    """
    column = np.arange(image.shape[1])
    return image[(column >= first[:, None]) & (column < last[:, None])]
