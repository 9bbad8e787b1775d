"""Bands of columns and intervals of angles are found where they are, and only there."""

import numpy as np
import pytest

from kernels.test_stripes import clean_scan, error
from tomarium.kernels.columns import block_means
from tomarium.kernels.stripe_selection import best_treatment
from tomarium.kernels.stripe_steps import background_below, bands, without_intervals


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_a_band_is_found_and_its_background_drawn(seed: int, width: int) -> None:
    clean = clean_scan(seed, 0.005)
    struck = clean.copy()
    struck[:, 90 : 90 + width] += 0.2
    means = block_means(struck, 16)
    found = bands(means)
    assert np.flatnonzero(found).tolist() == list(range(90, 90 + width))
    below = background_below(means, found)
    np.testing.assert_array_equal(below[:, ~found], means[:, ~found])
    exact = block_means(clean, 16)
    assert np.abs((below - exact)[:, found].mean(axis=0)).max() < 0.02
    assert not bands(exact).any()


@pytest.mark.parametrize(
    "parts",
    [
        {(90, 94): 0.2},
        {(90, 98): 0.2},
        {(90, 94): 0.2, (94, 98): -0.15},
        {(90, 94): 0.2, (92, 96): 0.2},
        {(90, 94): 0.2, (92, 93): 9.0},
    ],
)
def test_bands_leave_little_in_the_slice(parts: dict[tuple[int, int], float]) -> None:
    """Of four columns, of eight, side by side, on each other, and about a dead column.

    The median of 9 columns, of which four are wrong, is the highest of the others: a quarter was left by it.
    """
    clean = clean_scan(0, 0.005)
    struck = clean.copy()
    for (first, last), height in parts.items():
        struck[:, first:last] += height
    if (92, 93) in parts:
        struck[:, 92] = 1.0
    assert error(best_treatment(struck)[0], clean) < 0.08 * error(struck, clean)


@pytest.mark.parametrize(("first", "last"), [(100, 250), (0, 80), (300, 361)])
def test_an_interval_is_levelled_whole(first: int, last: int) -> None:
    clean = clean_scan(1, 0.005)
    count = len(clean)
    first, last = first * count // 361, last * count // 361
    struck = clean.copy()
    struck[first:last, 70] -= 0.2
    mask = np.zeros(clean.shape[1], bool)
    mask[[70, 120]] = True
    made = without_intervals(struck, mask)
    np.testing.assert_array_equal(made[:, ~mask], clean[:, ~mask])
    assert np.abs((made - clean)[:, 70]).mean() < 0.01
    np.testing.assert_array_equal(made[:, 120], clean[:, 120])


def test_what_comes_and_goes_slowly_or_more_than_once_is_left() -> None:
    clean = np.random.default_rng(0).normal(0, 0.01, (400, 40)).astype(np.float32)
    mask = np.zeros(40, bool)
    mask[20] = True
    slow, twice = clean.copy(), clean.copy()
    slow[:, 20] += 0.2 * np.exp(-(((np.arange(400) - 200) / 60) ** 2))
    twice[50:100, 20] += 0.2
    twice[250:330, 20] += 0.2
    for sinogram in (clean, slow, twice):
        np.testing.assert_array_equal(without_intervals(sinogram, mask), sinogram)
