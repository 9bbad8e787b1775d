"""How much of a volume the maps have seen the like of, and which further section would show most of the rest."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.optional_packages import optional_import
from tomarium.specimen.fusion.class_map import Samples

REFERENCE: Final = 0.99
"""Share of what is seen that counts as near: voxels farther from all samples than that are unlike anything seen."""

_COMPONENTS: Final = 6
_MOST_KNOWN: Final = 6000
_MOST_ASKED: Final = 4000
_PLACES: Final = 9  # of a section along its normal
_SHOWN: Final = 3

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Space:
    """The space of features as the samples fill it: whitened principal components.

    Attributes
    ----------
    mean, scale : array of float64, shape (feature,)
        Of the samples.
    components : array of float64, shape (feature, component)
        Divided by the spread along each.
    known : array of float64, shape (voxel, component)
        Samples.
    near : float
        Distance within which `REFERENCE` of the samples find one of another block.
    """

    mean: Array
    scale: Array
    components: Array
    known: Array
    near: float

    def points(self, features: NDArray[np.float32]) -> Array:
        """Return where voxels lie in it."""
        return np.asarray(((features - self.mean) / self.scale) @ self.components)

    def distance(self, points: Array) -> Array:
        """Return how far each point lies from the nearest sample."""
        return _nearest(self.known, points)


def space_of(features: NDArray[np.float32], samples: Samples, folds: NDArray[np.int64]) -> Space:
    """Lay out the space of features.

    Parameters
    ----------
    features : array of float32, shape (voxel, feature)
        Of the samples.
    samples : Samples
        Voxels whose phase is known.
    folds : array of int64, shape (voxel,)
        In which part each was held out.

    Returns
    -------
    Space
        Of six components at most.
    """
    mean, scale = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    scale = np.where(scale > 1e-12 * np.abs(mean).max(), scale, np.inf)
    even = (features - mean) / scale
    values, vectors = np.linalg.eigh(even.T @ even / len(even))
    components_kept = np.argsort(values)[::-1][: min(_COMPONENTS, int((values > 1e-9).sum()))]
    components = vectors[:, components_kept] / np.sqrt(values[components_kept])
    points = even @ components
    some = np.random.default_rng(0).permutation(len(points))[:_MOST_KNOWN]
    points, folds = points[some], folds[some]
    away = np.concatenate([
        _nearest(points[folds != fold], points[folds == fold]) for fold in np.unique(folds)
    ])  # fmt: skip
    return Space(mean, scale, components, points, float(np.quantile(away, REFERENCE)))


def _nearest(reference: Array, points: Array) -> Array:
    spatial = optional_import("scipy.spatial", "analysis")
    return np.asarray(spatial.cKDTree(reference).query(points)[0])


@dataclass(frozen=True, eq=False)
class Section:
    """A plane on which a further map would show much that no map has shown.

    Attributes
    ----------
    normal : tuple of float
        Direction (x, y, z) across it, length 1.
    through_m : tuple of float
        The point of it that is nearest to the middle of the volume, (x, y, z), m.
    gain : float
        By how much it shortens the way from uncertain voxels to what is known, over the mean of all planes looked at.
    """

    normal: tuple[float, float, float]
    through_m: tuple[float, float, float]
    gain: float


def sections_to_add(space: Space, points: Array, places_m: Array, uncertainty: Array) -> tuple[Section, ...]:
    """Propose planes for a further map.

    Parameters
    ----------
    space : Space
        Of what is known.
    points : array of float64, shape (voxel, component)
        Where voxels of all the volume lie in it.
    places_m : array of float64, shape (voxel, 3)
        Where they lie in the volume, (x, y, z), m.
    uncertainty : array of float64, shape (voxel,)
        Of each, from 0.

    Returns
    -------
    tuple of Section
        Three at most, the best first, of thirteen directions at nine heights each. A plane's gain is the sum, over all
        voxels, of their uncertainty times what the distance to the nearest known voxel becomes shorter by when as many
        voxels of each plane are known; empty where there are too few voxels to compare planes by.
    """
    some = np.random.default_rng(0).permutation(len(points))[:_MOST_ASKED]
    points, places, doubt = points[some], places_m[some], uncertainty[some]
    before = space.distance(points)
    middle = (places.min(axis=0) + places.max(axis=0)) / 2
    planes = []
    for normal in _directions():
        along = (places - middle) @ normal
        edges = np.linspace(along.min(), along.max(), _PLACES + 1)
        for low, high in pairwise(edges):
            planes.append((normal, (low + high) / 2, np.flatnonzero((along >= low) & (along <= high))))
    sizes = np.array([len(inside) for _, _, inside in planes])
    count = int(np.quantile(sizes, 0.5)) if len(sizes) else 0
    if count < 30:
        return ()
    candidates = []
    for normal, at, inside in planes:
        if len(inside) < count:
            continue  # a corner, with less to see than half of the planes have
        points_on_section = points[inside[:count]]
        shorter = np.maximum(0.0, before - _nearest(points_on_section, points))
        candidates.append((float(doubt @ shorter), normal, at))
    mean = float(np.mean([gain for gain, _, _ in candidates]))
    if mean <= 0:
        return ()
    sections: list[Section] = []
    for gain, normal, at in sorted(candidates, key=lambda candidate: -candidate[0]):
        through = middle + at * normal
        if len(sections) < _SHOWN:
            sections.append(Section(_three(normal), _three(through), gain / mean))
    return tuple(sections)


def _directions() -> list[Array]:
    """Return thirteen directions: along the edges, the diagonals of faces, and those of the cube."""
    directions = []
    for steps in product((0, 1, -1), repeat=3):
        first = next((value for value in steps if value), 0)
        if first == 1:
            directions.append(np.array(steps, np.float64) / np.linalg.norm(steps))
    return sorted(directions, key=lambda direction: float(np.count_nonzero(direction)))


def _three(values: Array) -> tuple[float, float, float]:
    x, y, z = (float(value) + 0.0 for value in values)
    return x, y, z
