"""Curves over the views smoothed as far as their own noise asks for."""

from __future__ import annotations

from typing import Final

import ducc0.fft
import numpy as np
from numpy.typing import NDArray

STRENGTHS: Final = 10.0 ** np.arange(-2, 8.1, 0.25)
ROUNDS: Final = 4

Array = NDArray[np.float64]


def smooth_curve(values: Array, weights: Array | None = None) -> tuple[Array, Array]:
    """Smooth a curve by a penalty on its second differences, as strong as generalised cross-validation finds best.

    Parameters
    ----------
    values : array of float64, shape (view,)
        At even steps.
    weights : array of float64, shape (view,), optional
        From 0 to 1; values of weight 0 are bridged.

    Returns
    -------
    array of float64, shape (view,)
        The smooth curve.
    array of float64, shape (view,)
        The weights with which it was made: values far off the curve count less (Tukey's biweight).

    References
    ----------
    D. Garcia, Computational Statistics & Data Analysis 54, 1167 (2010), doi 10.1016/j.csda.2009.09.020.
    """
    count = len(values)
    if count < 5:
        return values.copy(), np.ones(count)
    start_weights = np.ones(count) if weights is None else weights
    curvature = (2 - 2 * np.cos(np.pi * np.arange(count) / count)) ** 2
    robust, curve = (
        start_weights.copy(),
        np.full(count, float(np.average(values, weights=start_weights + 1e-9))),
    )
    for _ in range(ROUNDS):
        curve = _penalised(values, robust, curve, curvature)
        residuals = values - curve
        spread = (
            1.4826 * float(np.median(np.abs(residuals[start_weights > 0])))
            if (start_weights > 0).any()
            else 0.0
        )
        if spread <= 0:
            break
        robust = start_weights * np.clip(1 - (residuals / (4.685 * spread)) ** 2, 0, 1) ** 2
    return curve, robust


def _penalised(values: Array, weights: Array, start: Array, curvature: Array) -> Array:
    curve = start
    best = curve
    for _ in range(12):
        spectrum = _cosine(weights * (values - curve) + curve)
        score = np.inf
        for strength in STRENGTHS:
            gain = 1 / (1 + strength * curvature)
            smoothed = _cosine(gain * spectrum, back=True)
            freedom = max(1e-3, 1 - float(gain.mean()))
            cross_validation = float(np.mean(weights * (values - smoothed) ** 2)) / freedom**2
            if cross_validation < score:
                score, best = cross_validation, smoothed
        if np.abs(best - curve).max() < 1e-4:
            break
        curve = best
    return best


def _cosine(values: Array, back: bool = False) -> Array:
    transformed = ducc0.fft.dct(values, type=3 if back else 2, inorm=2 if back else 0, nthreads=1)
    return np.asarray(transformed)
