"""Forward projection, its transpose, and their product as a convolution."""

import numpy as np
import pytest

import tomarium as tm
from kernels.test_fbp import phantom, picture
from kernels.test_fbp import project as exact_pixel_averages
from tomarium.errors import InputError, ParameterError
from tomarium.kernels.backprojection.geometry import disc
from tomarium.kernels.normal_operator import make_normal_operator
from tomarium.kernels.phantom import Ellipsoid, line_integrals, voxelise
from tomarium.kernels.projection import adjoint, forward, make_rays, project_adjoint

PAIR = 1e-5
"""Relative difference of the convolution and the explicit pair: 6e-6 measured at 97 pixels, 3e-6 at 2048."""

# (size, columns, views, axis): odd and even, wider and narrower than the detector, axis aside and off the detector.
CASES = [
    (64, 64, 50, 31.5),
    (65, 97, 31, 40.3),
    (96, 64, 77, 20.25),
    (33, 48, 5, -20.0),
    (40, 31, 1, 45.5),
    (1, 3, 4, 1.0),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_transpose_is_exact(case: tuple[int, int, int, float]) -> None:
    size, columns, views, axis = case
    for seed in range(3):
        draw = np.random.default_rng(seed)
        angles = draw.uniform(-200, 400, views)
        image = draw.normal(1, 1, (2, size, size)).astype(np.float32)
        sinogram = draw.normal(1, 1, (views, 2, columns)).astype(np.float32)
        made = tm.project(image, angles, axis, columns).astype(np.float64)
        back = project_adjoint(sinogram, angles, axis, size).astype(np.float64)
        scale = np.linalg.norm(made) * np.linalg.norm(sinogram)
        assert abs(np.vdot(made, sinogram) - np.vdot(image, back)) < 1e-6 * scale


@pytest.mark.parametrize(("size", "axis"), [(128, 63.5), (129, 70.2), (128, 50.0)])
def test_projections_of_pixel_averages_are_pixel_averages(size: int, axis: float) -> None:
    angles = np.random.default_rng(0).uniform(0, 360, 90)
    image, _ = picture(phantom(size - 50), size)
    columns = size + 40
    made = tm.project(image, angles, axis + 20, columns)
    true = exact_pixel_averages(phantom(size - 50), angles, columns, axis + 20)
    assert np.sqrt(np.mean((made - true) ** 2)) < 0.002 * true.max()
    assert np.abs(made - true).max() < 0.02 * true.max()


def test_ellipsoids_are_projected_as_their_line_integrals() -> None:
    draw = np.random.default_rng(4)
    bodies = [
        Ellipsoid(tuple(draw.uniform(-20, 20, 3)), tuple(draw.uniform(8, 30, 3)), float(draw.uniform(0.2, 1)),
                  tuple(draw.uniform(0, 360, 3)))
        for _ in range(6)
    ]  # fmt: skip
    rows, place = np.arange(-3.0, 3.0), np.arange(128) - 63.5
    volume = voxelise(bodies, rows, place, place)[:, ::-1]
    angles, axis = np.arange(0, 180, 3.0), 60.7
    made = tm.project(volume, angles, axis, 128)
    true = line_integrals(bodies, angles, rows, np.arange(128) - axis)
    assert np.sqrt(np.mean((made - true) ** 2)) < 0.005 * true.max()


def test_a_dot_lies_where_the_geometry_says() -> None:
    size, axis, angles = 64, 40.25, np.array([0.0, 30.0, 90.0, 200.0])
    image = np.zeros((size, size), np.float32)
    i, j = 20, 45
    y, x = np.ogrid[:size, :size]
    image[:] = np.exp(-((x - j) ** 2 + (y - i) ** 2) / 8)
    made = tm.project(image, angles, axis, 100).astype(np.float64)
    centre = (made * np.arange(100)).sum(axis=1) / made.sum(axis=1)
    theta = np.radians(angles)
    expected = axis + (j - 31.5) * np.cos(theta) + (31.5 - i) * np.sin(theta)
    np.testing.assert_allclose(centre, expected, atol=1e-3)
    np.testing.assert_allclose(made.sum(axis=1), image.sum(), rtol=1e-4)


@pytest.mark.parametrize("size", [96, 97])
@pytest.mark.parametrize("span", [180.0, 110.0])
def test_the_convolution_equals_the_pair(size: int, span: float) -> None:
    inside = disc(size, (0, size, 0, size))
    y, x = np.ogrid[:size, :size]
    field = (x - (size - 1) / 2) ** 2 + (y - (size - 1) / 2) ** 2 < (0.47 * size) ** 2
    for seed in range(3):
        draw = np.random.default_rng(seed)
        image = field * picture(phantom(size), size)[0].astype(np.float32)
        image[20:60, 30:70] += draw.normal(0, 0.1, (40, 40)).astype(np.float32)
        rays = make_rays(np.arange(60) * span / 60, (size - 1) / 2 + 30, size + 60, size)
        pair = adjoint(rays, forward(rays, image))
        few = make_rays(draw.uniform(0, 180, 7), (size - 1) / 2 + 30, size + 60, size)
        other = make_normal_operator(few)
        made, energy = make_normal_operator(rays).apply(image, other)
        assert np.linalg.norm((made - pair)[inside]) < PAIR * np.linalg.norm(pair[inside])
        seen = forward(few, image).astype(np.float64)
        assert energy == pytest.approx(float(np.vdot(seen, seen)), rel=1e-3)


def test_what_does_not_fit_is_refused() -> None:
    image = np.ones((8, 8), np.float32)
    with pytest.raises(InputError, match="shape \\(8, 7\\); give square slices"):
        tm.project(image[:, :7], [0.0], 3.5, 8)
    with pytest.raises(InputError, match="not finite"):
        tm.project(image * np.nan, [0.0], 3.5, 8)
    with pytest.raises(InputError, match="at most 8 beyond"):
        tm.project(image, [0.0], 30.0, 8)
    with pytest.raises(InputError, match="give a list of finite degrees"):
        tm.project(image, [np.inf], 3.5, 8)
    with pytest.raises(ParameterError, match="columns is 0"):
        tm.project(image, [0.0], 0.0, 0)
    with pytest.raises(ParameterError, match="threads is 0"):
        tm.project(image, [0.0], 3.5, 8, threads=0)
    with pytest.raises(InputError, match="with 2 angles"):
        project_adjoint(np.ones((3, 8)), [0.0, 1.0], 3.5, 8)
