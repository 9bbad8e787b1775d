"""What a forest of decision trees says of many voxels, compiled where it can be."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors
from tomarium.compiled import Engine, extension, level, takes_compiled
from tomarium.errors import InputError

_PART: Final = 16_384
"""Voxels of which a thread tells at a time."""


@dataclass(frozen=True, eq=False)
class Trees:
    """Nodes of all trees in one row: both children of a node lie beside each other, after it.

    Attributes
    ----------
    thresholds : array of float32, shape (node,)
        A voxel goes to the lower child where its feature is not above; infinite on leaves.
    links : array of int32, shape (node, 2)
        The feature that is compared, and the lower child, a leaf itself; the upper child is the next node.
    roots : array of int32, shape (tree,)
        First node of each tree.
    shares : array of float64, shape (node, class)
        On leaves, the share of each class among what was learned.
    """

    thresholds: NDArray[np.float32]
    links: NDArray[np.int32]
    roots: NDArray[np.int32]
    shares: NDArray[np.float64]


def trees_of(estimators: Sequence[Any]) -> Trees:
    """Lay out the trees of a forest of scikit-learn.

    Parameters
    ----------
    estimators : sequence of sklearn.tree.DecisionTreeClassifier
        Its trained trees, which learned one output, none of it lacking.

    Returns
    -------
    Trees
        They say the same of float32 features: a threshold in double precision becomes the largest float32 that is not
        above it.
    """
    thresholds, links, shares, roots = [], [], [], []
    first = 0
    for estimator in estimators:
        tree = estimator.tree_
        lower, upper = np.asarray(tree.children_left), np.asarray(tree.children_right)
        order = [0]  # old numbers in their new order: children in pairs
        for node in order:
            if lower[node] >= 0:
                order += (int(lower[node]), int(upper[node]))
        numbers = np.empty(len(order), np.int64)
        numbers[order] = np.arange(len(order))
        is_leaf = lower[order] < 0
        links.append(
            np.stack(
                [
                    np.where(is_leaf, 0, np.asarray(tree.feature)[order]),
                    first + np.where(is_leaf, np.arange(len(order)), numbers[lower[order]]),
                ],
                axis=1,
            )
        )
        exact = np.asarray(tree.threshold, np.float64)[order]
        rounded = exact.astype(np.float32)
        rounded = np.where(rounded > exact, np.nextafter(rounded, np.float32(-np.inf)), rounded)
        thresholds.append(np.where(is_leaf, np.float32(np.inf), rounded))
        values = np.asarray(tree.value, np.float64)[order, 0]
        shares.append(values / values.sum(axis=1, keepdims=True))
        roots.append(first)
        first += len(order)
    return Trees(
        np.concatenate(thresholds).astype(np.float32),
        np.ascontiguousarray(np.concatenate(links), np.int32),
        np.array(roots, np.int32),
        np.ascontiguousarray(np.concatenate(shares)),
    )


def probabilities(
    trees: Trees, features: NDArray[np.float32], *, threads: int | None = None, engine: Engine = "auto"
) -> NDArray[np.float64]:
    """Tell the mean of what the trees say of each voxel.

    Parameters
    ----------
    trees : Trees
        At least one.
    features : array of float32, shape (voxel, feature)
        Without NaN.
    threads : int, optional
        At work at a time; by default one for each processor.
    engine : {"auto", "native", "reference"}
        Compiled kernel, or NumPy, with the same bits.

    Returns
    -------
    array of float64, shape (voxel, class)
        The sum of each voxel is 1.

    Raises
    ------
    InputError
        A feature that the trees compare is not there.
    EngineUnavailable
        The compiled kernel was asked for and is not there.
    """
    asked = int(trees.links[:, 0].max(initial=0)) + 1
    if features.ndim != 2 or features.shape[1] < asked:
        raise InputError(
            f"probabilities: features have shape {features.shape}, and the trees compare {asked}; give (voxel, feature)"
        )
    features = np.ascontiguousarray(features, np.float32)
    sums = np.zeros((len(features), trees.shares.shape[1]))
    if not takes_compiled(engine, "decision trees"):
        for root in trees.roots.tolist():
            sums += trees.shares[_leaves(trees, root, features)]
        return sums / len(trees.roots)
    native, instructions = extension().sum_trees, level()

    def some(first: int) -> None:
        part = slice(first, first + _PART)
        native(
            trees.thresholds, trees.links, trees.roots, trees.shares, features[part], sums[part], instructions
        )

    parts, count = range(0, len(features), _PART), threads or processors()
    if count <= 1 or len(parts) <= 1:
        for first in parts:
            some(first)
    else:
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(some, parts))
    sums /= len(trees.roots)
    return sums


def _leaves(trees: Trees, root: int, features: NDArray[np.float32]) -> NDArray[np.int64]:
    at, rows = np.full(len(features), root, np.int64), np.arange(len(features))
    while True:
        feature, lower = trees.links[at].T
        below = lower + (features[rows, feature] > trees.thresholds[at])
        if (below == at).all():
            return at
        at = below.astype(np.int64)
