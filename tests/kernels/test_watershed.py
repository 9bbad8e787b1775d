"""A watershed parts balls where they meet, and is the same however a volume is cut and whoever computes it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from tomarium.compiled import extension
from tomarium.errors import CannotFit
from tomarium.kernels import watershed as kernel
from tomarium.kernels.distance import distance
from tomarium.pipeline.segment import slabs as slabs_module
from tomarium.pipeline.segment import watershed as by_slabs

Body = NDArray[np.bool_]


def parted(body: Body, h_px: float = 1.0) -> NDArray[np.uint32]:
    """Labels of a whole volume; their number is what is told first."""
    count, labels = by_slabs.basins(
        lambda start, stop: body[start:stop], body.shape, h_px, lambda *told: None
    )
    found = np.concatenate(list(labels))
    assert np.array_equal(np.unique(found[body]), np.arange(1, count + 1))
    assert not found[~body].any()
    return found


def grid(shape: tuple[int, int, int]) -> NDArray[np.float64]:
    return np.stack(np.meshgrid(*(np.arange(n, dtype=float) for n in shape), indexing="ij"), axis=-1)


def blobs(seed: int, shape: tuple[int, int, int], sigma: float) -> Body:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), sigma)
    return np.asarray(noise > np.quantile(noise, 0.45))


def rod(
    shape: tuple[int, int, int], direction: tuple[float, float, float], radius: float, wider: float
) -> Body:
    """A rod through the middle, by `wider` px thicker after 100 px."""
    away = grid(shape) - (np.array(shape) - 1) / 2
    along = away @ (np.array(direction) / np.linalg.norm(direction))
    return np.asarray((away**2).sum(-1) - along**2 < (radius + wider * along / 100) ** 2)


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Cut volumes into slabs of at least so many slices."""

    def into(height: int) -> None:
        monkeypatch.setattr(by_slabs, "slab_height", lambda shape, bytes_a_voxel: min(height, shape[0]))
        monkeypatch.setattr(by_slabs, "_FIRST", 2)

    return into


@pytest.mark.parametrize("seed", range(6))
def test_slabs_of_any_height_part_as_the_whole(seed: int, cut: Callable[[int], None]) -> None:
    body = blobs(seed, (41, 30, 26), (1.0, 2.0, 3.0)[seed % 3])
    whole = parted(body)
    assert whole.max() > 3
    for height in (1, 3, 8, 17):
        cut(height)
        assert np.array_equal(parted(body), whole), height


@pytest.mark.parametrize("direction", [(1, 0, 0), (1, 0.1, 0), (1, 0.5, 0.3), (1, 1, 0), (0, 0, 1)])
@pytest.mark.parametrize("wider", [0.0, 1.5])
def test_a_rod_is_one_object_over_all_slabs(
    direction: tuple[float, float, float], wider: float, cut: Callable[[int], None]
) -> None:
    body = rod((120, 60, 60), direction, 5.3, wider)
    for height in (1, 6, 40):
        cut(height)
        assert parted(body).max() == 1, height


@pytest.mark.parametrize("seed", range(4))
def test_balls_that_overlap_are_parted_where_their_spheres_meet(seed: int) -> None:
    draw = np.random.default_rng(seed)
    shape = (64, 64, 64)
    balls: list[tuple[NDArray[np.float64], float]] = []
    for _ in range(4000):
        middle, radius = draw.uniform(9, 55, 3), draw.uniform(6, 9)
        if all(np.linalg.norm(middle - other) > 0.85 * (radius + size) for other, size in balls):
            balls.append((middle, radius))
    power = np.stack([((grid(shape) - middle) ** 2).sum(-1) - radius**2 for middle, radius in balls])
    body = np.asarray((power < 0).any(axis=0))
    truth = np.where(body, power.argmin(axis=0) + 1, 0)
    found = parted(body)
    assert found.max() == len(balls) > 10
    right = sum(np.bincount(found[truth == number]).max() for number in range(1, len(balls) + 1))
    assert right / body.sum() > 0.99


@pytest.mark.parametrize("apart", [12.0, 14.0, 16.0, 18.0])
def test_balls_are_two_where_the_neck_is_as_much_lower_as_was_asked(apart: float) -> None:
    radius, shape = 11.0, (40, 40, 60)
    middles = [np.array([19.6, 19.3, 29.5 + side * apart / 2]) for side in (-1, 1)]
    nearest = np.minimum(*(((grid(shape) - middle) ** 2).sum(-1) for middle in middles))
    body = np.asarray(nearest < radius**2)
    away = distance(body)
    # From one half to the other: a voxel of the last plane of the one, and its highest neighbour beyond.
    saddle = np.minimum(away[:, :, 29], ndimage.maximum_filter(away[:, :, 30], 3)).max()
    rise = float(min(away[:, :, :30].max(), away[:, :, 30:].max()) - saddle)
    neck = (radius**2 - apart**2 / 4) ** 0.5
    assert abs(rise - (radius - neck)) < 1.5  # voxels show no notch that is narrower than they are
    assert parted(body, rise - 1e-3).max() == 2
    assert parted(body, rise + 1e-3).max() == 1


def test_one_voxel_nothing_and_everything() -> None:
    body = np.zeros((5, 6, 7), bool)
    assert parted(body).max() == 0
    body[2, 3, 4] = body[4, 5, 6] = True
    assert np.array_equal(parted(body)[body], [1, 2])
    assert np.array_equal(np.unique(parted(~np.zeros((5, 6, 7), bool))), [1])


@pytest.mark.parametrize("seed", range(8))
def test_all_engines_and_levels_find_the_same(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(seed)
    shape = int(draw.integers(1, 24)), int(draw.integers(1, 24)), int(draw.integers(1, 24))
    if seed == 0:
        shape = 3, 4, 700  # several pieces of a row
    body = blobs(seed, shape, 1.5) if seed % 2 else draw.random(shape) < 0.7
    squares = distance(body, squared=True)
    squares[np.isinf(squares)] = 1
    planes = slice(0, len(squares))
    up = kernel.ascent(squares, planes, engine="reference")
    labels, count = kernel.basins(squares, up, engine="reference")
    pairs, heights = kernel.saddles(squares, labels, engine="reference")
    peaks = kernel.peaks(squares, up, labels, count)
    roots = kernel.merge(peaks, pairs, heights, 0.5, engine="reference")
    for name in extension().levels():
        monkeypatch.setattr(kernel, "level", lambda name=name: name)
        assert np.array_equal(kernel.ascent(squares, planes, engine="native", threads=2), up)
        part = slice(len(squares) // 2, None)
        assert np.array_equal(kernel.ascent(squares, part, engine="native"), up[part])
        found, native_count = kernel.basins(squares, up, engine="native")
        assert native_count == count
        assert np.array_equal(found, labels)
    met = kernel.highest_of_pairs(*kernel.saddles(squares, labels, engine="native"))
    assert np.array_equal(met[0], pairs)
    assert np.array_equal(met[1], heights)
    assert np.array_equal(kernel.merge(peaks, pairs, heights, 0.5, engine="native"), roots)


def test_objects_too_thick_are_refused_before_the_memory_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_slabs, "MOST_BYTES", 1 << 20)
    monkeypatch.setattr(slabs_module, "SLAB_BYTES", 1 << 16)
    with pytest.raises(CannotFit, match="bin the volume"):
        parted(np.ones((80, 60, 60), bool))


def test_more_basins_than_numbers_are_refused() -> None:
    with pytest.raises(CannotFit, match="at most"):
        kernel.demand_countable(2**31)
