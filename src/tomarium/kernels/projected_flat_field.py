"""What a pixel adds to all views, seen beside the projections of a slice made of a few materials."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tomarium.kernels.columns import mirrored_places
from tomarium.kernels.double_flat_field import LEAST_VIEWS, pixel_errors
from tomarium.kernels.fbp import fbp
from tomarium.kernels.projection import forward, make_rays

MOST_CLASSES: Final = 5
"""Materials that are tried, air among them."""

ENOUGH: Final = 1.1
"""Times the least that moves, up to which fewer classes do."""

BESIDE: Final = 2
"""Pixels about an edge between classes that it may cut."""

SMOOTHED: Final = 5
"""Pixels along an edge of the square whose mean tells the class of a pixel."""

PARTS: Final = 8
"""Parts of the views, at most, in which errors of pixels are compared."""

AGREED: Final = 2.0
"""Standard errors of the mean over parts above which an error of a pixel is told."""

ABOUT: Final = 9
"""Columns over which it is averaged how far the parts agree."""

BINS: Final = 256
ROUNDS: Final = 50


def pixel_errors_beside_classes(
    sinogram: NDArray[np.float32],
    angles_deg: NDArray[np.float64],
    axis_column: float,
    *,
    classes: int = 0,
    columns: int = 25,
    iterations: int = 2,
    start: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float64], int]:
    """Return what each column of one sinogram adds to all views.

    1. What is known before is subtracted, and the slice is reconstructed, smoothed over 5 × 5 pixels, and each pixel is
       given the mean of its class: a slice of a few materials, without rings. Within 2 pixels of another class it keeps
       what was reconstructed, for an edge cuts it (`with_edges`).
    2. It is projected. Of data less projections what the sample is wrong in moves from view to view, and what a pixel
       adds does not: the median over the views tells it.
    3. What of it is wider than a Gaussian of full width `columns` is left to the sample, and so is what is not the same
       in all parts of the views (`agreed_over_views`): there the few materials are not what the sample is made of.

    Parameters
    ----------
    sinogram : array of float32, shape (angle, column)
        Attenuation.
    angles_deg : array of float64, shape (angle,)
        Degrees.
    axis_column : float
        Rotation axis in pixels from the centre of column 0.
    classes : int
        Materials, air among them. 0 takes the fewest of 2 to 5 that leave at most 1.1 times the least that moves.
    columns : int
        Full width at half maximum, odd; more than twice as wide as the widest ring.
    iterations : int
        How often, each time with the slice of the corrected data.
    start : array of float64, shape (column,), optional
        What each column adds, as it is known before, such as a double flat field tells it; by default 0.

    Returns
    -------
    error : array of float64, shape (column,)
        In attenuation.
    classes : int
        Of the last iteration.
    """
    size = sinogram.shape[1]
    rays = make_rays(angles_deg, axis_column, size, size)
    total = np.zeros(size) if start is None else np.asarray(start, np.float64)
    used = classes
    for _ in range(iterations):
        corrected = (sinogram - total).astype(np.float32)
        image = fbp(corrected, angles_deg, axis_column, threads=1)
        smooth = _mean_of_square(image, SMOOTHED)
        class_counts = [classes] if classes else list(range(2, MOST_CLASSES + 1))
        missed = [
            corrected - forward(rays, with_edges(of_classes(smooth, count), image)) for count in class_counts
        ]
        moving = [
            float(np.mean((image_missed - np.median(image_missed, axis=0)) ** 2)) for image_missed in missed
        ]
        best = next(n for n, value in enumerate(moving) if value <= ENOUGH * min(moving))
        used = class_counts[best]
        total = total + agreed_over_views(missed[best], columns)
    return total, used


def agreed_over_views(missed: NDArray[np.float32], columns: int) -> NDArray[np.float64]:
    """Return what each column adds to all views, as far as parts of the views agree on it.

    Parameters
    ----------
    missed : array of float32, shape (angle, column)
        Data less projections.
    columns : int
        Full width of the Gaussian beyond which a difference is left to the sample, odd.

    Returns
    -------
    array of float64, shape (column,)
        The median e over the views less its Gaussian mean, times max(0, 1 - (2 s)² / e²): s is the standard error of
        the mean over 8 parts of the views, and both are averaged over 9 columns. All of it where there are fewer than
        16 views, which make no two parts.
    """
    count = max(1, min(PARTS, len(missed) // LEAST_VIEWS))
    medians = [
        np.median(missed, axis=0),
        *(np.median(part, axis=0) for part in np.array_split(missed, count)),
    ]
    error, *parts = pixel_errors(np.asarray(medians, np.float64), background="gaussian", size=(1, columns))
    if count == 1:
        return np.asarray(error)
    places = mirrored_places(len(error), ABOUT // 2)
    chance, observed = (
        sliding_window_view(squares[places], ABOUT).mean(axis=1)
        for squares in (np.var(parts, axis=0, ddof=1) / count, error**2)
    )
    return np.asarray(error * np.maximum(0, 1 - AGREED**2 * chance / np.maximum(observed, 1e-30)))


def of_classes(image: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return a slice in which each pixel of the disc has the mean of its class, and the others are 0.

    Parameters
    ----------
    image : array of float32, shape (y, x)
        The slice.
    count : int
        Classes; their means are found by Lloyd's iteration on the histogram.

    Returns
    -------
    array of float32, shape (y, x)
        The slice of so many values.
    """
    size = len(image)
    place = np.arange(size) - (size - 1) / 2
    inside = place**2 + place[:, None] ** 2 <= 0.25 * size**2
    means = class_means(image[inside], count)
    edges = (means[1:] + means[:-1]) / 2
    return np.where(inside, means[np.searchsorted(edges, image)], 0).astype(np.float32)


def with_edges(classes: NDArray[np.float32], image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a slice of classes whose pixels beside another class have what the reconstruction tells between both.

    A pixel that an edge cuts is neither of the two; taken for one of them, the rim of a round sample would be told as a
    ring, for it does not move.

    Parameters
    ----------
    classes, image : array of float32, shape (y, x)
        The slice as `of_classes` makes it, and as it was reconstructed.

    Returns
    -------
    array of float32, shape (y, x)
        The classes, and within 2 pixels of another one the image, as far as it is between the lowest and the highest.
    """
    about = sliding_window_view(np.pad(classes, BESIDE, mode="edge"), (2 * BESIDE + 1,) * 2)
    low, high = about.min(axis=(2, 3)), about.max(axis=(2, 3))
    return np.where(low < high, np.clip(image, low, high), classes).astype(np.float32)


def class_means(values: NDArray[np.float32], count: int) -> NDArray[np.float64]:
    """Return the means of classes, ascending, between which the values vary least, from even ones on.

    Parameters
    ----------
    values : array of float32, shape (value,)
        Finite numbers.
    count : int
        Classes.

    Returns
    -------
    array of float64, shape (count,)
        Their means; a class that nothing falls into keeps its place.

    References
    ----------
    S. Lloyd, IEEE Transactions on Information Theory 28, 129 (1982), doi 10.1109/TIT.1982.1056489.
    """
    low, high = np.percentile(values, (0.1, 99.9))
    histogram, edges = np.histogram(values, BINS, (float(low), float(max(high, low + 1e-12))))
    middle = (edges[1:] + edges[:-1]) / 2
    means = np.linspace(low, high, count + 2)[1:-1]
    for _ in range(ROUNDS):
        members = np.searchsorted((means[1:] + means[:-1]) / 2, middle)
        number = np.bincount(members, histogram, count)
        total = np.bincount(members, histogram * middle, count)
        before, means = means, np.where(number > 0, total / np.maximum(number, 1), means)
        if np.allclose(before, means, rtol=1e-6, atol=0):
            break
    return np.asarray(means, np.float64)


def _mean_of_square(image: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Average over the square about each pixel; beyond the edges there is 0, as beyond the disc."""
    padded = np.pad(image.astype(np.float64), (size // 2 + 1, size // 2))
    sums = padded.cumsum(axis=0).cumsum(axis=1)
    boxes = sums[size:, size:] - sums[:-size, size:] - sums[size:, :-size] + sums[:-size, :-size]
    return np.asarray(boxes / size**2, np.float32)
