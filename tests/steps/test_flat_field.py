"""How references are averaged before the flat field is applied."""

from dataclasses import replace

import numpy as np
import pytest

import tomarium as tm
from contracts.test_steps import make_scan
from tomarium.model.scan import Reference
from tomarium.steps.correct.flat_field import average_references, lowest_signal


@pytest.mark.parametrize(
    ("position", "groups"),
    [
        (np.repeat([-1.0, 60.0], 5), [-1.0, 60.0]),
        (np.r_[np.arange(-5.0, 0.0), np.arange(60.0, 65.0)], [-3.0, 62.0]),
        (np.full(10, -1.0), [-1.0]),
        (np.r_[np.full(4, -1.0), np.full(3, 29.5), np.full(3, 60.0)], [-1.0, 29.5, 60.0]),
    ],
)
def test_flats_with_no_projection_between_them_are_one_group(
    position: np.ndarray, groups: list[float]
) -> None:
    scan = make_scan()
    assert scan.flats is not None
    averaged = average_references(replace(scan, flats=Reference(scan.flats.frames, position)), slice(0, 12))
    np.testing.assert_allclose(averaged.position, groups)
    assert averaged.flats.shape == (len(groups), 12, 64)


def test_flats_are_averaged_by_the_median_where_it_is_asked_for() -> None:
    flats = 10000 + np.random.default_rng(0).normal(0, 100, (20, 6, 30)).astype(np.float32)
    scan = tm.scan_of_arrays(np.full((40, 6, 30), 5000, np.float32), np.arange(40) * 4.5, flats=flats)
    made = tm.reconstruct(scan, "steps: [flat_field: {flats_by: median, log: false}]")
    transmission = np.asarray(made.projections.read(slice(0, 1), slice(None)))[0]  # type: ignore[union-attr]
    np.testing.assert_allclose(transmission, 5000 / np.median(flats, axis=0), rtol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 1e-4, 300.0])
@pytest.mark.parametrize("kept", ["darks", "one dark", "none"])
def test_float_counts_of_any_scale_are_not_clamped(scale: float, kept: str) -> None:
    draw = np.random.default_rng(0)
    flats, darks = 10000 + draw.normal(0, 100, (10, 6, 20)), 100 + draw.normal(0, 4, (10, 6, 20))
    transmission = np.linspace(0.01, 1, 20)
    counts = 100 * (kept != "none") + 9900 * transmission * np.ones((40, 6, 20))
    chosen = {"darks": darks * scale, "one dark": darks[:1] * 0 + 100 * scale, "none": None}[kept]
    if kept == "none":
        flats = flats - 100
    scan = tm.scan_of_arrays(
        (counts * scale).astype(np.float32), np.arange(40) * 4.5, flats=(flats * scale).astype(np.float32),
        darks=None if chosen is None else chosen.astype(np.float32),
    )  # fmt: skip
    made = tm.reconstruct(scan, "steps: [flat_field]")
    found = np.exp(-np.asarray(made.projections.read(slice(None), slice(None)))).mean(axis=(0, 1))
    np.testing.assert_allclose(found, transmission, rtol=0.03)
    wanted = {"darks": 2.0, "one dark": 0.99, "none": 0.99}[kept]
    assert lowest_signal(scan) == pytest.approx(wanted * scale, rel=0.15)


def test_a_pixel_that_hardly_sees_the_beam_is_filled_as_a_dead_one() -> None:
    draw = np.random.default_rng(0)
    flats, darks = draw.normal(5000, 20, (10, 8, 40)), draw.normal(100, 2, (10, 8, 40))
    counts = draw.normal(100 + 4900 * 0.5, 20, (60, 8, 40))
    flats[:, 4, 20], counts[:, 4, 20] = 101, draw.normal(101, 5, 60)
    flats[:, :, 30:] = 100 + (flats[:, :, 30:] - 100) * 0.02  # no beam there: not a matter of single pixels
    counts[:, :, 30:] = 100 + (counts[:, :, 30:] - 100) * 0.02
    scan = tm.scan_of_arrays(
        counts.astype(np.uint16),
        np.arange(60) * 3.0,
        flats=flats.astype(np.uint16),
        darks=darks.astype(np.uint16),
    )
    made = tm.reconstruct(scan, "steps: [flat_field]")
    found = np.asarray(made.projections.read(slice(None), slice(None)))
    assert found[:, 4, 20].mean() == pytest.approx(np.log(2), abs=0.02)
    assert found[:, 4, 20].std() < 0.05
    assert found[:, :, 35].mean() == pytest.approx(np.log(2), abs=0.1)
