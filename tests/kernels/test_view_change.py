"""Two views that should show the same: shifts and changes that were put in are found, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tomarium.kernels.motion.register import move
from tomarium.kernels.view_change import compare_views, distance

SHAPE = (64, 128)


def view(seed: int = 0) -> NDArray[np.float32]:
    """Blobs of several sizes."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    image = np.zeros(SHAPE)
    for row, column, size in zip(
        draw.uniform(0, 64, 80), draw.uniform(15, 113, 80), draw.uniform(1.5, 7, 80), strict=True
    ):
        image += 0.3 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * size**2))
    return image.astype(np.float32)


def noise(seed: int, level: float = 0.01) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, level, SHAPE).astype(np.float32)


NATURAL = noise(1) - 2 * noise(2) + noise(3)


@pytest.mark.parametrize(("columns", "rows"), [(0.0, 0.0), (1.8, -0.6), (-4.3, 2.2)])
def test_a_shift_is_found_with_its_error(columns: float, rows: float) -> None:
    seen = move(view(), -columns, -rows) + noise(4)
    found = compare_views(view() + noise(5), seen, NATURAL)
    assert found.columns_px == pytest.approx(columns, abs=0.1)
    assert found.rows_px == pytest.approx(rows, abs=0.1)
    assert 0 < found.columns_error_px < 0.1
    assert distance(found)[0] == pytest.approx(np.hypot(columns, rows), abs=0.1)
    assert found.change == 0


def test_a_change_is_found_where_it_is_also_beside_a_shift() -> None:
    seen = view().copy()
    seen[30:40, 60:72] -= 0.4
    found = compare_views(view() + noise(5), move(seen, -1.5, 0.0) + noise(4), NATURAL)
    assert found.change == pytest.approx(-0.4, abs=0.1)
    assert (found.row, found.column) == (pytest.approx(35, abs=6), pytest.approx(66, abs=7))
    assert 6 < found.size_px < 18


@pytest.mark.parametrize("seed", range(10))
def test_noise_alone_is_no_change(seed: int) -> None:
    found = compare_views(view(seed) + noise(10 + seed), view(seed) + noise(30 + seed), NATURAL)
    assert found.change == 0
    assert distance(found)[0] < 0.1


def test_a_beam_that_moved_is_no_change_of_the_sample() -> None:
    stripes = 0.2 * np.sin(np.arange(64) / 3)[:, None].astype(np.float32)
    assert compare_views(view() + noise(5), view() + stripes + noise(4), NATURAL).change == 0


def test_stray_radiation_is_no_change() -> None:
    seen = view() + noise(4)
    seen[33, 50:53] += 6.0
    assert compare_views(view() + noise(5), seen, NATURAL).change == 0


def test_views_of_different_things_tell_nothing() -> None:
    found = compare_views(view(1), view(2), NATURAL)
    assert found.likeness < 0.3
    assert found.change == 0


def test_few_rows_tell_no_error() -> None:
    thin = slice(30, 34)
    found = compare_views(view()[thin], view()[thin] + noise(4)[thin], NATURAL[thin])
    assert np.isnan(found.columns_error_px)
