"""A map of phases, where it lies in a volume, and what its pixels tell of voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.errors import InputError
from tomarium.model import Volume
from tomarium.optional_packages import optional_import
from tomarium.specimen.image import Image
from tomarium.specimen.pose import Pose, apply

MOST_PHASES: Final = 64
"""Phases of a map; a picture of counts or of grey values has more numbers than that."""

MOST_SAMPLES: Final = 60_000
"""Voxels that are learned from; they are drawn where the maps tell of more."""

FEWEST_OF_A_PHASE: Final = 20
"""Voxels of a phase below which it is not learned."""

BLOCK: Final = 16
"""Edge, in voxels, of the blocks of a map that are held out together; smaller where a map has fewer than four."""

_BLOCKS: Final = (4, 8)  # along an axis of a map, at least and at most
_ROWS: Final = 1 << 16  # points at once

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClassMap:
    """A flat map whose pixels are numbers of phases.

    Attributes
    ----------
    image : Image
        Whole numbers, one slice; 0 where nothing is known.
    pose : Pose
        From its frame to that of the volume, m.
    name : str
        For messages.
    """

    image: Image
    pose: Pose
    name: str


@dataclass(frozen=True, eq=False)
class Samples:
    """Voxels of a volume whose phase a map tells.

    Attributes
    ----------
    places : array of int64, shape (voxel, 3)
        z, y, x, each voxel once, in ascending order.
    classes : array of int64, shape (voxel,)
        Number of the phase, from 1.
    weights : array of float64, shape (voxel,)
        How sure the phase is, 0 to 1: by how far the voxel lies from the next boundary on the map, measured by what is
        not known of its position.
    blocks : array of int64, shape (voxel,)
        Number of the block of the map that it belongs to; blocks of all maps are counted through.
    maps : array of int64, shape (voxel,)
        Number of the map.
    inside : tuple of float
        Share of each map's pixels with a phase that lie in the volume.
    sigma_m : tuple of float
        Median of how well the positions of each map's pixels are known along a direction, m.
    """

    places: NDArray[np.int64]
    classes: NDArray[np.int64]
    weights: Array
    blocks: NDArray[np.int64]
    maps: NDArray[np.int64]
    inside: tuple[float, ...]
    sigma_m: tuple[float, ...]

    @property
    def phases(self) -> NDArray[np.int64]:
        """Numbers of the phases, ascending."""
        return np.unique(self.classes)

    def chosen(self, chosen: NDArray[Any]) -> Samples:
        """Return some of the voxels."""
        return Samples(
            self.places[chosen], self.classes[chosen], self.weights[chosen], self.blocks[chosen], self.maps[chosen],
            self.inside, self.sigma_m
        )  # fmt: skip


def class_map(image: Image, pose: Pose, name: str = "map") -> ClassMap:
    """Demand that an image is a map of phases.

    Parameters
    ----------
    image : Image
        Flat, of whole numbers.
    pose : Pose
        From the map's frame to that of the volume, m.
    name : str
        For messages.

    Returns
    -------
    ClassMap
        Checked.

    Raises
    ------
    InputError
        It is no flat map, or its values are no numbers of phases.
    """
    if not image.is_flat:
        raise InputError(
            f"{name}: has {len(image.array)} slices; a map that is carried into a volume is flat (y, x): choose one "
            f"image of a file of several with --entry"
        )
    finite = image.array[np.isfinite(image.array)]
    if finite.size == 0 or finite.min() < 0 or (finite != np.rint(finite)).any():
        raise InputError(
            f"{name}: its values are no numbers of phases; give a map of whole numbers, one for each phase and 0 where "
            f"nothing is known"
        )
    numbers = np.unique(finite[finite > 0])
    if len(numbers) > MOST_PHASES or (len(numbers) and numbers[-1] > 255):
        raise InputError(
            f"{name}: has {len(numbers)} different values up to {numbers[-1]:g}; a map of phases has at most "
            f"{MOST_PHASES}, numbered 1 to 255. Counts are sorted into phases first: tomarium sort-map {name} "
            f"--phases 4 -o phases.tif"
        )
    if len(numbers) == 0:
        raise InputError(f"{name}: is 0 everywhere, which means that no phase is known; number phases from 1")
    return ClassMap(image, pose, name)


def samples_of(maps: Sequence[ClassMap], volume: Volume) -> Samples:
    """Find the voxels that the pixels of maps lie in, and the phase of each.

    1. Each pixel is put where its link says, and belongs to the voxel whose centre is nearest.
    2. Its weight is erf(d / (σ √2)): d is the distance to the next boundary between phases on the map, σ² the variance
       of its position along a direction, from the link's covariance, with a third of the squared distance to the
       voxel's centre.
    3. A voxel with several pixels gets the phase of the greatest sum of weights.

    Parameters
    ----------
    maps : sequence of ClassMap
        One or more; the numbers of phases mean the same in all.
    volume : Volume
        With a voxel size.

    Returns
    -------
    Samples
        At least two phases; phases of fewer than `FEWEST_OF_A_PHASE` voxels are left out.

    Raises
    ------
    InputError
        A map lies outside of the volume, or there is one phase only.
    """
    rows_of_maps, inside, spreads, first_block = [], [], [], 0
    for number, map_ in enumerate(maps):
        rows, share, spread = _samples_of_map(map_, volume, first_block)
        inside.append(share)
        spreads.append(spread)
        first_block = int(rows[:, 5].max()) + 1
        rows_of_maps.append(np.concatenate([rows, np.full((len(rows), 1), float(number))], axis=1))
    rows = _vote_by_voxel(np.concatenate(rows_of_maps))
    samples = Samples(
        rows[:, :3].astype(np.int64),
        rows[:, 3].astype(np.int64),
        rows[:, 4],
        rows[:, 5].astype(np.int64),
        rows[:, 6].astype(np.int64),
        tuple(inside),
        tuple(spreads),
    )
    numbers, counts = np.unique(samples.classes, return_counts=True)
    enough = numbers[counts >= FEWEST_OF_A_PHASE]
    if len(enough) < 2:
        seen_in = ", ".join(f"{number}: {count}" for number, count in zip(numbers, counts, strict=True))
        raise InputError(
            f"{', '.join(map_.name for map_ in maps)}: the volume shows {len(enough)} phase of them in "
            f"{FEWEST_OF_A_PHASE} voxels or more (phase: voxels {seen_in}); two are needed to tell them apart: give "
            f"a larger map, or another one besides"
        )
    selection = np.flatnonzero(np.isin(samples.classes, enough))
    if len(selection) > MOST_SAMPLES:
        selection = np.sort(np.random.default_rng(0).choice(selection, MOST_SAMPLES, replace=False))
    return samples.chosen(selection)


def _samples_of_map(map_: ClassMap, volume: Volume, first_block: int) -> tuple[Array, float, float]:
    """Return a row for each pixel in the volume: z, y, x, phase, weight, block; the share inside; σ."""
    labels = np.nan_to_num(map_.image.array[0]).astype(np.int64)
    y, x = np.nonzero(labels)
    away = _distance_to_boundary(labels, map_.image.voxel_m[1:])[y, x]
    phases = labels[y, x]
    voxel, first = _grid(volume)
    shape = np.array(volume.shape[::-1])
    rows, spreads = [], []
    for start in range(0, len(x), _ROWS):
        part = slice(start, start + _ROWS)
        points = np.stack([x[part], y[part], np.zeros(len(x[part]))], axis=1) * map_.image.voxel_m[::-1]
        points = apply(map_.pose.matrix, points + map_.image.first_m)
        at = (points - first) / voxel
        nearest = np.rint(at)
        within = ((nearest >= 0) & (nearest < shape)).all(axis=1)
        variance = _variance(map_.pose, points)
        spreads.append(variance[within])
        distance_variance = (((at - nearest) * voxel) ** 2).sum(axis=1) / 3
        rows.append(np.column_stack([
            nearest[within, ::-1], phases[part][within],
            _weight(away[part], np.sqrt(variance + distance_variance))[within], y[part][within], x[part][within]
        ]))  # fmt: skip
    all_rows = np.concatenate(rows)
    if not len(all_rows):
        raise InputError(_outside_text(map_, volume, first, voxel))
    sizes = [BLOCK * float(np.min(voxel)) / step for step in map_.image.voxel_m[1:]]
    many = [
        min(max(_BLOCKS[0], int(n / size)), _BLOCKS[1]) for n, size in zip(labels.shape, sizes, strict=True)
    ]
    blocks = [
        np.minimum(all_rows[:, 5 + k] * count // n, count - 1)
        for k, (n, count) in enumerate(zip(labels.shape, many, strict=True))
    ]
    block = first_block + blocks[0] * many[1] + blocks[1]
    spread = float(np.sqrt(np.median(np.concatenate(spreads))))
    return np.column_stack([all_rows[:, :5], block]), len(all_rows) / len(x), spread


def _grid(volume: Volume) -> tuple[Array, Array]:
    """Return the steps of a volume's voxels and the centre of the first, (x, y, z), m."""
    if volume.voxel_m is None:
        raise InputError(
            f"{volume.path or volume.name}: its voxel size is not known, so that nothing can be laid into it; tell it "
            f'with --pixel "4 um"'
        )
    return np.array(volume.voxel_m[::-1]), np.array([axis.offset for axis in volume.axes][::-1])


def _distance_to_boundary(labels: NDArray[np.int64], pixel_m: Sequence[float]) -> Array:
    """Return how far each pixel lies from the next pixel of another phase, less half a pixel, m."""
    ndimage = optional_import("scipy.ndimage", "analysis")
    distances = np.full(labels.shape, np.inf)
    for phase in np.unique(labels[labels > 0]):
        other = (labels > 0) & (labels != phase)
        if other.any():
            own = labels == phase
            distance = ndimage.distance_transform_edt(~other, sampling=pixel_m)
            distances[own] = distance[own] - 0.5 * min(pixel_m)
    return distances


def _variance(pose: Pose, points_m: Array) -> Array:
    """Return a third of the trace of the covariance of each point after the pose, m²."""
    turn, mixed, shift = pose.covariance[:3, :3], pose.covariance[3:, :3], pose.covariance[3:, 3:]
    d = points_m - pose.centre_m
    # The point moves by w × d + t: tr cov = tr(T) |d|² - dᵀ T d + 2 E[t · (w × d)] + tr(S).
    skew = np.array([mixed[1, 2] - mixed[2, 1], mixed[2, 0] - mixed[0, 2], mixed[0, 1] - mixed[1, 0]])
    square = np.trace(turn) * (d**2).sum(axis=1) - np.einsum("ni,ij,nj->n", d, turn, d)
    return np.asarray(np.maximum(0.0, square + 2 * d @ skew + np.trace(shift)) / 3)


def _weight(away_m: Array, sigma_m: Array) -> Array:
    special = optional_import("scipy.special", "analysis")
    with np.errstate(divide="ignore", invalid="ignore"):
        times = np.where(sigma_m > 0, away_m / sigma_m, np.inf)
    return np.asarray(special.erf(times / np.sqrt(2)))


def _vote_by_voxel(rows: Array) -> Array:
    """Put the pixels of each voxel together: the phase of the greatest sum of weights, its share of them as weight."""
    order = np.lexsort((rows[:, 3], rows[:, 2], rows[:, 1], rows[:, 0]))
    rows = rows[order]
    new_phase = np.r_[True, (np.diff(rows[:, :4], axis=0) != 0).any(axis=1)]
    starts = np.flatnonzero(new_phase)
    sums = np.add.reduceat(rows[:, 4], starts)
    votes = rows[starts]
    new_voxel = np.r_[True, (np.diff(votes[:, :3], axis=0) != 0).any(axis=1)]
    voxel = np.cumsum(new_voxel) - 1
    pixels = np.add.reduceat(np.diff(np.r_[starts, len(rows)]), np.flatnonzero(new_voxel))
    best = np.lexsort((-sums, voxel))
    best = best[np.r_[True, np.diff(voxel[best]) != 0]]
    won = votes[best]
    won[:, 4] = sums[best] / pixels
    return won


def _outside_text(map_: ClassMap, volume: Volume, first: Array, voxel: Array) -> str:
    middle = apply(map_.pose.matrix, map_.image.centre_m)
    last = first + (np.array(volume.shape[::-1]) - 1) * voxel
    spans = ", ".join(
        f"{axis} {units.show(float(low), 'm', 4)} to {units.show(float(high), 'm', 4)}"
        for axis, low, high in zip("xyz", first, last, strict=True)
    )
    at = ", ".join(units.show(float(value), "m", 4) for value in middle)
    return (
        f"{map_.name}: lies outside of the volume: its middle is at {at} (x, y, z), and the volume spans {spans}; see "
        f"that the link is that of this map into this volume, and that pixel sizes are right"
    )
