"""Meshes of other programs: STL, PLY, OBJ and GLB, read by trimesh."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium.errors import FormatError
from tomarium.model import Mesh
from tomarium.optional_packages import optional_import

ENDINGS: Final = (".stl", ".ply", ".obj", ".glb")
METRES: Final = 1000.0
"""mm of a unit of GLB."""


def read_mesh(path: Path, unit_mm: float = 1.0) -> Mesh:
    """Read a mesh; what lies in one place becomes one corner.

    Parameters
    ----------
    path : Path
        Of a file with one of `ENDINGS`.
    unit_mm : float
        Length of the file's unit, mm; of GLB it is a metre, whatever is given.

    Returns
    -------
    Mesh
        In mm; of GLB z is turned upwards.

    Raises
    ------
    FormatError
        The file holds no triangles, numbers that are none, or is damaged; or a GLB of tomarium, which is enlarged.
    EngineUnavailable
        trimesh is not installed.
    """
    trimesh: Any = optional_import("trimesh", "mesh")
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise FormatError(f"{path}: is no mesh that is read here; give one of {', '.join(ENDINGS)}")
    if ending == ".glb" and b'"generator":"tomarium"' in path.read_bytes()[:4096]:
        raise FormatError(
            f"{path}: is a GLB of tomarium, whose body is enlarged for viewers; give the STL or PLY beside it, or the "
            f"record"
        )
    try:
        found = trimesh.load(path, file_type=ending[1:], force="mesh", process=True, maintain_order=True)
        places, faces = np.asarray(found.vertices, np.float64), np.asarray(found.faces, np.int64)
    except Exception as problem:  # whatever a reader of a dozen formats meets in a damaged file
        raise FormatError(f"{path}: cannot be read as {ending[1:].upper()} ({problem})") from problem
    if not len(faces) or not np.isfinite(places).all() or faces.max() >= len(places):
        raise FormatError(f"{path}: holds no triangles, or corners that are no numbers; export it anew")
    if ending == ".glb":
        places = np.stack([places[:, 0], -places[:, 2], places[:, 1]], axis=1) * METRES
    else:
        places = places * unit_mm
    return Mesh(places.astype(np.float32), faces.astype(np.uint32))
