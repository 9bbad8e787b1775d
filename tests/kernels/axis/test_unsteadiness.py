"""How far single views lie aside, where the truth is known."""

import numpy as np
import pytest

from tomarium.kernels.axis.prepare import Prepared
from tomarium.kernels.axis.unsteadiness import unsteadiness

VIEWS, COLUMNS = 181, 128


def blobs(aside: float, noise: float, seed: int) -> Prepared:
    """Twelve Gaussian blobs over half a turn, each view shifted at random, three row groups with noise."""
    draw = np.random.default_rng(seed)
    theta = np.radians(np.arange(VIEWS))[:, None]
    u = np.arange(COLUMNS) - (COLUMNS - 1) / 2 - draw.normal(0, aside, VIEWS)[:, None]
    clean = np.zeros((VIEWS, COLUMNS))
    for x, y, size in zip(*draw.uniform(-40, 40, (2, 12)), draw.uniform(2, 6, 12), strict=True):
        clean += np.exp(-(((u - x * np.cos(theta) - y * np.sin(theta)) / size) ** 2) / 2)
    rows = clean[:, None] + draw.normal(0, noise, (VIEWS, 3, COLUMNS))
    groups = tuple(slice(row, row + 1) for row in range(3))
    return Prepared(rows.astype(np.float32), np.arange(float(VIEWS)), groups, 0.0, ())


@pytest.mark.parametrize("noise", [0.001, 0.1, 0.25])
@pytest.mark.parametrize("aside", [0.3, 0.6])
def test_noise_does_not_hide_that_views_lie_aside(aside: float, noise: float) -> None:
    measured = [unsteadiness(blobs(aside, noise, seed)) for seed in range(6)]
    assert np.mean(measured) == pytest.approx(aside, rel=0.2)


@pytest.mark.parametrize("noise", [0.001, 0.1])
def test_noise_is_not_taken_for_views_that_lie_aside(noise: float) -> None:
    assert np.mean([unsteadiness(blobs(0.0, noise, seed)) for seed in range(6)]) < 0.05


def test_where_nothing_is_seen_nothing_is_measured() -> None:
    flat = Prepared(np.zeros((20, 1, 32), np.float32), np.linspace(0, 180, 20), (slice(0, 1),), 0.0, ())
    assert unsteadiness(flat) == 0.0
