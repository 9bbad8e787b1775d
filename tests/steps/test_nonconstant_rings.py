"""Rings that change along their circle: gone where a double flat field leaves half of them."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from steps.test_double_flat_field import AXIS, COLUMNS, ROWS, clean_rows, corrected, error, image
from tomarium.errors import InputError
from tomarium.kernels.metrics import ring_index
from tomarium.model import Slab
from tomarium.steps.core.context import Context
from tomarium.steps.stripes.nonconstant_rings import nonconstant_rings


def by_blocks(data: NDArray[np.float32], **values: Any) -> NDArray[np.float32]:
    slab = Slab(data, slice(0, data.shape[1]), domain="attenuation", unit="1")
    made = nonconstant_rings(slab, context=Context(), **{"axis_column": AXIS} | values)
    return np.asarray(made.data)


def changing_errors(seed: int, views: int = 721) -> NDArray[np.float64]:
    """1 % of each pixel and far more of four, by half more and half less as the sample turns."""
    draw = np.random.default_rng(200 + seed)
    errors = draw.normal(0, 0.01, (ROWS, COLUMNS))
    for row in errors:
        row[draw.integers(20, COLUMNS - 20, 4)] += draw.choice([-0.1, 0.1], 4)
    phase = draw.uniform(0, 2 * np.pi, errors.shape)
    return np.asarray(
        errors * (1 + 0.5 * np.cos(2 * np.pi * np.arange(views)[:, None, None] / views + phase))
    )


def test_changing_rings_fall_to_half_of_what_a_double_flat_field_leaves() -> None:
    index, left = np.zeros((2, 2, 5))
    damage = np.zeros(5)
    for seed in range(5):
        clean = clean_rows(seed)
        truth, struck = image(clean), (clean + changing_errors(seed)).astype(np.float32)
        for k, made in enumerate((image(corrected(struck)), image(by_blocks(struck)))):
            index[k, seed], left[k, seed] = ring_index(made, sectors=8), error(made, truth)
        damage[seed] = error(image(by_blocks(clean)), truth)
    assert index[1].mean() < 0.5 * index[0].mean()
    assert left[1].mean() < 0.5 * left[0].mean()
    assert damage.mean() < 0.009


def test_an_error_that_rises_in_a_straight_line_is_removed_between_the_middles_of_the_blocks() -> None:
    struck = np.ones((120, ROWS, COLUMNS), np.float32)
    struck[:, 6, 40] += np.linspace(0.1, 0.3, 120, dtype=np.float32)
    made = by_blocks(struck)
    np.testing.assert_allclose(made[10:110], 1, atol=2e-4)
    assert np.abs(made - 1).max() < 0.02, "constant beyond the outer middles"


def test_one_block_is_a_double_flat_field_and_so_is_noise_alone() -> None:
    struck = (clean_rows(1) + changing_errors(1)).astype(np.float32)
    np.testing.assert_allclose(by_blocks(struck, blocks=1), corrected(struck), atol=1e-6)
    noise = np.random.default_rng(3).normal(1, 0.05, (480, ROWS, COLUMNS)).astype(np.float32)
    constant = by_blocks(noise, blocks=1)
    change = np.std(by_blocks(noise) - constant)
    assert change < 0.5 * 0.05 / (480 / 6) ** 0.5, "more than half of the noise of a block is told from rings"


def test_a_transmission_is_corrected_as_its_attenuation_is() -> None:
    struck = (clean_rows(2) + changing_errors(2)).astype(np.float32)
    slab = Slab(np.exp(-struck), slice(0, ROWS), domain="transmission", unit="1")
    made = nonconstant_rings(slab, context=Context(), axis_column=AXIS)
    assert made.domain == "transmission"
    np.testing.assert_allclose(-np.log(made.data), by_blocks(struck), atol=5e-5)


def test_too_few_views_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"47 views are too few for 6 blocks .* set nonconstant_rings.blocks=5"
    ):
        by_blocks(np.ones((47, 3, 20), np.float32))


def test_pixels_of_small_errors_are_left_as_they_are() -> None:
    struck = np.ones((120, ROWS, COLUMNS), np.float32)
    struck[:, 6, 40] += np.linspace(0.02, 0.3, 120, dtype=np.float32)
    struck[:, 6, 60] += 0.03
    made = by_blocks(struck, pixel_mask=0.05)
    np.testing.assert_array_equal(made[:, 6, 60], struck[:, 6, 60])
    np.testing.assert_allclose(made[10:110, 6, 40], 1, atol=2e-4)
