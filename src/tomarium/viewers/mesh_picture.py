"""A shaded picture of a mesh, drawn without a graphics card."""

from __future__ import annotations

from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.formats.meshes.glb import corner_normals
from tomarium.model import Mesh

LIGHTS: Final = (((-0.5, 0.6, 0.62), 0.85), ((0.8, 0.1, 0.4), 0.22))
"""Direction to a light (right, up, to the eye), and its strength."""
AMBIENT: Final = 0.22
BONE: Final = (232, 220, 196)
SAMPLES: Final = 2
"""Points are drawn so many times as fine as pixels, and averaged."""
EDGES: Final = 8
"""Degrees to which a pixel at the rim of the body is covered."""
BATCH: Final = 2_000_000
FILLED: Final = 0.94
"""Part of a picture's width, or height, that the body fills."""


def mesh_png(mesh: Mesh, pixels: int = 640, azimuth_deg: float = 35.0, elevation_deg: float = 22.0) -> bytes:
    """Draw a mesh from the side and a little from above, in parallel projection, as PNG with a clear background.

    Parameters
    ----------
    mesh : Mesh
        z is upwards.
    pixels : int
        Width and height.
    azimuth_deg, elevation_deg : float
        Where the eye is: around z, and above the horizon.

    Returns
    -------
    bytes
        An RGBA PNG.
    """
    size = pixels * SAMPLES
    places, turn = _project(mesh, azimuth_deg, elevation_deg, size)
    normals = corner_normals(mesh) @ turn.T.astype(np.float32)
    shade, covered = _rasterise(places, mesh.faces, normals, size)
    blocks = (pixels, SAMPLES, pixels, SAMPLES)
    share = covered.reshape(blocks).mean(axis=(1, 3))
    mean = (shade * covered).reshape(blocks).mean(axis=(1, 3)) / np.maximum(share, 1e-9)
    return _write_png(np.clip(mean, 0, 1), share)


def width_mm(mesh: Mesh, azimuth_deg: float = 35.0, elevation_deg: float = 22.0) -> float:
    """Tell what length of the body the width of its picture by `mesh_png` is.

    Parameters
    ----------
    mesh : Mesh
        z is upwards.
    azimuth_deg, elevation_deg : float
        Where the eye is: around z, and above the horizon.

    Returns
    -------
    float
        mm: in parallel projection the same in all of the picture.
    """
    places, _ = _turned(mesh, azimuth_deg, elevation_deg)
    return _width(places)


def _write_png(shade: NDArray[np.float64], share: NDArray[np.float64]) -> bytes:
    """Write shades of one colour with a palette: index 0 is clear, those below EDGES are parts of a pixel."""
    from PIL import Image as Pillow

    steps = 255 - EDGES
    whole = EDGES + np.round(shade * steps)
    index = np.where(share > 1 - 0.5 / EDGES, whole, np.round(share * EDGES).clip(0, EDGES - 1)).astype(
        np.uint8
    )
    levels = np.concatenate([np.full(EDGES, 0.35), np.arange(steps + 1) / steps])
    image = Pillow.new("P", index.shape[::-1])
    image.putpalette(np.clip(levels[:, None] * np.array(BONE) + 0.5, 0, 255).astype(np.uint8).tobytes())
    image.frombytes(index.tobytes())
    alpha = bytes(round(255 * number / EDGES) for number in range(EDGES)) + b"\xff" * (256 - EDGES)
    target = BytesIO()
    image.save(target, "PNG", optimize=True, transparency=alpha)
    return target.getvalue()


def _turned(
    mesh: Mesh, azimuth_deg: float, elevation_deg: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the vertices as right, up and towards the eye, mm; and the turn to there."""
    azimuth, elevation = np.radians(azimuth_deg), np.radians(elevation_deg)
    right = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    eye = np.array(
        [np.sin(azimuth) * np.cos(elevation), -np.cos(azimuth) * np.cos(elevation), np.sin(elevation)]
    )
    turn = np.stack([right, np.cross(eye, right), eye])
    return (mesh.vertices_mm - mesh.middle_mm) @ turn.T, turn


def _width(places: NDArray[np.float64]) -> float:
    """Return the length that a picture is wide, mm: that of the body and a margin."""
    return float(max(np.ptp(places[:, :2], axis=0).max(), 1e-12)) / FILLED


def _project(
    mesh: Mesh, azimuth_deg: float, elevation_deg: float, size: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the vertices as right, down (both in points of the picture) and towards the eye; and the turn to there."""
    places, turn = _turned(mesh, azimuth_deg, elevation_deg)
    low, high = places.min(0), places.max(0)
    scale = size / _width(places)
    middle = (low + high) / 2
    return (
        np.stack(
            [
                size / 2 + scale * (places[:, 0] - middle[0]),
                size / 2 - scale * (places[:, 1] - middle[1]),
                scale * (places[:, 2] - low[2]),
            ],
            axis=1,
        ),
        turn,
    )


def _rasterise(
    places: NDArray[np.float64], faces: NDArray[np.uint32], normals: NDArray[np.float32], size: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Draw triangles as grids of points, the nearest to the eye in front; return the light and what is covered."""
    nearest = np.full(size * size, -np.inf)
    visible_normals = np.zeros((size * size, 3), np.float32)
    last = np.empty(size * size, np.int64)
    corners = places[faces].astype(np.float32)
    ahead = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2]
    # Down the picture is the second axis, so a triangle that is seen from outside runs clockwise.
    front = ahead <= 0
    corners, normals, along, across = _longest_first(corners[front], normals[front], -ahead[front])
    total = np.cumsum((along + 1) * (across + 1))
    cuts = np.searchsorted(total, np.arange(BATCH, total[-1] if len(total) else 0, BATCH))
    for part in np.split(np.arange(len(corners)), np.unique(cuts)):
        if len(part):
            _draw(
                corners[part],
                normals[part],
                (along[part], across[part]),
                nearest,
                visible_normals,
                last,
                size,
            )
    covered = np.isfinite(nearest)
    light = np.full(size * size, AMBIENT)
    unit = visible_normals / np.maximum(np.linalg.norm(visible_normals, axis=1, keepdims=True), 1e-9)
    for direction, strength in LIGHTS:
        light += strength * np.maximum(unit @ (np.array(direction) / np.linalg.norm(direction)), 0)
    deep = np.where(covered, nearest, 0) / max(float(places[:, 2].max()), 1e-9)
    light *= 0.72 + 0.28 * deep  # what is further away is darker, which parts the front from the back
    return light.reshape(size, size), covered.reshape(size, size)


def _longest_first(
    corners: NDArray[np.float32], normals: NDArray[np.float32], twice_area: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Turn triangles so that their longest side comes first; steps along it and across, none too large."""
    sides = np.hypot(*np.moveaxis((np.roll(corners, -1, axis=1) - corners)[..., :2], 2, 0))
    first = np.argmax(sides, axis=1)
    turn = (first[:, None] + np.arange(3)) % 3
    rows = np.arange(len(corners))[:, None]
    longest = sides[rows[:, 0], first]
    along = np.maximum(1, np.ceil(1.5 * longest)).astype(np.int64)
    across = np.maximum(1, np.ceil(1.5 * twice_area / np.maximum(longest, 1e-9))).astype(np.int64)
    return corners[rows, turn], normals[rows, turn], along, across


def _draw(
    corners: NDArray[np.float32],
    normals: NDArray[np.float32],
    steps: tuple[NDArray[np.int64], NDArray[np.int64]],
    nearest: NDArray[np.float64],
    visible_normals: NDArray[np.float32],
    last: NDArray[np.int64],
    size: int,
) -> None:
    """Draw triangles as rows of points; `last` is room for a number for each point of the picture."""
    along, across = steps
    counts = (along + 1) * (across + 1)
    triangle = np.repeat(np.arange(len(corners)), counts)
    number = np.arange(len(triangle)) - np.repeat(np.cumsum(counts) - counts, counts)
    j, i = np.divmod(number, along[triangle] + 1)
    u, v = (i / along[triangle]).astype(np.float32), (j / across[triangle]).astype(np.float32)
    weights = np.stack([(1 - v) * (1 - u), (1 - v) * u, v], axis=1)
    points = np.einsum("pc,pca->pa", weights, corners[triangle])
    column, row = (np.clip(points[:, axis].astype(int), 0, size - 1) for axis in (0, 1))
    place = row * size + column
    order = np.argsort(points[:, 2])  # of several points at one place the last one, the nearest, stays
    last[place[order]] = order
    front = np.flatnonzero((last[place] == np.arange(len(place))) & (points[:, 2] > nearest[place]))
    at = place[front]
    nearest[at] = points[front, 2]
    visible_normals[at] = np.einsum("pc,pca->pa", weights[front], normals[triangle[front]])
