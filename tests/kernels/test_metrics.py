"""Metrics: each against a case whose value is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tomarium.errors import InputError
from tomarium.kernels import metrics


@settings(deadline=None)
@given(gain=st.floats(-3, 3), offset=st.floats(-5, 5))
def test_gain_and_offset_are_recovered(gain: float, offset: float) -> None:
    truth = np.random.default_rng(0).normal(size=(20, 30))
    found = metrics.gain_and_offset(gain * truth + offset, truth)
    assert found == pytest.approx((gain, offset), abs=1e-12)


def test_rmse_and_bias_under_a_mask() -> None:
    truth = np.zeros((4, 4))
    image = truth.copy()
    image[:2] = 3.0
    image[2:] = 4.0
    upper = np.zeros((4, 4), bool)
    upper[:2] = True
    assert metrics.rmse(image, truth) == pytest.approx(np.sqrt(12.5))
    assert metrics.rmse(image, truth, upper) == 3.0
    assert metrics.bias(image, truth, ~upper) == 4.0


def test_signal_and_contrast_to_noise() -> None:
    draw = np.random.default_rng(1)
    a, b = draw.normal(10, 2, 200_000), draw.normal(4, 1.5, 200_000)
    assert metrics.signal_to_noise(a) == pytest.approx(5, rel=0.01)
    assert metrics.contrast_to_noise(a, b) == pytest.approx(6 / 2.5, rel=0.01)
    assert metrics.signal_to_noise(np.full(5, 2.0)) == np.inf
    assert np.isnan(metrics.contrast_to_noise(np.ones(3), np.ones(3)))


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_seen_through_ramps_and_edges(seed: int) -> None:
    draw = np.random.default_rng(seed)
    image = np.add.outer(np.arange(256.0), 3 * np.arange(255.0))
    image[:, 100:] += 500
    assert metrics.noise(image + draw.normal(0, 0.7, image.shape)) == pytest.approx(0.7, rel=0.03)


def test_edge_error_grows_with_blur() -> None:
    truth = np.zeros((64, 64))
    truth[20:40, 20:40] = 2.0
    blurred = [truth]
    for _ in range(3):
        image = blurred[-1]
        blurred.append((image + np.roll(image, 1, 0) + np.roll(image, 1, 1) + np.roll(image, -1, 0)) / 4)
    errors = [metrics.edge_error(image, truth) for image in blurred]
    assert errors[0] == 0
    assert errors == sorted(errors)
    assert metrics.edge_error(3 * blurred[2], 3 * truth) == pytest.approx(errors[2])


def test_ring_index_sees_rings_and_not_noise() -> None:
    draw = np.random.default_rng(2)
    y, x = np.mgrid[:256, :256] - 127.5
    clean = draw.normal(0, 0.1, (256, 256))
    rings = clean + 0.2 * (np.abs(np.hypot(y, x) - 60) < 0.7)
    quiet, loud = metrics.ring_index(clean), metrics.ring_index(rings)
    assert quiet < 0.1
    assert loud > 2 * quiet
    aside = metrics.ring_index(np.roll(rings, (9, -14), (0, 1)), (127.5 + 9, 127.5 - 14))
    assert aside == pytest.approx(loud, rel=0.15)


def test_sectors_see_rings_that_cancel_along_the_circle() -> None:
    y, x = np.mgrid[:256, :256] - 127.5
    clean = np.random.default_rng(4).normal(0, 0.1, (256, 256))
    changing = clean + 1.0 * np.cos(np.arctan2(y, x)) * (np.abs(np.hypot(y, x) - 60) < 0.7)
    assert metrics.ring_index(changing) < 1.2 * metrics.ring_index(clean)
    assert metrics.ring_index(changing, sectors=8) > 1.5 * metrics.ring_index(clean, sectors=8)


def test_stripe_index_is_near_one_without_stripes() -> None:
    draw = np.random.default_rng(3)
    sinogram = draw.normal(0, 0.2, (400, 500))
    assert metrics.stripe_index(sinogram) == pytest.approx(1.0, abs=0.12)
    sinogram[:, 250] += 0.5
    assert metrics.stripe_index(sinogram) > 2


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(InputError, match="crop one"):
        metrics.rmse(np.ones((3, 3)), np.ones((3, 4)))
    with pytest.raises(InputError, match="mask"):
        metrics.bias(np.ones(3), np.ones(3), np.zeros(3, bool))
    with pytest.raises(InputError, match="constant"):
        metrics.gain_and_offset(np.ones(3), np.ones(3))
    with pytest.raises(InputError, match="no edge"):
        metrics.edge_error(np.ones((4, 4)), np.ones((4, 4)))
    with pytest.raises(InputError, match="32 x 32"):
        metrics.ring_index(np.ones((8, 8)))
    with pytest.raises(InputError, match="2 rows"):
        metrics.noise(np.ones((1, 8)))
