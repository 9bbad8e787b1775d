"""Zernike's halo: a disc is level again, the air is empty, and noise stays what it was."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tomarium.errors import InputError, ParameterError
from tomarium.kernels.zernike import halo_response, without_halo

SIZE, WIDE = 120, 512
Y, X = np.mgrid[:SIZE, :SIZE] - SIZE / 2 + 0.5
RADIUS = np.hypot(Y, X + 4)


def seen(thing: NDArray[np.float64], sigma: float, strength: float) -> NDArray[np.float64]:
    """What a microscope shows whose field is far wider than the frame."""
    inner = np.s_[(WIDE - SIZE) // 2 : (WIDE + SIZE) // 2, (WIDE - SIZE) // 2 : (WIDE + SIZE) // 2]
    wide = np.zeros((WIDE, WIDE))
    wide[inner] = thing
    left = halo_response(np.fft.fftfreq(WIDE), np.fft.rfftfreq(WIDE), sigma, strength)
    return np.asarray(np.fft.irfft2(np.fft.rfft2(wide) * left)[inner])


@pytest.mark.parametrize("strength", [0.8, 1.0])
@pytest.mark.parametrize("sigma", [8.0, 15.0, 30.0])
@pytest.mark.parametrize("shape", ["disc", "ball"])
def test_a_thing_with_a_halo_is_level_again(shape: str, sigma: float, strength: float) -> None:
    thing = 1.0 * (RADIUS < 28) if shape == "disc" else np.sqrt(np.clip(1 - (RADIUS / 28) ** 2, 0, None))
    shown = seen(thing, sigma, strength)
    plateau = RADIUS < 24
    assert abs(np.mean((shown - thing)[plateau])) > 0.15
    assert shown[RADIUS > 32].min() < -0.05  # the halo
    made = without_halo(shown[None], sigma, strength=strength)[0]
    assert np.abs(made - thing)[plateau].max() < 0.03
    assert np.abs(made - thing)[RADIUS > 32].max() < 0.03


def test_noise_is_hardly_raised() -> None:
    noise = np.random.default_rng(0).normal(size=(1, SIZE, SIZE))
    assert np.std(without_halo(noise, 15.0)[:, 30:-30, 30:-30]) < 1.15


def test_it_is_linear_and_nothing_stays_nothing() -> None:
    one = seen(1.0 * (RADIUS < 20), 12.0, 1.0)[None].astype(np.float32)
    np.testing.assert_allclose(without_halo(3 * one, 12.0), 3 * without_halo(one, 12.0), atol=1e-4)
    np.testing.assert_allclose(without_halo(np.zeros((1, 30, 40), np.float32), 5.0), 0, atol=1e-7)


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ParameterError, match="sigma_px is 0"):
        without_halo(np.zeros((1, 3, 3)), 0)
    with pytest.raises(InputError, match=r"shape \(3, 3\)"):
        without_halo(np.zeros((3, 3)), 1.0)
    with pytest.raises(InputError, match="not finite"):
        without_halo(np.full((1, 9, 9), np.nan), 1.0)
