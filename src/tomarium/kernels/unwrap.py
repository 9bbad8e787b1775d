"""Unwrapping of the differential phase in a sinogram: least absolute differences, weighed by the visibility."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError

ROUNDS: Final = 5
"""Weighted least squares that are solved, each with the weights that the one before it left."""

TOLERANT_RAD: Final = 0.1
"""Contradiction of a pair of pixels that is still taken for small."""

MOST_STEPS: Final = 120
"""Steps of conjugate gradients in each of the rounds, at most."""

SOLVED: Final = 1e-3
"""Residual at which a round ends, as a part of what it began with."""

LEAST_AMPLITUDE: Final = 0.05
"""Amplitude that a pixel is taken to have at least, so that nothing is cut off from the air."""

UNBALANCED: Final = 0.02
"""Part of the columns that may be off by 2π before a view is said not to end where it began."""

DRAW: Final = 0.1
"""How much the sum of a view counts beside a pair of neighbours, where it is asked for."""

Array = NDArray[np.float64]


def unwrap_sinogram(
    phase: NDArray[Any], amplitude: NDArray[Any]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Add the multiples of 2π that a differential phase has lost.

    1. A straight line between the mean phases of the outermost columns is subtracted, so that air is 0.
    2. Differences between neighbours, along columns and from view to view, are taken for less than π in size. Where
       they contradict each other, as at edges sharper than a pixel and in noise, a field of multiples of 2π is sought
       that contradicts least of them: weighted least squares, solved `ROUNDS` times, each with the weights divided by
       what the round before contradicted, which is the sum of absolute contradictions in the end. A pair weighs as the
       fourth power of the lesser amplitude: where the phase changes within a pixel the visibility is low.
    3. The outermost columns are air at both sides and keep their phase. This is what tells the whole inside of a sample
       from one that is off by 2π.
    4. The nearest multiple of 2π is added; no phase changes by anything else. Where no two neighbours differ by more
       than π, nothing is changed at all.

    Parameters
    ----------
    phase : array, shape (angle, column)
        Differential phase of one detector row in radians, between -π and π; 3 columns at least.
    amplitude : array, shape (angle, column)
        Amplitude of the stepping curve over that of the open beam: transmission times relative visibility.

    Returns
    -------
    array of float32, shape (angle, column)
        Unwrapped phase.
    array of bool, shape (angle, column)
        Where it still differs from a neighbour by more than π: there the views do not tell the phase.

    Raises
    ------
    InputError
        The arrays do not fit, or hold a value that is not finite.

    References
    ----------
    D. C. Ghiglia and L. A. Romero, J. Opt. Soc. Am. A 11, 107 (1994), doi 10.1364/JOSAA.11.000107, for weighted least
    squares with transforms as the preconditioner; J. Opt. Soc. Am. A 13, 1999 (1996), doi 10.1364/JOSAA.13.001999, for
    norms below 2.
    """
    wrapped = np.asarray(phase, np.float64)
    if wrapped.ndim != 2 or wrapped.shape[1] < 3 or amplitude.shape != wrapped.shape:
        raise InputError(
            f"unwrap: the phase has shape {wrapped.shape} and the amplitude {amplitude.shape}; give both as "
            f"(angle, column) with 3 columns at least"
        )
    if not (np.isfinite(wrapped).all() and np.isfinite(amplitude).all()):
        raise InputError("unwrap: a phase or an amplitude is not finite; fill it in first")
    line = _air(wrapped)
    level = _wrap(wrapped - line)
    lacking = tuple(-2 * np.pi * np.round(np.diff(level, axis=axis) / (2 * np.pi)) for axis in (0, 1))
    added = np.zeros_like(level)
    if any(differences.any() for differences in lacking):
        strength = np.clip(np.asarray(amplitude, np.float64), LEAST_AMPLITUDE, 1) ** 4
        weights = np.minimum(strength[1:], strength[:-1]), np.minimum(strength[:, 1:], strength[:, :-1])
        added = _multiples(lacking, weights, None)
        if _off_balance(level + added).mean() > 0.5:  # the whole inside may be off by 2π
            balanced = _multiples(lacking, weights, -level.sum(axis=1))
            if _off_balance(level + balanced).sum() < _off_balance(level + added).sum():
                added = balanced
    multiples = level + added
    return (multiples + line).astype(np.float32), _torn(multiples) | _off_balance(multiples)[:, None]


def _wrap(phase: Array) -> Array:
    return np.asarray((phase + np.pi) % (2 * np.pi) - np.pi)


def _air(phase: Array) -> Array:
    """Return the line between the mean phases of the outermost columns, the short way round."""
    left, right = (float(np.angle(np.exp(1j * phase[:, column]).mean())) for column in (0, -1))
    return np.asarray(
        left + float(_wrap(np.asarray(right - left))) * np.arange(phase.shape[1]) / (phase.shape[1] - 1)
    )


def _torn(phase: Array) -> NDArray[np.bool_]:
    """Return which pixels differ from a neighbour by more than π."""
    torn = np.zeros(phase.shape, np.bool_)
    views, columns = (np.abs(np.diff(phase, axis=axis)) > np.pi for axis in (0, 1))
    torn[1:] |= views
    torn[:-1] |= views
    torn[:, 1:] |= columns
    torn[:, :-1] |= columns
    return torn


def _off_balance(phase: Array) -> NDArray[np.bool_]:
    """Return the views whose phase does not end where it began, by more than `UNBALANCED` of the columns could add."""
    return np.asarray(np.abs(phase.sum(axis=1)) > 2 * np.pi * max(2.0, UNBALANCED * phase.shape[1]))


def _multiples(lacking: tuple[Array, ...], weights: tuple[Array, ...], sums: Array | None) -> Array:
    """Return the multiples of 2π to add."""
    return np.asarray(2 * np.pi * np.round(_least(lacking, weights, sums) / (2 * np.pi)))


def _least(lacking: tuple[Array, ...], weights: tuple[Array, ...], sums: Array | None) -> Array:
    """Return the field, 0 in the outermost columns, whose differences are those that are lacking but for a few.

    Where sums of each view are given, it is drawn towards them.
    """
    field = np.zeros((lacking[1].shape[0], lacking[0].shape[1]))
    inverse = _inverse(field.shape)
    now = weights
    for number in range(ROUNDS):
        if number:
            generator = (np.diff(field, axis=axis) - differences for axis, differences in enumerate(lacking))
            now = tuple(
                weight / np.sqrt(1 + (difference / TOLERANT_RAD) ** 2)
                for weight, difference in zip(weights, generator, strict=True)
            )
        before = field.copy()
        _solve(field, lacking, now, inverse, sums)
        if np.abs(field - before).max() < TOLERANT_RAD:
            break
    return field


def _solve(
    field: Array,
    lacking: tuple[Array, ...],
    weights: tuple[Array, ...],
    inverse: Array,
    sums: Array | None,
) -> None:
    """Bring a field to the least squares of some weights, by conjugate gradients from where it is."""
    inner = field[:, 1:-1]
    right_side = _divergence(
        [w * differences for w, differences in zip(weights, lacking, strict=True)], field.shape
    )
    draw = 0.0
    if sums is not None:
        draw = DRAW / field.shape[1]
        right_side = right_side + draw * sums[:, None]
    residual = right_side - _normal(field, weights, draw)
    enough = SOLVED * float(np.linalg.norm(right_side))
    if not enough:
        return
    direction = np.zeros_like(field)
    last = 1.0
    for step in range(MOST_STEPS):
        if np.linalg.norm(residual) < enough:
            return
        likely = _preconditioned(residual, inverse)
        size = float(np.vdot(residual, likely))
        direction[:, 1:-1] = likely + (size / last if step else 0.0) * direction[:, 1:-1]
        image = _normal(direction, weights, draw)
        length = size / float(np.vdot(direction[:, 1:-1], image))
        inner += length * direction[:, 1:-1]
        residual -= length * image
        last = size


def _normal(field: Array, weights: tuple[Array, ...], draw: float) -> Array:
    flows = [weight * np.diff(field, axis=axis) for axis, weight in enumerate(weights)]
    return np.asarray(_divergence(flows, field.shape) + draw * field.sum(axis=1, keepdims=True))


def _divergence(flows: list[Array], shape: tuple[int, ...]) -> Array:
    """Return minus the divergence, which is the transpose of the differences, of all but the outermost columns."""
    total = np.zeros(shape)
    total[:-1] -= flows[0]
    total[1:] += flows[0]
    total[:, :-1] -= flows[1]
    total[:, 1:] += flows[1]
    return total[:, 1:-1]


def _inverse(shape: tuple[int, ...]) -> Array:
    """Return 1 over the eigenvalues of the Laplacian: free ends along angles, 0 beyond the columns."""
    views, columns = shape
    down = 2 - 2 * np.cos(np.pi * np.arange(views) / views)
    across = 2 - 2 * np.cos(np.pi * np.arange(1, columns - 1) / (columns - 1))
    return np.asarray(1 / np.add.outer(down, across) / (4 * views * (columns - 1)))


def _preconditioned(residual: Array, inverse: Array) -> Array:
    from ducc0.fft import dct, dst

    spectrum = dct(dst(residual, type=1, axes=(1,)), type=2, axes=(0,))
    spectrum *= inverse
    return np.asarray(dst(dct(spectrum, type=3, axes=(0,)), type=1, axes=(1,)))
