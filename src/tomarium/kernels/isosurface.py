"""The closed surface at which a volume has one value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.model.mesh import Mesh
from tomarium.optional_packages import optional_import


def isosurface(
    field: NDArray[np.float32], level: float, pitch_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> Mesh:
    """Find the closed surface around what is above a level, by marching cubes.

    Where a body reaches the end of the volume, the surface is closed at the outer faces of the last voxels. Values are
    taken at the middles of voxels, and lie on straight lines between them.

    Parameters
    ----------
    field : array, shape (z, y, x)
        Finite values in any unit.
    level : float
        In the unit of the field.
    pitch_mm : tuple of float
        Size of a voxel (z, y, x), mm.

    Returns
    -------
    Mesh
        The middle of voxel (0, 0, 0) is the origin; normals point to what is below the level.

    Raises
    ------
    InputError
        Nothing, or everything, is above the level, or the surface is not closed.
    EngineUnavailable
        scikit-image or manifold3d is not installed.

    References
    ----------
    Lewiner et al., J. Graph. Tools 8 (2003) 1-15: marching cubes with topological guarantees.
    """
    measure = optional_import("skimage.measure", "mesh")
    engine = optional_import("manifold3d", "mesh")
    if not field.size or not (field > level).any():
        raise InputError(f"nothing is above {level:g}: there is no surface")
    padded = surrounded(field, level)
    places, faces, _, _ = measure.marching_cubes(padded, level)
    vertices = ((places - 1) * np.asarray(pitch_mm))[:, ::-1]
    solid = engine.Manifold(engine.Mesh(vertices.astype(np.float32), faces.astype(np.uint32)))
    if solid.status() != engine.Error.NoError or solid.num_tri() == 0:
        raise InputError(
            f"the surface at {level:g} is not closed ({solid.status()}); smooth more, or take another level"
        )
    return mesh_of(solid)


def surrounded(field: NDArray[np.float32], level: float) -> NDArray[np.float32]:
    """Add a voxel on all sides, so that a body that reaches the end is closed at the faces of its last voxels.

    Parameters
    ----------
    field : array, shape (z, y, x)
        Finite values in any unit; the body is where it is above the level.
    level : float
        In the unit of the field.

    Returns
    -------
    array of float32, shape (z + 2, y + 2, x + 2)
        A voxel that is added is as far below the level as its neighbour is above it; no value is the level itself,
        which would make triangles without an area.
    """
    padded = np.pad(field, 1, mode="edge")
    below = np.nextafter(np.float32(level), np.float32(-np.inf))
    for axis in range(3):
        for end in (0, -1):
            last = np.moveaxis(padded, axis, 0)[end]
            np.copyto(last, np.minimum(2 * np.float32(level) - last, below), where=last > level)
    np.copyto(padded, below, where=padded == np.float32(level))
    return padded


def solid_of(mesh: Mesh) -> object:
    """Return a mesh as a manifold3d solid.

    Parameters
    ----------
    mesh : Mesh
        Closed; mm.

    Returns
    -------
    manifold3d.Manifold
        With the vertices as float32, mm.

    Raises
    ------
    InputError
        The mesh is not closed.
    EngineUnavailable
        manifold3d is not installed.
    """
    engine = optional_import("manifold3d", "mesh")
    solid = engine.Manifold(engine.Mesh(mesh.vertices_mm.astype(np.float32), mesh.faces.astype(np.uint32)))
    if solid.status() != engine.Error.NoError:
        raise InputError(f"the mesh of {len(mesh.faces)} triangles is no closed surface ({solid.status()})")
    return solid


def mesh_of(solid: object) -> Mesh:
    """Return a manifold3d solid as a mesh.

    Parameters
    ----------
    solid : manifold3d.Manifold
        In mm.

    Returns
    -------
    Mesh
        Closed, as the solid is; vertices (n, 3) as (x, y, z), mm.
    """
    solid_mesh = solid.to_mesh()  # type: ignore[attr-defined]
    vertices = np.asarray(solid_mesh.vert_properties, np.float32)[:, :3]
    return Mesh(np.ascontiguousarray(vertices), np.asarray(solid_mesh.tri_verts, np.uint32).reshape(-1, 3))
