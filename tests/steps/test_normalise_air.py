"""Views levelled by the air beside the sample."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import tomarium as tm
from tomarium.errors import InputError
from tomarium.formats.frames.scan_of_arrays import scan_of_arrays
from tomarium.kernels.phantom import Ellipsoid, line_integrals
from tomarium.model import Scan, Slab, Value
from tomarium.steps.core.context import Context
from tomarium.steps.correct.normalise_air import normalise_air

ROWS, COLUMNS, VIEWS, PHOTONS = 6, 128, 180, 20_000.0
AXIS = (COLUMNS - 1) / 2
ANGLES = np.arange(VIEWS) * 180 / VIEWS
BODY = [Ellipsoid((0, 2, -3), (1e6, 40, 36), 0.02), Ellipsoid((0, 9, 5), (1e6, 9, 7), 0.02)]
TRUE = line_integrals(BODY, ANGLES, np.zeros(ROWS), np.arange(COLUMNS) - AXIS)


def scan_of(brightness: NDArray[np.float64], seed: int = 0) -> Scan:
    """A scan whose beam is so bright in each view, shape (angle, 1 or row, 1 or column), with flats before it alone."""
    draw = np.random.default_rng(seed)
    views = draw.poisson(PHOTONS * brightness * np.exp(-TRUE)) + 100
    flats = draw.poisson(PHOTONS, (20, ROWS, COLUMNS)) + 100
    scan = scan_of_arrays(
        views.astype(np.uint16),
        ANGLES,
        flats=flats.astype(np.uint16),
        darks=np.full((2, ROWS, COLUMNS), 100, np.uint16),
    )
    return scan.with_geometry(axis_column=Value(AXIS, "user", "test"))


def attenuation(scan: Scan, steps: str) -> NDArray[np.float32]:
    made = tm.reconstruct(scan, f"steps: [{steps}]")
    assert isinstance(made, Scan)
    return made.projections.read(slice(0, VIEWS), slice(0, ROWS))


def test_a_ring_current_that_decays_between_the_flats_is_levelled() -> None:
    decay = np.exp(-np.linspace(0, 0.1, VIEWS))[:, None, None]
    decay = decay * (1 + 0.02 * np.random.default_rng(1).normal(size=(VIEWS, 1, 1)))  # and flickers
    scan = scan_of(decay)
    plain = attenuation(scan, "flat_field") - TRUE
    levelled = attenuation(scan, "flat_field, normalise_air") - TRUE
    assert abs(float(plain.mean())) > 0.04
    assert abs(float(levelled.mean())) < 2e-3
    still = attenuation(scan_of(np.ones((1, 1, 1))), "flat_field") - TRUE
    assert levelled.std() < 1.05 * still.std()
    made = np.asarray(tm.reconstruct(scan, "steps: [flat_field, normalise_air, fbp]"))
    truth = np.asarray(tm.fbp(TRUE.astype(np.float32), ANGLES, AXIS))
    before = np.asarray(tm.reconstruct(scan, "steps: [flat_field, fbp]"))
    inside = np.hypot(*np.mgrid[-AXIS : AXIS + 1, -AXIS : AXIS + 1]) < 30
    assert abs(float((made - truth)[:, inside].mean())) < 0.005 * 0.02
    assert np.std((made - truth)[:, inside]) < np.std((before - truth)[:, inside])


def test_a_slope_across_the_beam_is_levelled_too_and_sides_are_taken() -> None:
    slope = 1 + 0.05 * np.linspace(-1, 1, COLUMNS)[None, None] * np.linspace(-1, 1, VIEWS)[:, None, None]
    scan = scan_of(slope)
    both = attenuation(scan, "flat_field, normalise_air") - TRUE
    left = attenuation(scan, "flat_field, {normalise_air: {sides: left}}") - TRUE
    blocks = both.reshape(VIEWS, ROWS, 8, COLUMNS // 8).mean(axis=(1, 3))
    assert np.abs(blocks).max() < 6e-3
    assert np.abs(left.mean(axis=1)[:, -20:]).max() > 0.05
    assert np.abs(left.mean(axis=(1, 2))[VIEWS // 2 - 3 : VIEWS // 2 + 3]).max() < 0.01


def stepped(data: NDArray[Any], domain: Any, **values: Any) -> Slab:
    return normalise_air(Slab(data, slice(0, data.shape[1]), domain=domain), context=Context(), **values)


def test_transmission_is_levelled_as_attenuation_is() -> None:
    shifted = (TRUE + 0.1).astype(np.float32)
    by_log = np.asarray(stepped(shifted, "attenuation").data)
    by_transmission = np.asarray(stepped(np.exp(-shifted), "transmission").data)
    np.testing.assert_allclose(-np.log(by_transmission), by_log, atol=1e-5)
    np.testing.assert_allclose(by_log, TRUE, atol=1e-5)


def test_a_sample_that_reaches_into_the_air_is_counted() -> None:
    noisy = TRUE + np.random.default_rng(0).normal(0, 0.01, TRUE.shape)
    assert stepped(noisy.astype(np.float32), "attenuation").report["normalise_air.covered"] == 0
    made = stepped(noisy.astype(np.float32), "attenuation", columns=40)
    assert made.report["normalise_air.covered"] > 0.9 * TRUE.size
    with pytest.raises(InputError, match="70 columns of air at both of 128 columns"):
        stepped(TRUE, "attenuation", columns=70)
