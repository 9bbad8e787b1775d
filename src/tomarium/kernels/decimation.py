"""Fewer triangles for the same body."""

from __future__ import annotations

from typing import Any, Final

from tomarium.errors import InputError
from tomarium.kernels.isosurface import mesh_of, solid_of
from tomarium.model.mesh import Mesh

FIRST: Final = 0.03
"""Distance by which a surface may move in the first try, in mean edges of its triangles."""
GROWTH: Final = 1.8
MOST_TRIES: Final = 12


def decimate(mesh: Mesh, most: int) -> tuple[Mesh, float]:
    """Collapse edges until there are few enough triangles; the surface stays closed and keeps its tunnels.

    Tries one tolerance after the other, each 1.8 times as large as the one before and from the mesh as it was given,
    so that the surface moves as little as the number of triangles asks for.

    Parameters
    ----------
    mesh : Mesh
        Closed.
    most : int
        Triangles at most.

    Returns
    -------
    Mesh
        With vertices that the given mesh has.
    float
        Distance by which the surface may have moved, mm.

    Raises
    ------
    InputError
        The mesh is not closed, or so few triangles cannot be reached: the message tells how many can.
    EngineUnavailable
        manifold3d is not installed.
    """
    solid: Any = solid_of(mesh)
    edge = (mesh.surface_mm2 / max(1, len(mesh.faces)) * 4 / 3**0.5) ** 0.5
    tolerance = FIRST * edge
    best = solid.simplify(tolerance)
    for _ in range(MOST_TRIES):
        if best.num_tri() <= most:
            return mesh_of(best), tolerance
        tolerance *= GROWTH
        best = solid.simplify(tolerance)
    if best.num_tri() > most:
        raise InputError(
            f"the surface has {len(mesh.faces)} triangles and keeps {best.num_tri()} even where it may move by "
            f"{tolerance:.3g} mm; allow as many, take a coarser level, or smooth more"
        )
    return mesh_of(best), tolerance
