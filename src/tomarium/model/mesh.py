"""A closed surface of triangles, and the figures that follow from its corners alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, repr=False)
class Mesh:
    """Triangles in mm, each seen counter-clockwise from outside.

    Attributes
    ----------
    vertices_mm : array of float32, shape (vertex, 3)
        Coordinates x, y, z in mm.
    faces : array of uint32, shape (triangle, 3)
        Numbers of vertices.
    """

    vertices_mm: NDArray[np.float32]
    faces: NDArray[np.uint32]

    def __repr__(self) -> str:
        return f"Mesh of {len(self.faces)} triangles, {len(self.vertices_mm)} vertices"

    @property
    def corners(self) -> NDArray[np.float64]:
        """The corners of each triangle, mm, shape (triangle, corner, 3)."""
        return self.vertices_mm.astype(np.float64)[self.faces]

    @property
    def volume_mm3(self) -> float:
        """Volume by the divergence theorem, mm³."""
        a, b, c = np.moveaxis(self.corners - self.middle_mm, 1, 0)
        return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)

    @property
    def surface_mm2(self) -> float:
        """Sum of the areas of the triangles, mm²."""
        return float(np.linalg.norm(self.normals, axis=1).sum() / 2)

    @property
    def normals(self) -> NDArray[np.float64]:
        """Outward normals, twice as long as the areas of their triangles, mm²; shape (triangle, 3)."""
        a, b, c = np.moveaxis(self.corners, 1, 0)
        return np.asarray(np.cross(b - a, c - a))

    @property
    def box_mm(self) -> NDArray[np.float64]:
        """Least and greatest x, y, z, mm; shape (2, 3)."""
        if not len(self.vertices_mm):
            return np.zeros((2, 3))
        return np.stack([self.vertices_mm.min(0), self.vertices_mm.max(0)]).astype(np.float64)

    @property
    def middle_mm(self) -> NDArray[np.float64]:
        """Middle of the box, mm; shape (3,)."""
        return np.asarray(self.box_mm.mean(0))

    @property
    def euler(self) -> int:
        """Euler characteristic, vertices - edges + triangles: 2 for each closed surface, less 2 for each tunnel."""
        vertices = len(np.unique(self.faces))
        return int(vertices - len(np.unique(self._edges(), axis=0)) + len(self.faces))

    @property
    def is_closed(self) -> bool:
        """Whether each edge joins exactly two triangles, which run along it in opposite directions."""
        if not len(self.faces):
            return False
        directed = self.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2).astype(np.int64)
        codes = np.sort(directed[:, 0] * len(self.vertices_mm) + directed[:, 1])
        back = np.sort(directed[:, 1] * len(self.vertices_mm) + directed[:, 0])
        return bool((np.diff(codes) > 0).all() and np.array_equal(codes, back))

    def moved(self, shift_mm: NDArray[np.floating] | tuple[float, float, float]) -> Mesh:
        """Return the same mesh at another place; `shift_mm`: x, y, z."""
        shifted = self.vertices_mm.astype(np.float64) + np.asarray(shift_mm, np.float64)
        return Mesh(shifted.astype(np.float32), self.faces)

    def _edges(self) -> NDArray[np.uint32]:
        return np.sort(self.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
