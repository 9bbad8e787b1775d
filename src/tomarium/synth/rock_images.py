"""Images of one simulated rock by several techniques, from a block to a lamella, and where each truly lies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.synth.rock import Matrix, image, labels, pose_about, rock

EDGE_M: Final = 0.96e-3
NOISE: Final = 0.06
"""Of X-rays and electrons scattered back, over the contrast of iron."""

COUNTS: Final = 25
"""Counts of silicon in a pixel of olivine."""

NOT_INDEXED: Final = 0.05
"""Share of the pixels of a map of diffraction that tell nothing."""


@dataclass(frozen=True, eq=False)
class RockImage:
    """An image of the rock.

    Attributes
    ----------
    name : str
        "ct", "core-ct", "eds", "si", "ebsd" or "fib".
    title : str
        For people.
    values : array, shape (z, y, x) or (y, x)
        Grey values or counts, float32 or uint16; of "eds" and "ebsd" numbers of phases from 1, uint8, 0 where nothing
        is known.
    step_m : tuple of float
        Distance of neighbours along z, y, x, m; of a map along y, x.
    first : float
        Coordinate of the first voxel along each axis in the image's frame, in its steps.
    matrix : array of float, shape (4, 4)
        Maps points (x, y, z, 1) of the image's frame into that of "ct", m.
    """

    name: str
    title: str
    values: NDArray[Any]
    step_m: tuple[float, ...]
    first: float
    matrix: Matrix


def rock_images(edge: int = 48, seed: int = 3) -> Iterator[RockImage]:
    """Draw six images of one rock of olivine, iron, sulphide and pores.

    Parameters
    ----------
    edge : int
        Voxels of the block's CT along each axis; the others have about as many.
    seed : int
        Of the rock, the noise and the poses.

    Yields
    ------
    RockImage
        A CT of the block; a CT of a core of it; phases (EDS) and counts of silicon of one polished section; phases of
        another section (EBSD); and a FIB stack of a lamella from the core, whose voxels are twice as thick as wide.
    """
    draw = np.random.default_rng(seed)
    rock_, middle = rock(EDGE_M, seed), np.full(3, EDGE_M / 2)

    def noisy(values: NDArray[Any]) -> NDArray[np.float32]:
        return (values + draw.normal(0, NOISE, values.shape)).astype(np.float32)

    voxel = EDGE_M / edge
    yield RockImage(
        "ct", "Pallasite, CT of the block", noisy(image(rock_, (edge,) * 3, (voxel,) * 3)), (voxel,) * 3, 0.5,
        np.eye(4),
    )  # fmt: skip

    fine = 0.4 * EDGE_M / edge
    centre = middle + np.array([0.12, -0.06, 0.03]) * EDGE_M
    core = _placed(centre, (edge,) * 3, (fine,) * 3, (4.0, -3.0, 24.0))
    inside = noisy(image(rock_, (edge,) * 3, (fine,) * 3, core))
    yield RockImage("core-ct", "Pallasite, CT of a core", inside, (fine,) * 3, 0.0, core)

    wide = round(0.85 * edge)
    section = _placed(middle, (1, wide, wide), (voxel,) * 3, (5.0, -4.0, 7.0))
    phases = labels(rock_, (1, wide, wide), (voxel,) * 3, section)[0] + np.uint8(1)
    yield RockImage("eds", "Pallasite, phases by EDS", phases, (voxel,) * 2, 0.0, section)
    silicon = draw.poisson(COUNTS * image(rock_, (1, wide, wide), (voxel,) * 3, section, signal="si")[0])
    yield RockImage(
        "si", "Pallasite, counts of silicon", silicon.astype(np.uint16), (voxel,) * 2, 0.0, section
    )

    small = voxel / 2
    across = _placed(
        middle + np.array([-0.2, 0, 0]) * EDGE_M, (1, edge, edge), (small,) * 3, (0.0, 84.0, 0.0)
    )
    phases_measured = labels(rock_, (1, edge, edge), (small,) * 3, across)[0] + np.uint8(1)
    phases_measured[draw.uniform(size=phases_measured.shape) < NOT_INDEXED] = 0
    yield RockImage("ebsd", "Pallasite, phases by EBSD", phases_measured, (small,) * 2, 0.0, across)

    thin = (fine / 4, fine / 8, fine / 8)
    shape = (edge // 2, edge, edge)
    lamella = _placed(centre + np.array([0.05, 0.04, 0.02]) * EDGE_M, shape, thin, (0.0, 90.0, 10.0))
    yield RockImage(
        "fib", "Pallasite, FIB stack of a lamella", noisy(image(rock_, shape, thin, lamella, signal="bse")), thin, 0.0,
        lamella,
    )  # fmt: skip


def _placed(
    centre_m: Matrix, shape: tuple[int, ...], step_m: tuple[float, ...], turn_deg: tuple[float, float, float]
) -> Matrix:
    """Return the matrix of an image whose middle lies at a point, turned about it."""
    own = np.eye(4)
    own[:3, 3] = centre_m - (np.array(shape[::-1]) - 1) / 2 * np.array(step_m[::-1])
    return np.asarray(pose_about(centre_m.tolist(), turn_deg) @ own)


def in_each_other(image: RockImage, other: RockImage) -> Matrix:
    """Return the matrix from the frame of an image into that of another, m."""
    return np.asarray(np.linalg.inv(other.matrix) @ image.matrix)
