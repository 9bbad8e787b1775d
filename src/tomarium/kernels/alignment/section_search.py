"""All places and orientations of a flat image in a volume, coarsely: planes of the volume, one tilt after another."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from typing import Any

import ducc0.fft
import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors
from tomarium.kernels.alignment.sampling import Grid
from tomarium.kernels.alignment.search import Place, information_of_counts, peaks_of
from tomarium.kernels.ramp import good_length

Array = NDArray[np.float64]


def search_sections(
    fixed: Grid,
    classes: NDArray[np.intp],
    points: Array,
    point_classes: NDArray[np.intp],
    tilts: Array,
    turns: Array,
    *,
    about: Array | None = None,
    within: float | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Place]:
    """Score all whole-voxel shifts of a flat image in a volume for each of many orientations.

    1. For each tilt the classes of the volume are taken on planes that lie parallel to the flat image.
    2. Points of the flat image are turned in their plane, rounded to voxels, and counted for each class.
    3. The joint counts of all classes for all shifts are cross-correlations in two dimensions on each plane
       (Öfverstedt 2022); their mutual information times the share of the points inside is the score.

    Parameters
    ----------
    fixed : Grid
        The volume; one spacing along all axes.
    classes : array of int, shape (z, y, x)
        Class of each of its voxels.
    points : array of float, shape (point, 3)
        Places of the flat image, (x, y, z), with one z, in the same unit.
    point_classes : array of int, shape (point,)
        Their classes.
    tilts : array of float, shape (tilt, 3, 3)
        Rotations; the third column is the normal of the planes.
    turns : array of float, shape (turn, 3, 3)
        What is done to the flat image in its plane before it is tilted: turns, mirror images, factors.
    about : array of float, shape (3,), optional
        Where the middle of the flat image is looked for; the middle of the volume by default.
    within : float, optional
        Farthest from there along each direction; by default all of the volume.
    on_progress : callable, optional
        Called with tilts done and in all.

    Returns
    -------
    list of Place
        The best of all orientations, best first; an orientation's number is tilt · number of turns + turn.

    References
    ----------
    J. Öfverstedt, J. Lindblad, N. Sladoje, Pattern Recognition Letters 159, 196 (2022),
    doi 10.1016/j.patrec.2022.05.022.
    """
    size = float(fixed.spacing[0])
    middle = points.mean(axis=0)
    away = (points - middle) / size
    many = int(classes.max()) + 1, int(point_classes.max()) + 1
    flat = np.where(np.ones(1, bool) if fixed.valid is None else fixed.valid, classes, many[0]).astype(
        np.uint8
    )
    start = fixed.centre if about is None else about
    half = 0.5 * np.array(fixed.lengths)

    def of_tilt(number: int) -> list[Place]:
        tilt = tilts[number]
        reach = ceil(float(np.sqrt(np.max(np.sum((away @ turns[0].T) ** 2, axis=1))))) + 1
        extent = np.abs(tilt).T @ half  # of the volume along the directions of the planes
        shifts = [ceil(far) if within is None else min(ceil(far) + 1, ceil(within / size)) for far in extent]
        ends = [max(shift, min(shift + reach, ceil(far))) for shift, far in zip(shifts, extent, strict=True)]
        lengths = [
            good_length(shift + reach + end + 1) for shift, end in zip(shifts[:2], ends[:2], strict=True)
        ]
        lattice = _lattice(fixed, flat, tilt, start, (ends[0], ends[1], shifts[2]), many[0])
        spectra = []
        for value in range(many[0]):
            padded = np.zeros((len(lattice), lengths[1], lengths[0]), np.float32)
            padded[:, : lattice.shape[1], : lattice.shape[2]] = lattice == value
            spectra.append(ducc0.fft.r2c(padded, axes=[1, 2], nthreads=1))
        low = [end - shift for end, shift in zip(ends[:2], shifts[:2], strict=True)]
        part: Any = (
            slice(None),
            slice(low[1], low[1] + 2 * shifts[1] + 1),
            slice(low[0], low[0] + 2 * shifts[0] + 1),
        )
        tilt_places = []
        for place, turn in enumerate(turns):
            at = np.floor((away @ turn.T)[:, :2] + 0.5).astype(np.intp)
            index = (at[:, 1] % lengths[1]) * lengths[0] + at[:, 0] % lengths[0]
            counts: list[list[Any]] = [[] for _ in spectra]
            for value in range(many[1]):
                laid = np.bincount(index[point_classes == value], minlength=lengths[0] * lengths[1])
                spectrum = np.conj(
                    ducc0.fft.r2c(laid.astype(np.float32).reshape(lengths[::-1]), axes=[0, 1], nthreads=1)
                )
                for k, fixed_spectrum in enumerate(spectra):
                    joint = ducc0.fft.c2r(
                        fixed_spectrum * spectrum,
                        lastsize=lengths[0],
                        forward=False,
                        inorm=2,
                        axes=[1, 2],
                        nthreads=1,
                    )
                    counts[k].append(np.maximum(joint[part], 0))
            for score, top in peaks_of(information_of_counts(counts, len(points))):
                shift = tilt @ ((top[::-1] - np.array(shifts)) * size)
                matrix = np.eye(4)
                matrix[:3, :3] = tilt @ turn
                matrix[:3, 3] = start + shift - matrix[:3, :3] @ middle
                tilt_places.append(Place(score, matrix, number * len(turns) + place))
        return tilt_places

    best_places: list[Place] = []
    with ThreadPoolExecutor(max(1, min(processors(), len(tilts)))) as pool:
        for searched, tilt_places in enumerate(pool.map(of_tilt, range(len(tilts))), 1):
            best_places += tilt_places
            if on_progress is not None:
                on_progress(searched, len(tilts))
    return sorted(best_places, key=lambda place: -place.score)


def _lattice(
    fixed: Grid,
    classes: NDArray[np.uint8],
    tilt: Array,
    start: Array,
    ends: tuple[int, int, int],
    none: int,
) -> NDArray[np.uint8]:
    """Take the class nearest to each place of a tilted lattice about a point; `none` outside."""
    u, v, w = (np.arange(-end, end + 1) for end in ends)
    step = tilt * (fixed.spacing[0] / fixed.spacing)[:, None]
    origin = (start - fixed.first) / fixed.spacing
    at = []
    inside: Any = True
    for axis, n in enumerate(fixed.lengths):
        place = (
            origin[axis] + step[axis, 0] * u + step[axis, 1] * v[:, None] + step[axis, 2] * w[:, None, None]
        )
        near = np.floor(place + 0.5).astype(np.int32)
        inside = inside & (near >= 0) & (near < n)
        at.append(np.clip(near, 0, n - 1))
    nx, ny, _ = fixed.lengths
    return np.where(inside, classes.ravel()[(at[2] * ny + at[1]) * nx + at[0]], np.uint8(none))
