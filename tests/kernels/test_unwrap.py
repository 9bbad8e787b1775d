"""Unwrapping: phases of three π come back, those below π stay as they are, and what cannot be told is flagged."""

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.kernels.grating import phase_noise
from tomarium.kernels.phantom import Ellipsoid, line_integrals
from tomarium.kernels.unwrap import unwrap_sinogram

VIEWS, COLUMNS, FINE = 60, 96, 4
Array = NDArray[np.float64]


@cache
def refraction(seed: int, peak: float, source_px: float) -> tuple[Array, Array]:
    """Fringes (complex) and their true phase behind ellipses whose edges a source of that size softens."""
    from scipy.ndimage import gaussian_filter1d

    draw = np.random.default_rng(seed)
    body = Ellipsoid(
        (0, *draw.uniform(-4, 4, 2)), (1e6, *draw.uniform(24, 34, 2)), 1.0, (draw.uniform(0, 180), 0, 0)
    )
    parts = [
        Ellipsoid(
            (0, *draw.uniform(-14, 14, 2)), (1e6, *draw.uniform(5, 9, 2)), draw.choice([-1.0, -0.5, 0.5])
        )
        for _ in range(3)
    ]
    edges = np.arange(COLUMNS * FINE + 1) / FINE - COLUMNS / 2
    through = line_integrals([body, *parts], np.arange(VIEWS) * 180.0 / VIEWS, np.zeros(1), edges)[:, 0]
    slope = np.diff(gaussian_filter1d(through, source_px * FINE, axis=1, mode="nearest"), axis=1)
    slope *= peak / abs(slope).max()
    cells = slope.reshape(VIEWS, COLUMNS, FINE)
    return np.exp(1j * cells).mean(axis=2), cells.mean(axis=2)


def noisy(fringes: Array, seed: int, sigma: float) -> Array:
    draw = np.random.default_rng(100 + seed)
    return fringes + sigma * (draw.normal(size=fringes.shape) + 1j * draw.normal(size=fringes.shape))


@pytest.mark.parametrize("sigma", [0.0, 0.1])
def test_gradients_of_three_pi_come_back(sigma: float) -> None:
    for seed in range(10):
        fringes, true = refraction(seed, 3 * np.pi, 2.0)
        seen = noisy(fringes, seed, sigma)
        found, torn = unwrap_sinogram(np.angle(seen), np.abs(seen))
        wrapped = np.abs(np.angle(seen) - true) > np.pi
        wrong = np.abs(found - true) > np.pi
        assert wrapped.mean() > 0.05
        assert wrong.mean() < (0.001 if sigma else 1e-9)
        assert torn.mean() < 0.02
        trusted = ~torn
        assert np.sum((found * true)[trusted]) / np.sum(true[trusted] ** 2) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("sigma", [0.0, 0.1])
def test_below_pi_nothing_changes(sigma: float) -> None:
    for seed in range(10):
        fringes, _ = refraction(seed, 0.6 * np.pi, 2.0)
        seen = noisy(fringes, seed, sigma)
        phase = np.angle(seen).astype(np.float32)
        found, torn = unwrap_sinogram(phase, np.abs(seen))
        np.testing.assert_allclose(found, phase, atol=2e-6)
        assert not torn.any()


def test_noise_stays_that_of_photons_where_the_phase_is_unwrapped() -> None:
    visibility, counts, steps = 0.3, 2000.0, 5
    fringes, true = refraction(3, 3 * np.pi, 2.0)
    at = 2 * np.pi * np.arange(steps)[:, None, None] / steps
    curves = counts * (1 + visibility * np.real(fringes * np.exp(1j * at)))
    seen = np.tensordot(np.exp(-1j * at[:, 0, 0]), np.random.default_rng(0).poisson(curves), axes=1)
    seen *= 2 / (steps * counts * visibility)
    found, _ = unwrap_sinogram(np.angle(seen), np.abs(seen))
    expected = phase_noise(steps * counts, visibility) / np.sqrt(2)  # there is no noise in the reference
    strong = np.abs(fringes) > 0.98
    assert np.std((found - true)[strong]) == pytest.approx(expected, rel=0.05)


def test_edges_sharper_than_a_pixel_are_flagged() -> None:
    for seed in range(10):
        seen, true = refraction(seed, 3 * np.pi, 0.4)
        found, torn = unwrap_sinogram(np.angle(seen), np.abs(seen))
        wrong = np.abs(found - true) > np.pi
        assert np.mean(wrong & ~torn) < 0.01


def test_a_background_is_kept_wherever_it_lies() -> None:
    fringes, true = refraction(1, 3 * np.pi, 2.0)
    line = 3.0 + 0.02 * np.arange(COLUMNS)  # air lies where the phase wraps
    turned = fringes * np.exp(1j * line)
    found, _ = unwrap_sinogram(np.angle(turned), np.abs(turned))
    whole = 2 * np.pi * np.round((found - line - true).mean() / (2 * np.pi))
    np.testing.assert_allclose(found - whole, line + true, atol=1.0)
    assert abs(np.median(found - whole - line - true)) < 1e-3


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match=r"give both as \(angle, column\)"):
        unwrap_sinogram(np.zeros((4, 2)), np.ones((4, 2)))
    with pytest.raises(InputError, match="not finite"):
        unwrap_sinogram(np.full((4, 5), np.nan), np.ones((4, 5)))
