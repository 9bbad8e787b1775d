"""Thin a body to lines of one voxel, and find the pieces that join their voxels."""

from __future__ import annotations

import itertools
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.optional_packages import optional_import

_STEPS: Final = [step for step in itertools.product((-1, 0, 1), repeat=3) if step > (0, 0, 0)]


def thinned(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Thin a body to lines of one voxel, which have its pieces and its loops.

    Parameters
    ----------
    mask : array of bool, shape (z, y, x)
        The body; beyond the ends is nothing of it.

    Returns
    -------
    array of bool, shape (z, y, x)
        Voxels of the lines. Of a piece that the thinning takes away whole, the voxel nearest to its middle.

    Raises
    ------
    EngineUnavailable
        scikit-image is not installed.

    References
    ----------
    Lee, Kashyap & Chu, CVGIP: Graph. Models Image Process. 56 (1994) 462-478.
    """
    morphology = optional_import("skimage.morphology", "analysis")
    padded = np.asarray(morphology.skeletonize(np.pad(mask, 1), method="lee"), bool)
    lines = np.ascontiguousarray(padded[1:-1, 1:-1, 1:-1])
    del padded
    ndimage = optional_import("scipy.ndimage", "analysis")
    pieces, count = ndimage.label(mask, np.ones((3, 3, 3), bool))
    lost = np.ones(count + 1, bool)
    lost[pieces[lines]] = lost[0] = False
    if lost.any():  # small ones that are even along an axis vanish
        for number, box in enumerate(ndimage.find_objects(pieces), 1):
            if lost[number]:
                voxels = np.argwhere(pieces[box] == number)
                nearest = np.square(voxels - voxels.mean(axis=0)).sum(axis=1).argmin()
                lines[box][tuple(voxels[nearest])] = True
    return lines


def joined(
    places: NDArray[np.intp], shape: tuple[int, int, int]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Find the pieces that join voxels of lines that touch by a face, an edge or a corner.

    Parameters
    ----------
    places : array of int, shape (n,)
        Places of the voxels in the flattened volume, in rising order.
    shape : tuple of int
        Of the volume.

    Returns
    -------
    edges : array of int, shape (m, 2)
        Numbers of the voxels that a piece joins. What closes a loop that voxels fill, as three do that all
        touch each other, is left out, the longest first.
    lengths : array, shape (m,)
        1, √2 or √3 px.
    """
    z, y, x = np.unravel_index(places, shape)
    pairs, lengths = [], []
    for step in _STEPS:
        at = [axis + move for axis, move in zip((z, y, x), step, strict=True)]
        inside = np.all([(axis >= 0) & (axis < size) for axis, size in zip(at, shape, strict=True)], axis=0)
        first = np.flatnonzero(inside)
        wanted = np.ravel_multi_index([axis[first] for axis in at], shape)
        second = np.minimum(np.searchsorted(places, wanted), max(0, len(places) - 1))
        found = places[second] == wanted if len(places) else np.zeros(0, bool)
        pairs.append(np.stack([first[found], second[found]], axis=1))
        lengths.append(np.full(int(found.sum()), np.sqrt(np.dot(step, step))))
    edges, length = np.concatenate(pairs), np.concatenate(lengths)
    kept = _without_shortcuts(edges, length, len(places))
    return edges[kept], length[kept]


def _without_shortcuts(edges: NDArray[Any], length: NDArray[Any], count: int) -> NDArray[np.bool_]:
    """Leave out pieces until none closes a loop that voxels fill; the longest of such a loop goes.

    Three voxels that all touch fill the triangle between them. Of the pieces in the order of their lengths, triangles
    make some superfluous, which are found by reducing the boundaries of the triangles modulo 2 (Edelsbrunner, Letscher
    & Zomorodian, Discrete Comput. Geom. 28 (2002) 511). What is left has the loops of the voxels, and no other.
    """
    order = np.argsort(length, kind="stable").tolist()
    number: dict[tuple[int, int], int] = {}
    touching: list[set[int]] = [set() for _ in range(count)]
    reduced: dict[int, set[int]] = {}
    pairs = edges.tolist()
    for rank, place in enumerate(order):
        a, b = pairs[place]
        number[a, b] = number[b, a] = rank
        for c in touching[a] & touching[b]:
            boundary = {rank, number[a, c], number[b, c]}
            while boundary and (last := max(boundary)) in reduced:
                boundary ^= reduced[last]
            if boundary:
                reduced[max(boundary)] = boundary
        touching[a].add(b)
        touching[b].add(a)
    kept_edges = np.ones(len(edges), bool)
    kept_edges[[order[rank] for rank in reduced]] = False
    return kept_edges
