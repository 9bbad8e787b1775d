"""Stripes of each kind are told, and only they are treated."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from kernels.test_stripes import MATRIX, clean_scan, error, stripes
from tomarium.errors import InputError
from tomarium.kernels.fbp import fbp
from tomarium.kernels.metrics import noise, ring_index
from tomarium.kernels.stripe_agreement import remove_stripes_by_agreement
from tomarium.kernels.stripe_selection import best_treatment, remove_stripes_where_found
from tomarium.kernels.stripes import remove_stripes_by_sorting


@pytest.mark.parametrize("sigma", [0.0005, 0.005, 0.02])
def test_less_is_left_than_by_agreement_and_a_clean_sinogram_stays(sigma: float) -> None:
    before, agreed, chosen, damage = np.zeros((4, 6))
    for seed in range(6):
        clean = clean_scan(seed, sigma)
        struck = stripes(clean, seed)[:, None]
        before[seed] = error(struck[:, 0], clean)
        agreed[seed] = error(remove_stripes_by_agreement(struck)[:, 0], clean)
        chosen[seed] = error(remove_stripes_where_found(struck)[0][:, 0], clean)
        damage[seed] = error(remove_stripes_where_found(clean[:, None])[0][:, 0], clean)
    assert chosen.mean() < 0.17 * before.mean()
    assert chosen.mean() < 0.95 * agreed.mean()
    assert damage.max() < 0.003


def test_what_a_narrow_sinogram_without_stripes_loses_is_bounded() -> None:
    angles, damage = np.linspace(0, 180, 181), []
    y, x = np.mgrid[:128, :128] - 63.5
    inside = np.hypot(y, x) < 0.45 * 128
    for seed in range(20):
        clean = clean_scan(seed, 0.0)[::4]
        clean = clean.reshape(181, 128, 2).mean(axis=2)  # pixels twice as wide
        clean += np.random.default_rng(seed).normal(0, 0.005, clean.shape).astype(np.float32)
        change = best_treatment(clean)[0] - clean
        image = fbp(change, angles, 63.5, window="ramp", threads=1) / (2 * MATRIX)
        damage.append(np.sqrt(np.mean(image[inside] ** 2)))
    assert np.median(damage) < 0.006
    assert max(damage) < 0.03


@pytest.mark.parametrize("seed", range(4))
def test_each_kind_is_told(seed: int) -> None:
    clean = clean_scan(seed, 0.005)
    struck = clean.copy()
    struck[:, 40] = np.random.default_rng(seed).normal(1, 0.02, len(clean))
    struck[:, 80] += 0.3
    struck[180:360, 120] += 0.3
    struck[:, 160] *= 0.7
    made, treatment, found = best_treatment(struck)
    assert np.flatnonzero(found.dead).tolist() == [40]
    assert found.constant[80]
    assert found.partial[120]
    assert found.large[160] or found.constant[160]
    elsewhere = found.partial | found.large
    elsewhere[[120, 160]] = False
    assert np.count_nonzero(elsewhere) < 0.03 * len(elsewhere), "edges of the sample where they turn back"
    assert treatment == "all"
    assert error(made, clean) < 0.25 * error(struck, clean)


def test_only_what_is_flagged_is_changed() -> None:
    clean = clean_scan(1, 0.005)
    struck = clean.copy()
    struck[180:360, 120] += 0.3
    made, _, found = best_treatment(struck)
    touched = found.constant | found.dead
    touched[119:122] = True
    np.testing.assert_array_equal(made[:, ~touched], struck[:, ~touched])


def test_a_sinogram_in_which_nothing_stands_out_is_returned_as_it_is() -> None:
    flat = np.ones((64, 2, 100), np.float32)
    made, counts = remove_stripes_where_found(flat)
    np.testing.assert_array_equal(made, flat)
    assert [row["none"] for row in counts] == [1, 1]


def test_a_real_sinogram_with_pixels_that_fail_behind_a_dense_rod(shared: Callable[[str], Path]) -> None:
    counts = np.maximum(tifffile.imread(shared("sinograms/neutron_360.tif")).astype(np.float32), 1)
    attenuation = -np.log(counts / np.percentile(counts[:, :20], 50))
    made, treatment, found = best_treatment(attenuation)
    assert treatment == "all"
    assert set(np.flatnonzero(found.partial | found.large)) >= {314, 346}, "counts of 0 in 99 and 115 views"
    before, after = (fbp(part, np.linspace(0, 360, 459), 245.0) for part in (attenuation, made))
    for sectors in (1, 8):
        rings = [ring_index(part, sectors=sectors) * noise(part) for part in (before, after)]
        assert rings[1] < 0.05 * rings[0]
    y, x = np.mgrid[:503, :503] - 251
    air = (np.hypot(y, x) > 170) & (np.hypot(y, x) < 235)
    assert after[air].std() < 0.1 * before[air].std(), "streaks"
    smooth = fbp(remove_stripes_by_sorting(attenuation[:, None])[:, 0], np.linspace(0, 360, 459), 245.0)
    assert after[air].std() < smooth[air].std()


def test_too_few_angles_are_refused() -> None:
    with pytest.raises(InputError, match="31 angles are too few"):
        remove_stripes_where_found(np.ones((31, 1, 50), np.float32))
