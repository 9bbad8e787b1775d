"""Fourier ring correlation beside its analytic value, signal over signal and noise."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tomarium.errors import InputError
from tomarium.kernels.ring_correlation import ring_correlation

SIZE = 256


def pairs(sigma: float, noise: float, count: int = 8) -> Iterator[tuple[Any, Any]]:
    """White fields blurred by a Gaussian, with white noise of their own on each."""
    draw = np.random.default_rng(3)
    frequency = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.fftfreq(SIZE)[None])
    blur = np.exp(-2 * (np.pi * sigma * frequency) ** 2)
    for _ in range(count):
        signal = np.fft.ifft2(np.fft.fft2(draw.normal(size=(SIZE, SIZE))) * blur).real
        yield tuple(signal + draw.normal(0, noise, (SIZE, SIZE)) for _ in range(2))  # type: ignore[misc]


@pytest.mark.parametrize(("sigma", "noise"), [(1.2, 0.3), (2.0, 0.1), (0.8, 0.2)])
def test_it_is_signal_over_signal_and_noise(sigma: float, noise: float) -> None:
    found = ring_correlation(pairs(sigma, noise))
    power = np.exp(-4 * (np.pi * sigma * found.frequency) ** 2)
    expected = power / (power + noise**2)
    scatter = (found.correlation - expected) * np.sqrt(2 * found.numbers) / (1 - expected**2)
    assert np.abs(scatter[6:]).max() < 5
    assert np.sqrt(np.mean(scatter[6:] ** 2)) == pytest.approx(1, abs=0.3)  # so the numbers are right, too
    ring = int(np.argmax(expected < found.threshold))
    crossing, slope = found.frequency[ring], np.gradient(expected, found.frequency)[ring]
    uncertain = (1 - expected[ring] ** 2) / np.sqrt(2 * found.numbers[ring]) / abs(slope)
    assert found.cut_off is not None
    assert abs(found.cut_off - crossing) < 3 * uncertain < 0.1 * crossing
    assert found.resolution_px == 1 / found.cut_off


def test_noise_alone_has_no_resolution_and_equals_have_the_finest() -> None:
    draw = np.random.default_rng(0)
    noise = ring_correlation((draw.normal(size=(64, 64)), draw.normal(size=(64, 64))) for _ in range(4))
    assert noise.cut_off is not None
    assert noise.cut_off < 0.05
    image = draw.normal(size=(64, 64))
    assert ring_correlation([(image, image)]).resolution_px is None


def test_the_threshold_is_that_of_the_half_bit() -> None:
    """For many numbers it tends to 0.2071 / 1.2071; for few it is higher."""
    few, many = ring_correlation(pairs(1.2, 0.3, 1)), ring_correlation(pairs(1.2, 0.3, 16))
    np.testing.assert_allclose(many.numbers[1:], 16 * few.numbers[1:])
    root = np.sqrt(many.numbers[100])
    assert many.threshold[100] == pytest.approx((0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root))
    assert 0.2071 / 1.2071 < many.threshold[100] < few.threshold[100]


def test_two_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="one shape"):
        ring_correlation([(np.ones((32, 32)), np.ones((32, 30)))])
    with pytest.raises(InputError, match="no slices"):
        ring_correlation([])
