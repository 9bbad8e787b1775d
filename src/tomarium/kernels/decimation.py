"""Fewer triangles for the same body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tomarium.errors import InputError
from tomarium.kernels.isosurface import mesh_of, solid_of
from tomarium.model.mesh import Mesh

FIRST: Final = 0.03
"""Distance by which a surface may move in the first try, in mean edges of its triangles."""
GROWTH: Final = 1.8
MOST_TRIES: Final = 12
REFINED: Final = 3
FARTHEST: Final = 0.6
"""Distance by which the surface of a preview may move, in mean edges of its triangles."""
ENOUGH: Final = 0.8
"""With fewer triangles than this part of those allowed, smaller distances are tried."""


def decimate(
    mesh: Mesh, most: int, on_try: Callable[[int, int], object] = lambda tried, all_tries: None
) -> tuple[Mesh, float]:
    """Collapse edges until there are few enough triangles; the surface stays closed and keeps its tunnels.

    Tries one tolerance after the other, each 1.8 times as large as the one before and from the mesh as it was given,
    so that the surface moves as little as the number of triangles asks for.

    Parameters
    ----------
    mesh : Mesh
        Closed.
    most : int
        Triangles at most.
    on_try : callable
        Told after each try how many there were and how many there may be; at the end as if all had been.

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
    tolerance = FIRST * _edge(mesh)
    all_tries = 1 + MOST_TRIES + REFINED
    best = solid.simplify(tolerance)
    on_try(1, all_tries)
    for number in range(MOST_TRIES):
        if best.num_tri() <= most:
            break
        tolerance *= GROWTH
        best = solid.simplify(tolerance)
        on_try(2 + number, all_tries)
    low = tolerance / GROWTH
    for number in range(REFINED):
        if not ENOUGH * most > best.num_tri() or best.num_tri() > most:
            break
        middle = (low * tolerance) ** 0.5
        tried = solid.simplify(middle)
        on_try(2 + MOST_TRIES + number, all_tries)
        if tried.num_tri() <= most:
            best, tolerance = tried, middle
        else:
            low = middle
    if best.num_tri() > most:
        raise InputError(
            f"the surface has {len(mesh.faces)} triangles and keeps {best.num_tri()} even where it may move by "
            f"{tolerance:.3g} mm; allow as many, take a coarser level, or smooth more"
        )
    on_try(all_tries, all_tries)
    return mesh_of(best), tolerance


def lightened(mesh: Mesh, most: int) -> Mesh:
    """Collapse edges as `decimate` does, for a preview: where so few triangles cannot be had, there are more.

    Parameters
    ----------
    mesh : Mesh
        Closed.
    most : int
        Triangles that are wanted.

    Returns
    -------
    Mesh
        With the fewest triangles, down to `most`, of a surface that moves by 0.6 mean edges at most.

    Raises
    ------
    InputError
        The mesh is not closed.
    EngineUnavailable
        manifold3d is not installed.
    """
    if len(mesh.faces) <= most:
        return mesh
    solid: Any = solid_of(mesh)
    farthest, tolerance = FARTHEST * _edge(mesh), FIRST * _edge(mesh)
    best = solid.simplify(tolerance)
    while best.num_tri() > most and tolerance < farthest:
        tolerance = min(farthest, tolerance * GROWTH)
        best = solid.simplify(tolerance)
    return mesh_of(best)


def _edge(mesh: Mesh) -> float:
    """Return the mean edge of the triangles, mm, as if all were alike and their sides equal."""
    return float((mesh.surface_mm2 / max(1, len(mesh.faces)) * 4 / 3**0.5) ** 0.5)
