"""Local thickness is that of all balls, painted one by one; and that of balls, plates and cylinders."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from tomarium.errors import ParameterError
from tomarium.kernels.local_thickness import balls_inside, paint_balls


def by_all_balls(body: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Paint every ball, none left out: squared radii."""
    squares = np.rint(ndimage.distance_transform_edt(body) ** 2)
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in body.shape), indexing="ij"))
    best = np.zeros(body.shape)
    for middle in np.argwhere(body):
        square = squares[tuple(middle)]
        away = ((grid - middle[:, None, None, None]) ** 2).sum(0)
        best = np.where((away < square) & (best < square), square, best)
    return best


def bodies() -> list[NDArray[np.bool_]]:
    """Draw bodies: noise, blobs, balls, plates and rods in any direction, at all densities."""
    draw = np.random.default_rng(33)
    found = []
    for number in range(150):
        shape = tuple(int(length) for length in draw.integers(2, 19, 3))
        kind = number % 4
        place = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")) - draw.uniform(
            2, 9, (3, 1, 1, 1)
        )
        direction = draw.normal(size=3)
        along = np.tensordot(direction / np.linalg.norm(direction), place, 1)
        if kind == 0:
            body = ndimage.gaussian_filter(draw.normal(size=shape), draw.uniform(0.8, 2)) > -0.02
        elif kind == 1:
            body = draw.random(shape) < draw.choice([0.3, 0.9, 0.97, 0.995])
        elif kind == 2:
            body = np.abs(along) < draw.uniform(1, 6)
        else:
            body = (place**2).sum(0) - along**2 * draw.integers(0, 2) < draw.uniform(2, 7) ** 2
        if body.any() and not body.all():
            found.append(body)
    return found


def test_it_is_that_of_all_balls_in_every_voxel() -> None:
    for body in bodies():
        truth = by_all_balls(body)
        assert np.array_equal(paint_balls(balls_inside(body), engine="native"), truth)
        assert np.array_equal(paint_balls(balls_inside(body), engine="native", threads=3), truth)


def test_the_reference_paints_the_same() -> None:
    for body in bodies()[::5]:
        truth = by_all_balls(body)
        assert np.array_equal(paint_balls(balls_inside(body, engine="reference"), engine="reference"), truth)


def test_what_is_painted_may_be_another_value() -> None:
    for body in bodies()[::5]:
        squares = balls_inside(body)
        marked = paint_balls(squares, lambda places, radii: 2 * radii + (places % 2).astype(np.float32))
        assert np.array_equal(marked // 2, paint_balls(squares))
        assert np.array_equal(
            paint_balls(squares, lambda places, radii: 2 * radii + 1, slice(1, None)),
            (2 * paint_balls(squares) + (paint_balls(squares) > 0))[1:],
        )


def test_beyond_a_circle_is_nothing() -> None:
    counted = np.hypot(*(np.mgrid[:21, :21] - 10)) <= 10.2
    body = np.zeros((9, 21, 21), bool)
    body[2:7] = counted
    found = paint_balls(balls_inside(body, counted))
    assert (found[2:7, counted] == 9).all()  # a plate of five voxels: 3² to the voxel outside
    with pytest.raises(ParameterError, match="radius of inf"):
        paint_balls(balls_inside(np.ones((4, 5, 6), bool)))


def mean_of(body: NDArray[np.bool_], counted: NDArray[np.bool_]) -> float:
    """Return the mean thickness of a part of a body, voxels."""
    return float(2 * np.sqrt(paint_balls(balls_inside(body))[body & counted]).mean())


@pytest.mark.parametrize("size", [6, 12, 24])
def test_balls_plates_and_cylinders_have_their_thickness(size: int) -> None:
    """What the how-to says of the error: twice the distance to the middle of the nearest voxel outside."""
    draw = np.random.default_rng(size)
    found: dict[str, list[float]] = {"ball": [], "plate": [], "cylinder": []}
    for _ in range(6):
        n = 2 * size + 14
        place = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij")) - n / 2
        place -= draw.uniform(-0.5, 0.5, (3, 1, 1, 1))
        direction = draw.normal(size=3)
        along = np.tensordot(direction / np.linalg.norm(direction), place, 1)
        square, middle = (place**2).sum(0), (np.abs(place) < n / 4).all(0)
        found["ball"].append(mean_of(square < size**2 / 4, middle) - size)
        found["plate"].append(mean_of(np.abs(along) < size / 2, middle) - size)
        found["cylinder"].append(mean_of(square - along**2 < size**2 / 4, middle) - size)
    assert -1.4 < np.mean(found["ball"]) < -0.7
    assert 0.05 < np.mean(found["plate"]) < 0.6
    assert -0.5 < np.mean(found["cylinder"]) < 0.1
    for width in (5, 8):  # along an axis: an even number of voxels is exact, an odd one is a voxel more
        body = np.zeros((24, 30, 30), bool)
        body[7 : 7 + width] = True
        assert np.unique(2 * np.sqrt(paint_balls(balls_inside(body))[body])) == width + width % 2
