"""One number for each slice of a sweep of rotation axes: which axis makes it sharpest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.kernels.axis.window import vertex
from tomarium.kernels.slice_quality import entropy_bits, mean_gradient, negative_part
from tomarium.optional_packages import optional_import

Measure = Literal["std", "edges", "entropy", "negative"]
"""What is measured of a slice; of "std" the greatest tells the axis, of the others the least."""

MEASURES: Final[tuple[Measure, ...]] = get_args(Measure)
GREATEST: Final = ("std",)

_RIM: Final = 0.04
"""Width of the rim of the field that does not count, of the width of the slice: bright where a sample is wider."""
_SMOOTH_PX: Final = 1.0
"""Gaussian before edges are measured, so that noise does not outweigh them."""


def measure_slices(slices: Sequence[NDArray[np.floating]], measure: Measure) -> NDArray[np.float64]:
    """Measure the same slice about several rotation axes, inside the field that all of them have.

    Parameters
    ----------
    slices : sequence of array, shape (y, x)
        One for each axis, in any unit; 0 or not finite outside the field.
    measure : {"std", "edges", "entropy", "negative"}
        "std": standard deviation, greatest about the right axis. The others are least about it: "edges": mean gradient
        of the slice smoothed by 1 px, which doubled edges and arcs raise; "entropy": bits of the histogram over one
        range for all; "negative": part of the slice below 0.

    Returns
    -------
    array of float64, shape (slice,)
        The numbers, in the unit of the slice, of that over pixels, bits, and no unit.

    Raises
    ------
    InputError
        No slice is given, or no pixel lies in the field of all.

    References
    ----------
    T. Donath et al., J. Opt. Soc. Am. A 23, 1048 (2006), doi 10.1364/JOSAA.23.001048, for entropy and negative part.
    "std" and "edges" are the modes of tomodata's rotation_axis_by_reconstruction; how it measures edges is not told.
    """
    if not slices:
        raise InputError("no slice was given to measure; give one for each rotation axis")
    field = np.all([np.isfinite(image) & (image != 0) for image in slices], axis=0)
    ndimage = optional_import("scipy.ndimage", "analysis")
    # The edge of the array is none of the field: a region may be all of it.
    inner = ndimage.distance_transform_edt(field) > _RIM * max(field.shape) if not field.all() else field
    if not inner.any():
        raise InputError("the slices have no pixel that lies in the field of all of them; try fewer axes")
    return np.array([_measures(slices, inner)[measure](image) for image in slices], np.float64)


def _measures(
    slices: Sequence[NDArray[np.floating]], inner: NDArray[np.bool_]
) -> dict[Measure, Callable[[NDArray[np.floating]], float]]:
    """Return the measures, with one range of grey values for all slices."""
    ndimage = optional_import("scipy.ndimage", "analysis")
    low, high = (float(value) for value in np.percentile(slices[len(slices) // 2][inner], (0.1, 99.9)))
    return {
        "std": lambda image: float(image[inner].std(dtype=np.float64)),
        "edges": lambda image: mean_gradient(
            ndimage.gaussian_filter(np.where(np.isfinite(image), image, 0), _SMOOTH_PX), inner
        ),
        "entropy": lambda image: entropy_bits(image, low, max(high, low + 1e-12), inner),
        "negative": lambda image: negative_part(image, inner),
    }


def best_column(
    columns: Sequence[float], values: NDArray[np.floating], measure: Measure
) -> tuple[float, bool]:
    """Return the axis that a measure tells, between the columns by the parabola through three of them.

    Parameters
    ----------
    columns : sequence of float
        Axes in equal steps.
    values : array of float, shape (column,)
        As `measure_slices` returns them.
    measure : {"std", "edges", "entropy", "negative"}
        What was measured.

    Returns
    -------
    float
        Column, 0-based.
    bool
        Whether the best lies between others; at an end the true one may lie beyond.
    """
    upward = np.asarray(values if measure in GREATEST else -values, np.float64)
    best = int(np.argmax(upward))
    if not 0 < best < len(columns) - 1:
        return float(columns[best]), False
    return float(columns[0] + vertex(upward, best) * (columns[1] - columns[0])), True
