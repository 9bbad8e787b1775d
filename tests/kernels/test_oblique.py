"""Planes at any angle through volumes whose values are known at each place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tomarium.errors import ParameterError
from tomarium.kernels.oblique import normal_of_angles, plane_through, sample_plane

SHAPE = (70, 40, 50)


@pytest.fixture(scope="module")
def linear() -> Any:
    """Values linear in place: trilinear interpolation gives them exactly."""
    z, y, x = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in SHAPE), indexing="ij")
    return 2 * z - y + 0.5 * x + 200


@pytest.mark.parametrize("seed", range(8))
def test_each_pixel_has_the_value_of_its_place(seed: int, linear: Any) -> None:
    draw = np.random.default_rng(seed)
    point = draw.uniform(5, 35, 3)
    plane = plane_through(SHAPE, draw.normal(size=3), point)
    image = sample_plane(linear, plane)
    rows, columns = np.mgrid[: plane.shape[0], : plane.shape[1]]
    place = plane.origin + rows[..., None] * plane.down + columns[..., None] * plane.right
    inside = ((place >= 0) & (place <= np.array(SHAPE) - 1)).all(axis=-1)
    np.testing.assert_allclose(image[inside], (place @ [2, -1, 0.5] + 200)[inside], rtol=1e-5)
    assert not image[~inside].any()
    assert np.linalg.norm(place - point, axis=-1).min() < 1e-9
    assert np.linalg.norm(plane.down) == pytest.approx(1)
    assert plane.down @ plane.right == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("axis", range(3))
def test_planes_across_the_axes_are_those_of_the_volume(axis: int, linear: Any) -> None:
    normal = np.eye(3)[axis]
    point = [10, 10, 10]
    np.testing.assert_array_equal(
        sample_plane(linear, plane_through(SHAPE, normal, point)), linear.take(10, axis)
    )
    np.testing.assert_array_equal(
        sample_plane(linear, plane_through(SHAPE, -normal, point)), linear.take(10, axis)
    )


def test_a_circle_stays_a_circle() -> None:
    """A ball cut through its middle at any angle is a disc of its radius."""
    grid = np.meshgrid(*(np.arange(64) - 31.5 for _ in range(3)), indexing="ij")
    ball = np.clip(20.5 - np.sqrt(sum(g**2 for g in grid)), 0, 1)
    for normal in ((1, 1, 1), (0.3, -2, 1), normal_of_angles(35, 70)):
        area = sample_plane(ball, plane_through(ball.shape, normal)).sum()
        assert area == pytest.approx(math.pi * 20**2, rel=0.005)


def test_flat_voxels_are_cut_in_true_proportions() -> None:
    z, _, x = np.meshgrid(np.arange(20.0), np.arange(30.0), np.arange(40.0), indexing="ij")
    plane = plane_through((20, 30, 40), (0, 1, 0), spacing=(2.0, 1.0, 1.0))
    image = sample_plane(z * 2 + 100 * x, plane)
    assert image.shape[1] == 40
    assert 38 <= image.shape[0] <= 39
    np.testing.assert_allclose(np.diff(image, axis=0), 1, atol=1e-3)


def test_tall_volumes_are_read_in_blocks(linear: Any) -> None:
    class Counted:
        shape = linear.shape
        most = 0

        def __getitem__(self, key: Any) -> Any:
            Counted.most = max(Counted.most, linear[key].shape[0])
            return linear[key]

    plane = plane_through(SHAPE, (1, 1, 0))
    np.testing.assert_array_equal(sample_plane(Counted(), plane), sample_plane(linear, plane))
    assert Counted.most <= 33


def test_angles_and_what_is_refused() -> None:
    assert normal_of_angles(0, 30) == pytest.approx((1, 0, 0))
    assert normal_of_angles(90, 90) == pytest.approx((0, 1, 0))
    with pytest.raises(ParameterError, match="not all 0"):
        plane_through(SHAPE, (0, 0, 0))
    with pytest.raises(ParameterError, match="outside of the volume"):
        plane_through(SHAPE, (1, 0, 0), (90, 1, 1))
