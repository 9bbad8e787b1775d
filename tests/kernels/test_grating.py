"""Stepping curves: what a sine holds, its noise, and the integral of its phase."""

import numpy as np
import pytest

from tomarium.errors import InputError, ParameterError
from tomarium.kernels.grating import demodulate, integrate, phase_noise, weights, without_ramp


def curve(steps: int, periods: float, mean: float, visibility: float, phase: np.ndarray) -> np.ndarray:
    at = 2 * np.pi * periods * np.arange(steps) / steps
    return mean * (1 + visibility * np.cos(at[:, None, None] + phase))


@pytest.mark.parametrize(("steps", "periods"), [(3, 1.0), (4, 1.0), (5, 1.0), (8, 2.0), (7, 1.3), (9, 0.8)])
def test_a_sine_gives_its_mean_its_visibility_and_its_phase(steps: int, periods: float) -> None:
    phase = np.random.default_rng(0).uniform(-np.pi, np.pi, (4, 6))
    counts = curve(steps, periods, 800.0, 0.3, phase).astype(np.float32)
    found = demodulate(counts, weights(steps, periods))
    np.testing.assert_allclose(found.mean, 800, rtol=1e-5)
    np.testing.assert_allclose(found.visibility, 0.3, rtol=1e-4)
    np.testing.assert_allclose(np.angle(found.harmonic * np.exp(-1j * phase)), 0, atol=1e-4)


@pytest.mark.parametrize(("transmission", "relative"), [(1.0, 1.0), (0.5, 0.8)])
def test_noise_is_what_photons_leave(transmission: float, relative: float) -> None:
    steps, counts, visibility = 5, 2000.0, 0.25
    draw, still = np.random.default_rng(1), np.zeros((120, 150))
    air = curve(steps, 1.0, counts, visibility, still)
    behind = curve(steps, 1.0, counts * transmission, visibility * relative, still)
    parts = weights(steps, 1.0)
    reference, sample = (demodulate(draw.poisson(one).astype(np.float32), parts) for one in (air, behind))
    noise = np.angle(sample.harmonic * np.conj(reference.harmonic))
    expected = phase_noise(steps * counts, visibility, transmission, relative)
    assert np.std(noise) <= 1.05 * expected
    assert np.std(noise) == pytest.approx(expected, rel=0.05)


def test_a_slope_gives_its_integral_back() -> None:
    edges = np.arange(121) - 60.0
    profile = np.exp(-((edges - 7) ** 2) / 200) + 0.5 * np.exp(-((edges + 20) ** 2) / 30)
    slope = np.diff(profile).astype(np.float32)
    centres = edges[:-1] + 0.5
    expected = np.exp(-((centres - 7) ** 2) / 200) + 0.5 * np.exp(-((centres + 20) ** 2) / 30)
    np.testing.assert_allclose(integrate(slope[None] + 0.2)[0], expected, atol=2e-3)


def test_the_ramp_of_the_air_is_taken_off() -> None:
    ramp = 0.3 + 0.01 * np.arange(50, dtype=np.float32)
    thing = np.zeros(50, np.float32)
    thing[20:30] = 1
    np.testing.assert_allclose(without_ramp((ramp + thing)[None], 9)[0], thing, atol=1e-6)
    with pytest.raises(ParameterError, match="25 columns of air"):
        without_ramp(ramp[None], 25)


def test_what_tells_no_sine_is_refused() -> None:
    for steps, periods in ((2, 1.0), (4, 2.0), (5, 0.0), (8, 3.0)):
        with pytest.raises(ParameterError, match="do not tell a sine"):
            weights(steps, periods)
    with pytest.raises(ParameterError, match="hardly tell a sine"):
        weights(8, 0.1)
    with pytest.raises(InputError, match="4 frames were given for 5 steps"):
        demodulate(np.ones((4, 2, 2), np.float32), weights(5, 1.0))
