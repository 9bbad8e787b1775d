"""A forest of decision trees whose probabilities hold: learned from samples, held out block by block, calibrated."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors
from tomarium.errors import InputError
from tomarium.kernels.decision_trees import Trees, probabilities, trees_of
from tomarium.optional_packages import optional_import
from tomarium.specimen.fusion.class_map import Samples

TREES: Final = 48
FEWEST_ON_A_LEAF: Final = 3
PARTS: Final = 6
"""Parts, at most, into which the blocks of the maps are put."""

GAP: Final = 4.0
"""Voxels around what is held out that are not learned from: the widest smoothing of the features (its σ)."""

_LEAST: Final = 1e-3
"""Least probability that a calibration is given: a forest says 0 where none of its trees has seen a phase."""

_RIDGE: Final = 1e-3
_WORTH_THREADS: Final = 10_000  # voxels learned from

Array = NDArray[np.float64]
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Calibration:
    """What makes probabilities of a forest hold: p becomes p^power · exp(offset), and the sum 1 again.

    Attributes
    ----------
    power : float
        Above 1 where the forest is less sure than it is right.
    offsets : array of float64, shape (phase,)
        Their mean is 0.
    """

    power: float
    offsets: Array

    def __call__(self, probabilities: NDArray[Any]) -> Array:
        """Return calibrated probabilities, shape (voxel, phase)."""
        logs = self.power * np.log(np.maximum(probabilities, _LEAST)) + self.offsets
        logs -= logs.max(axis=1, keepdims=True)
        odds = np.exp(logs)
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What was told of each sample by a forest that had not seen its surroundings.

    Attributes
    ----------
    folds : array of int64, shape (voxel,)
        In which part it was held out.
    probabilities : array of float64, shape (voxel, phase)
        Calibrated by the other parts.
    """

    folds: NDArray[np.int64]
    probabilities: Array


@dataclass(frozen=True, eq=False)
class Classifier:
    """Learned from all samples.

    Attributes
    ----------
    forest : sklearn.ensemble.RandomForestClassifier
        Trained.
    calibration : Calibration
        From all that was held out.
    phases : array of int64, shape (phase,)
        Numbers of the phases, ascending: the columns of probabilities.
    held_out : HeldOut
        How it was judged.
    """

    forest: Any
    calibration: Calibration
    phases: NDArray[np.int64]
    held_out: HeldOut

    @cached_property
    def _trees(self) -> Trees:
        return trees_of(self.forest.estimators_)

    def probabilities(self, features: NDArray[np.float32]) -> Array:
        """Return calibrated probabilities, shape (voxel, phase), in the thread that asks."""
        return self.calibration(probabilities(self._trees, features, threads=1))


def learn(features: NDArray[np.float32], samples: Samples, tell: Tell) -> Classifier:
    """Learn phases, judge them on blocks that were held out, and calibrate.

    1. The blocks of the maps are put into up to `PARTS` parts. Each part is held out once; voxels within `GAP` of it
       are not learned from.
    2. A power and an offset for each phase are fitted to what was told of the voxels held out, by the likelihood.
       What a part is judged by comes from the other parts alone.
    3. The forest that is kept learns from all samples.

    Parameters
    ----------
    features : array of float32, shape (voxel, feature)
        Of the samples.
    samples : Samples
        Two phases or more.
    tell : callable
        `tell(stage, done, total)`.

    Returns
    -------
    Classifier
        The same for the same samples.

    Raises
    ------
    InputError
        All samples lie so near to each other that none can be held out.
    """
    phases = samples.phases
    numbers = np.searchsorted(phases, samples.classes)
    folds = folds_of(samples, numbers)
    raw = np.zeros((len(numbers), len(phases)))
    count = int(folds.max()) + 1
    for fold in range(count):
        out = folds == fold
        is_learned = ~out & ~_is_near(samples.places, out)
        if len(np.unique(numbers[is_learned])) < 2:
            raise InputError(
                f"{is_learned.sum()} voxels are left of one phase where a part of the maps is held out with {GAP:g} "
                f"voxels around it; give a larger map, or one of another section besides"
            )
        raw[out] = _probabilities(
            _forest(features[is_learned], numbers[is_learned], samples.weights[is_learned]),
            features[out],
            len(phases),
        )
        tell("hold out", fold + 1, count + 1)
    held_out = np.zeros_like(raw)
    for fold in range(count):
        out = folds == fold
        held_out[out] = calibrated(raw[~out], numbers[~out], samples.weights[~out])(raw[out])
    classifier = Classifier(
        _forest(features, numbers, samples.weights),
        calibrated(raw, numbers, samples.weights),
        phases,
        HeldOut(folds, held_out),
    )
    tell("hold out", count + 1, count + 1)
    return classifier


def folds_of(samples: Samples, numbers: NDArray[Any]) -> NDArray[np.int64]:
    """Put whole blocks into parts in which the phases are shared out as well as can be."""
    selection = optional_import("sklearn.model_selection", "analysis")
    count = max(2, min(PARTS, len(np.unique(samples.blocks)) // 2))
    splitter = selection.StratifiedGroupKFold(count, shuffle=True, random_state=0)
    folds = np.zeros(len(numbers), np.int64)
    with warnings.catch_warnings():  # of a phase that is rarer than there are parts: it is judged where it is
        warnings.simplefilter("ignore", UserWarning)
        for fold, (_, out) in enumerate(splitter.split(numbers, numbers, samples.blocks)):
            folds[out] = fold
    return np.unique(folds, return_inverse=True)[1]


def _is_near(places: NDArray[np.int64], out: NDArray[np.bool_]) -> NDArray[np.bool_]:
    spatial = optional_import("scipy.spatial", "analysis")
    distance, _ = spatial.cKDTree(places[out]).query(places, distance_upper_bound=GAP)
    return np.asarray(np.isfinite(distance))


def _forest(features: NDArray[np.float32], numbers: NDArray[Any], weights: Array) -> Any:
    ensemble = optional_import("sklearn.ensemble", "analysis")
    forest = ensemble.RandomForestClassifier(
        TREES, min_samples_leaf=FEWEST_ON_A_LEAF, n_jobs=_threads(len(numbers)), random_state=0
    )
    return forest.fit(features, numbers, sample_weight=np.maximum(weights, 1e-6))


def _threads(voxels: int) -> int:
    """Return how many threads are quickest for so many voxels."""
    return processors() if voxels > _WORTH_THREADS else 1


def _probabilities(forest: Any, features: NDArray[np.float32], count: int) -> Array:
    probabilities = np.zeros((len(features), count))
    probabilities[:, forest.classes_] = forest.predict_proba(features)
    return probabilities


def calibrated(probabilities: Array, numbers: NDArray[Any], weights: Array) -> Calibration:
    """Fit a calibration.

    Parameters
    ----------
    probabilities : array of float64, shape (voxel, phase)
        As a forest told them.
    numbers : array of int, shape (voxel,)
        Column of the phase that is right.
    weights : array of float64, shape (voxel,)
        Of each voxel.

    Returns
    -------
    Calibration
        Of the greatest likelihood, with a weak pull to 1 and 0.
    """
    optimize = optional_import("scipy.optimize", "analysis")
    logs, total = np.log(np.maximum(probabilities, _LEAST)), max(float(weights.sum()), 1e-9)
    right = np.zeros_like(logs)
    right[np.arange(len(numbers)), numbers] = 1.0

    def loss(values: Array) -> tuple[float, Array]:
        scaled = values[0] * logs + values[1:]
        scaled -= scaled.max(axis=1, keepdims=True)
        norm = np.log(np.exp(scaled).sum(axis=1))
        away = np.exp(scaled - norm[:, None]) - right
        pull = values - np.eye(len(values))[0]
        value = float(weights @ (norm - (scaled * right).sum(axis=1))) / total + _RIDGE * float(pull @ pull)
        slope = np.r_[(weights @ (away * logs).sum(axis=1)), weights @ away] / total + 2 * _RIDGE * pull
        return value, slope

    start = np.eye(logs.shape[1] + 1)[0]
    bounds = [(0.05, 20.0), *[(-10.0, 10.0)] * logs.shape[1]]
    parameters = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return Calibration(float(parameters[0]), np.asarray(parameters[1:] - parameters[1:].mean()))
