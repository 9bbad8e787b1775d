"""A sample that is wholly in view balances about the axis: the moments of its projections follow sines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.axis.estimate import Candidate
from tomarium.kernels.axis.prepare import Prepared

_EDGE: Final = 0.03  # share of the width taken for air on each side
_MOST_AT_EDGE: Final = 0.1  # of the largest mean attenuation
_MOST_CHANGE_AT_EDGE: Final = 0.03  # of the largest mean attenuation, over the views
_TOUCHES_FOR: Final = 0.02  # of the views: the shortest time that counts
_INDEPENDENT: Final = 12  # what is left of a fit changes slowly with the angle: so many samples of it count
_MOST_VARIATION: Final = 0.05  # of the mass over the angles


def find_by_mass(prepared: Prepared) -> Candidate | None:
    """Find the axis from the centre of mass of the projections.

    Parameters
    ----------
    prepared : Prepared
        Attenuation without its static pattern.

    Returns
    -------
    Candidate or None
        None where the sample is not wholly in view: its mass changes with the angle, or it reaches an edge.

    Notes
    -----
    Helgason-Ludwig conditions of order 0 and 1 (Natterer 1986, The Mathematics of Computerized Tomography,
    II.4): Σ_u p(θ, u) = m for all θ, and Σ_u u p(θ, u) = m (c + x cos θ + y sin θ).
    """
    measured = prepared.sinograms()
    columns = measured.shape[2]
    edge = max(2, round(_EDGE * columns))
    profile = measured.mean(axis=1, dtype=np.float64)
    left, right = profile[:, :edge].mean(axis=1), profile[:, -edge:].mean(axis=1)
    peak = np.percentile(profile, 98, axis=1)
    if np.median(np.maximum(np.abs(left), np.abs(right)) / np.maximum(peak, 1e-12)) > _MOST_AT_EDGE:
        return None
    if _touches(measured, (slice(None, edge), slice(-edge, None)), float(np.median(peak))):
        return None
    sinograms = measured.astype(np.float64)
    # Air that is not zero would weigh as much as a sample; it is taken for linear between the two edges.
    slope = np.linspace(0, 1, columns)
    sinograms -= (left[:, None] + (right - left)[:, None] * slope)[:, None, :]
    sinograms *= _support(sinograms.mean(axis=(0, 1)), edge)

    place = np.arange(columns) - (columns - 1) / 2
    mass, moment = sinograms.sum(axis=2), sinograms @ place
    total = mass.mean(axis=1)
    if not np.all(total > 0):
        return None
    variation = float(np.std(mass.mean(axis=0)) / total.mean())
    if variation > _MOST_VARIATION:
        return None
    theta = np.radians(prepared.angles_deg)
    design = np.stack([np.ones_like(theta), np.cos(theta), np.sin(theta)], axis=1)
    solution = np.linalg.lstsq(design, moment.T, rcond=None)[0]
    fit = solution[0]
    column = float(fit.sum() / total.sum()) + (columns - 1) / 2
    if not 0 <= column <= columns - 1:
        return None
    if len(fit) == 1:
        residual = float(np.std(moment[0] - design @ solution[:, 0])) / float(total[0])
        spread = np.sqrt(np.linalg.inv(design.T @ design)[0, 0] * len(theta) / _INDEPENDENT)
        error = residual * float(spread)
    else:
        left_out = (fit.sum() - fit) / (total.sum() - total)
        error = float(np.sqrt((len(fit) - 1) / len(fit) * np.sum((left_out - left_out.mean()) ** 2)))
    return Candidate("centre of mass", "mass", column, 1 - variation / _MOST_VARIATION, error)


def _touches(sinograms: NDArray[np.floating], edges: Sequence[slice], peak: float) -> bool:
    """Tell whether the sample reaches an edge in some of the views, or whether noise hides that.

    The mean over all views hides a sample that is cut for a few; a tenth of what is missing shifts the axis.
    """
    span = max(1, round(_TOUCHES_FOR * sinograms.shape[1]))
    kernel = np.full(span, 1 / span)
    for columns in edges:
        level = np.convolve(sinograms[:, :, columns].mean(axis=(0, 2), dtype=np.float64), kernel, "valid")
        if float(np.ptp(level)) > _MOST_CHANGE_AT_EDGE * peak:
            return True
    return False


def find_by_joined_mass(prepared: Prepared, column: float) -> Candidate | None:
    """Find the axis of a half acquisition from the mass of opposite projections joined at it.

    Parameters
    ----------
    prepared : Prepared
        Attenuation over a full turn, without its static pattern.
    column : float
        About where the axis is: within a few px.

    Returns
    -------
    Candidate or None
        None where the far edge of the detector sees the sample, or where the angles have no opposites.

    Notes
    -----
    Let the far side of the axis be that with more columns. The far side of p(θ), joined at the axis to that
    of p(θ + 180°), is the whole sample, and its mass is m for all θ. Moving the joint by d adds
    d (p(θ, c) + p(θ + 180°, c)), so that d and m follow from a straight line fitted over θ.
    """
    sinograms = prepared.sinograms().astype(np.float64)
    columns = sinograms.shape[2]
    mirrored = column < (columns - 1) / 2
    if mirrored:
        sinograms, column = sinograms[:, :, ::-1], columns - 1 - column
    profile = sinograms.mean(axis=1)
    edge = slice(max(2, round(_EDGE * columns)))
    air = profile[:, edge].mean(axis=1)
    if np.median(np.abs(air) / np.maximum(profile.max(axis=1), 1e-12)) > _MOST_AT_EDGE:
        return None
    if _touches(sinograms, [edge], float(np.median(profile.max(axis=1)))):
        return None
    joined = _joined(sinograms - air[:, None, None], prepared.angles_deg, column)
    if joined is None:
        return None
    mass, at_joint = joined
    variation = float(np.std(mass.mean(axis=0)) / max(abs(float(mass.mean())), 1e-12))
    lever = at_joint.var(axis=1)
    if variation > _MOST_VARIATION or not np.all(lever > 0):
        return None
    aside = at_joint - at_joint.mean(axis=1, keepdims=True)
    moved = -np.mean(aside * mass, axis=1) / lever
    mean_column = column + float(moved.mean())
    if not 0 < mean_column < columns - 1:
        return None
    error = float(np.std(moved) / np.sqrt(len(moved) - 1)) if len(moved) > 1 else float("nan")
    column = columns - 1 - mean_column if mirrored else mean_column
    return Candidate("joined mass", "mass", column, 1 - variation / _MOST_VARIATION, error)


def _joined(
    sinograms: NDArray[np.float64], angles_deg: NDArray[np.float64], column: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return the mass left of the axis and p at the axis, summed over opposites: shape (group, angle)."""
    first = np.flatnonzero(angles_deg < angles_deg[0] + 180.0 - 1e-6)
    opposite_angles = angles_deg[first] + 180.0
    if angles_deg[-1] < opposite_angles[-1] - 2 * float(np.median(np.diff(angles_deg))):
        return None
    at = int(column)
    # The pixel that holds the axis counts in part.
    left = sinograms[:, :, :at].sum(axis=2) + (0.5 + column - at) * sinograms[:, :, at]
    at_axis = sinograms[:, :, max(at - 1, 0) : at + 3].mean(axis=2)
    mass, at_joint = (
        values[:, first] + np.stack([np.interp(opposite_angles, angles_deg, row) for row in values])
        for values in (left, at_axis)
    )
    return mass, at_joint


def _support(profile: NDArray[np.float64], edge: int) -> NDArray[np.float64]:
    """Return 1 where the sample is seen at any angle and 0 in the air beside it, which only adds noise."""
    inside = np.flatnonzero(profile > 0.01 * profile.max())
    support = np.zeros_like(profile)
    if inside.size:
        support[max(0, inside[0] - edge) : inside[-1] + 1 + edge] = 1.0
    return support
