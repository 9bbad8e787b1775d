"""Grey values of volumes beside NumPy's own of all voxels at once."""

from typing import Any

import numpy as np
import pytest

from tomarium.errors import InputError
from tomarium.kernels import grey_values as module
from tomarium.kernels.grey_values import grey_values
from tomarium.kernels.image_statistics import disc_columns


def inside(volume: Any) -> Any:
    first, last = disc_columns(*volume.shape[1:])
    x = np.arange(volume.shape[2])
    values = volume[:, (x >= first[:, None]) & (x < last[:, None])]
    return values[np.isfinite(values)].astype(np.float64)


@pytest.mark.parametrize("dtype", ["float32", "uint16", "uint8", "float64"])
def test_they_are_those_of_all_voxels(dtype: str) -> None:
    draw = np.random.default_rng(0)
    volume = (100 + 20 * draw.normal(size=(20, 96, 96))).astype(dtype)
    found, values = grey_values(volume), inside(volume.astype(np.float32))  # which voxels are read as
    assert (found.count, found.minimum, found.maximum) == (values.size, values.min(), values.max())
    assert found.mean == pytest.approx(values.mean(), rel=1e-6)
    assert found.standard_deviation == pytest.approx(values.std(), rel=1e-6)
    assert found.counts.sum() + found.below + found.above == values.size
    for percent in (0.01, 1, 25, 50, 99, 99.99):
        step = 1.0 if dtype.startswith("u") else 0.0
        assert found.percentile(percent) == pytest.approx(
            np.percentile(values, percent), abs=step + 0.02 + (2 if percent in (0.01, 99.99) else 0)
        )
    assert found.percentile(0) == found.minimum
    assert found.percentile(100) == found.maximum


def test_slabs_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    volume = np.random.default_rng(1).normal(size=(30, 64, 64)).astype(np.float32)
    whole = grey_values(volume)
    monkeypatch.setattr(module, "SLAB_BYTES", 1)
    single = grey_values(volume)
    np.testing.assert_array_equal(whole.counts, single.counts)
    assert whole.standard_deviation == single.standard_deviation


def test_corners_and_what_is_not_finite_do_not_count() -> None:
    volume = np.full((3, 64, 64), 5.0, np.float32)
    volume[:, :9, :9] = 1e9
    volume[1, 32, 32] = np.nan
    found = grey_values(volume)
    assert (found.minimum, found.maximum, found.not_finite) == (5, 5, 1)
    assert found.percentile(50) == 5
    assert grey_values(volume, circle=False).maximum == np.float32(1e9)
    with pytest.raises(InputError, match="no voxel of the volume is finite"):
        grey_values(np.full((2, 32, 32), np.nan, np.float32))


def test_outliers_do_not_widen_the_histogram() -> None:
    volume = np.random.default_rng(2).normal(size=(400, 64, 64)).astype(np.float32)
    volume[200, 32, 33] = 1e7
    found = grey_values(volume)
    assert found.maximum == 1e7
    assert found.bin_width < 1e-3
    assert found.percentile(50) == pytest.approx(0, abs=5e-3)


def test_chosen_slices_alone_are_read() -> None:
    volume = np.zeros((10, 32, 32), np.float32)
    volume[[2, 3, 7]] = 1.0
    told: list[tuple[int, int]] = []
    found = grey_values(volume, planes=[2, 3, 7], tell=lambda done, total: told.append((done, total)))
    assert (found.minimum, found.maximum) == (1, 1)
    assert told == [(k, 6) for k in range(1, 7)]


def test_a_small_spread_on_a_large_mean_is_exact() -> None:
    volume = (1e5 + np.random.default_rng(5).normal(0, 0.5, (4, 64, 64))).astype(np.float32)
    assert grey_values(volume).standard_deviation == pytest.approx(inside(volume).std(), rel=1e-9)
