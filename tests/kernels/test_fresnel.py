"""Free propagation: a Gaussian beam in closed form, energy, and the way back."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tomarium.errors import InputError, ParameterError
from tomarium.kernels.fresnel import chirp, propagate, spread_m
from tomarium.kernels.paganin import WAVELENGTH_M_KEV

PIXEL, ENERGY = 1e-6, 20.0
WAVELENGTH = WAVELENGTH_M_KEV / ENERGY


def noise(shape: tuple[int, int]) -> NDArray[np.complex128]:
    draw = np.random.default_rng(0)
    return np.asarray(draw.normal(size=shape) + 1j * draw.normal(size=shape))


@pytest.mark.parametrize("shape", [(256, 256), (243, 250), (250, 243)])
def test_a_gaussian_beam_spreads_as_its_closed_form_says(shape: tuple[int, int]) -> None:
    # exp(-r² / w²) becomes exp(-r² / (w² q)) / q with q = 1 - i lambda D / (pi w²)  (Goodman 2005, Gaussian beams)
    waist, distance = 8e-6, 2.0
    z, u = ((np.arange(n) - n // 2) * PIXEL for n in shape)
    squared = z[:, None] ** 2 + u**2
    found = propagate(np.exp(-squared / waist**2).astype(complex), PIXEL, ENERGY, distance)
    q = 1 + 1j * WAVELENGTH * distance / (np.pi * waist**2)
    expected = np.exp(-squared / (waist**2 * q)) / q
    assert abs(q) > 1.15
    assert abs(found - expected).max() < 1e-9


def test_energy_is_kept_and_the_way_back_leads_to_the_beginning() -> None:
    wave = noise((60, 75))
    away = propagate(wave, PIXEL, ENERGY, 0.3, threads=2)
    assert np.sum(abs(away) ** 2) == pytest.approx(np.sum(abs(wave) ** 2), rel=1e-12)
    np.testing.assert_allclose(propagate(away, PIXEL, ENERGY, -0.3), wave, atol=1e-12)
    twice = propagate(propagate(wave, PIXEL, ENERGY, 0.1), PIXEL, ENERGY, 0.2)
    np.testing.assert_allclose(twice, away, atol=1e-12)


def test_a_weak_phase_shows_as_its_transfer_function_says() -> None:
    """I = 1 + 2 phi sin(chi) for a wave exp(i phi), the first order of Guigay (1977)."""
    rows, columns, waves, distance = 40, 64, 9, 0.2
    wave = 1e-4 * np.cos(2 * np.pi * waves * np.arange(columns) / columns) * np.ones((rows, 1))
    found = abs(propagate(np.exp(1j * wave), PIXEL, ENERGY, distance)) ** 2 - 1
    chi = chirp((rows, columns), PIXEL, ENERGY, distance)[0, waves]
    assert chi == pytest.approx(np.pi * WAVELENGTH * distance * (waves / (columns * PIXEL)) ** 2)
    np.testing.assert_allclose(found, 2 * np.sin(chi) * wave, atol=1e-7)


def test_single_precision_and_the_reach() -> None:
    wave = noise((64, 48))
    fine = propagate(wave, PIXEL, ENERGY, 0.1)
    assert propagate(wave.astype(np.complex64), PIXEL, ENERGY, 0.1).dtype == np.complex64
    assert abs(propagate(wave.astype(np.complex64), PIXEL, ENERGY, 0.1) - fine).max() < 1e-5
    assert spread_m(PIXEL, ENERGY, -0.1) == pytest.approx(WAVELENGTH * 0.1 / 2e-6)


def test_wrong_input_is_refused() -> None:
    with pytest.raises(InputError, match=r"float64 of shape \(3, 3\)"):
        propagate(np.ones((3, 3)), PIXEL, ENERGY, 0.1)
    with pytest.raises(ParameterError, match="pixel_m is 0"):
        chirp((3, 3), 0.0, ENERGY, 0.1)
