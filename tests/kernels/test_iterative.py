"""Iterative reconstruction: against matrices written out, analytic truth, filtered backprojection and ASTRA."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels.test_fbp import Ellipse, picture
from kernels.test_fbp import project as exact_pixel_averages
from tomarium.errors import InputError
from tomarium.kernels.fbp import fbp
from tomarium.kernels.iterative import (
    Method,
    RayWeights,
    Solution,
    Stop,
    cgls,
    default_alpha,
    noise_of,
    sirt,
    solve,
    tv,
)
from tomarium.kernels.least_squares import Problem, Setup, make_problem, make_setup
from tomarium.kernels.projection import Rays, forward
from tomarium.kernels.total_variation import shrink_variation, total_variation

Array = NDArray[np.float32]
SIZE = 128
MIDDLE = (SIZE - 1) / 2


def bodies(seed: int) -> tuple[Ellipse, ...]:
    draw, r = np.random.default_rng(seed), SIZE / 2
    inclusions = (
        Ellipse(
            *(draw.uniform(-0.5, 0.5, 2) * r),
            *(draw.uniform(0.04, 0.2, 2) * r),
            draw.uniform(0, 3),
            draw.uniform(-0.4, 0.5),
        )
        for _ in range(12)
    )
    return (Ellipse(0, 0, 0.85 * r, 0.8 * r, 0.2, 1.0), *inclusions)


def scan(
    seed: int, views: int, noise: float, span: float = 180.0
) -> tuple[Array, NDArray[np.float64], Array]:
    """A sinogram with noise, in parts of its highest value, its angles, and the slice."""
    angles = np.arange(views) * span / views
    sinogram = exact_pixel_averages(bodies(seed), angles, SIZE, MIDDLE)
    noisy = sinogram + np.random.default_rng(seed).normal(0, noise * sinogram.max(), sinogram.shape)
    return noisy.astype(np.float32), angles, picture(bodies(seed), SIZE)[0].astype(np.float32)


def zero(sinogram: Array) -> Array:
    return np.zeros((sinogram.shape[1],) * 2, np.float32)


def rmse(image: Array, truth: Array, setup: Setup) -> float:
    return float(np.sqrt(np.mean((image - truth)[setup.inside] ** 2)))


def best(setup: Setup, sinogram: Array, method: Method, truth: Array, iterations: int) -> float:
    """The lowest error of any iteration."""
    iterates = method(make_problem(setup, sinogram), zero(sinogram))
    return min(rmse(now.image, truth, setup) for now, _ in zip(iterates, range(iterations + 1), strict=False))


def solve_tv(sinogram: Array, angles: NDArray[np.float64], stop: Stop) -> Solution:
    setup = make_setup(angles, MIDDLE, SIZE, "iterations")

    def begin(data: Array) -> Array:
        return fbp(data, angles, MIDDLE, threads=1)

    return solve(setup, sinogram, weighted_tv, begin, stop)


def weighted_tv(problem: Problem, image: Array):  # type: ignore[no-untyped-def]
    return tv(problem, image, default_alpha(problem.data))


def wide_rays(setup: Setup) -> Rays:
    """Rays to a detector that goes all the way round: nothing a slice casts falls beside it."""
    return replace(setup.rays, columns=setup.rays.length)


class Written:
    """A small scan whose projection is a matrix, with a detector wide enough to hold all that a slice casts."""

    def __init__(self, seed: int) -> None:
        size = 24
        draw = np.random.default_rng(seed)
        angles = np.sort(draw.uniform(0, 180, 20))
        self.sinogram = np.zeros((20, size), np.float32)
        self.sinogram[:, 4:20] = draw.uniform(0.5, 1.5, (20, 16))
        self.setup = make_setup(angles, (size - 1) / 2, size, "iterations")
        rays = wide_rays(self.setup)
        dots = np.eye(size * size, dtype=np.float32).reshape(-1, size, size)
        inside = self.setup.inside.ravel()
        self.A = np.stack([forward(rays, dot).ravel() for dot in dots[inside]], axis=1).astype(np.float64)
        wide = np.zeros((20, rays.columns))
        wide[:, :size] = self.sinogram
        self.y = wide.ravel()
        self.size, self.inside = size, inside

    def taken(self, method: Method, iterations: int) -> NDArray[np.float64]:
        found = solve(self.setup, self.sinogram, method, zero, Stop(iterations))
        assert found.iterations == iterations
        assert not found.image.ravel()[~self.inside].any()
        return found.image.ravel()[self.inside].astype(np.float64)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("non_negative", "weights"), [(True, "length"), (True, "equal"), (False, "equal")])
def test_sirt_is_that_of_the_matrix(seed: int, non_negative: bool, weights: RayWeights) -> None:
    written = Written(seed)
    A, x = written.A, np.zeros(written.A.shape[1])
    seen = np.tile(np.arange(len(written.y) // 20) < written.size, 20)  # columns that there are
    lengths = A @ np.ones_like(x)
    by_length = np.where(seen & (lengths > 1), 1 / np.maximum(lengths, 4), 0)
    R = np.full_like(lengths, 1 / written.size) if weights == "equal" else by_length
    for _ in range(30):
        x = x + 1.5 / 20 * A.T @ (R * (written.y - A @ x))
        x = np.maximum(x, 0) if non_negative else x
    made = written.taken(partial(sirt, relaxation=1.5, non_negative=non_negative, weights=weights), 30)
    assert np.linalg.norm(made - x) < 2e-5 * np.linalg.norm(x)


@pytest.mark.parametrize("seed", range(3))
def test_cgls_is_that_of_the_matrix(seed: int) -> None:
    written = Written(seed)
    A, x = written.A, np.zeros(written.A.shape[1])
    r = written.y.copy()
    s = A.T @ r
    p, gamma = s, s @ s
    # Of random data, a matrix in float32 is 1e-4 off after 6 iterations too, and 5e-2 after 10.
    for _ in range(6):
        q = A @ p
        alpha = gamma / (q @ q)
        x, r = x + alpha * p, r - alpha * q
        s = A.T @ r
        gamma, before = s @ s, gamma
        p = s + gamma / before * p
    assert np.linalg.norm(written.taken(cgls, 6) - x) < 5e-4 * np.linalg.norm(x)


def test_residuals_are_those_of_the_projections() -> None:
    sinogram, angles, _ = scan(0, 60, 0.02)
    setup = make_setup(angles, MIDDLE, SIZE, "iterations")
    for method in (sirt, partial(sirt, weights="equal"), cgls, weighted_tv):
        found = solve(setup, sinogram, method, zero, Stop(12))
        rays = setup.rays if method is sirt else wide_rays(setup)
        missed = forward(rays, found.image).astype(np.float64)
        missed[:, :SIZE] -= sinogram
        own = np.sqrt(np.sum(missed**2) / sinogram.size)
        # The normal operator tells squares as differences of sums as large as the data's, in single precision.
        rounding = 1e-9 if method is sirt else 1e-6
        assert abs(found.residual**2 - own**2) < rounding * np.mean(sinogram.astype(np.float64) ** 2)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("views", "noise"), [(60, 0.02), (30, 0.02), (60, 0.005), (180, 0.05)])
def test_sirt_ends_within_five_percent_of_its_best(seed: int, views: int, noise: float) -> None:
    sinogram, angles, truth = scan(seed, views, noise)
    setup = make_setup(angles, MIDDLE, SIZE)
    found = solve(setup, sinogram, sirt, zero, Stop(400))
    assert found.reason == "watched"
    lowest = best(setup, sinogram, sirt, truth, 200)
    assert rmse(found.image, truth, setup) <= 1.05 * lowest


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("views", [60, 180])
def test_noise_of_counting_does_not_mislead_it(seed: int, views: int) -> None:
    clean, angles, truth = scan(seed, views, 0.0)
    scale = 2.5 / clean.max()
    counts = np.random.default_rng(seed).poisson(3000 * np.exp(-scale * np.maximum(clean, 0)))
    sinogram = (-np.log(np.maximum(counts, 1) / 3000) / scale).astype(np.float32)
    setup = make_setup(angles, MIDDLE, SIZE)
    found = solve(setup, sinogram, sirt, zero, Stop(400))
    assert rmse(found.image, truth, setup) <= 1.05 * best(setup, sinogram, sirt, truth, 120)


@pytest.mark.parametrize("seed", range(3))
def test_cgls_ends_near_its_best(seed: int) -> None:
    sinogram, angles, truth = scan(seed, 60, 0.02)
    setup = make_setup(angles, MIDDLE, SIZE)
    found = solve(setup, sinogram, cgls, zero, Stop(50, patience=3))
    assert rmse(found.image, truth, setup) <= 1.1 * best(setup, sinogram, cgls, truth, 20)


@pytest.mark.parametrize("seed", range(2))
def test_views_held_out_end_a_scan_with_many_views(seed: int) -> None:
    sinogram, angles, truth = scan(seed, 180, 0.02)
    setup = make_setup(angles, MIDDLE, SIZE, "held-out")
    assert (len(setup.used), len(setup.watched)) == (171, 9)
    found = solve(setup, sinogram, sirt, zero, Stop(400))
    assert found.reason == "watched"
    # 5 % above the best, of which 1 % because the views held out are missing.
    whole = make_setup(angles, MIDDLE, SIZE, "iterations")
    assert rmse(found.image, truth, setup) <= 1.1 * best(whole, sinogram, sirt, truth, 200)


@pytest.mark.parametrize("seed", range(3))
def test_total_variation_has_a_third_of_the_error_of_fbp(seed: int) -> None:
    sinogram, angles, truth = scan(seed, 60, 0.02)
    found = solve_tv(sinogram, angles, Stop(300, change_percent=0.1))
    setup = make_setup(angles, MIDDLE, SIZE, "iterations")
    assert found.reason == "change"
    plain = rmse(fbp(sinogram, angles, MIDDLE, threads=1), truth, setup)
    assert rmse(found.image, truth, setup) <= 0.35 * plain


@pytest.mark.parametrize(("views", "span"), [(24, 180.0), (80, 120.0)])
@pytest.mark.parametrize("seed", range(2))
def test_few_views_and_missing_angles_come_out_better_than_by_fbp(seed: int, views: int, span: float) -> None:
    sinogram, angles, truth = scan(seed, views, 0.01, span)
    setup = make_setup(angles, MIDDLE, SIZE)
    smooth = rmse(fbp(sinogram, angles, MIDDLE, window="hann", threads=1), truth, setup)
    by_sirt = solve(setup, sinogram, sirt, zero, Stop(400))
    by_tv = solve_tv(sinogram, angles, Stop(300, change_percent=0.1))
    assert rmse(by_sirt.image, truth, setup) < 0.9 * smooth
    assert rmse(by_tv.image, truth, setup) < 0.5 * smooth


def test_conditions_end_it() -> None:
    sinogram, angles, _ = scan(0, 60, 0.02)
    setup = make_setup(angles, MIDDLE, SIZE, "iterations")
    noise = noise_of(sinogram)
    found = solve(setup, sinogram, sirt, zero, Stop(200, residual=1.2 * noise))
    assert found.reason == "residual"
    assert 1.1 * noise < found.residual <= 1.2 * noise
    changing = solve(setup, sinogram, sirt, zero, Stop(200, change_percent=1.0))
    assert changing.reason == "change"
    assert 1 < changing.iterations < 200
    by_value = solve(setup, sinogram, sirt, zero, Stop(200, change=0.01))
    assert by_value.reason == "change"
    last, before, earlier = (
        solve(setup, sinogram, sirt, zero, Stop(by_value.iterations - back)).image[setup.inside]
        for back in range(3)
    )
    assert np.sqrt(np.mean((last - before) ** 2)) < 0.01 <= np.sqrt(np.mean((before - earlier) ** 2))


def test_the_start_does_not_change_the_minimum_of_total_variation() -> None:
    sinogram, angles, _ = scan(1, 60, 0.02)
    setup = make_setup(angles, MIDDLE, SIZE, "iterations")
    one = solve(setup, sinogram, weighted_tv, zero, Stop(300)).image
    other = solve_tv(sinogram, angles, Stop(300)).image
    assert np.linalg.norm(one - other) < 0.01 * np.linalg.norm(one)


def test_the_noise_is_that_of_the_data() -> None:
    for noise in (0.005, 0.02):
        sinogram, _, _ = scan(0, 60, noise)
        clean, _, _ = scan(0, 60, 0.0)
        assert noise_of(sinogram) == pytest.approx(noise * clean.max(), rel=0.2)
    assert noise_of(np.ones((4, 2), np.float32)) == 0


def test_a_shrunk_variation_is_the_minimum() -> None:
    draw = np.random.default_rng(0)
    wanted = draw.normal(0, 1, (20, 20)).astype(np.float32)
    inside = np.ones((20, 20), np.bool_)
    made = shrink_variation(wanted, 0.5, np.zeros((2, 20, 20), np.float32), inside, False, steps=2000)

    def cost(image: Array) -> float:
        return 0.5 * float(np.sum((image - wanted) ** 2)) + 0.5 * total_variation(image)

    for _ in range(50):
        assert cost(made + draw.normal(0, 0.01, made.shape).astype(np.float32)) > cost(made)
    np.testing.assert_allclose(made.mean(), wanted.mean(), atol=1e-5)


def test_an_axis_that_leaves_no_field_is_refused() -> None:
    with pytest.raises(InputError, match="leaves no field that every view sees"):
        make_setup(np.arange(20.0), 2.0, 64)


def test_sirt_is_as_near_to_truth_as_that_of_astra() -> None:
    astra = pytest.importorskip("astra")
    sinogram, angles, truth = scan(0, 60, 0.02)
    setup = make_setup(angles, MIDDLE, SIZE, "iterations")
    volume = astra.create_vol_geom(SIZE, SIZE)
    beams = astra.create_proj_geom("parallel", 1.0, SIZE, np.radians(angles))
    projector = astra.create_projector("linear", beams, volume)
    data, result = astra.data2d.create("-sino", beams, sinogram), astra.data2d.create("-vol", volume)
    config = astra.astra_dict("SIRT")
    config |= {"ProjectorId": projector, "ProjectionDataId": data, "ReconstructionDataId": result}
    config["option"] = {"MinConstraint": 0.0}
    algorithm = astra.algorithm.create(config)
    theirs = []
    for _ in range(60):
        astra.algorithm.run(algorithm, 1)
        theirs.append(rmse(astra.data2d.get(result), truth, setup))
    assert best(setup, sinogram, sirt, truth, 60) <= 1.05 * min(theirs)
