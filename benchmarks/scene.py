"""The object of the benchmarks: eight ellipses, their exact projections and their exact picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Ellipse:
    """In units of half the field of view, x to the right and y up; turn in radians; attenuation per pixel."""

    x: float
    y: float
    a: float
    b: float
    turn: float
    value: float


# The body fills 85 % of the field of view, so that too little padding shows.
BODY = Ellipse(0, 0, 0.85, 0.80, 0.2, 1.0)
PARTS = (
    Ellipse(0.30, 0.20, 0.20, 0.12, 0.5, 0.30),
    Ellipse(-0.30, -0.25, 0.15, 0.20, 1.0, -0.40),
    Ellipse(0.10, -0.40, 0.08, 0.08, 0.0, 0.20),
    Ellipse(-0.20, 0.35, 0.10, 0.05, 2.0, 0.25),
    Ellipse(0.45, -0.20, 0.05, 0.12, 0.8, -0.30),
    Ellipse(-0.55, 0.10, 0.04, 0.04, 0.0, 0.30),
    Ellipse(0.05, 0.10, 0.03, 0.06, 1.3, -0.20),
)


@dataclass(frozen=True)
class Scene:
    """A sinogram and what it is of.

    angles_deg (angle,), sinogram (angle, column) averaged over each pixel's width, picture (y, x) averaged
    over each pixel, `inside` the body more than five pixels from any edge, `body` all of it.
    """

    angles_deg: Array
    sinogram: Array
    picture: Array
    inside: NDArray[np.bool_]
    body: NDArray[np.bool_]


def make_scene(size: int, count: int) -> Scene:
    """Project exactly onto `size` columns from `count` angles over half a turn, axis in the middle."""
    angles = np.arange(count) * 180.0 / count
    half, middle = size / 2, (size - 1) / 2
    x, y = np.arange(size)[None] - middle, middle - np.arange(size)[:, None]
    sinogram, picture = np.zeros((count, size)), np.zeros((size, size))
    distance = np.full((size, size), np.inf)
    for e in (BODY, *PARTS):
        sinogram += _project(e, np.deg2rad(angles)[:, None], np.arange(size + 1)[None] - 0.5 - middle, half)
        for dx in (-0.375, -0.125, 0.125, 0.375):
            for dy in (-0.375, -0.125, 0.125, 0.375):
                picture += e.value / 16 * (_radius(e, x + dx, y + dy, half) <= 1)
        distance = np.minimum(distance, abs(_radius(e, x, y, half) - 1) * min(e.a, e.b) * half)
    body = _radius(BODY, x, y, half) <= 1
    return Scene(angles, sinogram, picture, body & (distance > 5), body)


def _project(e: Ellipse, t: Array, edges: Array, half: float) -> Array:
    """Integrate the chord 2 ab sqrt(r^2 - s^2) / r^2 over each pixel."""
    a, b = e.a * half, e.b * half
    r = np.hypot(a * np.cos(t - e.turn), b * np.sin(t - e.turn))
    s = np.clip((edges - half * (e.x * np.cos(t) + e.y * np.sin(t))) / r, -1, 1)
    return np.diff(e.value * a * b * (s * np.sqrt(1 - s**2) + np.arcsin(s)), axis=1)


def _radius(e: Ellipse, x: Array, y: Array, half: float) -> Array:
    c, s = np.cos(e.turn), np.sin(e.turn)
    dx, dy = x - e.x * half, y - e.y * half
    return np.hypot((dx * c + dy * s) / (e.a * half), (dy * c - dx * s) / (e.b * half))
