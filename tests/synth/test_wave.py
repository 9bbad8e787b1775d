"""Simulated waves: what they keep, what they show near the sample, and that frames use them."""

from dataclasses import replace

import numpy as np
import pytest

from tomarium.errors import ParameterError
from tomarium.kernels.phantom import Ellipsoid
from tomarium.synth import SimulationConfig, truth
from tomarium.synth.frames import transmission
from tomarium.synth.wave import _blurred_means, _wave_behind, sampling

BALL = SimulationConfig(
    columns=96,
    rows=80,
    views=4,
    axis_column=47.5,
    ellipsoids=(Ellipsoid((0.0, 0.0, 0.0), (24.0, 24.0, 24.0), 4e-3),),
    pixel_m=1e-6,
    energy_kev=20.0,
    delta_beta=200.0,
    distance_m=0.01,
)


def seen(**changes: object) -> np.ndarray:
    config = replace(BALL, **changes)  # type: ignore[arg-type]
    return transmission(config, truth(config), 1)


def test_near_the_sample_the_wave_is_what_transport_makes_of_it() -> None:
    wave, transport, contact = seen(propagation="wave"), seen(), seen(delta_beta=0.0)
    fringes = np.ptp(transport - contact)
    assert fringes > 0.1
    # Transport raises the edge of a ball, which is infinitely steep, without an end; elsewhere both are the same.
    assert np.sqrt(np.mean((wave - transport) ** 2)) < 0.05 * fringes
    inside = np.s_[30:50, 38:58]
    assert np.abs(wave - transport)[inside].max() < 0.01


@pytest.mark.parametrize("distance_m", [0.02, 0.2])
def test_no_light_is_lost_on_the_way(distance_m: float) -> None:
    assert seen(propagation="wave", distance_m=distance_m).sum() == pytest.approx(
        seen(delta_beta=0.0).sum(), rel=1e-3
    )


def test_far_away_fringes_multiply_and_a_grid_is_as_fine_as_they_ask() -> None:
    ball = Ellipsoid((0.0, 0.0, 0.0), (12.0, 12.0, 12.0), 4e-3)
    near, far = (seen(propagation="wave", distance_m=d, ellipsoids=(ball,))[39] for d in (0.005, 0.3))
    bright = [np.count_nonzero(row > 1.01) for row in (near, far)]
    assert bright[0] >= 2  # the rim
    assert bright[1] >= bright[0] + 4  # and fringes around it
    assert sampling(BALL) == 3
    assert sampling(replace(BALL, distance_m=1e-4)) == 8
    assert sampling(replace(BALL, distance_m=10.0)) == BALL.subrays


def test_other_propagation_is_refused() -> None:
    with pytest.raises(ParameterError, match="there is no propagation 'ray'"):
        replace(BALL, propagation="ray")  # type: ignore[arg-type]


@pytest.mark.parametrize(("length", "s"), [(60, 1), (60, 2), (60, 3), (45, 3), (90, 5)])
def test_blurred_means_are_those_of_the_blurred_row(length: int, s: int) -> None:
    image = np.random.default_rng(length + s).normal(size=(4, length)).astype(np.float32)
    blur = np.exp(-2 * (np.pi * 0.7 * s * np.fft.rfftfreq(length)) ** 2)
    blurred = np.fft.irfft(np.fft.rfft(image) * blur, length)
    means = blurred.reshape(4, length // s, s).mean(2)
    np.testing.assert_allclose(_blurred_means(image, s, 0.7 * s), means, atol=1e-6)


def test_a_wave_behind_the_sample_is_the_complex_exponential() -> None:
    through = np.random.default_rng(0).uniform(0, 2, (40, 30)).astype(np.float32)
    expected = np.exp((-0.5 - 0.5j * 200) * through.astype(np.float64))
    np.testing.assert_allclose(_wave_behind(through, 200.0), expected, atol=2e-5)
