"""The places at which opposite projections mirror each other best, over the whole width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.axis.opposite import FEW_PAIRS, Pairs, band, mirror_correlation, profiles, views_within
from tomarium.kernels.axis.prepare import Prepared
from tomarium.kernels.axis.window import vertex

_BANDS: Final = ((1.0, 4.0), (1.0, 8.0), (2.0, 20.0), (4.0, 40.0))
_BLUR: Final = 2.0  # times the finest structure of a band: how far the rim may turn within a mean of views
_NARROWEST: Final = 0.06  # of the width
_NARROWEST_PX: Final = 16
_PEAKS: Final = 6
_APART: Final = 6  # half px


@dataclass(frozen=True)
class Peak:
    """A place at which opposite projections may mirror each other.

    Attributes
    ----------
    column : float
        Column, 0-based.
    strength : float
        Correlation over the standard deviation of chance, summed over bands.
    score : float
        1 less the strength of the strongest other peak over its own, at least 0.
    """

    column: float
    strength: float
    score: float


def find_peaks(prepared: Prepared, pairs: Pairs, *, antisymmetric: bool) -> tuple[Peak, ...]:
    """Correlate opposite projections over all columns.

    Parameters
    ----------
    prepared : Prepared
        Attenuation without its static pattern.
    pairs : Pairs
        Which projections are opposite.
    antisymmetric : bool
        Correlate their differences, in which whatever does not turn has cancelled.

    Returns
    -------
    tuple of Peak
        At most six, the strongest first; empty where the detector is too narrow or nothing correlates.

    Notes
    -----
    A correlation r over the share a of the width has by chance the standard deviation s / √a, where s, one for
    each band, is the median of |r| √a over all columns, times 1.4826. The strength r √a / s lets a narrow overlap
    compete with a wide one. Neighbouring views are averaged, as many as the rim of the field takes to turn
    by twice the finest structure of the band; where half a turn gives few pairs, those next to its ends.
    """
    columns = prepared.attenuation.shape[2]
    s = np.arange(2 * columns - 1)
    covered = np.minimum(s, 2 * columns - 2 - s) + 1
    allowed = covered >= max(_NARROWEST_PX, _NARROWEST * columns)
    # An axis at the end of the range is none: its peak would lie beyond.
    inner = allowed & np.roll(allowed, 1) & np.roll(allowed, -1)
    if not inner.any():
        return ()
    total = np.zeros(len(s))
    for finest, coarsest in _BANDS:
        first, second = _means(prepared, pairs, finest)
        if antisymmetric:
            first = first - second
            second = -first
        curve = mirror_correlation(band(first, finest, coarsest), band(second, finest, coarsest))
        curve *= np.sqrt(covered / columns)
        chance = 1.4826 * float(np.median(np.abs(curve[allowed])))
        total += curve / max(chance, 1e-12)
    return _peaks(np.where(allowed, total, -np.inf), inner)


def _means(
    prepared: Prepared, pairs: Pairs, finest: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return means of views about opposite projections; of those after the first and before the last for few."""
    count = views_within(prepared, _BLUR * finest)
    if len(pairs.first) >= FEW_PAIRS or count == 1:
        return profiles(prepared, pairs, views=count)
    sinograms = prepared.sinograms()
    return sinograms[:, :count].mean(axis=1)[:, None], sinograms[:, -count:].mean(axis=1)[:, None]


def _peaks(curve: NDArray[np.float64], inner: NDArray[np.bool_]) -> tuple[Peak, ...]:
    """Return the strongest local maxima that lie apart."""
    higher = (curve >= np.roll(curve, 1)) & (curve >= np.roll(curve, -1)) & inner & (curve > 0)
    places: list[int] = []
    for place in np.flatnonzero(higher)[np.argsort(-curve[higher], kind="stable")]:
        if all(abs(int(place) - kept_place) > _APART for kept_place in places):
            places.append(int(place))
        if len(places) == _PEAKS:
            break
    strengths = [float(curve[place]) for place in places]
    peaks = []
    for i, place in enumerate(places):
        next_strength = max((strength for j, strength in enumerate(strengths) if j != i), default=0.0)
        score = max(0.0, 1 - next_strength / strengths[i])
        peaks.append(Peak(vertex(curve, place) / 2, strengths[i], score))
    return tuple(peaks)
