"""The specimen: physical, in view, worth looking at."""

import numpy as np
import pytest

from tomarium.kernels.phantom import line_integrals, voxelise
from tomarium.synth import specimen


@pytest.mark.parametrize("seed", range(4))
def test_attenuation_is_nowhere_negative(seed: int) -> None:
    parts = specimen(120, 100, seed)
    axis = np.arange(120) - 59.5
    volume = voxelise(parts, np.arange(-40.0, 41.0, 8), axis, axis)
    assert volume.min() > -1e-6
    assert volume.max() > 0


@pytest.mark.parametrize("seed", range(4))
def test_it_stays_in_its_cylinder(seed: int) -> None:
    parts = specimen(120, 100, seed)
    beyond = np.concatenate([np.arange(-90.0, -60.0), np.arange(60.5, 90.0)])
    assert line_integrals(parts, np.arange(0, 180, 5.0), np.arange(-50.0, 50.0, 5), beyond).max() == 0


def test_a_seed_draws_one_specimen() -> None:
    assert specimen(120, 100, 5) == specimen(120, 100, 5)
    assert specimen(120, 100, 5) != specimen(120, 100, 6)


def test_absorption_is_about_what_was_asked_for() -> None:
    p = line_integrals(specimen(200, 100, 1), np.array([0.0, 50.0]), np.zeros(1), np.arange(-90.0, 90.0))
    assert 0.8 < p.max() < 3.0
