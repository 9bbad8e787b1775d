"""Widths of edges that are known: a disc whose edge is the integral of a Gaussian."""

import math
from typing import Any

import numpy as np
import pytest

from tomarium.errors import InputError
from tomarium.kernels.edge_width import FWHM, edges

SIZE = 256


def disc(sigma: float, noise: float = 0.0, seed: int = 0) -> Any:
    y, x = np.mgrid[:SIZE, :SIZE] - 127.3
    rise = np.vectorize(math.erf)((90 - np.hypot(x, y)) / (sigma * math.sqrt(2)))
    return 3 + 2 * (1 + rise) / 2 + np.random.default_rng(seed).normal(0, 2 * noise, (SIZE, SIZE))


@pytest.mark.parametrize("sigma", [0.4, 0.7, 1.0, 1.5, 2.5])
def test_a_known_blur_is_found(sigma: float) -> None:
    found = edges(disc(sigma))
    assert len(found) > 20
    assert np.median([edge.fwhm_px for edge in found]) == pytest.approx(FWHM * sigma, rel=0.02)
    assert np.median([edge.step for edge in found]) == pytest.approx(2, rel=0.02)


@pytest.mark.parametrize("sigma", [0.7, 1.5, 2.5])
@pytest.mark.parametrize("noise", [0.05, 0.1])
def test_noise_does_not_sharpen_it(sigma: float, noise: float) -> None:
    """Noise of a tenth of the step; the mean over four drawings."""
    found = [np.median([e.sigma_px for e in edges(disc(sigma, noise, seed))]) for seed in range(4)]
    assert np.mean(found) == pytest.approx(sigma, rel=0.04)


def test_blurs_add_in_square() -> None:
    one, two = (np.median([e.sigma_px for e in edges(disc(s))]) for s in (1.0, math.hypot(1.0, 1.0)))
    assert two**2 - one**2 == pytest.approx(1, rel=0.04)


def test_edges_lie_where_they_are_allowed() -> None:
    mask = np.zeros((SIZE, SIZE), bool)
    mask[:, :128] = True
    assert {edge.column < 128 for edge in edges(disc(1.0), mask)} == {True}


def test_noise_alone_and_nothing_have_no_edge() -> None:
    assert edges(np.random.default_rng(1).normal(size=(SIZE, SIZE))) == []
    assert edges(np.ones((SIZE, SIZE))) == []
    with pytest.raises(InputError, match="32 x 32"):
        edges(np.ones((8, 8)))


def test_what_is_sharper_than_can_be_told_reads_as_the_limit() -> None:
    y, x = np.mgrid[:SIZE, :SIZE] - 127.3
    found = edges((np.hypot(x, y) < 90).astype(float))
    assert np.median([edge.fwhm_px for edge in found]) == 0.4
