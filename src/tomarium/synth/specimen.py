"""A specimen worth looking at, drawn from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi, sin
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.phantom import Ellipsoid

# (how many, largest half axis over the radius, attenuation over the body's)
_PIECES: Final = ((3, 0.18, 0.9), (9, 0.12, -1.0), (12, 0.08, 2.0), (16, 0.06, -1.0))
_FOAM_RADIUS: Final = 0.2
_VESSELS: Final = 14
_CORE: Final = 0.7  # of the body: pieces keep inside, vessels outside
_DOTS: Final = 4
BODY: Final = 0.74
"""Largest width of the body over the diameter of the cylinder that holds all of it."""
_TRIES: Final = 400


def specimen(diameter: float, height: float, seed: int, *, absorption: float = 1.2) -> tuple[Ellipsoid, ...]:
    """Draw a stem: skin, vessels, a core with inclusions, pores and foam; and dots far off the axis.

    Parameters
    ----------
    diameter : float
        Diameter in px of the cylinder about the rotation axis that holds all of it, dots included.
    height : float
        Height in px it is seen over; the body reaches beyond, so that every row shows it.
    seed : int
        Seed; the same seed draws the same specimen.
    absorption : float
        About the line integral through the middle of the body, dimensionless.

    Returns
    -------
    tuple of Ellipsoid
        Attenuation in 1/px; the sum is nowhere negative.
    """
    draw = np.random.default_rng(seed)
    radius = diameter / 2
    length = BODY * radius
    matrix = absorption / (2 * length)
    turn = (float(draw.uniform(0, 180)), 0.0, 0.0)
    aside = draw.uniform(-0.06, 0.06, 2) * radius
    centre = (0.0, float(aside[0]), float(aside[1]))
    half_axes = (0.8 * height, length, length * float(draw.uniform(0.78, 0.92)))
    skin = 0.06 * radius
    z, y, x = half_axes
    body = Ellipsoid(centre, (z - skin, y - skin, x - skin), -0.6 * matrix, turn)
    parts = [Ellipsoid(centre, half_axes, 1.6 * matrix, turn), body]

    core = Ellipsoid(centre, (z, _CORE * y, _CORE * x), 0.25 * matrix, turn)
    parts += [core, *_vessels(draw, body, -matrix)]

    sizes = [(size * radius, ratio) for count, size, ratio in _PIECES for _ in range(count)]
    foam, *places = _pack(draw, core, [_FOAM_RADIUS * radius, *(size for size, _ in sizes)], height)
    if foam is not None:
        parts += _foam(draw, foam, _FOAM_RADIUS * radius, -1.25 * matrix)
    for (size, ratio), place in zip(sizes, places, strict=True):
        half = size * draw.uniform(0.6, 1.0, 3)
        rotation_deg = _triple(draw.uniform(0, 180, 3))
        if place is not None:
            parts.append(Ellipsoid(_triple(place), _triple(half), 1.25 * ratio * matrix, rotation_deg))
    return (*parts, *_dots(draw, radius, height, 6 * matrix))


def _pack(
    draw: np.random.Generator, body: Ellipsoid, sizes: Sequence[float], height: float
) -> list[NDArray[np.float64] | None]:
    """Find a place in the body for balls of these radii, apart from each other; None where none was found."""
    to_ball = np.linalg.inv(np.linalg.cholesky(body.covariance()))
    reach = np.array([height / 2, body.half_axes[1], body.half_axes[1]])
    places: list[NDArray[np.float64] | None] = []
    centres, radii, count = np.zeros((len(sizes), 3)), np.zeros(len(sizes)), 0
    for size in sizes:
        place = None
        for _ in range(_TRIES):
            offset = draw.uniform(-1, 1, 3) * reach
            if np.linalg.norm(to_ball @ offset) + size / min(body.half_axes) >= 0.97:
                continue  # not deep enough
            apart = np.asarray(body.centre + offset - centres[:count])
            if (np.einsum("ij,ij->i", apart, apart) > (size + radii[:count]) ** 2).all():
                place = body.centre + offset
                centres[count], radii[count] = place, size
                count += 1
                break
        places.append(place)
    return places


def _vessels(draw: np.random.Generator, body: Ellipsoid, attenuation: float) -> list[Ellipsoid]:
    """Return long pores between core and skin, each in its own sector, so that none overlap."""
    z, y, x = body.half_axes
    turned = np.radians(body.rotation_deg[0])
    vessels = []
    for sector in range(_VESSELS):
        where = 2 * pi * (sector + float(draw.uniform(-0.2, 0.2))) / _VESSELS
        size = min(y, x) * float(draw.uniform(0.04, 0.1))
        along, across = 0.83 * x * cos(where), 0.83 * y * sin(where)
        at = (
            0.0,
            body.centre[1] + along * sin(turned) + across * cos(turned),
            body.centre[2] + along * cos(turned) - across * sin(turned),
        )
        vessels.append(Ellipsoid(at, (0.9 * z, size, size * float(draw.uniform(0.6, 1.0))), attenuation))
    return vessels


def _foam(
    draw: np.random.Generator, middle: NDArray[np.float64], radius: float, attenuation: float
) -> list[Ellipsoid]:
    """Return bubbles on a shaken lattice inside a ball; each keeps to its cell, so none overlap."""
    pitch = radius / 3.2
    steps = np.arange(-3, 4) * pitch
    bubbles = []
    for offset in np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3):
        bubble = pitch * float(draw.uniform(0.25, 0.45))
        at = offset + draw.uniform(-1, 1, 3) * (pitch / 2 - bubble)
        if np.linalg.norm(at) + bubble < radius:
            bubbles.append(Ellipsoid(_triple(middle + at), (bubble, bubble, bubble), attenuation))
    return bubbles


def _dots(draw: np.random.Generator, radius: float, height: float, attenuation: float) -> list[Ellipsoid]:
    """Return small balls beyond the body: an axis that is wrong draws them as arcs."""
    size = max(1.5, 0.015 * radius)
    dots = []
    for _ in range(_DOTS):
        turn, z = float(draw.uniform(0, 2 * pi)), float(draw.uniform(-0.45, 0.45)) * height
        at = (z, 0.9 * radius * sin(turn), 0.9 * radius * cos(turn))
        dots.append(Ellipsoid(at, (size, size, size), attenuation))
    return dots


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    z, y, x = (float(value) for value in values)
    return z, y, x
