"""All places and orientations of one image in another, coarsely: mutual information by Fourier transforms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

import ducc0.fft
import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors
from tomarium.kernels.alignment.sampling import Grid
from tomarium.kernels.ramp import good_length

LEAST_SHARE: Final = 0.3
"""Share of the moved points that must lie inside of the other image."""

PEAKS: Final = 2
"""Places that are kept of each orientation."""

_APART: Final = 3
_TOGETHER: Final = 16

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Place:
    """A pose that was found.

    Attributes
    ----------
    score : float
        Mutual information of the classes times the share of the points inside, nats.
    matrix : array of float, shape (4, 4)
        Maps points of the second image into the first.
    orientation : int
        Which of the orientations it has.
    """

    score: float
    matrix: Array
    orientation: int


def search(
    fixed: Grid,
    classes: NDArray[np.intp],
    points: Array,
    point_classes: NDArray[np.intp],
    orientations: Array,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Place]:
    """Score all whole-voxel shifts of one image over another for each of many orientations.

    1. Points of the second image are turned, rounded to voxels of the first, and counted for each class.
    2. The joint counts of all classes for all shifts are cross-correlations of the classes of both (Öfverstedt 2022).
    3. The mutual information of the counts times the share of the points inside is the score; its peaks are kept.

    Parameters
    ----------
    fixed : Grid
        The first image; one spacing along all axes.
    classes : array of int, shape (z, y, x)
        Class of each of its voxels.
    points : array of float, shape (point, 3)
        Places of the second image, (x, y, z), in the same unit.
    point_classes : array of int, shape (point,)
        Their classes.
    orientations : array of float, shape (orientation, 3, 3)
        Linear maps from the second image's frame, rotations or others.
    on_progress : callable, optional
        Called with orientations done and in all.

    Returns
    -------
    list of Place
        The best of all orientations, best first.

    References
    ----------
    J. Öfverstedt, J. Lindblad, N. Sladoje, Pattern Recognition Letters 159, 196 (2022),
    doi 10.1016/j.patrec.2022.05.022.
    """
    room = _Room.of(fixed, classes, points)
    middle = points.mean(axis=0)
    away = (points - middle) / fixed.spacing
    class_count = int(point_classes.max()) + 1

    def peaks(turn: Array) -> list[tuple[float, Array]]:
        return room.best(away @ turn.T, point_classes, class_count)

    return places_of(fixed, middle, orientations, peaks, on_progress)


def places_of(
    fixed: Grid,
    middle: Array,
    orientations: Array,
    peaks: Callable[[Array], list[tuple[float, Array]]],
    on_progress: Callable[[int, int], None] | None,
) -> list[Place]:
    """Ask for the best shifts of each orientation, some orientations at a time on all processors.

    Parameters
    ----------
    fixed : Grid
        The first image.
    middle : array of float, shape (3,)
        Middle of the second image's points, about which they are turned.
    orientations : array of float, shape (orientation, 3, 3)
        Linear maps from the second image's frame.
    peaks : callable
        Gives scores and shifts (x, y, z) of the middle, in voxels of the first image, for one orientation; called from
        several threads.
    on_progress : callable or None
        Called with orientations done and in all.

    Returns
    -------
    list of Place
        The best of all orientations, best first.
    """
    batches = [
        range(i, min(i + _TOGETHER, len(orientations))) for i in range(0, len(orientations), _TOGETHER)
    ]

    def of_batch(batch: Iterable[int]) -> list[Place]:
        batch_places = []
        for number in batch:
            turn = orientations[number]
            for score, shift in peaks(turn):
                matrix = np.eye(4)
                matrix[:3, :3] = turn
                matrix[:3, 3] = fixed.first + shift * fixed.spacing - turn @ middle
                batch_places.append(Place(score, matrix, number))
        return batch_places

    best_places: list[Place] = []
    searched = 0
    with ThreadPoolExecutor(max(1, min(processors(), len(batches)))) as pool:
        for batch, batch_places in zip(batches, pool.map(of_batch, batches), strict=True):
            best_places += batch_places
            searched += len(batch)
            if on_progress is not None:
                on_progress(searched, len(orientations))
    return sorted(best_places, key=lambda place: -place.score)


@dataclass(frozen=True, eq=False)
class _Room:
    """The first image's classes as spectra, on a grid with room for the second one's points beyond its ends."""

    spectra: list[Any]
    shape: tuple[int, int, int]
    kept: tuple[slice, ...]  # shifts that are judged, of an array that was rolled by `beyond`
    beyond: tuple[int, int, int]

    @classmethod
    def of(cls, fixed: Grid, classes: NDArray[np.intp], points: Array) -> _Room:
        """Make room for points that are turned in any way about their middle."""
        away = (points - points.mean(axis=0)) / fixed.spacing
        reach = ceil(float(np.sqrt(np.max(np.sum(away**2, axis=1))))) + 1
        lengths = classes.shape
        beyond = tuple(0 if n == 1 else max(0, reach - n // 2) for n in lengths)
        shape = tuple(
            1 if n == 1 else good_length(n + reach + b) for n, b in zip(lengths, beyond, strict=True)
        )
        slices = tuple(slice(0, n + 2 * b) for n, b in zip(lengths, beyond, strict=True))
        spectra = []
        valid = np.ones(lengths, bool) if fixed.valid is None else fixed.valid
        for value in range(int(classes.max()) + 1):
            padded = np.zeros(shape, np.float32)
            padded[tuple(slice(0, n) for n in lengths)] = (classes == value) & valid
            spectra.append(ducc0.fft.r2c(padded, axes=[0, 1, 2], nthreads=1))
        return cls(spectra, shape, slices, beyond)  # type: ignore[arg-type]

    def best(self, away: Array, classes: NDArray[np.intp], many: int) -> list[tuple[float, Array]]:
        """Return scores and shifts (x, y, z) of the peaks of one orientation."""
        at = np.floor(away + 0.5).astype(np.intp)[:, ::-1]  # rint would lay halves on even voxels
        pz, py, px = self.shape
        flat = ((at[:, 0] % pz) * py + at[:, 1] % py) * px + at[:, 2] % px
        inside = np.ones(len(at), bool)
        for axis, n in enumerate(self.shape):
            if n == 1:
                inside &= np.abs(at[:, axis]) < 1
        counts: list[list[Any]] = [[] for _ in self.spectra]
        size = pz * py * px
        for value in range(many):
            chosen = flat[inside & (classes == value)]
            laid = np.bincount(chosen, minlength=size).astype(np.float32).reshape(self.shape)
            spectrum = np.conj(ducc0.fft.r2c(laid, axes=[0, 1, 2], nthreads=1))
            for k, fixed_spectrum in enumerate(self.spectra):
                correlation = ducc0.fft.c2r(
                    fixed_spectrum * spectrum, lastsize=px, forward=False, inorm=2, axes=[0, 1, 2], nthreads=1
                )
                counts[k].append(self._judged(correlation))
        return [
            (score, (top - np.array(self.beyond))[::-1])
            for score, top in peaks_of(information_of_counts(counts, len(away)))
        ]

    def _judged(self, correlation: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the shifts that are judged; those below 0 lie at the array's end."""
        if any(self.beyond):
            correlation = np.roll(correlation, self.beyond, axis=(0, 1, 2))
        return np.maximum(correlation[self.kept], 0)


def information_of_counts(counts: Sequence[Sequence[NDArray[np.float32]]], total: int) -> NDArray[np.float32]:
    """Return mutual information times share inside from the joint counts of classes, each for all shifts.

    Parameters
    ----------
    counts : sequence of sequence of array of float32, shape (shift, ...)
        For each class of the first image and each of the second, how many points have both.
    total : int
        Points of the second image.

    Returns
    -------
    array of float32, shape (shift, ...)
        Nats; 0 where less than `LEAST_SHARE` of the points lie inside.
    """
    of_first = [np.sum(row, axis=0) for row in counts]
    of_second = [np.sum([row[value] for row in counts], axis=0) for value in range(len(counts[0]))]
    inside = np.sum(of_first, axis=0)
    score = _n_log_n(inside)
    for row in counts:
        for row_counts in row:
            score += _n_log_n(row_counts)
    for marginal in (*of_first, *of_second):
        score -= _n_log_n(marginal)
    score[inside < LEAST_SHARE * total] = 0
    return np.asarray(score / total, np.float32)


def peaks_of(score: NDArray[np.float32]) -> list[tuple[float, Array]]:
    """Return the highest scores that lie apart, and their places.

    Parameters
    ----------
    score : array of float32
        Scores of shifts; it is changed.

    Returns
    -------
    list of (float, array of float)
        At most `PEAKS` scores above 0, and the index of each.
    """
    peaks = []
    for _ in range(PEAKS):
        top = np.unravel_index(int(np.argmax(score)), score.shape)
        if score[top] <= 0:
            break
        peaks.append((float(score[top]), np.array(top, float)))
        near = tuple(slice(max(0, int(i) - _APART), int(i) + _APART + 1) for i in top)
        score[near] = 0
    return peaks


def _n_log_n(n: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(n * np.log(np.maximum(n, 1e-6)), np.float32)
