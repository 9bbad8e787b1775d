"""Numbers of a slice without a truth: signal and contrast over noise, cupping, entropy, gradient, negative part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.kernels.thresholds import otsu

WINDOW_PX: Final = 13
"""Edge of the windows that are looked at for homogeneous parts."""

_QUIET: Final = 1.5  # times the deviation of the quietest fifth: windows without an edge
_APART: Final = 4.0  # deviations between two classes; halves of one normal law are 2.7 apart
_MEAN: Final = 5
_SLOW: Final = 0.7
_FEWEST: Final = 0.01
_BINS: Final = 256


@dataclass(frozen=True)
class Homogeneous:
    """Windows of one material, without an edge.

    Attributes
    ----------
    mean : float
        Median of their means, in the unit of the slice.
    deviation : float
        Median of the standard deviations within them, in the unit of the slice.
    middles : array of bool, shape (y, x)
        Pixels that are the middle of such a window.
    """

    mean: float
    deviation: float
    middles: NDArray[np.bool_]

    @property
    def signal_to_noise(self) -> float:
        """Mean over deviation; nan without noise."""
        return self.mean / self.deviation if self.deviation > 0 else float("nan")


def homogeneous(
    image: NDArray[np.floating], mask: NDArray[np.bool_] | None = None, window: int = WINDOW_PX
) -> tuple[Homogeneous, ...]:
    """Find the homogeneous parts of a slice, and the two materials that they are of.

    1. Mean and standard deviation of every window of `window` x `window` px that lies in the mask.
    2. Homogeneous are those in which means of 5 x 5 px deviate by less than 0.7 of what pixels do, as noise does and
       structure does not; of these, whose deviation is at most 1.5 times that of the quietest fifth.
    3. Otsu's threshold parts their means; they are two materials where the classes are four deviations apart.

    Parameters
    ----------
    image : array, shape (y, x)
        Slice.
    mask : array of bool, shape (y, x), optional
        Pixels that count; all of them where it is None.
    window : int
        Edge of the windows in px, odd.

    Returns
    -------
    tuple of Homogeneous
        One, or two with the higher mean first; none where fewer than 1 % of the windows are homogeneous.
    """
    f = np.asarray(image, np.float64)
    if min(f.shape) < window:
        return ()
    full_mask = np.ones(f.shape) if mask is None else mask.astype(np.float64)
    level = float(f.mean())  # small squares lose nothing to rounding
    inside = _boxes(full_mask, window) > window**2 - 0.5
    mean, square = _boxes(f - level, window) / window**2, _boxes((f - level) ** 2, window) / window**2
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    grain = _MEAN // 2
    smooth = np.pad(_boxes(f - level, _MEAN) / _MEAN**2, grain, mode="edge")
    slow = np.sqrt(
        np.maximum(_boxes(smooth**2, window) / window**2 - (_boxes(smooth, window) / window**2) ** 2, 0)
    )
    level_area = inside & (slow <= _SLOW * deviation + 1e-9 * float(np.ptp(f)))
    if level_area.sum() < _FEWEST * inside.sum() or not level_area.any():
        return ()
    quiet = level_area & (deviation <= _QUIET * np.percentile(deviation[level_area], 20))
    classes = _classes(mean, quiet)
    aside = window // 2
    areas = []
    for area in classes:
        middles = np.zeros(f.shape, np.bool_)
        middles[aside : aside + area.shape[0], aside : aside + area.shape[1]] = area
        areas.append(
            Homogeneous(float(np.median(mean[area])) + level, float(np.median(deviation[area])), middles)
        )
    return tuple(areas)


def _classes(mean: NDArray[np.float64], quiet: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Part the quiet windows by their means, where these are of two kinds."""
    values = mean[quiet]
    low, high = float(values.min()), float(values.max())
    if high <= low:
        return [quiet]
    counts = np.histogram(values, _BINS, (low, high))[0]
    threshold = otsu(counts, low, high)
    above = values > threshold
    if not 0 < above.sum() < len(values):
        return [quiet]
    apart = values[above].mean() - values[~above].mean()
    within = np.sqrt((above.mean() * values[above].var()) + ((~above).mean() * values[~above].var()))
    if apart <= _APART * within:
        return [quiet]
    return [quiet & (mean > threshold), quiet & (mean <= threshold)]


def _boxes(f: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Return the sum over each window; shape (y - window + 1, x - window + 1)."""
    sums = np.zeros((f.shape[0] + 1, f.shape[1] + 1))
    sums[1:, 1:] = f.cumsum(axis=0).cumsum(axis=1)
    w = window
    return np.asarray(sums[w:, w:] - sums[:-w, w:] - sums[w:, :-w] + sums[:-w, :-w])


def contrast_to_noise_of(parts: tuple[Homogeneous, ...]) -> float:
    """Return the contrast of two materials over their noise, |m₁ - m₂| / √(σ₁² + σ₂²).

    Parameters
    ----------
    parts : tuple of Homogeneous
        As `homogeneous` returns them.

    Returns
    -------
    float
        Dimensionless; nan where there is one material, or no noise.
    """
    if len(parts) < 2:
        return float("nan")
    noise = float(np.hypot(parts[0].deviation, parts[1].deviation))
    return abs(parts[0].mean - parts[1].mean) / noise if noise > 0 else float("nan")


def cupping(
    image: NDArray[np.floating],
    region: NDArray[np.bool_],
    centre: tuple[float, float] | None = None,
) -> float:
    """Fit f = b + c (r/R)² in one material by least squares, and return c over its mean.

    Parameters
    ----------
    image : array, shape (y, x)
        Slice.
    region : array of bool, shape (y, x)
        Pixels of one material.
    centre : tuple of float, optional
        (y, x) of the rotation axis in px; the middle of the image where it is None.

    Returns
    -------
    float
        Part of the mean by which the material seems brighter (above 0) or darker at the radius R of the inscribed
        circle than at the axis; dimensionless, nan where the region has one radius or the mean 0.

    Raises
    ------
    InputError
        The region is empty, or has another shape.
    """
    if region.shape != image.shape or not region.any():
        raise InputError(
            f"cupping of an image of shape {image.shape} in a region of shape {region.shape} with "
            f"{int(region.sum())} pixels; give a region of the same shape that holds some"
        )
    y0, x0 = centre or ((image.shape[0] - 1) / 2, (image.shape[1] - 1) / 2)
    y, x = np.nonzero(region)
    squared = ((y - y0) ** 2 + (x - x0) ** 2) / (min(image.shape) / 2) ** 2
    values = np.asarray(image, np.float64)[region]
    spread, mean = squared - squared.mean(), float(values.mean())
    variance = float((spread**2).mean())
    if variance < 1e-12 or mean == 0:
        return float("nan")
    return float((spread * values).mean()) / variance / mean


def entropy_bits(
    image: NDArray[np.floating], low: float, high: float, mask: NDArray[np.bool_] | None = None
) -> float:
    """Return the entropy of the histogram, -Σ p log₂ p over 256 bins from `low` to `high`.

    Parameters
    ----------
    image : array
        Slice; values beyond the range count at its ends.
    low, high : float
        Range of the histogram, in the unit of the slice. Entropies compare with one range only.
    mask : array of bool, optional
        Pixels that count; all of them where it is None.

    Returns
    -------
    float
        Bits, 0 to 8.
    """
    values = np.clip(image if mask is None else image[mask], low, high)
    counts = np.histogram(values, _BINS, (low, high))[0]
    p = counts[counts > 0] / max(int(counts.sum()), 1)
    return float(-(p * np.log2(p)).sum()) + 0.0


def mean_gradient(image: NDArray[np.floating], mask: NDArray[np.bool_] | None = None) -> float:
    """Return the mean of |∇f|, by central differences, in the unit of the slice per pixel.

    Parameters
    ----------
    image : array, shape (y, x)
        Slice.
    mask : array of bool, optional
        Pixels that count; all of them where it is None.

    Returns
    -------
    float
        Noise and sharp edges raise it, blur lowers it.
    """
    steps = np.hypot(*np.gradient(np.asarray(image, np.float64)))
    return float(np.mean(steps if mask is None else steps[mask]))


def negative_part(image: NDArray[np.floating], mask: NDArray[np.bool_] | None = None) -> float:
    """Return Σ max(-f, 0) / Σ |f|: the part of a slice that is negative, which attenuation cannot be.

    Parameters
    ----------
    image : array
        Slice.
    mask : array of bool, optional
        Pixels that count; all of them where it is None.

    Returns
    -------
    float
        0 to 1; nan where the slice is all zero.

    References
    ----------
    T. Donath et al., J. Opt. Soc. Am. A 23 (2006) 1048-1057, eq. 14, doi 10.1364/JOSAA.23.001048.
    """
    values = np.asarray(image if mask is None else image[mask], np.float64)
    total = float(np.abs(values).sum())
    return float(np.maximum(-values, 0).sum()) / total if total else float("nan")
