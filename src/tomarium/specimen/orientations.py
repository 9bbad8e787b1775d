"""Which orientations of one image in another are tried, and which of them count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.alignment.rotations import angle_of, even_rotations, rotation

Search = Literal["global", "near"]

NEAR_DEG: Final = 32.0
"""Farthest turn from the start that "near" tries."""

SCALES: Final = (0.94, 1.0, 1.06)
"""Factors of the pixel size that are tried where it may be wrong."""

_EVEN: Final = 4608  # rotations 15° apart
_SPHERE_DEG: Final = 41_253  # square degrees of a sphere
_ELSEWHERE: Final = 64
_TILTS_ELSEWHERE: Final = 24
_FAR_DEG: Final = 50.0

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Orientations:
    """Linear maps from the frame of one image to that of another.

    Attributes
    ----------
    maps : array of float, shape (orientation, 3, 3)
        Rotation, mirror image and factor.
    wanted : array of bool, shape (orientation,)
        Whether it may be the answer; the others tell what unrelated places reach.
    mirrored : array of bool, shape (orientation,)
        Whether it is a mirror image of the start.
    tilts, turns : array of float, shape (tilt, 3, 3) and (turn, 3, 3), or None
        Of a flat image in a volume: the maps are tilt · turn, all turns of the first tilt first.
    """

    maps: Array
    wanted: NDArray[np.bool_]
    mirrored: NDArray[np.bool_]
    tilts: Array | None = None
    turns: Array | None = None


def orientations(
    start: Array,
    *,
    search: Search,
    mirror: bool,
    scale: bool,
    flat: bool,
    section: bool,
    step_deg: float,
) -> Orientations:
    """List the orientations to try.

    Parameters
    ----------
    start : array of float, shape (3, 3)
        Where the search begins.
    search : {"global", "near"}
        All orientations, or those within `NEAR_DEG` of the start.
    mirror : bool
        Whether mirror images are tried.
    scale : bool
        Whether factors of the pixel size are tried.
    flat : bool
        Whether both images are flat: only turns within the plane are tried.
    section : bool
        Whether one is flat and the other is not: turned over it is its own mirror image.
    step_deg : float
        Distance of neighbours.

    Returns
    -------
    Orientations
        All of them; of a "near" search also some from elsewhere, which are not wanted.
    """
    factors = SCALES if scale else (1.0,)
    flips = _flips(search, mirror, flat, section)
    flip_mirrors = [bool(np.linalg.det(flip) < 0) for flip in flips]
    if section:
        tilts, near_tilt = _tilts(search, step_deg)
        angles, near_turn = _in_plane(search, step_deg)
        angles = angles[near_turn]
        turns = np.array([factor * turn @ flip for factor in factors for flip in flips for turn in angles])
        mirrored = np.tile(np.repeat(flip_mirrors, len(angles)), len(factors))
        tilts = tilts @ start
        return Orientations(
            (tilts[:, None] @ turns[None]).reshape(-1, 3, 3),
            np.repeat(near_tilt, len(turns)),
            np.tile(mirrored, len(tilts)),
            tilts,
            turns,
        )
    turned, near = (_in_plane if flat else _in_space)(search, step_deg)
    maps, is_wanted, mirrors = [], [], []
    for flip, is_mirrored in zip(flips, flip_mirrors, strict=True):
        for turn, is_near in zip(turned, near, strict=True):
            if not is_near and is_mirrored:
                continue  # what unrelated places reach is told by those that are not mirrored
            maps += [factor * turn @ start @ flip for factor in factors]
            is_wanted += [bool(is_near)] * len(factors)
            mirrors += [is_mirrored] * len(factors)
    return Orientations(np.array(maps), np.array(is_wanted), np.array(mirrors))


def _tilts(search: Search, step_deg: float) -> tuple[Array, NDArray[np.bool_]]:
    """Return rotations that bring z to directions spread over the sphere, by the shortest way."""
    count = round(_SPHERE_DEG / step_deg**2)
    if search == "global":
        return _towards(count), np.ones(count, bool)
    fine, rough = _towards(count), _towards(_TILTS_ELSEWHERE)
    near = fine[fine[:, 2, 2] >= np.cos(np.deg2rad(NEAR_DEG))]
    far = rough[np.abs(rough[:, 2, 2]) <= np.cos(np.deg2rad(_FAR_DEG))]
    return np.concatenate([near, far]), np.arange(len(near) + len(far)) < len(near)


def _towards(count: int) -> Array:
    """Return rotations of z to the points of a Fibonacci lattice on the sphere; the first is close to none."""
    i = np.arange(count) + 0.5
    polar, azimuth = np.arccos(1 - 2 * i / count), np.pi * (1 + 5**0.5) * i
    return np.array(
        [
            rotation(angle * np.array([-np.sin(far), np.cos(far), 0.0]))
            for angle, far in zip(polar, azimuth, strict=True)
        ]
    )


def _in_plane(search: Search, step_deg: float) -> tuple[Array, NDArray[np.bool_]]:
    angles = np.arange(0, 360, 360 / max(24, round(360 / step_deg)))
    away = np.abs((angles + 180) % 360 - 180)
    near = np.ones(len(angles), bool) if search == "global" else away <= NEAR_DEG
    chosen = near | (away >= _FAR_DEG)
    turns = np.array([rotation(np.array([0, 0, np.deg2rad(angle)])) for angle in angles[chosen]])
    return turns, near[chosen]


def _in_space(search: Search, step_deg: float) -> tuple[Array, NDArray[np.bool_]]:
    turns = even_rotations(round(_EVEN * (15 / step_deg) ** 3))
    if search == "global":
        return turns, np.ones(len(turns), bool)
    angles = np.rad2deg([angle_of(turn) for turn in turns])
    near = np.concatenate([np.eye(3)[None], turns[angles <= NEAR_DEG]])
    elsewhere = even_rotations(_ELSEWHERE)
    elsewhere = elsewhere[np.rad2deg([angle_of(turn) for turn in elsewhere]) >= _FAR_DEG]
    flags = np.arange(len(near) + len(elsewhere)) < len(near)
    return np.concatenate([near, elsewhere]), flags


def _flips(search: Search, mirror: bool, flat: bool, section: bool) -> list[Array]:
    """Return the mirror images to try: turned in all ways, one flip gives all others; else one for each axis."""
    flips = [np.eye(3)]
    if not mirror or (section and search == "global"):
        return flips
    axes = 2 if flat or section else 3
    for axis in range(1 if search == "global" else axes):
        flip = np.eye(3)
        flip[axis, axis] = -1
        flips.append(flip)
    return flips
