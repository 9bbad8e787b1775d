"""Peaks fitted to curves by least squares, with the covariance of what was fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError

Profile = Literal["gaussian", "pseudo-voigt"]
NAMES: Final = {
    "gaussian": ("centre", "fwhm", "height"),
    "pseudo-voigt": ("centre", "fwhm", "height", "mixing"),
}
"""Parameters of a peak, in their order."""

_FOUR_LN2: Final = 4 * np.log(2.0)
_STEPS: Final = 200
_CLOSE: Final = 1e-9
_HOPELESS: Final = 1e12


@dataclass(frozen=True)
class PeakFit:
    """Peaks that were fitted to one curve or to many.

    Attributes
    ----------
    names : tuple of str
        Parameters of a peak.
    peaks : array, shape (…, peak, name)
        Their values: centre and full width at half maximum in the unit of x, height in that of y, and the mixing, 0
        for a Gaussian and 1 for a Lorentzian.
    errors : array, shape (…, peak, name)
        Standard deviations of them.
    areas, area_errors : array, shape (…, peak)
        Area below each peak, and its standard deviation with all covariances.
    background : array, shape (…, 2)
        Value at the mean of x, and slope.
    covariance : array, shape (…, parameter, parameter)
        Of all parameters: those of the first peak, of the second …, then the background.
    chi_square : array, shape (…)
        Weighted sum of squares over the degrees of freedom: near 1 where `sigma` is right and the model too.
    converged : array of bool, shape (…)
        Whether the fit came to its end; numbers of others are NaN.
    """

    names: tuple[str, ...]
    peaks: NDArray[np.float64]
    errors: NDArray[np.float64]
    areas: NDArray[np.float64]
    area_errors: NDArray[np.float64]
    background: NDArray[np.float64]
    covariance: NDArray[np.float64]
    chi_square: NDArray[np.float64]
    converged: NDArray[np.bool_]


def fit_peaks(
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    centres: Sequence[float],
    fwhm: float,
    *,
    profile: Profile = "gaussian",
    sigma: NDArray[np.floating] | float | None = None,
) -> PeakFit:
    """Fit peaks on a sloping background to a curve, or to many at once.

    1. y = Σ h [(1 - m) exp(-4 ln 2 u² / w²) + m / (1 + 4 u² / w²)] + b + s (x - ⟨x⟩), u = x - c; m is 0 for a Gaussian.
    2. The weighted sum of squares is lowered by damped normal equations (Levenberg 1944, Marquardt 1963), from the
       centres and the width given, and heights from the curve.
    3. The covariance is (Jᵀ W J)⁻¹, W = 1 / σ²; where σ is not given, times the sum of squares over the degrees of
       freedom.

    Parameters
    ----------
    x : array, shape (point,)
        Any unit; ascending.
    y : array, shape (point,) or (…, point)
        One curve, or many over the same x.
    centres : sequence of float
        Where peaks are looked for, in the unit of x: right to about half a width.
    fwhm : float
        Full width at half maximum to begin with.
    profile : {"gaussian", "pseudo-voigt"}
        Shape of a peak.
    sigma : array or float, optional
        Standard deviation of y: one number, one a point, or an array like y.

    Returns
    -------
    PeakFit
        Of the shape of y without its last axis.

    Raises
    ------
    InputError
        Shapes differ, there are fewer points than parameters, or numbers are not finite or not positive.

    References
    ----------
    Marquardt, J. Soc. Ind. Appl. Math. 11 (1963) 431-441. Press et al., Numerical Recipes, 3rd ed., section 15.6.
    """
    places, curves = np.asarray(x, np.float64), np.asarray(y, np.float64)
    names = NAMES.get(profile)
    flat_curves = curves.reshape(-1, curves.shape[-1]) if curves.ndim else curves.reshape(1, 1)
    if names is None or places.ndim != 1 or flat_curves.shape[1] != len(places) or not centres or fwhm <= 0:
        raise InputError(
            f"peaks of {profile!r} at {list(centres)} with a width of {fwhm}, x of shape {places.shape}, y of shape "
            f"{curves.shape}: give a profile of {', '.join(NAMES)}, centres, a width above 0, and y over x"
        )
    count = len(centres) * len(names) + 2
    if len(places) <= count or not np.isfinite(flat_curves).all() or not np.isfinite(places).all():
        raise InputError(f"{len(places)} points for {count} parameters: give more points, all of them finite")
    deviation = np.asarray(1.0 if sigma is None else sigma, np.float64)
    if not np.isfinite(deviation).all() or (deviation <= 0).any():
        raise InputError("the standard deviations of y must be finite and above 0")
    weight = np.broadcast_to(1 / deviation**2, curves.shape).reshape(flat_curves.shape)
    start = _start(places, flat_curves, centres, fwhm, profile)
    values, square, converged = _fitted(places, flat_curves, weight, start, len(centres), profile)
    slopes = _model(places, values, len(centres), profile)[1]
    normal = np.einsum("cpi,ci,cqi->cpq", slopes, weight, slopes)
    covariance, sound = _inverse(normal)
    converged &= sound
    reduced = square / (len(places) - count)
    if sigma is None:
        covariance = covariance * reduced[:, None, None]
    values[~converged], covariance[~converged], reduced[~converged] = np.nan, np.nan, np.nan
    return _told(values, covariance, reduced, converged, names, len(centres), curves.shape[:-1])


def _start(
    x: NDArray[np.float64], y: NDArray[np.float64], centres: Sequence[float], fwhm: float, profile: Profile
) -> NDArray[np.float64]:
    ground = np.quantile(y, 0.1, axis=1)
    parameters = []
    for centre in centres:
        near = np.interp(centre, x, np.arange(len(x)))
        height = y[:, round(float(near))] - ground
        peak = [np.full(len(y), float(centre)), np.full(len(y), float(fwhm)), height]
        parameters += peak + ([np.full(len(y), 0.5)] if profile == "pseudo-voigt" else [])
    return np.stack([*parameters, ground, np.zeros(len(y))], axis=1)


def _model(
    x: NDArray[np.float64], values: NDArray[np.float64], peaks: int, profile: Profile
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the curves, and their derivatives by each parameter, shape (curve, parameter, point)."""
    per_peak = len(NAMES[profile])
    slopes = np.empty((*values.shape, len(x)))
    total = np.zeros((len(values), len(x)))
    for number in range(peaks):
        first = number * per_peak
        c, w, h = (values[:, first + k, None] for k in range(3))
        u = (x - c) / w
        gauss = np.exp(-_FOUR_LN2 * u * u)
        by_u = -2 * _FOUR_LN2 * u * gauss
        shape = gauss
        if profile == "pseudo-voigt":
            m = values[:, first + 3, None]
            lorentz = 1 / (1 + 4 * u * u)
            slopes[:, first + 3] = h * (lorentz - gauss)
            shape = (1 - m) * gauss + m * lorentz
            by_u = (1 - m) * by_u - m * 8 * u * lorentz * lorentz
        slopes[:, first] = -h * by_u / w
        slopes[:, first + 1] = -h * by_u * u / w
        slopes[:, first + 2] = shape
        total += h * shape
    slopes[:, -2], slopes[:, -1] = 1.0, x - x.mean()
    return total + values[:, -2:-1] + values[:, -1:] * (x - x.mean()), slopes


def _fitted(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
    values: NDArray[np.float64],
    peaks: int,
    profile: Profile,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Lower the sums of squares of all curves together; those that are at their end rest."""
    values = values.copy()
    damping = np.full(len(y), 1e-3)
    model, slopes = _model(x, values, peaks, profile)
    square = (weight * (y - model) ** 2).sum(1)
    ended = np.zeros(len(y), bool)
    for _ in range(_STEPS):
        todo = np.flatnonzero(~ended & (damping < _HOPELESS))
        if not len(todo):
            break
        model, slopes = _model(x, values[todo], peaks, profile)
        w = weight[todo]
        normal = np.einsum("cpi,ci,cqi->cpq", slopes, w, slopes)
        right = np.einsum("cpi,ci->cp", slopes, w * (y[todo] - model))
        diagonal = np.einsum("cpp->cp", normal)
        damped = normal + np.einsum(
            "cp,pq->cpq", damping[todo, None] * np.maximum(diagonal, 1e-300), np.eye(len(right[0]))
        )
        step = _solved(damped, right)
        tried = values[todo] + step
        better = (weight[todo] * (y[todo] - _model(x, tried, peaks, profile)[0]) ** 2).sum(1)
        good = np.isfinite(better) & (better <= square[todo])
        # What a step gains, against what is left, or against rounding where nothing is left.
        rounding = 1e-20 * (weight[todo] * y[todo] ** 2).sum(1)
        small = np.einsum("cp,cp->c", step, right) <= _CLOSE * better + rounding
        values[todo[good]], square[todo[good]] = tried[good], better[good]
        damping[todo] *= np.where(good, 0.2, 5.0)
        ended[todo[small]] = True
    for number in range(peaks):  # the width enters squared alone
        values[:, number * len(NAMES[profile]) + 1] = np.abs(values[:, number * len(NAMES[profile]) + 1])
    return values, square, ended


def _solved(normal: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    scale = 1 / np.sqrt(np.maximum(np.einsum("cpp->cp", normal), 1e-300))
    scaled = normal * scale[:, :, None] * scale[:, None, :]
    scaled += 1e-14 * np.eye(scaled.shape[1])
    return np.asarray(np.linalg.solve(scaled, (right * scale)[:, :, None])[:, :, 0] * scale)


def _inverse(normal: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Invert normal equations; those that do not determine all parameters are told."""
    diagonal = np.einsum("cpp->cp", normal)
    scale = 1 / np.sqrt(np.maximum(diagonal, 1e-300))
    scaled = normal * scale[:, :, None] * scale[:, None, :]
    sound = np.isfinite(scaled).all(axis=(1, 2)) & (diagonal > 0).all(axis=1)
    scaled[~sound] = np.eye(scaled.shape[1])
    sound &= np.linalg.cond(scaled) < 1e12
    scaled[~sound] = np.eye(scaled.shape[1])
    return np.linalg.inv(scaled) * scale[:, :, None] * scale[:, None, :], sound


def _told(
    values: NDArray[np.float64],
    covariance: NDArray[np.float64],
    reduced: NDArray[np.float64],
    converged: NDArray[np.bool_],
    names: tuple[str, ...],
    peaks: int,
    shape: tuple[int, ...],
) -> PeakFit:
    per_peak, total = len(names), peaks * len(names)
    by_peak = values[:, :total].reshape(len(values), peaks, per_peak)
    errors = np.sqrt(np.einsum("cpp->cp", covariance)[:, :total]).reshape(by_peak.shape)
    gauss, lorentz = np.sqrt(np.pi / _FOUR_LN2), np.pi / 2  # areas of a peak of width and height 1
    mixing = by_peak[..., 3] if per_peak > 3 else np.zeros(by_peak.shape[:2])
    factor = (1 - mixing) * gauss + mixing * lorentz
    areas = by_peak[..., 1] * by_peak[..., 2] * factor
    gradient = np.zeros((len(values), peaks, per_peak))
    gradient[..., 1], gradient[..., 2] = by_peak[..., 2] * factor, by_peak[..., 1] * factor
    if per_peak > 3:
        gradient[..., 3] = by_peak[..., 1] * by_peak[..., 2] * (lorentz - gauss)
    variances = np.stack(
        [
            np.einsum("cp,cpq,cq->c", gradient[:, k], covariance[:, a:b, a:b], gradient[:, k])
            for k, (a, b) in enumerate((per_peak * k, per_peak * (k + 1)) for k in range(peaks))
        ],
        axis=1,
    )
    return PeakFit(
        names,
        by_peak.reshape(*shape, peaks, per_peak),
        errors.reshape(*shape, peaks, per_peak),
        areas.reshape(*shape, peaks),
        np.sqrt(variances).reshape(*shape, peaks),
        values[:, total:].reshape(*shape, 2),
        covariance.reshape(*shape, *covariance.shape[1:]),
        reduced.reshape(shape),
        converged.reshape(shape),
    )
