"""Smoothing that keeps curved surfaces where they are."""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray

from tomarium.optional_packages import optional_import


def smoothing_halo(sigma_px: float) -> int:
    """Return how many neighbours smoothing needs on either side: 4 σ, and 1 for the curvature.

    Parameters
    ----------
    sigma_px : float
        σ of the Gaussian in px.

    Returns
    -------
    int
        0 without smoothing.
    """
    return ceil(4 * sigma_px) + 1 if sigma_px > 0 else 0


def smooth_flat(values: NDArray[np.floating], sigma_px: float) -> NDArray[np.float32]:
    """Smooth by g - c ∇²g, g the values smoothed by a Gaussian, c chosen so that spheres keep their size.

    A kernel with the profile k(t) along any line moves the level of one half at a sphere of radius R by
    -M / (R k(0)), with M = ∫₀^∞ t k(t) dt: the radial function times r is convolved with k. A Gaussian moves it inwards
    by σ² / R, so that a sphere of 5 px loses an eighth of its volume with σ = 1 px. With c = M / k(0) of the
    Gaussian, near σ², M is zero. Of white noise in a volume 2.8 times as much is left as by the Gaussian alone,
    0.4 at σ = 1 px.

    Parameters
    ----------
    values : array, shape (…)
        Finite numbers in any unit; any number of axes.
    sigma_px : float
        σ of the Gaussian in px; 0 leaves the values.

    Returns
    -------
    array of float32, same shape
        In the unit of the values; beyond the ends the values go on as they are there.

    Raises
    ------
    EngineUnavailable
        SciPy is not installed.
    """
    flat = np.asarray(values, np.float32)
    if sigma_px <= 0:
        return flat
    ndimage = optional_import("scipy.ndimage", "analysis")
    reach = np.arange(-ceil(4 * sigma_px), ceil(4 * sigma_px) + 1)
    weights = np.exp(-0.5 * (reach / sigma_px) ** 2)
    weights /= weights.sum()
    middle = len(reach) // 2
    strength = float(
        (weights * reach)[middle:].sum() / weights[middle]
    )  # of the sampled Gaussian and [1, -2, 1]
    smooth = flat
    for axis in range(flat.ndim):
        smooth = ndimage.correlate1d(smooth, weights, axis, mode="nearest")
    result = smooth.copy()
    for axis in range(flat.ndim):
        result -= strength * ndimage.correlate1d(smooth, [1.0, -2.0, 1.0], axis, mode="nearest")
    return np.asarray(result, np.float32)
