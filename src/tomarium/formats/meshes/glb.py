"""GLB: binary glTF 2.0, for pages and presentations; in metres, y upwards."""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.model import Mesh

MAGIC: Final = 0x46546C67
JSON_CHUNK: Final = 0x4E4F534A
BINARY_CHUNK: Final = 0x004E4942
BONE: Final = (0.72, 0.64, 0.50, 1.0)
"""Colour, linear RGBA."""
SHARP: Final = 0.766
"""Cosine of the angle between triangles from which an edge is shown as one, 40°."""


def glb_bytes(mesh: Mesh, title: str = "", copyright: str = "", scale: float = 1.0) -> bytes:
    """Write a mesh as GLB with smooth normals.

    Parameters
    ----------
    mesh : Mesh
        In mm, z upwards.
    title, copyright : str
        Name of the object; who made it, and under which licence.
    scale : float
        By how much it is enlarged: viewers are made for things that one can hold.

    Returns
    -------
    bytes
        The file; in metres, y upwards.

    References
    ----------
    Khronos, glTF 2.0, sections 3.7 (meshes) and 4.4 (binary form).
    """
    vertices, normals, numbers = _split(mesh)
    places = _y_upwards(vertices - mesh.middle_mm) * (1e-3 * scale)
    upright, faces = _y_upwards(normals), numbers.astype("<u4").ravel()
    views, content = [], b""
    for array, target in ((places.astype("<f4"), 34962), (upright.astype("<f4"), 34962), (faces, 34963)):
        views.append({"buffer": 0, "byteOffset": len(content), "byteLength": array.nbytes, "target": target})
        content += array.tobytes()
    count = len(places)
    least, greatest = places.astype("<f4").min(0).tolist(), places.astype("<f4").max(0).tolist()
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "tomarium"}
        | ({"copyright": copyright} if copyright else {}),
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": title or "body"}],
        "meshes": [
            {"primitives": [{"attributes": {"POSITION": 0, "NORMAL": 1}, "indices": 2, "material": 0}]}
        ],
        "materials": [
            {
                "pbrMetallicRoughness": {
                    "baseColorFactor": BONE,
                    "metallicFactor": 0.0,
                    "roughnessFactor": 0.75,
                }
            }
        ],
        "accessors": [
            {
                "bufferView": 0,
                "componentType": 5126,
                "count": count,
                "type": "VEC3",
                "min": least,
                "max": greatest,
            },
            {"bufferView": 1, "componentType": 5126, "count": count, "type": "VEC3"},
            {"bufferView": 2, "componentType": 5125, "count": len(faces), "type": "SCALAR"},
        ],
        "bufferViews": views,
        "buffers": [{"byteLength": len(content)}],
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    whole = 12 + 8 + len(text) + 8 + len(content)
    head = np.array([MAGIC, 2, whole, len(text), JSON_CHUNK], "<u4").tobytes()
    return head + text + np.array([len(content), BINARY_CHUNK], "<u4").tobytes() + content


def corner_normals(mesh: Mesh) -> NDArray[np.float32]:
    """Return unit normals at the corners of triangles, shape (triangle, corner, 3).

    The mean of the triangles around, by area; at an edge sharper than 40° the normal of the triangle itself.
    """
    normals = mesh.normals
    sums = np.zeros((len(mesh.vertices_mm), 3))
    for corner in range(3):
        for axis in range(3):
            sums[:, axis] += np.bincount(mesh.faces[:, corner], normals[:, axis], len(sums))
    own = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300)
    mean = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-300)
    corners = mean[mesh.faces]
    sharp = np.einsum("tca,ta->tc", corners, own) < SHARP
    return np.asarray(np.where(sharp[..., None], own[:, None], corners), np.float32)


def _split(mesh: Mesh) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Give each corner at a sharp edge a vertex of its own: vertices, their normals, and the triangles."""
    normals = corner_normals(mesh).reshape(-1, 3)
    corners = mesh.faces.ravel().astype(np.int64)
    kinds = np.round(normals * 256).astype(np.int64)
    code = np.stack([corners, (kinds[:, 0] * 1024 + kinds[:, 1]) * 1024 + kinds[:, 2]], axis=1)
    _, first, numbers = np.unique(code, axis=0, return_index=True, return_inverse=True)
    return mesh.vertices_mm[corners[first]], normals[first], numbers.reshape(-1, 3)


def _y_upwards(places: NDArray[np.floating]) -> NDArray[np.float64]:
    """Turn z upwards into y upwards, without a mirror."""
    x, y, z = places.T.astype(np.float64)
    return np.stack([x, z, -y], axis=1)


def read_own_glb(content: bytes, scale: float) -> Mesh:
    """Read a mesh that `glb_bytes` wrote.

    Parameters
    ----------
    content : bytes
        The file.
    scale : float
        By how much it was enlarged.

    Returns
    -------
    Mesh
        In mm, z upwards, its middle at the origin; corners that were parted for their normals are one again.

    Raises
    ------
    FormatError
        It is no such file, or its parts do not lie in it.
    """
    try:
        length = int.from_bytes(content[12:16], "little")
        document = json.loads(content[20 : 20 + length])
        start = 20 + length + 8
        parts = []
        for number, accessor, kind in ((0, 0, "<f4"), (2, 2, "<u4")):
            view = document["bufferViews"][number]
            first, size = start + int(view["byteOffset"]), int(view["byteLength"])
            if view["byteOffset"] < 0 or size < 0 or first + size > len(content):
                raise ValueError("a part does not lie in the file")
            width = 3 if number == 0 else 1
            if size != 4 * width * document["accessors"][accessor]["count"]:
                raise ValueError("a part has not as many numbers as it says")
            parts.append(np.frombuffer(content, kind, size // 4, first).reshape(-1, 3))
        places, faces = parts
        own = content[:4] == MAGIC.to_bytes(4, "little") and document["asset"]["generator"] == "tomarium"
        if not own or not len(faces) or faces.max() >= len(places) or not np.isfinite(places).all():
            raise ValueError("it is not of tomarium, or its triangles have corners that are not there")
    except (ValueError, KeyError, IndexError, TypeError, RecursionError) as problem:
        raise FormatError(
            f"the GLB is not one that tomarium wrote ({problem}); make the mesh again"
        ) from problem
    corners, numbers = np.unique(places, axis=0, return_inverse=True)
    x, y, z = corners.T.astype(np.float64) / (1e-3 * scale)
    return Mesh(np.stack([x, -z, y], axis=1).astype(np.float32), numbers.reshape(-1)[faces].astype(np.uint32))
