"""Whether projections mirror each other, and about which column: what shows how far the sample really turned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.axis.opposite import band, mirror_correlation

SURE: Final = 0.7
"""Correlation of opposite projections from which their axis is believed."""

STANDS_OUT: Final = 0.15
"""How far that correlation must exceed the best one elsewhere."""

SAME: Final = 0.95
"""Correlation from which two projections show the sample from one side."""

DIFFERENT: Final = 0.6
"""Mean correlation below which projections show the sample from different sides; below `SURE`, which a sample that is
symmetric about the axis would otherwise reach."""

SEVERAL: Final = 4
"""Pairs that do not all mirror each other about one column by chance."""

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Attenuation of two projections, each of shape (group of rows, column)."""


def mirror_column(pairs: Sequence[Pair]) -> float | None:
    """Find the column about which projections mirror each other.

    Parameters
    ----------
    pairs : sequence of (array, array), each of shape (group, column)
        Attenuation of projections that should mirror each other.

    Returns
    -------
    float or None
        0-based column; None where they are no mirror images, or nearly so about several columns.
    """
    if not pairs:
        return None
    columns = pairs[0][0].shape[1]
    first = np.concatenate([_banded(image) for image, _ in pairs])
    second = np.concatenate([_banded(mirrored) for _, mirrored in pairs])
    joint = _peak(first, second, columns)
    if joint is None or len(first) < 2:
        return joint
    # Chance and defective pixels favour no column twice: where they made the peak, the profiles differ.
    halves = [_peak(first[part::2], second[part::2], columns, sure=0.0, stands_out=0.0) for part in (0, 1)]
    agree = all(half is not None and abs(half - joint) <= max(3.0, 0.02 * columns) for half in halves)
    return joint if agree else None


def likeness(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Correlate two projections as they are, not mirrored.

    Parameters
    ----------
    one, other : array of float32, shape (group, column)
        Attenuation.

    Returns
    -------
    float
        Correlation of their profiles, -1 to 1; 0 where they show nothing.
    """
    first, second = _banded(one).ravel(), _banded(other).ravel()
    size = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(np.dot(first, second)) / size if size > 0 else 0.0


def other_turn(
    span_deg: float,
    first: NDArray[np.float32],
    last: NDArray[np.float32],
    opposites: Sequence[Pair],
    halfway: Sequence[Pair],
) -> Literal[180, 360] | None:
    """Tell how far the sample turned, where that is not what the angles say.

    Parameters
    ----------
    span_deg : float
        Range of the angles, degrees.
    first, last : array of float32, shape (group, column)
        Attenuation of the first projection and of the last.
    opposites : sequence of (array, array)
        Projections half a turn apart by the angles.
    halfway : sequence of (array, array)
        Projections apart by half of their number.

    Returns
    -------
    180, 360 or None
        180 where a whole turn is told, but the views told to be opposite are no mirror images and the first and the
        last are. 360 where half a turn is told, but the last shows the sample as the first does, and projections
        half of the scan apart mirror each other and are not alike. None else, also where the sample looks alike from
        all sides.
    """
    ends_alike = likeness(first, last) >= SAME
    if 355 < span_deg < 365 and not ends_alike:
        is_half_turn = mirror_column(opposites) is None and mirror_column([(first, last)]) is not None
        return 180 if is_half_turn else None
    if 175 < span_deg < 185 and ends_alike:
        # One pair may mirror by chance, where the sample is nearly symmetric from that side; several do not.
        symmetric = len(halfway) < SEVERAL and mirror_column([(first, last)]) is not None
        apart = (
            float(np.mean([likeness(first_view, second_view) for first_view, second_view in halfway]))
            < DIFFERENT
        )
        return 360 if apart and not symmetric and mirror_column(halfway) is not None else None
    return None


def _banded(profiles: NDArray[np.float32]) -> NDArray[np.float32]:
    return band(profiles, 1.0, profiles.shape[1] / 16)


def _peak(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    columns: int,
    sure: float = SURE,
    stands_out: float = STANDS_OUT,
) -> float | None:
    """Return the column about which profiles mirror best; None where others do so nearly as well."""
    edge = max(16, columns // 8)  # a narrow overlap correlates by chance
    curve = mirror_correlation(first, second)[edge:-edge]
    if not len(curve) or curve.max() < sure:
        return None
    best = int(np.argmax(curve))
    elsewhere = curve[np.abs(np.arange(len(curve)) - best) > max(8, columns // 16)]
    if len(elsewhere) and curve[best] - float(elsewhere.max()) < stands_out:
        return None
    return float(best + edge) / 2
