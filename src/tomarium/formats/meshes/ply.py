"""PLY, binary: vertices and triangles, with comments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from tomarium.model import Mesh

FACE: Final = np.dtype([("count", "u1"), ("corners", "<i4", 3)])


def ply_bytes(mesh: Mesh, metadata: Mapping[str, str]) -> bytes:
    """Write a mesh as binary PLY.

    Parameters
    ----------
    mesh : Mesh
        In mm.
    metadata : Mapping of str to str
        What stands in its comments, a line each.

    Returns
    -------
    bytes
        The file.

    References
    ----------
    Turk, The PLY Polygon File Format (1994).
    """
    lines = [f"comment {key}: {' '.join(text.split())}" for key, text in metadata.items() if text]
    header = [
        "ply",
        "format binary_little_endian 1.0",
        "comment unit: mm",
        *(line.encode("ascii", "replace").decode() for line in lines),
        f"element vertex {len(mesh.vertices_mm)}",
        *(f"property float {axis}" for axis in "xyz"),
        f"element face {len(mesh.faces)}",
        "property list uchar int vertex_indices",
        "end_header",
    ]
    faces = np.zeros(len(mesh.faces), FACE)
    faces["count"], faces["corners"] = 3, mesh.faces
    return "\n".join(header).encode() + b"\n" + mesh.vertices_mm.astype("<f4").tobytes() + faces.tobytes()
