"""Opposite projections mirror each other about the axis: p(θ + 180°, u) = p(θ, 2 c - u)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import hypot, isnan, radians
from typing import Final

import ducc0.fft
import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.axis.prepare import Prepared
from tomarium.kernels.axis.threads import at_once
from tomarium.kernels.axis.window import overlap, taper, vertex

FEW_PAIRS: Final = 8
_MOST_PAIRS: Final = 96
_NEARLY: Final = 0.05  # of the step between two projections
_SUBSETS: Final = 4  # of pairs, to learn the error where there is one row group only
_FARTHEST_PX: Final = 3.0  # from where a refinement starts
_ROUNDS: Final = 5
_SCAN: Final = ((1.0, 0.25), (0.3, 0.1))  # reach and step in px of the candidates tried in their own windows
_SHIFTS: Final = np.arange(-4, 4.05, 0.1)  # px, of which the cross-spectrum is asked
_LEAST_TURNING: Final = 0.02  # of the variance
_UNSETTLED_PX: Final = 0.5
_BLOCK: Final = 8  # bins of a padded spectrum
_LEAST_ENERGY: Final = 1e-3  # of the mean: an overlap with less of it counts as this much
_MISMATCH: Final = (
    0.0005  # share of a projection's own spectrum that differs in its opposite for other reasons
)


@dataclass(frozen=True)
class Pairs:
    """Projections half a turn apart.

    Attributes
    ----------
    first : array of intp, shape (pair,)
        Indices into the sorted angles.
    left, right : array of intp, shape (pair,)
        Indices of the two projections between which the opposite one lies.
    share : array of float32, shape (pair,)
        Weight of the right one: linear interpolation in angle.
    lack_deg : array of float64, shape (pair,)
        180° less the angle between the pair, in degrees; 0 where the opposite one could be interpolated.
    """

    first: NDArray[np.intp]
    left: NDArray[np.intp]
    right: NDArray[np.intp]
    share: NDArray[np.float32]
    lack_deg: NDArray[np.float64]


def opposite_pairs(angles_deg: NDArray[np.float64]) -> Pairs:
    """Choose the pairs of projections that are nearest to half a turn apart.

    Parameters
    ----------
    angles_deg : array of float64, shape (angle,)
        Ascending.

    Returns
    -------
    Pairs
        At most 96, spread over the turn; only the nearest where none is half a turn apart.
    """
    opposite_angles = angles_deg + 180.0
    right = np.clip(np.searchsorted(angles_deg, opposite_angles), 1, len(angles_deg) - 1)
    gap = np.maximum(angles_deg[right] - angles_deg[right - 1], 1e-9)
    share = np.clip((opposite_angles - angles_deg[right - 1]) / gap, 0.0, 1.0)
    lack = opposite_angles - (angles_deg[right - 1] + share * gap)
    # Interpolating blurs, so a projection that is nearly there is taken alone.
    share = np.where(share < _NEARLY, 0.0, np.where(share > 1 - _NEARLY, 1.0, share))
    chosen = np.flatnonzero(np.abs(lack) <= np.abs(lack).min() + 0.01 * float(np.median(gap)))
    if len(chosen) > _MOST_PAIRS:
        chosen = chosen[np.linspace(0, len(chosen) - 1, _MOST_PAIRS).round().astype(np.intp)]
    return Pairs(
        chosen, right[chosen] - 1, right[chosen], share[chosen].astype(np.float32), np.abs(lack[chosen])
    )


def further_from_opposite(pairs: Pairs) -> Pairs | None:
    """Return the pairs that lack one view more of half a turn, where the only pair lacks about one.

    Parameters
    ----------
    pairs : Pairs
        Of `opposite_pairs`.

    Returns
    -------
    Pairs or None
        The second projection with the last, and the first with the last but one; None where pairs are many or
        half a turn apart. Turning about the axis moves what lies before and behind it to opposite sides, so that
        the place found moves in proportion to the lack: from these by as much as it did from none to the first.
    """
    if len(pairs.first) != 1 or pairs.lack_deg[0] < 1e-3:
        return None
    last = int(pairs.right[0]) if pairs.share[0] > 0.5 else int(pairs.left[0])
    first = int(pairs.first[0])
    ends = np.array([last, last - 1])
    return Pairs(
        np.array([first + 1, first]), ends, ends, np.zeros(2, np.float32), np.repeat(2 * pairs.lack_deg, 2)
    )


def find_by_opposites(
    prepared: Prepared, pairs: Pairs, column: float, *, antisymmetric: bool
) -> tuple[float, float]:
    """Find the axis near a column from projections half a turn apart.

    Parameters
    ----------
    prepared : Prepared
        Attenuation without its static pattern.
    pairs : Pairs
        Which projections are opposite.
    column : float
        Within 2 px of which to begin.
    antisymmetric : bool
        False correlates one projection with the mirror image of the other. True takes their difference
        D = p(θ) - p(θ + 180°), which must change its sign in the mirror, D(2 c - u) = -D(u), and in which
        whatever does not turn has cancelled exactly; half of the signal is the price.

    Returns
    -------
    column : float
        Column of the axis.
    error : float
        One standard deviation in px.

    Notes
    -----
    A window that mirrors about the axis is cut, and the shift maximises the cross-spectrum weighted by
    S / (N (N + 2 S)) (Knapp & Carter 1976, eq. 29 with equal noise, 10.1109/TASSP.1976.1162830), S and N the power
    of sample and noise, N raised by 5e-4 S: it tends to phase correlation where the counts are many and to plain
    correlation where they are few. The error is the larger of what the row groups differ by and of what the
    frequencies of the cross-spectrum do.
    """
    enough_pairs = len(pairs.first) >= FEW_PAIRS
    first, second = profiles(prepared, pairs, views=views_within(prepared, 1.0) if enough_pairs else 1)
    if antisymmetric:
        first = first - second
        second = -first
    column, error = _refine(first, second, column)
    differ = _error(first, second, column)
    return column, error if isnan(differ) else max(error, differ)


def axis_over_scan(
    prepared: Prepared, pairs: Pairs, column: float, *, blocks: int = 4
) -> NDArray[np.float64]:
    """Follow the axis through a full turn: it stays where it is unless the sample or the stage moves.

    Parameters
    ----------
    prepared : Prepared
        Attenuation without its static pattern.
    pairs : Pairs
        Which projections are opposite, in the order of their angles.
    column : float
        Where the axis is on the whole.
    blocks : int
        Parts into which the pairs are cut.

    Returns
    -------
    array of float64, shape (block,)
        Column of the axis in each part; empty where there are too few pairs.
    """
    count = len(pairs.first)
    if count < 3 * blocks:
        return np.empty(0)
    first, second = profiles(prepared, pairs)
    edges = np.linspace(0, count, blocks + 1).astype(np.intp)
    return np.array(
        [
            _refine(first[:, start:stop], second[:, start:stop], column, settle=False)[0]
            for start, stop in pairwise(edges)
        ]
    )


def views_within(prepared: Prepared, distance: float) -> int:
    """Count the neighbouring views within which the rim of the field turns by a distance.

    Parameters
    ----------
    prepared : Prepared
        Of which the angles count.
    distance : float
        In px.

    Returns
    -------
    int
        At least 1.
    """
    steps = np.diff(prepared.angles_deg)
    steps = steps[steps > 1e-6]
    if not steps.size:
        return 1
    rim = radians(float(np.median(steps))) * prepared.attenuation.shape[2] / 2
    return int(min(max(1, round(distance / rim)), max(1, len(prepared.angles_deg) // 8)))


def profiles(
    prepared: Prepared, pairs: Pairs, *, views: int = 1
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Average projections and their opposites over each row group.

    Parameters
    ----------
    prepared : Prepared
        Attenuation without its static pattern.
    pairs : Pairs
        Which projections are opposite.
    views : int
        How many neighbouring views each is the mean of.

    Returns
    -------
    first, second : array of float32, shape (group, pair, column)
        Same unit; of many pairs, less the mean over them.
    """
    sinograms = prepared.sinograms()
    before = (views - 1) // 2
    last = len(prepared.angles_deg) - views

    def averaged(index: NDArray[np.intp]) -> NDArray[np.float32]:
        begin = np.clip(index - before, 0, last)
        total = sum(sinograms[:, begin + k] for k in range(views))
        return np.asarray(total / np.float32(views))

    share = pairs.share[:, None]
    first, opposite = (
        averaged(pairs.first),
        averaged(pairs.left) * (1 - share) + averaged(pairs.right) * share,
    )
    if len(pairs.first) < FEW_PAIRS:
        return first, opposite
    return _turning(first), _turning(opposite)


def _turning(profiles: NDArray[np.float32]) -> NDArray[np.float32]:
    """Subtract the mean over all pairs, which holds whatever does not turn, unless hardly anything else is seen."""
    turning = profiles - profiles.mean(axis=1, keepdims=True)
    return turning if float(turning.var()) > _LEAST_TURNING * float(profiles.var()) else profiles


def band(values: NDArray[np.floating], finest: float, coarsest: float) -> NDArray[np.float32]:
    """Keep structures between two sizes along the last axis.

    Parameters
    ----------
    values : array, shape (…, column)
        Continued beyond its ends by its mirror image.
    finest, coarsest : float
        Standard deviations in px of the Gaussians that smooth and that are subtracted.

    Returns
    -------
    array of float32, shape (…, column)
        Same unit.
    """
    columns = values.shape[-1]
    doubled = np.concatenate([values, values[..., ::-1]], axis=-1, dtype=np.float32)
    f = np.fft.rfftfreq(2 * columns)
    response = np.exp(-2 * (np.pi * f * finest) ** 2) - np.exp(
        -2 * (np.pi * f * np.hypot(coarsest, finest)) ** 2
    )
    spectrum = ducc0.fft.r2c(doubled, axes=[-1]) * response.astype(np.float32)
    return np.asarray(
        ducc0.fft.c2r(spectrum, axes=[-1], lastsize=2 * columns, forward=False, inorm=2)[..., :columns]
    )


def mirror_correlation(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """Correlate profiles with the mirror images of others, normalised over the columns that overlap.

    Parameters
    ----------
    first, second : array, shape (…, column)
        Profiles of mean near zero.

    Returns
    -------
    array of float64, shape (2 · column - 1,)
        Element s is the correlation for an axis in column s / 2, between -1 and 1, over all profiles; towards
        0 where next to nothing is seen.
    """
    columns = first.shape[-1]
    length = ducc0.fft.good_size(2 * columns, True)
    a, b = (
        ducc0.fft.r2c(np.pad(x.reshape(-1, columns), ((0, 0), (0, length - columns))), axes=[-1])
        for x in (first, second)
    )
    product = np.sum(a * b, axis=0, dtype=np.complex128)
    total = ducc0.fft.c2r(product, lastsize=length, forward=False, inorm=2)[: 2 * columns - 1]
    s = np.arange(2 * columns - 1)
    lower, upper = np.maximum(0, s - columns + 1), np.minimum(columns - 1, s) + 1
    energies = []
    for x in (first, second):
        energy = np.sum(np.square(x.reshape(-1, columns), dtype=np.float64), axis=0)
        running = np.concatenate([[0.0], np.cumsum(energy)])
        # Where nothing is seen, rounding must not be divided by rounding.
        least = _LEAST_ENERGY * running[-1] * (upper - lower) / columns
        energies.append(np.maximum(running[upper] - running[lower], least))
    return np.asarray(total / np.sqrt(np.maximum(energies[0] * energies[1], 1e-300)))


def _refine(
    first: NDArray[np.float32], second: NDArray[np.float32], column: float, *, settle: bool = True
) -> tuple[float, float]:
    """Move the window until it mirrors about the axis it finds; return column and standard error.

    A narrow window draws the shift to its own middle: where there are pairs enough to tell, each candidate is
    tried in its own in the end.
    """
    begun, error = column, float("inf")
    if not 1 < column < first.shape[-1] - 2:
        return begun, float("inf")
    for _ in range(_ROUNDS):
        step, error = _shift(first, second, column)
        column += step / 2
        if abs(column - begun) > _FARTHEST_PX or not 1 < column < first.shape[-1] - 2:
            return begun, float("inf")
        if abs(step) < 0.04:
            break
    error /= 2
    if first.shape[-2] < FEW_PAIRS or not settle:
        return column, error
    for reach, step in _SCAN:
        window_column = _best_window(first, second, column, reach, step)
        if window_column is None or not 1 < window_column < first.shape[-1] - 2:
            return column, hypot(error, _UNSETTLED_PX)
        column = window_column
    return column, _shift(first, second, column)[1] / 2


def _error(first: NDArray[np.float32], second: NDArray[np.float32], column: float) -> float:
    """Return the standard error from how row groups differ, or else sets of pairs; nan for one of one."""
    parts = [slice(g, g + 1) for g in range(len(first))]
    if len(first) == 1:
        first, second = first[0][:, None], second[0][:, None]
        count = min(_SUBSETS, len(first))
        parts = [slice(k, None, count) for k in range(count)]
    if len(parts) < 2:
        return float("nan")
    columns_by_part = [column + _shift(first[part], second[part], column)[0] / 2 for part in parts]
    return float(np.std(columns_by_part) / np.sqrt(len(columns_by_part) - 1))


@dataclass(frozen=True)
class _Cross:
    """Cross-spectrum of two windows that mirror about a column, and the weights of its frequencies."""

    frequency: NDArray[np.float64]  # cycles per px
    product: NDArray[np.complex128]  # turned so that it is real where the column is the axis
    power: NDArray[np.float64]
    weight: NDArray[np.float64]


def _frequencies(columns: int) -> NDArray[np.float64]:
    """List the frequencies of the padded windows, cycles per px."""
    length = ducc0.fft.good_size(2 * columns, True)
    return np.asarray(np.arange(length // 2 + 1) / length)


def _cross(first: NDArray[np.float32], second: NDArray[np.float32], column: float) -> _Cross:
    """Cut a window that mirrors about a column out of both, and multiply their spectra."""
    columns = first.shape[-1]
    in_overlap = overlap(columns, column)
    weights = taper(columns, column)[in_overlap]
    a, b = ((x[..., in_overlap] - _mean(x[..., in_overlap], weights)) * weights for x in (first, second))
    width = a.shape[-1]
    length = ducc0.fft.good_size(2 * columns, True)
    A, B = (
        ducc0.fft.r2c(np.pad(x.reshape(-1, width), ((0, 0), (0, length - width))), axes=[-1]) for x in (a, b)
    )
    f = _frequencies(columns)
    power = sum(np.einsum("pf,pf->f", x, np.conj(x)).real.astype(np.float64) for x in (A, B)) / 2
    noise = float(np.median(power[f > 0.4])) * (1 + 1e-9) + 1e-300
    # Averaged over the taper's own resolution: the weights must not follow the noise of single bins.
    bins = 2 * round(2 * length / width) + 1
    smooth = np.convolve(np.pad(power, bins // 2, mode="reflect"), np.full(bins, 1 / bins), "valid")
    signal = np.maximum(smooth - noise, 0.0)
    floor = noise + _MISMATCH * signal
    weight = signal / (floor * (floor + 2 * signal))
    weight[f * width < 1.0] = 0.0
    # 2 (column - start) is the sum of a column and its mirror within the window.
    turn = np.exp(4j * np.pi * f * (column - in_overlap.start))
    return _Cross(f, np.einsum("pf,pf->f", A, B).astype(np.complex128) * turn, power, weight)


@lru_cache(maxsize=2)
def _turns(columns: int) -> NDArray[np.complex128]:
    """Return exp(2 pi i s f) for each shift s and frequency f; every window of a search asks for the same."""
    return np.asarray(np.exp(2j * np.pi * np.outer(_SHIFTS, _frequencies(columns))))


def _shift(first: NDArray[np.float32], second: NDArray[np.float32], column: float) -> tuple[float, float]:
    """Return 2 (c - column) and its error by the weighted cross-spectrum of the two windows, within 4 px."""
    cross = _cross(first, second, column)
    terms, f = cross.weight * cross.product, cross.frequency
    curve = (_turns(first.shape[-1]) @ terms).real
    shift = float(_SHIFTS[0] + 0.1 * vertex(curve, int(np.argmax(curve))))
    return shift, _curve_error(terms * np.exp(2j * np.pi * f * shift), f)


def _best_window(
    first: NDArray[np.float32], second: NDArray[np.float32], column: float, reach: float, step: float
) -> float | None:
    """Return the column whose own window mirrors best; None where that is the first or the last."""
    weight = _cross(first, second, column).weight
    tried = column + np.arange(-reach, reach + step / 2, step)
    tried = tried[(tried > 1) & (tried < first.shape[-1] - 2)]

    def likeness(candidate: float) -> float:
        cross = _cross(first, second, candidate)
        return float(weight @ cross.product.real) / max(float(weight @ cross.power), 1e-300)

    curve = np.array(at_once(likeness, tried.tolist()))
    best = int(np.argmax(curve))
    if best in (0, len(tried) - 1):
        return None
    return float(tried[0] + step * vertex(curve, best))


def _curve_error(terms: NDArray[np.complex128], f: NDArray[np.float64]) -> float:
    """Return the standard error of the shift at which the sum of the real parts of `terms` is largest.

    The slope is a sum over blocks of frequencies, each some bins of the taper's resolution wide: how these
    scatter, over the bend, is the error (the sandwich estimate of an extremum, Huber 1967).
    """
    bend = float(np.sum((2 * np.pi * f) ** 2 * terms.real))
    slope = 2 * np.pi * f * terms.imag
    blocks = np.add.reduceat(slope, np.arange(0, len(slope), _BLOCK))
    return float(np.sqrt(np.sum(blocks**2))) / bend if bend > 0 else float("inf")


def _mean(values: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    total = max(float(weights.sum()), 1e-12)
    return np.asarray(np.sum(values * weights, axis=-1, keepdims=True) / total)
