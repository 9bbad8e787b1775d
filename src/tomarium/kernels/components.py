"""Connected objects of a volume of any size: labelled slab by slab, and joined across slabs by union and find."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tomarium.optional_packages import optional_import

NEIGHBOURS = tuple(itertools.product((-1, 0, 1), repeat=2))
"""Steps (y, x) to the nine voxels of the next slice that touch a voxel."""


class Components:
    """Objects of voxels of one value that touch by a face, an edge or a corner (26 neighbours).

    Slabs are given from the first slice to the last. Each gets numbers of its own at once; `numbers` then tells which
    of them are one object. Objects are counted by their first voxel in the order (z, y, x), so that slabs of any height
    give the same numbers as the whole.

    Attributes
    ----------
    count : int
        Numbers given so far.
    """

    def __init__(self) -> None:
        self.count = 0
        self._joins: list[NDArray[np.int64]] = []
        self._last: tuple[NDArray[Any], NDArray[np.int64]] | None = None

    def add(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """Label the next slab.

        Parameters
        ----------
        values : array of integers or bool, shape (z, y, x)
            0 is background; voxels of different values are never one object.

        Returns
        -------
        array of int64, shape (z, y, x)
            Numbers of this slab, above those of the slabs before; 0 for background.

        Raises
        ------
        EngineUnavailable
            scikit-image is not installed.
        """
        label = optional_import("skimage.measure", "analysis").label
        voxels = values.astype(np.uint8) if values.dtype == bool else values
        own = np.asarray(label(voxels, background=0, connectivity=3), np.int64)
        label_count = int(own.max(initial=0))
        numbers = np.where(own > 0, own + self.count, 0)
        if self._last is not None:
            self._joins.append(_touching(*self._last, voxels[0], numbers[0]))
        self.count += label_count
        self._last = voxels[-1].copy(), numbers[-1].copy()
        return numbers

    def numbers(self) -> NDArray[np.int64]:
        """Return which object each number belongs to.

        Returns
        -------
        array of int64, shape (count + 1,)
            Number given by `add` → number of the object, 1, 2 …; 0 → 0.
        """
        parent = np.arange(self.count + 1)
        for first, second in np.concatenate([np.zeros((0, 2), np.int64), *self._joins]).tolist():
            a, b = _root(parent, first), _root(parent, second)
            parent[max(a, b)] = min(a, b)
        # Parents have lower numbers than their children, so one pass in ascending order finds all roots.
        for number in np.flatnonzero(parent != np.arange(len(parent))):
            parent[number] = parent[parent[number]]
        roots = np.unique(parent)
        return np.asarray(np.searchsorted(roots, parent), np.int64)


def _touching(
    before: NDArray[Any], numbers_before: NDArray[np.int64], after: NDArray[Any], numbers: NDArray[np.int64]
) -> NDArray[np.int64]:
    """List the pairs of numbers whose voxels touch across two slices, and are of one value."""
    pairs = []
    rows, columns = before.shape
    for dy, dx in NEIGHBOURS:
        here = slice(max(0, -dy), rows - max(0, dy)), slice(max(0, -dx), columns - max(0, dx))
        there = slice(max(0, dy), rows - max(0, -dy)), slice(max(0, dx), columns - max(0, -dx))
        same = (before[here] == after[there]) & (numbers_before[here] > 0)
        pairs.append(np.stack([numbers_before[here][same], numbers[there][same]], axis=1))
    return np.unique(np.concatenate(pairs), axis=0)


def _root(parent: NDArray[np.int64], number: int) -> int:
    while parent[number] != number:
        parent[number] = parent[parent[number]]
        number = int(parent[number])
    return number
