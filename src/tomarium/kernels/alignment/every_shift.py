"""All places and orientations of one image in another, coarsely: the compiled kernel counts points at each shift."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, floor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.compiled import extension, level
from tomarium.kernels.alignment.sampling import Grid
from tomarium.kernels.alignment.search import LEAST_SHARE, Place, peaks_of, places_of

MOST_CLASSES: Final = 3
"""Classes of either image that the kernel takes."""

MOST_POINTS: Final = 65_535
"""Points that it takes."""

_BITS: Final = 5  # of a code's field for one class, as native/kernels.h says
_LANES: Final = 32

Array = NDArray[np.float64]


def search_every_shift(
    fixed: Grid,
    classes: NDArray[np.intp],
    points: Array,
    point_classes: NDArray[np.intp],
    orientations: Array,
    *,
    about: Array | None = None,
    within: float | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Place]:
    """Score all whole-voxel shifts of one image over another for each of many orientations, without Fourier transforms.

    1. Points of the second image are turned and rounded to voxels of the first.
    2. For 32 shifts along x at a time the points of each class are counted over each class of the first image.
    3. The mutual information of the counts times the share of the points inside is the score; its peaks are kept.

    The counts are those of `search.search`, which needs no compiled kernel; of few classes and few points this way is
    ten times quicker.

    Parameters
    ----------
    fixed : Grid
        The first image; one spacing along all axes.
    classes : array of int, shape (z, y, x)
        Class of each of its voxels, below `MOST_CLASSES`.
    points : array of float, shape (point, 3)
        Places of the second image, (x, y, z), in the same unit; at most `MOST_POINTS`.
    point_classes : array of int, shape (point,)
        Their classes, below `MOST_CLASSES`.
    orientations : array of float, shape (orientation, 3, 3)
        Linear maps from the second image's frame, rotations or others.
    about : array of float, shape (3,), optional
        Where the middle of the points is looked for.
    within : float, optional
        Farthest from there along each axis of the first image; by default all of it.
    on_progress : callable, optional
        Called with orientations done and in all.

    Returns
    -------
    list of Place
        The best of all orientations, best first.

    Raises
    ------
    EngineUnavailable
        There is no compiled kernel.
    """
    field = _Field.of(fixed, classes, points, orientations, about, within)
    order = np.argsort(point_classes, kind="stable")
    middle = points.mean(axis=0)
    away = (points[order] - middle) / fixed.spacing
    ends = np.searchsorted(point_classes[order], np.arange(MOST_CLASSES + 1)).astype(np.int64)
    counts = np.arange(len(points) + 1, dtype=np.float64)
    n_log_n = (counts * np.log(np.maximum(counts, 1))).astype(np.float32)

    def peaks(turn: Array) -> list[tuple[float, Array]]:
        score = field.scores(away @ turn.T, ends, n_log_n)
        return [(best / len(points), top[::-1] + field.lowest) for best, top in peaks_of(score)]

    return places_of(fixed, middle, orientations, peaks, on_progress)


@dataclass(frozen=True, eq=False)
class _Field:
    """The first image's classes as codes, with nothing around them as far as turned points reach."""

    codes: NDArray[np.uint16]  # (z, y, x)
    reach: NDArray[np.intp]  # (x, y, z) voxels before the place of the middle at the lowest shift
    lowest: NDArray[np.intp]  # (x, y, z) voxel on which the middle of the points lies at the lowest shift
    shifts: tuple[int, int, int]  # (z, y, x)

    @classmethod
    def of(
        cls,
        fixed: Grid,
        classes: NDArray[np.intp],
        points: Array,
        orientations: Array,
        about: Array | None,
        within: float | None,
    ) -> _Field:
        """Make room for points that are turned in all these ways about their middle."""
        lengths = np.array(fixed.lengths)
        away = np.sqrt(np.max(np.sum(((points - points.mean(axis=0)) / fixed.spacing) ** 2, axis=1)))
        factor = float(np.max(np.abs(np.linalg.det(orientations)))) ** (1 / 3)
        far = ceil(factor * float(away)) + 1
        reach = np.where(lengths == 1, 1, far)
        beyond = np.where(lengths == 1, 0, np.maximum(0, far - lengths // 2))
        low, high = -beyond, lengths - 1 + beyond
        if about is not None and within is not None:
            at, to = (about - fixed.first) / fixed.spacing, within / fixed.spacing
            for axis in range(3):
                low[axis] = min(max(low[axis], floor(at[axis] - to[axis])), high[axis])
                high[axis] = max(min(high[axis], ceil(at[axis] + to[axis])), low[axis])
        shift_counts = high - low + 1
        room = shift_counts + 2 * reach
        room[0] = -(-shift_counts[0] // _LANES) * _LANES + 2 * reach[0]
        codes = np.zeros(room[::-1], np.uint16)
        valid = np.ones(classes.shape, bool) if fixed.valid is None else fixed.valid
        coded = np.where(valid, np.left_shift(1, _BITS * classes), 0).astype(np.uint16)
        start = reach - low  # where the first voxel lies
        overlaps = [
            (slice(max(0, -s), max(0, min(n, r - s))), slice(max(0, s), max(0, min(r, s + n))))
            for s, n, r in zip(start[::-1], lengths[::-1], room[::-1], strict=True)
        ]
        codes[tuple(there for _, there in overlaps)] = coded[tuple(here for here, _ in overlaps)]
        return cls(codes, reach, low, (int(shift_counts[2]), int(shift_counts[1]), int(shift_counts[0])))

    def scores(
        self, away: Array, ends: NDArray[np.int64], n_log_n: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the score of each shift, times the number of points, shape (z, y, x)."""
        at = np.clip(np.floor(away + 0.5).astype(np.intp), -self.reach, self.reach) + self.reach
        _, rows, columns = self.codes.shape
        offsets = ((at[:, 2] * rows + at[:, 1]) * columns + at[:, 0]).astype(np.int32)
        out = np.empty(self.shifts, np.float32)
        extension().search_shifts(
            self.codes, offsets, ends, n_log_n, ceil(LEAST_SHARE * len(away)), out, level()
        )
        return out
