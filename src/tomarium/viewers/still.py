"""A still picture of a volume in three dimensions: its surface, lit, with a corner cut out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

YAW_DEG: Final = 35.0
PITCH_DEG: Final = 22.0
"""The view that the script in the browser begins with too."""
FILL: Final = 1.03  # half the picture, in halves of what the box measures as seen from this side
SUBJECT: Final = np.array([0.93, 0.89, 0.82])
STEP: Final = 1.2  # voxels


def axes_of_view(yaw_deg: float, pitch_deg: float) -> NDArray[np.float64]:
    """Tell where right, up and towards the reader lie in the volume.

    Parameters
    ----------
    yaw_deg, pitch_deg : float
        Turn about the rotation axis, and upwards. (0, 0) is the front: x to the right, slice 0 on top.

    Returns
    -------
    array, shape (3, 3)
        Rows right, up, towards; columns (x, y, z).
    """
    a, b = math.radians(yaw_deg), math.radians(pitch_deg)
    level, down = np.array([math.sin(a), math.cos(a), 0.0]), np.array([0.0, 0.0, 1.0])
    right = np.array([math.cos(a), -math.sin(a), 0.0])
    return np.stack([right, -math.sin(b) * level - math.cos(b) * down,
                     math.cos(b) * level - math.sin(b) * down])  # fmt: skip


def draw_still(
    grey: NDArray[np.uint8], threshold: int, voxel: tuple[float, float, float], pixels: int = 440
) -> NDArray[np.uint8]:
    """Draw the surface of a volume.

    Parameters
    ----------
    grey : array of uint8, shape (z, y, x)
        The volume; some 128 voxels along an axis are enough.
    threshold : int
        What is brighter is solid.
    voxel : tuple of float
        Relative size of a voxel (z, y, x).
    pixels : int
        Width and height.

    Returns
    -------
    array of uint8, shape (pixels, pixels, 3)
        On black, from `YAW_DEG` and `PITCH_DEG`. The eighth of the box next to the reader is taken out; where that
        cuts through something solid the grey values are shown.
    """
    half = _half(grey, voxel)
    reach = float((np.abs(axes_of_view(YAW_DEG, PITCH_DEG)[:2]) @ half).max()) * FILL
    return _draw(grey, _smoothed(grey), threshold, voxel, pixels, YAW_DEG, reach)


def draw_turn(
    grey: NDArray[np.uint8], threshold: int, voxel: tuple[float, float, float], pixels: int, count: int
) -> Iterator[NDArray[np.uint8]]:
    """Draw the surface of a volume while it turns once about the rotation axis.

    Parameters
    ----------
    grey, threshold, voxel, pixels
        As for `draw_still`.
    count : int
        Pictures of a full turn, at equal steps; the first is that of `draw_still`, from farther away.

    Yields
    ------
    array of uint8, shape (pixels, pixels, 3)
        All at one scale. The eighth that is taken out turns with the volume.
    """
    half, smooth = _half(grey, voxel), _smoothed(grey)
    level, b = math.hypot(half[0], half[1]), math.radians(PITCH_DEG)
    reach = max(level, math.sin(b) * level + math.cos(b) * half[2]) * FILL
    for number in range(count):
        yield _draw(grey, smooth, threshold, voxel, pixels, YAW_DEG + 360 * number / count, float(reach))


def _half(grey: NDArray[np.uint8], voxel: tuple[float, float, float]) -> NDArray[Any]:
    return np.asarray(np.array(grey.shape[::-1]) * np.array(voxel[::-1]) / min(voxel) / 2)


def _smoothed(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    return _smooth(_smooth(grey.astype(np.float32)))


def _draw(
    grey: NDArray[np.uint8], smooth: NDArray[np.float32], threshold: int, voxel: tuple[float, float, float],
    pixels: int, yaw_deg: float, reach: float,
) -> NDArray[np.uint8]:  # fmt: skip
    size, shape = np.array(voxel[::-1]) / min(voxel), np.array(grey.shape[::-1])
    half, view = shape * size / 2, axes_of_view(yaw_deg, PITCH_DEG)
    across = ((np.arange(pixels) + 0.5) / pixels * 2 - 1) * reach
    start = across[None, :, None] * view[0] - across[:, None, None] * view[1]
    points, cut = _march(smooth, threshold, start.reshape(-1, 3), -view[2], half, size)
    picture = np.zeros((pixels * pixels, 3))
    hit = np.isfinite(points[:, 0])
    places = points[hit]
    lit = _lit(smooth, threshold, places, view, size, half)
    faces = _at(grey.astype(np.float32), places / size + shape / 2) / 255
    shades = np.where(cut[hit, None], faces[:, None] * np.ones(3), lit)
    picture[hit] = shades
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8).reshape(pixels, pixels, 3)


def _march(
    smooth: NDArray[np.float32], threshold: int, start: NDArray[Any], along: NDArray[Any],
    half: NDArray[Any], size: NDArray[Any],
) -> tuple[NDArray[Any], NDArray[np.bool_]]:  # fmt: skip
    """Follow rays to what is solid; return where (NaN: nowhere), and whether it lies on a cut."""
    first, last = _crossing(start, along, -half, half)
    # The eighth of the box next to the reader: x > 0, y > 0, above the middle.
    out, back = _crossing(start, along, np.array([0, 0, -half[2]]), np.array([half[0], half[1], 0]))
    inside = out < back
    from_cut = inside & (out <= first + 1e-6)
    at = np.where(from_cut, back, first)
    points, cut = np.full(start.shape, np.nan), np.zeros(len(start), bool)
    active, fresh = np.flatnonzero(at < last), np.ones(len(start), bool)
    centre = np.array(smooth.shape[::-1]) / 2
    while active.size:
        jump = inside[active] & (at[active] > out[active]) & (at[active] < back[active])
        at[active[jump]] = back[active[jump]]
        fresh[active[jump]] = True
        place = start[active] + (at[active] + 1e-3)[:, None] * along
        solid = _nearest(smooth, place / size + centre) > threshold
        hits = active[solid]
        points[hits], cut[hits] = place[solid], fresh[hits]
        active = active[~solid]
        fresh[active] = False
        at[active] += STEP
        active = active[at[active] < last[active]]
    return _refined(smooth, threshold, points, cut, along, size), cut


def _refined(
    smooth: NDArray[np.float32], threshold: int, points: NDArray[Any], cut: NDArray[np.bool_],
    along: NDArray[Any], size: NDArray[Any],
) -> NDArray[Any]:  # fmt: skip
    """Halve the last step until the surface is met to a thirtieth of a voxel."""
    chosen = np.flatnonzero(np.isfinite(points[:, 0]) & ~cut)
    low, high, centre = np.full(chosen.size, -STEP), np.zeros(chosen.size), np.array(smooth.shape[::-1]) / 2
    for _ in range(5):
        middle = (low + high) / 2
        solid = _at(smooth, (points[chosen] + middle[:, None] * along) / size + centre) > threshold
        high, low = np.where(solid, middle, high), np.where(solid, low, middle)
    points[chosen] += high[:, None] * along
    return points


def _lit(
    smooth: NDArray[np.float32], threshold: int, places: NDArray[Any], view: NDArray[Any], size: NDArray[Any],
    half: NDArray[Any],
) -> NDArray[Any]:  # fmt: skip
    """Light a surface from above left, darker in hollows and in the distance."""
    centre = np.array(smooth.shape[::-1]) / 2
    slopes = [
        _at(smooth, (places - step) / size + centre) - _at(smooth, (places + step) / size + centre)
        for step in np.diag(1.5 * size)
    ]
    normal = np.stack(slopes, axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    light = view.T @ np.array([-0.36, 0.52, 0.78])
    diffuse = np.clip(normal @ light, 0, 1)
    hollow = sum(
        np.clip(_at(smooth, (places + reach * normal) / size + centre) / threshold - 0.5, 0, 1) / reach
        for reach in (2.0, 4.0, 8.0)
    )
    halfway = light + view[2]
    shine = np.clip(normal @ (halfway / np.linalg.norm(halfway)), 0, 1) ** 24
    depth = 1 - 0.28 * np.clip(0.5 - places @ view[2] / (2 * np.linalg.norm(half)), 0, 1)
    shade = (0.16 + 0.92 * diffuse) * (1 - 0.55 * np.clip(hollow, 0, 1)) * depth
    return np.asarray(shade[:, None] * SUBJECT + 0.12 * shine[:, None])


def _crossing(
    start: NDArray[Any], along: NDArray[Any], low: NDArray[Any], high: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Tell where rays enter and leave a box; the second is the smaller where they miss it."""
    with np.errstate(divide="ignore"):
        to_low, to_high = (low - start) / along, (high - start) / along
    return np.minimum(to_low, to_high).max(axis=1), np.maximum(to_low, to_high).min(axis=1)


def _nearest(volume: NDArray[np.float32], at: NDArray[Any]) -> NDArray[np.float32]:
    x, y, z = (np.clip(at[:, k].astype(np.intp), 0, volume.shape[2 - k] - 1) for k in range(3))
    return np.asarray(volume[z, y, x])


def _at(volume: NDArray[np.float32], at: NDArray[Any]) -> NDArray[np.float64]:
    """Interpolate linearly; places are (x, y, z), with voxel centres at a half."""
    low, share = [], []
    for k in range(3):
        place = np.clip(at[:, k] - 0.5, 0, volume.shape[2 - k] - 1)
        low.append(np.minimum(place.astype(np.intp), max(0, volume.shape[2 - k] - 2)))
        share.append(place - low[-1])
    result: NDArray[np.float64] = np.zeros(len(at))
    for corner in range(8):
        step = [corner >> k & 1 for k in range(3)]
        weight = np.prod([share[k] if step[k] else 1 - share[k] for k in range(3)], axis=0)
        x, y, z = (np.minimum(low[k] + step[k], volume.shape[2 - k] - 1) for k in range(3))
        result += weight * volume[z, y, x]
    return result


def _smooth(volume: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average along each axis with weights 1 2 1, against noise in the surface."""
    for axis in range(3):
        padded = np.pad(volume, [(1, 1) if k == axis else (0, 0) for k in range(3)], mode="edge")
        parts = [padded.take(range(k, k + volume.shape[axis]), axis=axis) for k in range(3)]
        volume = np.asarray((parts[0] + 2 * parts[1] + parts[2]) / 4, np.float32)
    return volume
