"""Links and images whose truth is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.alignment.rotations import rotation
from tomarium.model.link import Link, rows
from tomarium.specimen.image_frame import ImageFrame

A, B, C, D = "records/a", "records/b", "records/c", "records/d"


def matrix_of(
    random: np.random.Generator, *, mirrored: bool = False, scale: float = 1.0
) -> NDArray[np.float64]:
    """Make a pose of any rotation, some millimetres away."""
    matrix = np.eye(4)
    matrix[:3, :3] = scale * rotation(random.normal(size=3))
    if mirrored:
        matrix[:3, 2] *= -1
    matrix[:3, 3] = random.normal(scale=3e-3, size=3)
    return matrix


def covariance_of(
    random: np.random.Generator, turn_rad: float = 5e-3, shift_m: float = 5e-6
) -> NDArray[np.float64]:
    """Make a covariance with correlations, of a given size."""
    mixed = random.normal(size=(6, 6)) / 6 + np.eye(6)
    scaled = np.diag([turn_rad] * 3 + [shift_m] * 3) @ mixed
    return np.asarray(scaled @ scaled.T)


def link(
    start: str,
    end: str,
    matrix: NDArray[np.float64] | None = None,
    covariance: NDArray[np.float64] | None = None,
    *,
    centre_m: tuple[float, float, float] = (0.0, 0.0, 0.0),
    kind: str = "measured",
    mirrored: bool = False,
    id: str = "",
) -> Link:
    """Make a link; without a matrix both frames are the same."""
    spread = np.diag([1e-3] * 3 + [1e-6] * 3) ** 2 if covariance is None else covariance
    return Link(
        start,
        end,
        rows(np.eye(4) if matrix is None else matrix),
        rows(spread),
        centre_m=centre_m,
        kind=kind,
        mirrored=mirrored,
        id=id or f"{start[-1]}-{end[-1]}",
    )


def rock(points_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tell the grey value of a simulated rock at points (x, y, z) in m: round grains in a matrix, with a gradient."""
    random = np.random.default_rng(10)
    centres, radii = random.uniform(0, 3.2e-4, (90, 3)), random.uniform(1.5e-5, 4e-5, 90)
    values = 40 + 1e5 * points_m[..., 0]
    for number, (centre, radius) in enumerate(zip(centres, radii, strict=True)):
        away = np.linalg.norm(points_m - centre, axis=-1)
        values = np.where(away < radius, 90 + 35 * (number % 4) + 1e5 * away, values)
    return np.asarray(values)


def volume(frame: str, n: int = 100, step_m: float = 1e-5, first_m: float = 0.0) -> ImageFrame:
    """Make the frame of a cube."""
    return ImageFrame(frame, frame, False, (n, n, n), (first_m,) * 3, (step_m,) * 3)


def plane(frame: str, n: int = 100, step_m: float = 1e-6) -> ImageFrame:
    """Make the frame of a square map."""
    return ImageFrame(frame, frame, True, (n, n, 1), (0.0, 0.0, 0.0), (step_m, step_m, 0.0))
