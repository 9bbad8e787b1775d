"""Bodies whose volume, surface and Euler characteristic are known, with their partial voxels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.model import Axis, Volume

VOXEL_M: Final = 1e-5
Grey = NDArray[np.float32]


def volume(array: NDArray[Any], voxel_m: float | None = VOXEL_M, unit: str = "1/cm") -> Volume:
    known = ("m", voxel_m) if voxel_m else ("px", 1.0)
    return Volume(array, tuple(Axis(name, known[1], 0.0, known[0]) for name in "zyx"), unit, "body")


def places(side: int, shift: float = 0.0) -> NDArray[np.float64]:
    return np.moveaxis(np.mgrid[:side, :side, :side] - (side - 1) / 2 - shift, 0, -1)


def filled(inside_px: NDArray[np.float64]) -> Grey:
    """Turn the distance from the surface, above 0 inside, into the share of a voxel that is filled."""
    return np.clip(inside_px + 0.5, 0, 1).astype(np.float32)


def ball(radius: float, side: int = 0, shift: float = 0.0) -> tuple[Grey, float, float, int]:
    at = places(side or int(2 * radius) + 12, shift)
    grey = filled(radius - np.linalg.norm(at, axis=-1))
    return grey, 4 / 3 * np.pi * radius**3, 4 * np.pi * radius**2, 2


def torus(radius: float, tube: float, shift: float = 0.0) -> tuple[Grey, float, float, int]:
    at = places(int(2 * (radius + tube)) + 12, shift)
    around = np.hypot(at[..., 1], at[..., 2]) - radius
    grey = filled(tube - np.hypot(around, at[..., 0]))
    return grey, 2 * np.pi**2 * radius * tube**2, 4 * np.pi**2 * radius * tube, 0


def box(half: float, shift: float = 0.0) -> tuple[Grey, float, float, int]:
    grey = np.prod(filled(half - np.abs(places(int(3 * half) + 12, shift))), axis=-1)
    return grey.astype(np.float32), (2 * half) ** 3, 6 * (2 * half) ** 2, 2


def hollow_ball(outer: float, inner: float, shift: float = 0.0) -> tuple[Grey, float, float, int]:
    radius = np.linalg.norm(places(int(2 * outer) + 12, shift), axis=-1)
    grey = filled(outer - radius) * filled(radius - inner)
    return grey, 4 / 3 * np.pi * (outer**3 - inner**3), 4 * np.pi * (outer**2 + inner**2), 4


def two_balls(radius: float, gap: float, shift: float = 0.0) -> tuple[Grey, float, float, int]:
    at = places(int(4 * radius + gap) + 12, shift)
    middle = np.array([0.0, 0.0, radius + gap / 2])
    grey = np.maximum(*(filled(radius - np.linalg.norm(at - side * middle, axis=-1)) for side in (1, -1)))
    return grey, 2 * 4 / 3 * np.pi * radius**3, 2 * 4 * np.pi * radius**2, 4 if gap > 2 else 2


def plate(thickness: float, normal: tuple[float, float, float], shift: float = 0.0, side: int = 44) -> Grey:
    """A round plate."""
    at = places(side, shift)
    away = np.abs(at @ (np.array(normal) / np.linalg.norm(normal)))
    across = np.sqrt(np.maximum((at**2).sum(-1) - away**2, 0))
    return filled(np.minimum(thickness / 2 - away, side * 0.4 - across))


BODIES: Final[dict[str, Callable[[float], tuple[Grey, float, float, int]]]] = {
    "ball of 12": lambda shift: ball(12, shift=shift),
    "ball of 20": lambda shift: ball(20, shift=shift),
    "torus": lambda shift: torus(17, 7, shift),
    "box": lambda shift: box(20, shift),
    "hollow ball": lambda shift: hollow_ball(18, 9, shift),
    "two balls apart": lambda shift: two_balls(10, 4, shift),
    "two balls that touch": lambda shift: two_balls(10, 0, shift),
}
