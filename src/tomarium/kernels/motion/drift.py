"""Smooth motion in the course of a scan, fitted to how far views of the same direction lie beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.axis.estimate import Confidence
from tomarium.kernels.motion.pairs import ViewPairs
from tomarium.kernels.motion.register import Offset

Model = Literal["sample", "detector"]
"""sample: it slides on the stage and turns with it; detector: it, or the axis, drifts along the detector."""

HUBER: Final = 1.5
INSEPARABLE: Final = 0.02
"""Smallest singular value, of the largest, at which a combination of unknowns is still told apart."""

LEAST_LIKE: Final = 0.2
"""Correlation below which a pair says nothing."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """Motion along one direction of the detector.

    Attributes
    ----------
    shifts_px : array of float64, shape (view,)
        Where the sample stands in each view, pixels; zero on the average over the time.
    axis_column : float
        Column of the rotation axis at the middle of the scan; nan along rows.
    residual_px : float
        Robust standard deviation of what the model does not tell of the pairs, pixels.
    error_px : float
        Largest standard error of a shift, pixels.
    inseparable : tuple of str
        What the pairs cannot tell apart; where it holds something, the shifts are zero.
    """

    shifts_px: Array
    axis_column: float
    residual_px: float
    error_px: float
    inseparable: tuple[str, ...]


def _powers(times: Array, degree: int) -> Array:
    """Polynomials of time that are zero on the average over the scan, shape (degree, view)."""
    inside = np.abs(times) <= 0.5
    powers = np.stack([times**d for d in range(1, degree + 1)])
    return np.asarray(powers - powers[:, inside].mean(axis=1, keepdims=True))


def _horizontal(angles_deg: Array, times: Array, model: Model, degree: int) -> tuple[Array, list[str]]:
    """Shifts along columns for each unknown of a model at 1, shape (unknown, view), and what each is."""
    powers = _powers(times, degree)
    if model == "detector":
        return powers, [f"drift along columns, order {d}" for d in range(1, degree + 1)]
    angles = np.deg2rad(angles_deg)
    terms = [(power * turn, f"drift of the sample along {name}, order {d}")
             for d, power in enumerate(powers, 1)
             for turn, name in ((np.cos(angles), "x"), (np.sin(angles), "y"))]  # fmt: skip
    return np.stack([term for term, _ in terms]), [name for _, name in terms]


def fit_columns(
    pairs: ViewPairs,
    offsets: Sequence[Offset],
    angles_deg: Array,
    times: Array,
    *,
    columns: int,
    model: Model,
    degree: int,
) -> Fit:
    """Fit motion along columns, and the axis, to the offsets of pairs.

    With a shift s(k) of view k and the axis at column c, the mirrored second view of an opposite pair (i, j) lies
    N - 1 - 2 c - s(i) - s(j) beside the first, and that of a pair of one direction s(j) - s(i).

    Parameters
    ----------
    pairs : ViewPairs
        Pairs of views.
    offsets : sequence of Offset
        How far the second view of each, mirrored where they are opposite, lies beside the first.
    angles_deg, times : array of float64, shape (view,)
        Of the views; the scan lasts from -0.5 to 0.5.
    columns : int
        Width of the detector, N.
    model : {"sample", "detector"}
        What moves.
    degree : int
        Highest power of time.

    Returns
    -------
    Fit
        Shifts at all views.
    """
    basis, names = _horizontal(angles_deg, times, model, degree)
    sign = np.where(pairs.mirrored, -1.0, 1.0)
    matrix = (sign * basis[:, pairs.second] - basis[:, pairs.first]).T
    right = np.array([offset.columns for offset in offsets])
    middle = np.where(pairs.mirrored, float(columns - 1), 0.0)
    matrix = np.column_stack([matrix, -2.0 * pairs.mirrored])
    names = [*names, "rotation axis"]
    solved = _solve(matrix, right - middle, np.array([offset.likeness for offset in offsets]), names)
    coefficients = solved.values[: len(basis)]
    axis = float(solved.values[-1])
    error = float(
        np.sqrt(np.einsum("uk,uv,vk->k", basis, solved.covariance[: len(basis), : len(basis)], basis).max())
    )
    return Fit(coefficients @ basis, axis, solved.residual, error, solved.inseparable)


def fit_rows(pairs: ViewPairs, offsets: Sequence[Offset], times: Array, *, degree: int) -> Fit:
    """Fit motion along rows to the offsets of pairs: the second view lies s(j) - s(i) beside the first.

    Parameters
    ----------
    pairs, offsets, times, degree
        See `fit_columns`.

    Returns
    -------
    Fit
        Shifts at all views; the axis is nan.
    """
    basis = _powers(times, degree)
    matrix = (basis[:, pairs.second] - basis[:, pairs.first]).T
    right = np.array([offset.rows for offset in offsets])
    likeness = np.array([offset.likeness for offset in offsets])
    solved = _solve(matrix, right, likeness, [f"drift along rows, order {d}" for d in range(1, degree + 1)])
    error = float(np.sqrt(np.einsum("uk,uv,vk->k", basis, solved.covariance, basis).max()))
    return Fit(solved.values @ basis, float("nan"), solved.residual, error, solved.inseparable)


@dataclass(frozen=True)
class _Solution:
    values: Array
    covariance: Array
    residual: float
    inseparable: tuple[str, ...]


def _solve(matrix: Array, right: Array, likeness: Array, names: Sequence[str]) -> _Solution:
    """Fit by least squares with Huber's weights; refuse what the equations do not tell apart."""
    unknown = matrix.shape[1]
    usable = likeness > LEAST_LIKE
    matrix, right, likeness = matrix[usable], right[usable], likeness[usable]
    scale = np.sqrt((matrix**2).mean(axis=0)) if len(matrix) else np.zeros(unknown)
    undetermined = scale < 1e-9
    if len(matrix):
        _, sizes, directions = np.linalg.svd(matrix / np.where(undetermined, 1, scale), full_matrices=True)
        sizes = np.pad(sizes, (0, unknown - len(sizes)))
        weak = directions[sizes < INSEPARABLE * max(float(sizes.max()), 1e-12)]
        undetermined = undetermined | (np.abs(weak) > 0.05).any(axis=0)
    if undetermined.any():
        inseparable = tuple(
            name for name, is_undetermined in zip(names, undetermined, strict=True) if is_undetermined
        )
        return _Solution(np.zeros(unknown), np.zeros((unknown, unknown)), float("nan"), inseparable)
    weights = likeness**2
    values: Array = np.zeros(unknown)
    spread = float("nan")
    for _ in range(20):
        root = np.sqrt(weights)
        values = np.asarray(np.linalg.lstsq(matrix * root[:, None], right * root, rcond=None)[0], np.float64)
        residuals = np.abs(right - matrix @ values)
        spread = (
            1.4826 * float(np.median(residuals)) * np.sqrt(len(residuals) / max(1, len(residuals) - unknown))
        )
        weights = likeness**2 * np.minimum(1, HUBER * max(spread, 1e-6) / np.maximum(residuals, 1e-12))
    inverse = np.linalg.inv(matrix.T @ (weights[:, None] * matrix))
    freedom = len(right) - unknown
    variance = spread**2 * weights.max() if freedom > 0 else float("nan")
    return _Solution(values, inverse * variance, spread, ())


@dataclass(frozen=True)
class MotionEstimate:
    """How the sample moved in the course of a scan.

    Attributes
    ----------
    shift_columns_px : array of float64, shape (view,)
        How far the sample lies towards higher columns in each view, beside its place about the axis; pixels.
    shift_rows_px : array of float64, shape (view,), or None
        The same along rows; None where it is below `LEAST_PX`, or was not looked for.
    axis_column : float or None
        Column of the rotation axis these belong to.
    model : str
        What was taken to move: "sample" or "detector", or the method.
    confidence : Confidence
        "high": what the model leaves is below 0.1 px and the shifts are known to 0.15 px; "medium": 0.3 px each;
        "low": look at the slices, or the views do not tell.
    residual_px : float
        Robust standard deviation of what the model leaves, pixels; where each view is moved on its own, how far they
        would go on to move.
    error_px : float
        Largest standard error of a shift, pixels; where each view is moved on its own, that of the median view.
    used : int
        Pairs of views, or points, or views, that were used.
    inseparable : tuple of str
        What the views cannot tell apart; the shifts there are zero.
    doubts : tuple of str
        What else speaks against the shifts, in words.
    returns : int
        Return images that were used.
    """

    shift_columns_px: Array
    shift_rows_px: Array | None
    axis_column: float | None
    model: str
    confidence: Confidence
    residual_px: float
    error_px: float
    used: int
    inseparable: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    returns: int = 0


LEAST_PX: Final = 0.05
"""Motion along rows below this is left alone: to undo it, views would be interpolated."""


def confidence_of(residual_px: float, error_px: float, inseparable: Sequence[str], used: int) -> Confidence:
    """Tell how far shifts can be trusted, see `MotionEstimate`.

    Parameters
    ----------
    residual_px, error_px : float
        What the model leaves, and the largest standard error of a shift, pixels.
    inseparable : sequence of str
        What the views cannot tell apart.
    used : int
        Pairs of views.

    Returns
    -------
    Confidence
        Of the shifts.
    """
    if inseparable or not np.isfinite([residual_px, error_px]).all() or used < 3:
        return "low"
    if residual_px <= 0.1 and error_px <= 0.15:
        return "high"
    return "medium" if residual_px <= 0.3 and error_px <= 0.3 else "low"
