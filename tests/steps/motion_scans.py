"""Exact projections of a sample that moves, each view with its own shift, for tests of motion."""

import numpy as np

from tomarium.kernels.phantom import Ellipsoid, line_integrals

FINE = (np.arange(2) - 0.5) / 2


def bodies(seed: int, height: float) -> list[Ellipsoid]:
    draw = np.random.default_rng(seed)
    return [
        Ellipsoid((0, 0, 0), (60, 40, 34), 0.02),
        *(
            Ellipsoid(
                (draw.uniform(-height, height), *draw.uniform(-20, 20, 2)),
                tuple(draw.uniform(3, 8, 3)),
                draw.uniform(-0.02, 0.04),
            )
            for _ in range(16)
        ),
    ]


def projections(
    specimen: list[Ellipsoid],
    angles: np.ndarray,
    shape: tuple[int, int],
    axis: float,
    columns: np.ndarray,
    rows: np.ndarray,
) -> np.ndarray:
    """Exact projections of pixels with an area, (angle, row, column)."""
    height, width = shape
    made = np.empty((len(angles), height, width), np.float32)
    z, u = np.arange(height) - (height - 1) / 2, np.arange(width) - axis
    for k, angle in enumerate(angles):
        z_fine, u_fine = (z[:, None] + FINE).ravel() - rows[k], (u[:, None] + FINE).ravel() - columns[k]
        fine = line_integrals(specimen, np.array([angle]), z_fine, u_fine)[0]
        made[k] = fine.reshape(height, 2, width, 2).mean(axis=(1, 3))
    return made
