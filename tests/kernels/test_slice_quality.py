"""Figures of slices that are made so that they are known."""

import numpy as np
import pytest

from tomarium.errors import InputError
from tomarium.kernels.slice_quality import (
    contrast_to_noise_of,
    cupping,
    entropy_bits,
    homogeneous,
    mean_gradient,
    negative_part,
)

SIZE = 160
Y, X = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
RADIUS = np.hypot(Y, X)


def two_materials(noise: float, seed: int = 0) -> np.ndarray:
    """A disc of 2 in a ground of 1."""
    return 1.0 + (RADIUS < 45) + np.random.default_rng(seed).normal(0, noise, (SIZE, SIZE))


@pytest.mark.parametrize("noise", [0.02, 0.1, 0.3])
def test_signal_and_contrast_over_noise_are_those_put_in(noise: float) -> None:
    parts = homogeneous(two_materials(noise), RADIUS < 75)
    assert [round(part.mean, 1) for part in parts] == [2.0, 1.0]
    assert parts[0].signal_to_noise == pytest.approx(2 / noise, rel=0.04)
    assert contrast_to_noise_of(parts) == pytest.approx(1 / (np.sqrt(2) * noise), rel=0.04)
    # No window crosses the border of the disc.
    assert RADIUS[parts[0].middles].max() < 45
    assert RADIUS[parts[1].middles].min() > 45


def test_one_material_is_not_parted() -> None:
    image = 3 + np.random.default_rng(1).normal(0, 0.1, (SIZE, SIZE))
    parts = homogeneous(image)
    assert len(parts) == 1
    assert parts[0].signal_to_noise == pytest.approx(30, rel=0.03)
    assert np.isnan(contrast_to_noise_of(parts))
    assert homogeneous(image[:5]) == ()
    assert homogeneous(image, np.zeros(image.shape, bool)) == ()


def test_structure_is_not_taken_for_noise() -> None:
    waves = np.sin(X / 3) * np.sin(Y / 4)
    assert homogeneous(waves + np.random.default_rng(2).normal(0, 0.05, waves.shape)) == ()


@pytest.mark.parametrize("rise", [-0.3, 0.0, 0.2])
def test_cupping_is_the_rise_to_the_rim(rise: float) -> None:
    image = 5 * (1 + rise * (RADIUS / (SIZE / 2)) ** 2)
    found = cupping(image, RADIUS < 60)
    assert found == pytest.approx(5 * rise / image[RADIUS < 60].mean(), abs=1e-12)
    with pytest.raises(InputError, match="0 pixels"):
        cupping(image, RADIUS < 0)


def test_entropy_gradient_and_negative_part() -> None:
    levels = np.repeat(np.arange(256) + 0.5, 4)
    assert entropy_bits(levels, 0, 256) == pytest.approx(8)
    assert entropy_bits(np.ones(9), 0, 2) == 0
    assert mean_gradient(3 * X + 4 * Y) == pytest.approx(5)
    assert negative_part(np.array([3.0, -1.0])) == pytest.approx(0.25)
    assert negative_part(np.array([3.0, -1.0]), np.array([True, False])) == 0
    assert np.isnan(negative_part(np.zeros(3)))
