"""Projections that mirror each other: the column about which they do so, and how like they are unmirrored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.doctor.frame_sample import FrameSample
from tomarium.kernels.axis.opposite import band, mirror_correlation

SURE: Final = 0.7
"""Correlation of opposite projections from which their axis is believed."""

STANDS_OUT: Final = 0.15
"""How far that correlation must exceed the best one elsewhere."""


def axis_of(sample: FrameSample, pairs: Sequence[tuple[int, int]] | None = None) -> float | None:
    """Find the column about which projections mirror each other.

    Parameters
    ----------
    sample : FrameSample
        Frames of a scan.
    pairs : sequence of (int, int), optional
        Places in `sample.projections`; by default those half a turn apart by the angles that are told.

    Returns
    -------
    float or None
        0-based column; None where they are no mirror images, or nearly so about several columns.
    """
    pairs = sample.opposites if pairs is None else pairs
    if not pairs or not len(sample.flats) or not sample.good.any():
        return None
    columns = sample.projections.shape[2]
    profiles = {
        place: band(_profiles(sample, place), 1.0, columns / 16)
        for place in sorted({place for pair in pairs for place in pair})
    }
    first = np.concatenate([profiles[one] for one, _ in pairs])
    second = np.concatenate([profiles[other] for _, other in pairs])
    joint = _peak(first, second, columns)
    if joint is None:
        return None
    # Chance and defective pixels favour no column twice: where they made the peak, the profiles differ.
    halves = [_peak(first[part::2], second[part::2], columns, sure=0.0, stands_out=0.0) for part in (0, 1)]
    agree = all(one is not None and abs(one - joint) <= max(3.0, 0.02 * columns) for one in halves)
    return joint if agree else None


def likeness(sample: FrameSample, one: int, other: int) -> float:
    """Correlate two projections as they are, not mirrored.

    Parameters
    ----------
    sample : FrameSample
        Frames of a scan with flats.
    one, other : int
        Places in `sample.projections`.

    Returns
    -------
    float
        Correlation of their profiles, -1 to 1; 0 where they show nothing.
    """
    columns = sample.projections.shape[2]
    first, second = (band(_profiles(sample, place), 1.0, columns / 16).ravel() for place in (one, other))
    size = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(np.dot(first, second)) / size if size > 0 else 0.0


def _profiles(sample: FrameSample, place: int) -> NDArray[np.float32]:
    """Return the attenuation of a projection in up to eight groups of rows, shape (group, column)."""
    beam = np.where(sample.good, sample.open_beam, 1.0)
    through = (sample.projections[place].astype(np.float32) - sample.dark) / beam
    attenuation = -np.log(np.clip(np.nan_to_num(through, nan=1.0), 1e-3, 10.0))
    groups = min(8, len(attenuation))
    profiles = []
    for values, good in zip(
        np.array_split(attenuation, groups), np.array_split(sample.good, groups), strict=True
    ):
        count = np.count_nonzero(good, axis=0)
        profile = np.where(good, values, 0.0).sum(axis=0) / np.maximum(count, 1)
        seen = np.flatnonzero(count)
        if len(seen):
            profile = np.interp(np.arange(len(profile)), seen, profile[seen])
        profiles.append(profile)
    return np.asarray(profiles, np.float32)


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
