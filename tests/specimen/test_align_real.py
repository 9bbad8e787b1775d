"""A plane of a real CT of sand, seen with another contrast and noise of its own, is found where it was taken."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tomarium.kernels.alignment.sampling import grid_of, sample
from tomarium.specimen.align import align
from tomarium.specimen.image import Image, image_of_array
from tomarium.synth.rock import pose_about

SHAPE, PIXELS, VOXEL_M = (100, 200, 200), 56, 1e-6


def plane_of(
    volume: NDArray[np.float32], first: int, shift: tuple[int, int, int]
) -> tuple[Image, NDArray[np.float64]]:
    """Cut every second slice of a part obliquely, count its quanta, brightest where the sand is thin; and its pose."""
    middle = np.array([47.5, 47.5, 48.0])
    turn = pose_about(middle, (9, -12, 14), shift)
    turn[:3, 3] += turn[:3, :3] @ (middle - [(PIXELS - 1) / 2, (PIXELS - 1) / 2, 0])
    grid = grid_of(volume, (1, 1, 2), (0, 0, first))
    y, x = np.mgrid[:PIXELS, :PIXELS]
    points = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)
    values, _, inside = sample(grid, points @ turn[:3, :3].T + turn[:3, 3])
    assert inside.all()
    counts = np.random.default_rng(1).poisson(60 * np.exp(-values / 80)).reshape(PIXELS, PIXELS)
    turn[:3, 3] *= VOXEL_M
    return image_of_array(counts, VOXEL_M), turn


@pytest.fixture
def sand(shared: Callable[[str], Path]) -> NDArray[np.float32]:
    raw = np.fromfile(shared("volumes/sand_200x200x100_uint8.raw"), np.uint8).reshape(SHAPE)
    return raw.astype(np.float32)


@pytest.mark.slow
def test_a_plane_of_real_sand_is_found(sand: NDArray[np.float32]) -> None:
    part = sand[:, 50:146, 50:146]
    fixed = image_of_array(
        part[::2], [2 * VOXEL_M, VOXEL_M, VOXEL_M]
    )  # the plane is cut from the other slices
    moving, truth = plane_of(part[1::2], 1, (3, -5, 3))
    found = align(fixed, moving, search="near", mirror=False)
    assert found.accepted, found.notes
    corners = np.array([[x, y, 0, 1] for x in (0, 55e-6) for y in (0, 55e-6)])
    away = np.linalg.norm((corners @ (found.matrix - truth).T)[:, :3], axis=1) / VOXEL_M
    assert away.max() < 0.6
    assert found.tre_m < 0.3 * VOXEL_M


@pytest.mark.slow
def test_a_plane_of_another_part_of_it_is_not_found(sand: NDArray[np.float32]) -> None:
    fixed = image_of_array(sand[::2, :96, :96], [2 * VOXEL_M, VOXEL_M, VOXEL_M])
    moving, _ = plane_of(sand[1::2, 100:196, 100:196], 1, (3, -5, 3))
    assert not align(fixed, moving, search="near", mirror=False).accepted
