"""A beam that moves from frame to frame: flat fields made of the ways in which flats differ."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

import tomarium as tm
from tomarium.errors import MissingData
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.formats.frames.scan_of_arrays import scan_of_arrays
from tomarium.kernels.eigen_flats import Fit, binned, eigen_flats, smoothed
from tomarium.kernels.phantom import Ellipsoid, line_integrals
from tomarium.model import Scan, Slab, Value
from tomarium.pipeline.protocol.protocol import default_protocol, from_data, from_steps
from tomarium.pipeline.protocol.read import as_protocol
from tomarium.pipeline.protocol.resolve import resolve
from tomarium.pipeline.run.evaluate import evaluate, rows_for
from tomarium.steps.core.context import Context
from tomarium.steps.correct.dynamic_flat_field import dynamic_flat_field, prepare

ROWS, COLUMNS, VIEWS, FLATS = 64, 96, 120, 30
AXIS = (COLUMNS - 1) / 2
ANGLES = np.arange(VIEWS) * 180 / VIEWS
Z, U = np.arange(ROWS) - (ROWS - 1) / 2, np.arange(COLUMNS) - AXIS
PHOTONS, DARK = 10_000.0, 100.0
BODY = [
    Ellipsoid((0, 2, -3), (1e6, 30, 26), 0.02),
    Ellipsoid((-8, 8, 5), (14, 9, 7), 0.02),
    Ellipsoid((10, -9, -6), (11, 8, 10), -0.01),
]
TRUE = line_integrals(BODY, ANGLES, Z, U)
AIR = np.abs(U) > 36


WIDE = 9.0, 17.0


def beam(shift: float, periods: tuple[float, float] = WIDE) -> NDArray[np.float64]:
    """The stripes of a monochromator, moved by so many rows."""
    y = Z - shift
    stripes = 1 + 0.06 * np.cos(2 * np.pi * y / periods[0]) + 0.05 * np.cos(2 * np.pi * y / periods[1] + 2)
    return np.asarray(np.exp(-((y / ROWS) ** 2)) * stripes)[:, None] / 1.11


def moving_scan(
    seed: int,
    jitter: float,
    view_jitter: float | None = None,
    flats: int = FLATS,
    periods: tuple[float, float] = WIDE,
) -> Scan:
    draw = np.random.default_rng(seed)
    pattern = 1 + 0.03 * draw.normal(size=(ROWS, COLUMNS))

    def expose(width: float, through: NDArray[np.floating] | float = 1.0) -> NDArray[np.uint16]:
        expected = PHOTONS * beam(draw.normal(0, width), periods) * pattern * through
        return np.asarray(draw.poisson(expected) + DARK, np.uint16)

    width = jitter if view_jitter is None else view_jitter
    views = np.stack([expose(width, np.exp(-one)) for one in TRUE])
    darks = np.full((5, ROWS, COLUMNS), DARK, np.uint16)
    bright = np.stack([expose(jitter) for _ in range(flats)])
    scan = scan_of_arrays(views, ANGLES, flats=bright, darks=darks)
    return scan.with_geometry(axis_column=Value(AXIS, "user", "test"))


def corrected(scan: Scan, step: str) -> NDArray[np.float32]:
    made = tm.reconstruct(scan, as_protocol(f"steps: [{step}]"))
    assert isinstance(made, Scan)
    return np.asarray(made.projections.read(slice(0, VIEWS), slice(0, ROWS)))


@pytest.mark.parametrize("seed", range(2))
def test_what_is_left_of_a_moving_beam_is_noise(seed: int) -> None:
    scan = moving_scan(seed, 1.0)
    left = corrected(scan, "dynamic_flat_field") - TRUE
    plain = corrected(scan, "flat_field") - TRUE
    floor = np.sqrt(np.mean(np.exp(TRUE) / (PHOTONS * beam(0.0) * np.ones(COLUMNS))))
    assert left.std() <= 1.2 * floor
    assert plain.std() > 2 * floor
    assert abs(float(left[:, :, AIR].mean())) < 1e-3
    assert left[:, :, AIR].std() <= 1.2 * np.sqrt(np.mean(1 / (PHOTONS * beam(0.0))))


@pytest.mark.parametrize(("seed", "periods"), [(2, (3.0, 5.0)), (0, (2.0, 3.0))])
def test_stripes_of_one_or_two_rows_are_followed(seed: int, periods: tuple[float, float]) -> None:
    scan = moving_scan(seed, 0.5, periods=periods)
    light = PHOTONS * beam(0.0, periods) * np.ones(COLUMNS)
    left = corrected(scan, "dynamic_flat_field") - TRUE
    assert left.std() <= 1.2 * np.sqrt(np.mean(np.exp(TRUE) / light))
    assert left[:, :, AIR].std() <= 1.4 * np.sqrt(np.mean(1 / light))
    assert (corrected(scan, "flat_field") - TRUE).std() > 2 * left.std()


@pytest.mark.parametrize("dead", [False, True])
def test_rows_beside_a_slice_are_read_only_where_they_fill_pixels(dead: bool) -> None:
    scan = moving_scan(3, 1.0)
    assert scan.flats is not None
    bright = np.array(scan.flats.frames.read(slice(0, FLATS), slice(0, ROWS)))
    bright[:, 20:22, 30:33] = DARK if dead else bright[:, 20:22, 30:33]
    scan = replace(scan, flats=replace(scan.flats, frames=ArrayFrames(bright)))
    seen = resolve(from_data({"steps": ["dynamic_flat_field"]}, "test"), scan)
    rows = slice(20, 21)
    assert rows_for(seen.scan, seen.work, rows) == (slice(12, 29) if dead else rows)
    [one], [whole] = (evaluate(seen, seen.work, [part], 1) for part in (rows, slice(0, ROWS)))
    np.testing.assert_array_equal(one.data[:, 0], whole.data[:, 20])


@pytest.mark.parametrize("along", [0, 1])
def test_components_are_smoothed_along_what_they_show(along: int) -> None:
    draw = np.random.default_rng(4)
    stripes = np.cos(np.arange(40) * 2.1).astype(np.float32)
    clean = np.broadcast_to(stripes[:, None], (40, 50)) if along else np.broadcast_to(stripes, (50, 40))
    noisy = clean + draw.normal(0, 0.3, clean.shape).astype(np.float32)
    assert np.std(smoothed(noisy) - clean) < 0.5 * 0.3


def test_of_a_beam_at_rest_it_is_the_flat_field() -> None:
    scan = moving_scan(0, 0.0)
    assert scan.flats is not None
    assert not len(eigen_flats(scan.flats.frames.read(slice(None), slice(None)) - DARK).components)
    difference = corrected(scan, "dynamic_flat_field") - corrected(scan, "flat_field")
    assert np.abs(difference).max() < 2e-3  # outliers of the flats are cut there


def test_a_slice_is_that_of_the_volume() -> None:
    scan = moving_scan(1, 1.0)
    volume = np.asarray(tm.reconstruct(scan, "steps: [dynamic_flat_field, fbp]"))
    one = np.asarray(tm.reconstruct(scan, "steps: [dynamic_flat_field, fbp]", rows=20))
    np.testing.assert_allclose(one[0], volume[20], atol=2e-6)


@pytest.mark.parametrize(("flats", "views", "least"), [(0.1, 4.0, 0.5), (1.0, 1.0, 0.0)])
def test_views_beyond_what_the_flats_show_are_counted(flats: float, views: float, least: float) -> None:
    scan = moving_scan(2, flats, view_jitter=views)
    rows = slice(10, 14)
    slab = Slab(scan.projections.read(slice(0, VIEWS), rows), rows, domain="counts")
    made = dynamic_flat_field(slab, context=Context(), prepared=prepare(scan, {}, slice(8, 20)))
    share = made.report["dynamic_flat_field.beyond"] / made.data.size
    assert share == 0 if least == 0 else share > least


def test_few_flats_are_refused() -> None:
    with pytest.raises(MissingData, match="has 3 flats, which do not tell how the beam moves"):
        corrected(moving_scan(0, 1.0, flats=3), "dynamic_flat_field")
    scan = replace(moving_scan(0, 1.0), flats=None)
    with pytest.raises(MissingData, match="has no flat frames"):
        corrected(scan, "dynamic_flat_field")


def test_weights_are_found_whatever_is_in_the_way() -> None:
    draw = np.random.default_rng(0)
    flats = np.stack([PHOTONS * beam(draw.normal(0, 0.5)) * np.ones(COLUMNS) for _ in range(20)])
    flats = draw.poisson(flats).astype(float)
    found = eigen_flats(flats)
    fit = Fit(found)
    assert 1 <= len(found.components) <= 3
    weights = np.array([0.8, -0.5, 0.3])[: len(found.components)] * found.highest
    blocked = np.where(np.abs(U) < 20, 0.05, 1.0) * np.where(Z > 10, 0.4, 1.0)[:, None]
    view = np.exp(found.mean + np.tensordot(weights, found.components, 1)) * blocked
    np.testing.assert_allclose(fit.weights(view), weights, atol=0.03 * found.highest.max())
    cut, beyond = fit.within_flats(weights * 100)
    assert beyond
    assert (np.abs(cut) < np.abs(weights * 100)).all()
    with_hole = np.full((4, 4), np.nan)
    with_hole[0, 0] = 2.0
    assert binned(with_hole, (2, 2))[0, 0] == 2.0


def test_by_name_it_stands_in_the_place_of_the_flat_field() -> None:
    told = [item.step.name for item in from_steps(["dynamic_flat_field"], default_protocol()).items]
    assert "flat_field" not in told
    assert told.index("dynamic_flat_field") < told.index("fbp")
    behind = from_steps(["paganin", "dynamic_flat_field"], default_protocol()).items
    [flats] = [item for item in behind if item.step.name == "dynamic_flat_field"]
    assert flats.given["log"] is False
    assert "minus_log" in [item.step.name for item in behind]
