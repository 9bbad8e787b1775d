"""Iterative reconstruction in subsets: against matrices written out, analytic truth and SIRT."""

from functools import partial

import numpy as np
import pytest

from kernels.test_iterative import MIDDLE, SIZE, Written, best, rmse, scan, zero
from tomarium.kernels.iterative import Stop, sirt, solve
from tomarium.kernels.least_squares import make_problem, make_setup
from tomarium.kernels.ordered_subsets import DARKEST, em, make_subsets, sart


def test_subsets_are_all_views_each_over_all_angles() -> None:
    angles = np.random.default_rng(0).permutation(np.arange(60) * 3.0)
    setup = make_setup(angles, MIDDLE, SIZE, "held-out")
    for count in (1, 7, 10, 57, 100):
        subsets = make_subsets(setup, count)
        assert len(subsets) == min(count, 57)
        taken = np.concatenate([one.views for one in subsets])
        np.testing.assert_array_equal(np.sort(taken), np.sort(setup.used))
        if count == 7:
            assert all(np.diff(np.sort(angles[one.views])).max() < 35 for one in subsets)
    first, second = (angles[one.views][0] for one in make_subsets(setup, 57)[:2])
    assert 45 < abs(first - second) < 135  # one after the other sees what the one before did not


def columns_of(written: Written) -> int:
    return len(written.y) // 20


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("non_negative", [True, False])
def test_sart_is_that_of_the_matrix(seed: int, non_negative: bool) -> None:
    written = Written(seed)
    wide = columns_of(written)
    A = written.A.reshape(20, wide, -1)[:, : written.size]
    y, x = written.sinogram.astype(float), np.zeros(A.shape[2])
    for _ in range(6):
        for subset in make_subsets(written.setup, 4):
            a = A[subset.views].reshape(-1, A.shape[2])
            lengths = a @ np.ones(a.shape[1])
            weights = np.where(lengths > 1, 1 / np.maximum(lengths, 4), 0)
            x = x + 1.2 / len(subset.views) * a.T @ (weights * (y[subset.views].ravel() - a @ x))
            x = np.maximum(x, 0) if non_negative else x
    made = written.taken(partial(sart, subsets=4, relaxation=1.2, non_negative=non_negative), 6)
    assert np.linalg.norm(made - x) < 5e-5 * np.linalg.norm(x)


@pytest.mark.parametrize("count", [1, 4])
def test_expectation_maximisation_is_that_of_the_matrix(count: int) -> None:
    written = Written(0)
    A = written.A.reshape(20, columns_of(written), -1)[:, : written.size]
    y = np.maximum(written.sinogram.astype(float), 0)
    x = np.full(A.shape[2], y.sum(axis=1).mean() / A.shape[2])
    for _ in range(5):
        for subset in make_subsets(written.setup, count):
            a = A[subset.views].reshape(-1, A.shape[2])
            projected = a @ x
            least = DARKEST * projected.max()
            ratio = np.where(projected > least, y[subset.views].ravel() / np.maximum(projected, least), 1)
            x = x * np.maximum(a.T @ ratio / len(subset.views), 0)
    made = written.taken(partial(em, subsets=count), 5)
    assert np.linalg.norm(made - x) < 1e-3 * np.linalg.norm(x)


@pytest.mark.parametrize("seed", range(2))
def test_subsets_need_a_fraction_of_the_iterations(seed: int) -> None:
    sinogram, angles, truth = scan(seed, 60, 0.02)
    setup = make_setup(angles, MIDDLE, SIZE)
    lowest = best(setup, sinogram, sirt, truth, 200)
    by_sirt = solve(setup, sinogram, sirt, zero, Stop(400))
    for method, share in ((partial(sart, subsets=10), 0.2), (partial(em, subsets=8), 0.2), (em, 1.0)):
        found = solve(setup, sinogram, method, zero, Stop(400))
        assert found.reason == "watched"
        assert found.iterations <= share * by_sirt.iterations
        assert rmse(found.image, truth, setup) <= 1.1 * lowest
        assert found.image.min() >= 0


def test_expectation_maximisation_keeps_the_mass_and_takes_what_is_below_zero() -> None:
    sinogram, angles, _ = scan(0, 60, 0.05)
    setup = make_setup(angles, MIDDLE, SIZE, "iterations")
    assert sinogram.min() < 0
    iterates = em(make_problem(setup, sinogram), -np.ones((SIZE, SIZE), np.float32))
    mass = float(np.maximum(sinogram, 0).sum() / len(angles))
    for number, now in zip(range(8), iterates, strict=False):
        assert np.isfinite(now.image).all()
        assert now.image.min() >= 0
        assert number == 0 or now.image.sum() == pytest.approx(mass, rel=0.03)
    empty = solve(setup, np.zeros_like(sinogram), em, zero, Stop(3))
    assert not empty.image.any()
