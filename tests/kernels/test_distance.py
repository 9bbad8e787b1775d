"""Distances in bodies of all kinds are those that SciPy, and geometry, give: voxel by voxel."""

from math import inf

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from tomarium.compiled import Engine
from tomarium.errors import ParameterError
from tomarium.kernels.distance import distance

ENGINES: tuple[Engine, ...] = ("native", "reference")


def bodies() -> list[NDArray[np.bool_]]:
    """Draw bodies: noise of all densities, blobs, single voxels, volumes one voxel thick."""
    draw = np.random.default_rng(7)
    found = []
    for number in range(120):
        shape = tuple(int(length) for length in draw.integers(1, 40, 3))
        if number % 3 == 0:
            body = ndimage.gaussian_filter(draw.normal(size=shape), 2) > -0.05
        else:
            body = draw.random(shape) < draw.choice([0.02, 0.5, 0.9, 0.995])
        if not body.all():
            found.append(body)
    return found


def test_distances_are_those_of_scipy_in_every_voxel() -> None:
    draw = np.random.default_rng(8)
    for body in bodies():
        away = ndimage.distance_transform_edt(body)
        assert np.array_equal(distance(body, engine="native"), away.astype(np.float32))
        assert np.array_equal(distance(body, engine="native", squared=True), np.rint(away * away))
        sizes = tuple(float(size) for size in draw.uniform(1e-6, 3e-6, 3))
        away = ndimage.distance_transform_edt(body, sampling=sizes)
        found = distance(body, (sizes[0], sizes[1], sizes[2]), engine="native")
        np.testing.assert_array_max_ulp(found, away.astype(np.float32), 1)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_bound_and_what_is_taken_off_change_nothing_else(engine: Engine) -> None:
    draw = np.random.default_rng(9)
    for body in bodies()[::4]:
        reach, gap = float(draw.uniform(0.5, 9)), np.full(body.shape, 0.25, np.float32)
        away = ndimage.distance_transform_edt(body)
        np.testing.assert_allclose(
            distance(body, reach=reach, engine=engine), np.minimum(away, reach), rtol=1e-6
        )
        expected = np.where(body, np.where(away < reach, away - 0.25, reach), 0)
        np.testing.assert_allclose(
            distance(body, reach=reach, less=gap, engine=engine), expected, rtol=1e-6, atol=1e-6
        )


def test_what_is_taken_off_belongs_to_a_voxel_that_is_nearest() -> None:
    draw = np.random.default_rng(10)
    for body in bodies()[1::4]:
        gap = draw.random(body.shape).astype(np.float32)
        found = distance(body, less=gap, engine="native")
        away, outside = ndimage.distance_transform_edt(body), np.argwhere(~body)
        for place in np.argwhere(body)[:: max(1, body.size // 50)]:
            apart = np.sqrt(((outside - place) ** 2).sum(1))
            nearest = outside[np.isclose(apart, away[tuple(place)])]
            off = away[tuple(place)] - gap[tuple(nearest.T)]
            assert np.isclose(off, found[tuple(place)], atol=1e-5).any()


@pytest.mark.parametrize("engine", ENGINES)
def test_distances_from_one_voxel_follow_from_pythagoras(engine: Engine) -> None:
    body = np.ones((21, 35, 30), np.bool_)
    body[3, 30, 7] = False
    z, y, x = np.indices(body.shape, dtype=float)
    expected = np.sqrt((2 * (z - 3)) ** 2 + (0.5 * (y - 30)) ** 2 + (3 * (x - 7)) ** 2)
    np.testing.assert_allclose(distance(body, (2, 0.5, 3), engine=engine), expected, rtol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_where_all_is_body_nothing_is_near(engine: Engine) -> None:
    whole = np.ones((4, 5, 6), np.bool_)
    assert (distance(whole, engine=engine) == inf).all()
    assert (distance(whole, engine=engine, reach=3.5) == 3.5).all()
    assert (distance(~whole, engine=engine) == 0).all()


def test_a_long_row_is_measured_to_its_end() -> None:
    body = np.ones((1, 1, 32_766), np.bool_)
    body[0, 0, 0] = False
    assert np.array_equal(distance(body, engine="native")[0, 0], np.arange(32_766))
    longer = np.ones((1, 40_000, 1), np.bool_)  # longer than the compiled kernel takes
    longer[0, 0, 0] = False
    assert np.array_equal(distance(longer)[0, :, 0], np.arange(40_000))


def test_work_is_told_of_and_can_be_stopped() -> None:
    told: list[tuple[int, int]] = []
    body = np.random.default_rng(0).random((20, 40, 10)) < 0.5
    distance(body, tell=lambda done, total: told.append((done, total)), engine="native")
    assert told == [(done, 52) for done in range(1, 53)]
    with pytest.raises(KeyboardInterrupt):  # as `show.progress` stops at Ctrl-C
        distance(body, tell=lambda done, total: (_ for _ in ()).throw(KeyboardInterrupt))


def test_sizes_that_cannot_be_are_refused() -> None:
    body = np.ones((2, 2, 2), np.bool_)
    for wrong in ({"spacing": (1.0, 0.0, 1.0)}, {"reach": float("nan")}):
        with pytest.raises(ParameterError, match="both are above 0"):
            distance(body, **wrong)
    with pytest.raises(ParameterError, match="squares have nothing taken off"):
        distance(body, less=np.zeros(body.shape, np.float32), squared=True)
