"""Numbers that say how good a slice or a sinogram is; each with its formula."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.kernels.running_median import running_median

_MAD_OF_NORMAL: Final = 0.6744897501960817  # median |x| of the standard normal law
_HIGHPASS: Final = 15
_ROWS: Final = 128


def _chosen(
    image: NDArray[np.floating], truth: NDArray[np.floating], mask: NDArray[np.bool_] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if image.shape != truth.shape:
        raise InputError(
            f"an image of shape {image.shape} was compared with a truth of shape {truth.shape}; "
            f"crop one to the other first"
        )
    part = np.ones(image.shape, bool) if mask is None else mask
    if not part.any():
        raise InputError("the mask of a comparison is empty; choose at least one element")
    return np.asarray(image[part], np.float64), np.asarray(truth[part], np.float64)


def rmse(
    image: NDArray[np.floating], truth: NDArray[np.floating], mask: NDArray[np.bool_] | None = None
) -> float:
    """Return the root of the mean square difference, √⟨(f - t)²⟩.

    Parameters
    ----------
    image, truth : array
        Same shape and unit.
    mask : array of bool, optional
        Elements that count; all of them where it is None.

    Returns
    -------
    float
        In the unit of the image.

    Raises
    ------
    InputError
        The shapes differ, or the mask is empty.
    """
    values, true = _chosen(image, truth, mask)
    return float(np.sqrt(np.mean((values - true) ** 2)))


def bias(
    image: NDArray[np.floating], truth: NDArray[np.floating], mask: NDArray[np.bool_] | None = None
) -> float:
    """Return the mean difference, ⟨f - t⟩.

    Parameters
    ----------
    image, truth : array
        Same shape and unit.
    mask : array of bool, optional
        Elements that count; all of them where it is None.

    Returns
    -------
    float
        In the unit of the image.

    Raises
    ------
    InputError
        The shapes differ, or the mask is empty.
    """
    values, true = _chosen(image, truth, mask)
    return float(np.mean(values - true))


def gain_and_offset(
    image: NDArray[np.floating], truth: NDArray[np.floating], mask: NDArray[np.bool_] | None = None
) -> tuple[float, float]:
    """Fit f = gain · t + offset by least squares: gain = cov(f, t) / var(t), offset = ⟨f⟩ - gain ⟨t⟩.

    Parameters
    ----------
    image, truth : array
        Same shape and unit.
    mask : array of bool, optional
        Elements that count; all of them where it is None.

    Returns
    -------
    gain : float
        1 where the contrast is right; dimensionless.
    offset : float
        0 where the level is right; in the unit of the image.

    Raises
    ------
    InputError
        The shapes differ, the mask is empty, or the truth is constant.
    """
    values, true = _chosen(image, truth, mask)
    variance = float(np.var(true))
    if variance == 0:
        raise InputError("the truth is constant where it was compared; a gain needs at least two values")
    gain = float(np.mean((values - values.mean()) * (true - true.mean()))) / variance
    return gain, float(values.mean() - gain * true.mean())


def signal_to_noise(region: NDArray[np.floating]) -> float:
    """Return mean over standard deviation, ⟨f⟩ / σ, of a homogeneous region.

    Parameters
    ----------
    region : array
        Elements of one material.

    Returns
    -------
    float
        Dimensionless; infinite where the region is constant and not zero, nan where it is all zero.
    """
    mean, deviation = float(np.mean(region, dtype=np.float64)), float(np.std(region, dtype=np.float64))
    if deviation > 0:
        return mean / deviation
    return float("nan") if mean == 0 else float(np.copysign(np.inf, mean))


def contrast_to_noise(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Return the contrast of two homogeneous regions, |m₁ - m₂| / √(σ₁² + σ₂²).

    Parameters
    ----------
    first, second : array
        Elements of one material each.

    Returns
    -------
    float
        Dimensionless; infinite where both are constant and differ, nan where they are the same constant.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    contrast, noise = abs(float(a.mean() - b.mean())), float(np.sqrt(a.var() + b.var()))
    if noise > 0:
        return contrast / noise
    return float("nan") if contrast == 0 else float("inf")


def noise(image: NDArray[np.floating]) -> float:
    """Estimate white noise from the finest diagonal detail of the Haar wavelet, σ = median|d| / 0.6745.

    Parameters
    ----------
    image : array, shape (…, row, column)
        At least two rows and two columns; d = (f₀₀ - f₀₁ - f₁₀ + f₁₁) / 2 over its 2 x 2 blocks.

    Returns
    -------
    float
        Standard deviation in the unit of the image, blind to ramps and straight edges along an axis.

    Raises
    ------
    InputError
        There are fewer than two rows or columns.

    References
    ----------
    Donoho & Johnstone, Biometrika 81 (1994) 425-455.
    """
    if image.ndim < 2 or min(image.shape[-2:]) < 2:
        raise InputError(
            f"noise of an array of shape {image.shape}: at least 2 rows and 2 columns are needed"
        )
    rows, columns = (n // 2 * 2 for n in image.shape[-2:])
    f = np.asarray(image[..., :rows, :columns], np.float64)
    detail = (f[..., ::2, ::2] - f[..., ::2, 1::2] - f[..., 1::2, ::2] + f[..., 1::2, 1::2]) / 2
    return float(np.median(np.abs(detail)) / _MAD_OF_NORMAL)


def edge_error(image: NDArray[np.floating], truth: NDArray[np.floating], *, share: float = 0.1) -> float:
    """Return the error at edges: rmse where |∇t| > share · max|∇t|, over the range of the truth.

    Parameters
    ----------
    image, truth : array
        Same shape and unit, at least two elements along each axis.
    share : float
        Gradients above this share of the largest make an edge.

    Returns
    -------
    float
        Dimensionless: 0 where edges are as sharp and in place as in the truth.

    Raises
    ------
    InputError
        The shapes differ, or the truth has no edge.
    """
    steps = np.gradient(np.asarray(truth, np.float64))
    slope = np.sqrt(np.sum(np.square(steps), axis=0)) if truth.ndim > 1 else np.abs(np.asarray(steps))
    if slope.max() == 0:
        raise InputError("the truth is constant: it has no edge to compare at")
    return rmse(image, truth, slope > share * slope.max()) / float(np.ptp(truth))


def ring_index(
    image: NDArray[np.floating],
    centre: tuple[float, float] | None = None,
    sigma: float | None = None,
    *,
    sectors: int = 1,
) -> float:
    """Measure rings: rms of the high-passed radial profile over the noise.

    Parameters
    ----------
    image : array, shape (y, x)
        Slice.
    centre : tuple of float, optional
        (y, x) of the rotation axis in px; the middle of the image where it is None.
    sigma : float, optional
        Noise of the slice, in its unit, where it is known better than from all of it.
    sectors : int
        Parts of the circle that are averaged each by itself, at least 1: rings that change along the circle are lost
        in the mean of the whole, parts of the circle have more noise.

    Returns
    -------
    float
        rms(h) / σ with h(r) = m(r) - median₁₅ m(r), m(r) the mean along the circle of radius r, or a sector of
        it, of the slice less its 3 x 3 median, over 4 ≤ r < 0.94 R, and σ of `noise`; nan where the slice has no noise.
        A strong smoothing lowers it too: report it beside the damage done to a clean slice.

    Raises
    ------
    InputError
        The slice is smaller than 32 px across.
    """
    if image.ndim != 2 or min(image.shape) < 32:
        raise InputError(
            f"ring index of an array of shape {image.shape}: a slice of 32 x 32 px or more is needed"
        )
    y0, x0 = centre or ((image.shape[0] - 1) / 2, (image.shape[1] - 1) / 2)
    f = np.asarray(image, np.float64)
    detail = _detail(f)
    y, x = np.ogrid[: f.shape[0], : f.shape[1]]
    radius = np.rint(np.hypot(y - y0, x - x0)).astype(np.intp)
    largest = int(0.94 * min(y0, x0, f.shape[0] - 1 - y0, f.shape[1] - 1 - x0))
    sector = np.floor((np.arctan2(y - y0, x - x0) / (2 * np.pi)) * sectors).astype(np.intp) % sectors
    inside = radius < largest
    place = (sector * largest + radius)[inside]
    total = np.bincount(place, detail[inside], sectors * largest)
    profile = total / np.maximum(np.bincount(place, minlength=sectors * largest), 1)
    profile = profile.reshape(sectors, largest)
    ripple = (profile - running_median(profile, _HIGHPASS))[:, 4:]
    sigma = noise(f) if sigma is None else sigma
    return float(np.sqrt(np.mean(ripple**2)) / sigma) if sigma > 0 else float("nan")


def _detail(f: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what the 3 x 3 median takes away, some rows at a time: the windows of all would fill nine slices."""
    padded, detail = np.pad(f, 1, mode="edge"), np.empty_like(f)
    for start in range(0, len(f), _ROWS):
        windows = sliding_window_view(padded[start : start + _ROWS + 2], (3, 3))
        part = slice(start, start + windows.shape[0])
        detail[part] = f[part] - np.median(windows.reshape(*windows.shape[:2], 9), axis=-1)
    return detail


def stripe_index(sinogram: NDArray[np.floating]) -> float:
    """Measure stripes: std over columns of the high-passed mean over angles, over its noise.

    Parameters
    ----------
    sinogram : array, shape (angle, column)
        Attenuation, dimensionless.

    Returns
    -------
    float
        std(m - median₁₅ m) / (σ / √K), m the mean over K angles and σ of `noise`: near 1 without stripes,
        above with them; nan without noise.

    Raises
    ------
    InputError
        There are fewer than two angles or columns.
    """
    sigma = noise(sinogram)
    if sigma == 0:
        return float("nan")
    mean = np.asarray(np.mean(sinogram, axis=0, dtype=np.float64))
    return float(np.std(mean - running_median(mean, _HIGHPASS)) * np.sqrt(len(sinogram)) / sigma)
