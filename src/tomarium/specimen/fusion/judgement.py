"""How well phases are told on what was held out: accuracy, confusion, calibration, and pairs that look the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.specimen.fusion.class_map import FEWEST_OF_A_PHASE, Samples
from tomarium.specimen.fusion.classifier import Classifier

SEPARABLE: Final = 0.85
"""Area under the curve (of drawing one voxel of each of two phases and telling which is which) below which a pair is
said not to be separable; 0.5 is chance."""

DRAWS: Final = 200
"""Draws of blocks, with putting back, that tell intervals."""

BINS: Final = 10

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PairOfPhases:
    """How well two phases are told apart.

    Attributes
    ----------
    one, other : int
        Numbers of the phases.
    auc : float
        How often, of a voxel of each, the right one is found the likelier; 0.5 is chance.
    interval : tuple of float
        Of 95 %, from draws of blocks.
    mistaken : float
        Share of the voxels of both that were given to the other one, where only the two are asked about.
    separable : bool or None
        None where there are too few voxels to tell.
    """

    one: int
    other: int
    auc: float
    interval: tuple[float, float]
    mistaken: float
    separable: bool | None


@dataclass(frozen=True, eq=False)
class Judgement:
    """What the voxels held out tell.

    Attributes
    ----------
    accuracy, balanced : float
        Share of the voxels that are right, by weight; and the mean of the shares of each phase.
    accuracy_interval, balanced_interval : tuple of float
        Of 95 %, from draws of blocks.
    chance, balanced_chance : float
        What is right when always the most frequent phase is told, and 1 over the number of phases.
    recalls, precisions : array of float64, shape (phase,)
        Share of a phase's voxels that were found, and share of what was called so that is it.
    confusion : array of float64, shape (phase, phase)
        Weight of voxels of a phase (row) that were called so (column).
    calibration_error : float
        Mean distance of confidence and share of right ones, over `BINS` bins of as many voxels each.
    curve : list of tuple of float
        Of each bin: mean confidence, share of right ones, weight.
    pairs : tuple of PairOfPhases
        All pairs.
    """

    accuracy: float
    accuracy_interval: tuple[float, float]
    balanced: float
    balanced_interval: tuple[float, float]
    chance: float
    balanced_chance: float
    recalls: Array
    precisions: Array
    confusion: Array
    calibration_error: float
    curve: list[tuple[float, float, float]]
    pairs: tuple[PairOfPhases, ...]

    @property
    def above_chance(self) -> bool:
        """Whether phases are told better than by chance."""
        return self.balanced_interval[0] > self.balanced_chance * 1.1


def judge(learned: Classifier, samples: Samples) -> Judgement:
    """Judge what was told of the voxels that were held out.

    Parameters
    ----------
    learned : Classifier
        With what was held out.
    samples : Samples
        That it learned from.

    Returns
    -------
    Judgement
        The same for the same samples.
    """
    count = len(learned.phases)
    numbers = np.searchsorted(learned.phases, samples.classes)
    probabilities, weights = learned.held_out.probabilities, np.maximum(samples.weights, 1e-6)
    called = probabilities.argmax(axis=1)
    draws = block_draws(samples.blocks)
    tables = _tables(numbers, called, weights, samples.blocks, count)
    whole = tables.sum(axis=0)
    drawn_tables = np.einsum("db,bij->dij", draws, tables)
    error, curve = calibration_error(probabilities, numbers, weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        precisions = np.diag(whole) / whole.sum(axis=0)
    return Judgement(
        accuracy=_accuracy(whole),
        accuracy_interval=_interval([_accuracy(draw) for draw in drawn_tables]),
        balanced=float(np.nanmean(_recalls(whole))),
        balanced_interval=_interval([float(np.nanmean(_recalls(draw))) for draw in drawn_tables]),
        chance=float(whole.sum(axis=1).max() / whole.sum()),
        balanced_chance=1 / count,
        recalls=_recalls(whole),
        precisions=precisions,
        confusion=whole,
        calibration_error=error,
        curve=curve,
        pairs=tuple(
            _pair(i, j, learned, numbers, weights, samples.blocks)
            for i in range(count)
            for j in range(i + 1, count)
        ),
    )


def block_draws(blocks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how often each block is taken in each draw with putting back, shape (draw, block)."""
    count = int(blocks.max()) + 1
    present = np.unique(blocks)
    random = np.random.default_rng(0)
    draws = np.zeros((DRAWS, count), np.int64)
    for row in draws:
        np.add.at(row, random.choice(present, len(present)), 1)
    return draws


def _tables(
    numbers: NDArray[Any], called: NDArray[Any], weights: Array, blocks: NDArray[Any], count: int
) -> Array:
    tables = np.zeros((int(blocks.max()) + 1, count, count))
    np.add.at(tables, (blocks, numbers, called), weights)
    return tables


def _accuracy(table: Array) -> float:
    return float(np.trace(table) / max(table.sum(), 1e-12))


def _recalls(table: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.diag(table) / table.sum(axis=1))


def _interval(values: Any) -> tuple[float, float]:
    low, high = np.nanpercentile(np.asarray(values, np.float64), (2.5, 97.5))
    return float(low), float(high)


def calibration_error(
    probabilities: Array, numbers: NDArray[Any], weights: Array | None = None
) -> tuple[float, list[tuple[float, float, float]]]:
    """Compare how sure one is with how often that is right.

    Parameters
    ----------
    probabilities : array of float64, shape (voxel, phase)
        Told.
    numbers : array of int, shape (voxel,)
        Column that is right.
    weights : array of float64, shape (voxel,), optional
        Of each voxel; alike by default.

    Returns
    -------
    error : float
        Mean of |confidence - share of right ones| over `BINS` bins of as many voxels each, by weight (Naeini et al.
        2015, with bins of equal count).
    curve : list of tuple of float
        Mean confidence, share of right ones and weight of each bin, by confidence.
    """
    sure = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == numbers
    weights = np.ones(len(sure)) if weights is None else weights
    curve = []
    for part in np.array_split(np.argsort(sure, kind="stable"), BINS):
        total = weights[part].sum() if len(part) else 0.0
        if total > 0:
            stated_sureness = float(weights[part] @ sure[part] / total)
            curve.append((stated_sureness, float(weights[part] @ right[part] / total), float(total)))
    whole = sum(weight for _, _, weight in curve)
    return sum(weight * abs(value - true) for value, true, weight in curve) / max(whole, 1e-12), curve


def _pair(
    i: int, j: int, learned: Classifier, numbers: NDArray[Any], weights: Array, blocks: NDArray[Any]
) -> PairOfPhases:
    of_two = (numbers == i) | (numbers == j)
    p = learned.held_out.probabilities[of_two][:, (i, j)]
    share = p[:, 1] / np.maximum(p.sum(axis=1), 1e-12)
    second, weight, block = numbers[of_two] == j, weights[of_two], blocks[of_two]
    enough = min(second.sum(), (~second).sum()) >= FEWEST_OF_A_PHASE
    auc = _area(share, second, weight)
    draws = block_draws(block)
    interval = _interval([_area(share, second, weight * draw[block]) for draw in draws[:: DRAWS // 50]])
    mistaken = float(weight @ ((share > 0.5) != second) / max(weight.sum(), 1e-12))
    first, other = int(learned.phases[i]), int(learned.phases[j])
    return PairOfPhases(first, other, auc, interval, mistaken, bool(auc >= SEPARABLE) if enough else None)


def _area(share: Array, second: NDArray[np.bool_], weight: Array) -> float:
    """Return the area under the receiver operating characteristic; NaN where one phase has no weight."""
    values, place = np.unique(share, return_inverse=True)
    positive = np.bincount(place, weight * second, len(values))
    negative = np.bincount(place, weight * ~second, len(values))
    if not (positive.sum() > 0 and negative.sum() > 0):
        return float("nan")
    below = np.cumsum(negative) - negative
    return float((positive @ (below + negative / 2)) / (positive.sum() * negative.sum()))
