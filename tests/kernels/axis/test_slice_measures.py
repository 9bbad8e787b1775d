"""Measures of the slices of a sweep of axes, of discs about a known axis."""

from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.kernels.axis.slice_measures import GREATEST, MEASURES, Measure, best_column, measure_slices
from tomarium.kernels.fbp import fbp

TRUE = 40.2
COLUMNS = [38.0 + 0.5 * k for k in range(9)]


@lru_cache
def slices() -> tuple[NDArray[np.float32], ...]:
    """Slices about nine axes of three discs, whose projections are exact."""
    angles = np.arange(0, 180, 2.0)
    turns = np.deg2rad(angles)[:, None]
    columns = np.arange(80.0)
    sinogram = np.zeros((90, 80))
    for x, y, radius, value in ((0, 0, 30, 0.02), (12, 5, 4, 0.03), (-9, -14, 6, 0.02)):
        aside = columns - TRUE - x * np.cos(turns) - y * np.sin(turns)
        sinogram += value * 2 * np.sqrt(np.maximum(radius**2 - aside**2, 0))
    return tuple(fbp(sinogram.astype(np.float32), angles, column, threads=1) for column in COLUMNS)


@pytest.mark.parametrize("measure", MEASURES)
def test_the_sharp_slice_is_the_best(measure: Measure) -> None:
    values = measure_slices(slices(), measure)
    column, between = best_column(COLUMNS, values, measure)
    assert between
    assert column == pytest.approx(TRUE, abs=0.3)


@pytest.mark.parametrize("measure", MEASURES)
def test_an_end_is_told(measure: Measure) -> None:
    values = np.arange(4.0) if measure in GREATEST else -np.arange(4.0)
    assert best_column([1.0, 2.0, 3.0, 4.0], values, measure) == (4.0, False)


def test_what_is_no_field_does_not_count() -> None:
    plain = [image.copy() for image in slices()]
    bright = [image.copy() for image in plain]
    for k, image in enumerate(bright):
        image[:2] = np.nan if k % 2 else 1e6  # outside of the field of some
    bright[0][:2] = np.nan
    for image in plain:
        image[:2] = 0
    for measure in ("std", "entropy", "negative"):
        np.testing.assert_allclose(measure_slices(bright, measure), measure_slices(plain, measure), rtol=1e-6)


def test_nothing_to_measure_is_refused() -> None:
    with pytest.raises(InputError, match="no slice"):
        measure_slices([], "std")
    with pytest.raises(InputError, match="no pixel"):
        measure_slices([np.zeros((8, 8))], "std")
