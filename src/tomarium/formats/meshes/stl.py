"""STL, binary: triangles without a unit, by custom in mm."""

from __future__ import annotations

from typing import Final

import numpy as np

from tomarium.model import Mesh

RECORD: Final = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
HEADER_BYTES: Final = 80


def stl_bytes(mesh: Mesh, title: str = "") -> bytes:
    """Write a mesh as binary STL.

    Parameters
    ----------
    mesh : Mesh
        In mm; STL has no unit, and programs take it for mm.
    title : str
        Stands in the header, as far as 80 ASCII characters hold it. It does not begin with "solid", the mark of the
        text form.

    Returns
    -------
    bytes
        80 bytes, a number, and 50 bytes a triangle.

    References
    ----------
    3D Systems, StereoLithography Interface Specification (1989), section 6.5.
    """
    triangles = np.zeros(len(mesh.faces), RECORD)
    normals = mesh.normals
    triangles["normal"] = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300)
    triangles["corners"] = mesh.vertices_mm[mesh.faces]
    text = f"tomarium, mm: {title}".encode("ascii", "replace")[:HEADER_BYTES].ljust(HEADER_BYTES)
    return text + np.uint32(len(triangles)).tobytes() + triangles.tobytes()
