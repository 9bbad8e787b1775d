"""The rotation axis by consensus: families of methods that fail for different reasons must agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from math import hypot, isnan, radians
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.axis.estimate import AxisEstimate, Candidate, Confidence, ScanType
from tomarium.kernels.axis.fourier import HalfTurn, contrast, fit_near, half_turns
from tomarium.kernels.axis.mass import find_by_joined_mass, find_by_mass
from tomarium.kernels.axis.opposite import (
    Pairs,
    axis_over_scan,
    find_by_opposites,
    further_from_opposite,
    opposite_pairs,
)
from tomarium.kernels.axis.prepare import Prepared, prepare
from tomarium.kernels.axis.search import Peak, find_peaks
from tomarium.kernels.axis.unsteadiness import unsteadiness
from tomarium.model.half_acquisition import FAR_OFF, FULL_TURN_DEG, turn_deg

# Settled on simulated scans; benchmarks/axis_study.py prints on others how often they mislead.
_AGREE_PX: Final = 0.5
_AGREE_WELL_PX: Final = 0.3
_AGREE_CLOSELY_PX: Final = 0.2  # two methods alone, from one group of rows, whose error nothing tells
_STANDS_OUT: Final = {"opposite": 0.15, "fourier": 0.1, "mass": 0.3}  # scores below are chance
_STANDS_FAR_OUT: Final = 0.65
_SMALL_ERROR_PX: Final = 0.1
_CREDIBLE_ERROR_PX: Final = 0.3
_UNKNOWN_ERROR_PX: Final = 0.2
_LEAST_ERROR_PX: Final = 0.02
_LEAST_MASS_ERROR_PX: Final = 0.05  # whatever moves in the course of the scan moves it
_MASS_STAYS: Final = 0.95  # score of the joined mass from which it tells a half acquisition
_MOST_ERROR_PX: Final = 10.0
_FOURIER_ERROR: Final = 1.5  # times what leaving row groups out in turn tells, as measured
# How far the axis of half a turn moves with what single views lie aside: the mean of one pair of opposites does by
# 1 / √2 of it, the spectrum by less, as other views count too.
_ASIDE: Final = {"opposite": 0.7, "fourier": 0.5, "mass": 0.0}
_MOST_ASIDE_PX: Final = 0.28  # 0.5 px is two and a half standard deviations of the mean of two such views
_MOVES_PX: Final = 1.0
_MUCH_STATIC: Final = 0.3
_HALF_TURN_DEG: Final = 170.0
_MOST_LACK_DEG: Final = 10.0


def find(
    attenuation: NDArray[np.floating],
    angles_deg: NDArray[np.floating],
    *,
    rows_per_group: int = 8,
    overwrite: bool = False,
) -> AxisEstimate:
    """Find the rotation axis of a scan from some of its rows, and say how far to trust it.

    Parameters
    ----------
    attenuation : array, shape (angle, row, column)
        -ln(I/I0), dimensionless, of a few rows (see `sampled_rows`) at all angles. Values that are not finite
        and empty rows are mended or left out, and said.
    angles_deg : array, shape (angle,)
        Rotation angles in degrees, in any order and from any start, over half a turn or a full one.
    rows_per_group : int
        Consecutive rows of `attenuation` that are neighbours on the detector.
    overwrite : bool
        Whether `attenuation` may be changed, which saves a copy of it.

    Returns
    -------
    AxisEstimate
        Column, confidence, type of the scan, and what each method said.

    Raises
    ------
    InputError
        The shapes do not fit together, or there is nothing to search in.

    Notes
    -----
    Three families are asked: opposite projections (normalised correlation, or an antisymmetric difference
    that no static pattern can disturb), the Fourier bow tie of Vo et al. 2014 (10.1364/OE.22.019078), and
    the moments of Helgason and Ludwig. Agreement is not proof: a sample that drifts between 0° and 180° moves
    all of them alike, and what is found then is the axis of the middle of the scan.
    """
    prepared = prepare(attenuation, angles_deg, rows_per_group=rows_per_group, overwrite=overwrite)
    columns = prepared.attenuation.shape[2]
    turn = turn_deg(prepared.angles_deg)
    aside = unsteadiness(prepared) if turn < FULL_TURN_DEG else 0.0
    candidates = _ask(prepared, turn, aside)
    notes = list(prepared.notes)
    if not candidates:
        notes.append("no method found anything; the middle of the detector is returned")
        return AxisEstimate((columns - 1) / 2, "low", "180", (), prepared.static_ratio, tuple(notes))
    full = turn >= FULL_TURN_DEG
    agreeing, others = _consensus(candidates, full)
    column = _mean(agreeing)
    confidence = _confidence(agreeing, others)
    places = axis_over_scan(prepared, opposite_pairs(prepared.angles_deg), column) if full else np.empty(0)
    if confidence != "high" and _parts_agree(places, agreeing[0], others):
        confidence = "high"
    movement = _movement(places)
    if movement:
        confidence = "medium" if confidence == "high" else "low"
    if prepared.static_ratio > _MUCH_STATIC:
        notes.append(
            f"a pattern that does not turn is {prepared.static_ratio:.2f} times as strong as the "
            f"sample's own detail"
        )
    notes += movement
    if aside > _MOST_ASIDE_PX and not any(_credible(c) for c in agreeing if not _ASIDE[c.family]):
        confidence = "medium" if confidence == "high" else confidence
        notes.append(
            f"single views lie {aside:.2f} px aside of their neighbours, and half a turn has one pair of opposites"
        )
    if (
        confidence == "high"
        and len(prepared.groups) == 1
        and len(agreeing) < 3
        and (
            min(_error(c) for c in agreeing) > _SMALL_ERROR_PX
            or max(c.column for c in agreeing) - min(c.column for c in agreeing) > _AGREE_CLOSELY_PX
        )
    ):
        confidence = "medium"
        notes.append(
            "the rows looked at lie together, so that none tells how far another is off, and two methods agree only; "
            "more rows, far apart, would tell"
        )
    if turn < _HALF_TURN_DEG:
        confidence = "low"
        notes.append(f"the angles cover {turn:.1f}°, less than half a turn")
    elif confidence == "low" and not movement:
        columns_by_method = ", ".join(f"{c.method} {c.column:.2f}" for c in candidates)
        notes.append(f"no two families of methods agree and are sure: {columns_by_method}")
    return AxisEstimate(
        column=column,
        confidence=confidence,
        scan_type=_scan_type(prepared, turn, column),
        candidates=(*agreeing, *others),
        static_ratio=prepared.static_ratio,
        notes=tuple(notes),
    )


def _ask(prepared: Prepared, turn_deg: float, aside: float) -> list[Candidate]:
    """Ask one method of each family, the one that suits the data.

    Where half a turn shows two opposite views only, each place is as unsure as these two views lie aside.
    """
    return [
        replace(c, error=_with(c.error, _ASIDE[c.family] * aside)) if _ASIDE[c.family] else c
        for c in _ask_each(prepared, turn_deg)
    ]


def _with(error: float, systematic: float) -> float:
    """Add a systematic error to one that may be unknown."""
    return hypot(_UNKNOWN_ERROR_PX if isnan(error) and systematic else error, systematic)


def _ask_each(prepared: Prepared, turn_deg: float) -> list[Candidate]:
    much_static = prepared.static_ratio > _MUCH_STATIC
    pairs = opposite_pairs(prepared.angles_deg)
    peaks = find_peaks(prepared, pairs, antisymmetric=much_static)
    candidates = []
    if turn_deg > FULL_TURN_DEG and (not peaks or find_by_joined_mass(prepared, peaks[0].column) is None):
        joined = _at_joined_mass(prepared, pairs, much_static)
        if joined is not None:
            return joined
    if peaks:
        lack_deg = float(np.abs(pairs.lack_deg).min())
        opposite = _opposite(prepared, pairs, peaks[0], lack_deg, much_static)
        fourier = _fourier(half_turns(prepared), opposite.column, much_static)
        if fourier is not None and abs(opposite.column - fourier.column) > _AGREE_PX:
            # A peak of the correlation may have shoulders: begun at the other's place, it may agree. That it did
            # not of itself is its error.
            near = _opposite(prepared, pairs, replace(peaks[0], column=fourier.column), lack_deg, much_static)
            if abs(near.column - fourier.column) <= _AGREE_PX and near.error < 1:
                apart = abs(near.column - opposite.column) / 2
                opposite = replace(near, error=hypot(near.error, apart))
        candidates += [opposite] if lack_deg < _MOST_LACK_DEG else []
        candidates += [fourier] if fourier is not None else []
    mass = find_by_mass(prepared)
    if mass is None and candidates and turn_deg > FULL_TURN_DEG:
        mass = find_by_joined_mass(prepared, candidates[0].column)
    if mass is not None:
        candidates.append(mass)
    return candidates


def _at_joined_mass(prepared: Prepared, pairs: Pairs, much_static: bool) -> list[Candidate] | None:
    """Return what a half acquisition shows where opposites joined at a peak of correlation keep their mass."""
    columns = prepared.attenuation.shape[2]
    best: tuple[Candidate, Candidate] | None = None
    for antisymmetric in (much_static, not much_static):
        for peak in find_peaks(prepared, pairs, antisymmetric=antisymmetric):
            if abs(peak.column - (columns - 1) / 2) < FAR_OFF * columns:
                continue
            mass = find_by_joined_mass(prepared, peak.column)
            if mass is None or mass.score < _MASS_STAYS or abs(mass.column - peak.column) > _AGREE_PX:
                continue
            column, error = find_by_opposites(prepared, pairs, peak.column, antisymmetric=antisymmetric)
            if abs(column - peak.column) > _AGREE_PX:
                continue
            method = "antisymmetric difference" if antisymmetric else "opposite projections"
            opposite = Candidate(method, "opposite", column, peak.score, min(error, _SMALL_ERROR_PX))
            if best is None or mass.score > best[1].score:
                best = opposite, mass
        if best is not None:
            return list(best)
    return None


def _opposite(prepared: Prepared, pairs: Pairs, peak: Peak, lack_deg: float, much_static: bool) -> Candidate:
    column, error = find_by_opposites(prepared, pairs, peak.column, antisymmetric=much_static)
    # What the two projections lack of half a turn moves a place at the rim by this many px; a fiftieth of
    # it is what was seen of that in simulated scans.
    systematic = 0.02 * radians(lack_deg) * prepared.attenuation.shape[2]
    further = further_from_opposite(pairs)
    if further is not None:
        moved = find_by_opposites(prepared, further, column, antisymmetric=much_static)[0] - column
        systematic = max(systematic, abs(moved))
    method = "antisymmetric difference" if much_static else "opposite projections"
    return Candidate(method, "opposite", column, peak.score, hypot(error, systematic))


def _fourier(turns: HalfTurn | None, column: float, much_static: bool) -> Candidate | None:
    fit = fit_near(turns, column, free_of_static=much_static) if turns is not None else None
    if turns is None or fit is None:
        return None
    score = max(0.0, contrast(turns, fit.column, free_of_static=much_static))
    method = "fourier, free of static" if much_static else "fourier"
    return Candidate(method, "fourier", fit.column, score, _FOURIER_ERROR * fit.error)


def _error(candidate: Candidate) -> float:
    """Return one standard deviation in px, within the limits of what the methods can know."""
    if isnan(candidate.error):
        return _UNKNOWN_ERROR_PX
    least = _LEAST_MASS_ERROR_PX if candidate.family == "mass" else _LEAST_ERROR_PX
    return min(max(candidate.error, least), _MOST_ERROR_PX)


def _consensus(candidates: Sequence[Candidate], full: bool) -> tuple[list[Candidate], list[Candidate]]:
    """Return the largest set of which any two agree, the surest of equals, and the others.

    Where nobody is sure, a full turn goes by its many opposites; half a turn has one pair only, and goes by the
    spectrum, in which the views next to its ends count too.
    """
    rank = {"opposite": 2 if full else 1, "fourier": 1 if full else 2, "mass": 0}
    best: tuple[Candidate, ...] = ()
    for size in range(len(candidates), 0, -1):
        sets = [
            chosen
            for chosen in combinations(candidates, size)
            if all(abs(a.column - b.column) <= _AGREE_PX for a, b in combinations(chosen, 2))
        ]
        if sets:
            best = max(
                sets,
                key=lambda chosen: (sum(map(_credible, chosen)), max(rank[c.family] for c in chosen)),
            )
            break
    return list(best), [c for c in candidates if c not in best]


def _mean(candidates: Sequence[Candidate]) -> float:
    """Return the mean weighted by the inverse variances."""
    weights = [_error(candidate) ** -2 for candidate in candidates]
    return float(np.average([candidate.column for candidate in candidates], weights=weights))


def _stands_out(candidate: Candidate) -> bool:
    return candidate.score >= _STANDS_OUT[candidate.family]


def _credible(candidate: Candidate) -> bool:
    return _stands_out(candidate) and _error(candidate) <= _CREDIBLE_ERROR_PX


def _confidence(agreeing: Sequence[Candidate], others: Sequence[Candidate]) -> Confidence:
    """Rate the consensus; the centre of mass, which air that is not zero can move, never speaks against two."""
    credible = [c for c in agreeing if _credible(c)]
    standing = [c for c in agreeing if _stands_out(c)]
    if any(_credible(c) for c in others if c.family != "mass" or len(credible) < 2):
        return "low"
    if not credible or len(standing) < 2:
        return "low"
    candidates = [c for c in credible if c.family != "mass"]
    candidates = candidates if len(candidates) > 1 else credible
    spread = max(c.column for c in candidates) - min(c.column for c in candidates)
    return "high" if len(candidates) >= 2 and spread <= _AGREE_WELL_PX else "medium"


def _parts_agree(places: NDArray[np.float64], first: Candidate, others: Sequence[Candidate]) -> bool:
    """Tell whether each quarter of a full turn's opposites shows the axis in the same place."""
    if first.family != "opposite" or first.score < _STANDS_FAR_OUT or _error(first) > _SMALL_ERROR_PX:
        return False
    if any(_credible(c) for c in others if c.family != "mass"):
        return False
    return len(places) > 1 and float(np.std(places)) <= _SMALL_ERROR_PX * (len(places) - 1) ** 0.5


def _movement(places: NDArray[np.float64]) -> list[str]:
    """Say so where a full turn shows that the axis does not stay in its column."""
    if not len(places) or np.ptp(places) <= _MOVES_PX:
        return []
    return [
        f"opposite projections place the axis between {places.min():.2f} and {places.max():.2f} in the "
        f"course of the turn: the sample or the stage moves"
    ]


def _scan_type(prepared: Prepared, turn_deg: float, column: float) -> ScanType:
    """Tell half a turn from a full one, and a full one about an axis near an edge that cuts the sample."""
    if turn_deg < FULL_TURN_DEG:
        return "180"
    columns = prepared.attenuation.shape[2]
    middle = (columns - 1) / 2
    if abs(column - middle) < FAR_OFF * columns:
        return "360"
    profile = prepared.sinograms().mean(axis=(0, 1))
    edge = max(2, round(0.03 * columns))
    near = profile[-edge:].mean() if column > middle else profile[:edge].mean()
    return "half" if near > 0.1 * profile.max() else "360"
