"""Groups of columns: there and back, figures of columns, and medians over neighbours as NumPy tells them."""

from typing import Literal

import numpy as np
import pytest

from kernels.test_stripes import native as native
from tomarium.errors import InputError
from tomarium.kernels.column_groups import columns_of, empty_groups, figures, from_groups, to_groups
from tomarium.kernels.columns import block_means, median_over_columns
from tomarium.kernels.stripe_agreement import difference_medians, remove_stripes_by_agreement


@pytest.mark.parametrize("columns", [5, 16, 75])
@pytest.mark.parametrize("angles", [33, 64])
def test_a_sinogram_goes_into_groups_and_back(native: Literal["native"], angles: int, columns: int) -> None:
    draw = np.random.default_rng(angles + columns)
    rows = draw.normal(size=(angles, 3, columns)).astype(np.float32)
    groups, removed = empty_groups(angles, columns), empty_groups(angles, columns)
    to_groups(rows[:, 1], groups)
    to_groups(rows[:, 2], removed)
    np.testing.assert_array_equal(columns_of(groups, np.arange(columns)), rows[:, 1])
    assert not groups[-1, :, (columns - 1) % 16 + 1 :].any()
    share = draw.uniform(size=columns).astype(np.float32) * (np.arange(columns) % 3 > 0)
    constant = draw.normal(size=columns).astype(np.float32)
    out = np.zeros_like(rows)
    from_groups(groups, removed, share, constant, out[:, 0])
    np.testing.assert_allclose(out[:, 0], rows[:, 1] - share * rows[:, 2] - constant, atol=1e-6)
    assert not out[:, 1:].any()


@pytest.mark.parametrize("columns", [5, 16, 75])
@pytest.mark.parametrize("angles", [33, 64, 331])
def test_figures_of_groups_are_numpys(native: Literal["native"], angles: int, columns: int) -> None:
    sinogram = np.random.default_rng(angles).normal(1, 1, size=(angles, columns)).astype(np.float32)
    sinogram[:, ::2] = np.round(sinogram[:, ::2])  # many second differences are alike
    groups = empty_groups(angles, columns)
    to_groups(sinogram, groups)
    found = figures(groups, columns, (32, 16))
    np.testing.assert_array_equal(found.medians, difference_medians(sinogram, engine="reference"))
    np.testing.assert_allclose(found.means, block_means(sinogram, 32), atol=1e-12)
    np.testing.assert_allclose(found.more_means, block_means(sinogram, 16), atol=1e-12)
    assert (found.least, found.largest, found.finite) == (sinogram.min(), sinogram.max(), True)
    groups[0, 7, 3] = np.nan
    assert not figures(groups, columns, (32, 16)).finite


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1, 3, 9, 51])
@pytest.mark.parametrize("shape", [(2048,), (3, 5), (16, 70), (2, 2, 1)])
def test_medians_over_columns_are_numpys(
    native: Literal["native"], shape: tuple[int, ...], size: int, dtype: str
) -> None:
    values = np.random.default_rng(size).normal(size=shape).astype(dtype)
    values[..., ::4] = np.round(values[..., ::4])
    made = median_over_columns(values, size, native)
    assert made.dtype == dtype
    np.testing.assert_array_equal(made, median_over_columns(values, size, "reference"))


def test_a_value_that_is_not_finite_is_told_by_its_place(native: Literal["native"]) -> None:
    rows = np.random.default_rng(1).normal(size=(40, 3, 50)).astype(np.float32)
    rows[7, 2, 33] = np.inf
    with pytest.raises(InputError, match=r"inf at \(angle, row, column\) = \(7, 2, 33\)"):
        remove_stripes_by_agreement(rows, engine=native)
