"""How far a mesh with fewer triangles is from the one that it was made of."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.model.mesh import Mesh
from tomarium.optional_packages import optional_import

NEAR: Final = 12
"""Triangles with the nearest middles among which the nearest is looked for."""
BATCH: Final = 50_000


def distance_to_mesh(places_mm: NDArray[np.floating], mesh: Mesh) -> NDArray[np.float64]:
    """Measure how far places are from the surface of a mesh, never too little.

    Of each place the distance to the nearest of those twelve triangles whose middles are nearest: where another one is
    nearer still, what is told is too large.

    Parameters
    ----------
    places_mm : array, shape (place, 3)
        As (x, y, z), mm.
    mesh : Mesh
        With a triangle at least.

    Returns
    -------
    array of float64, shape (place,)
        mm.

    Raises
    ------
    EngineUnavailable
        SciPy is not installed.

    References
    ----------
    Ericson, Real-Time Collision Detection (2005), section 5.1.5: the point of a triangle that is nearest.
    """
    spatial: Any = optional_import("scipy.spatial", "mesh")
    corners = mesh.corners
    tree = spatial.cKDTree(corners.mean(1))
    near = min(NEAR, len(corners))
    found = np.empty(len(places_mm))
    for start in range(0, len(places_mm), BATCH):
        part = places_mm[start : start + BATCH].astype(np.float64)
        _, numbers = tree.query(part, near)
        numbers = np.asarray(numbers).reshape(len(part), near)
        found[start : start + BATCH] = np.sqrt(
            np.min([_squared(part, corners[numbers[:, k]]) for k in range(near)], axis=0)
        )
    return found


def _squared(places: NDArray[np.float64], corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return squared distances of places from a triangle each: its plane where the foot is inside, else its edges."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    normal = np.cross(b - a, c - a)
    size = np.maximum(np.einsum("ij,ij->i", normal, normal), 1e-300)
    height = np.einsum("ij,ij->i", places - a, normal)
    inside = np.ones(len(places), np.bool_)
    best = np.full(len(places), np.inf)
    for start, end in ((a, b), (b, c), (c, a)):
        edge, from_start = end - start, places - start
        inside &= np.einsum("ij,ij->i", np.cross(edge, from_start), normal) >= 0
        along = np.einsum("ij,ij->i", from_start, edge) / np.maximum(
            np.einsum("ij,ij->i", edge, edge), 1e-300
        )
        off = from_start - np.clip(along, 0, 1)[:, None] * edge
        best = np.minimum(best, np.einsum("ij,ij->i", off, off))
    return np.where(inside, np.minimum(height * height / size, best), best)
