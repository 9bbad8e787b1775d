"""Steppings of a grating: three pictures of known ellipsoids, in either order of frames."""

from dataclasses import replace
from functools import cache
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

import tomarium as tm
from tomarium.errors import InputError, MissingData, ParameterError
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.kernels.paganin import WAVELENGTH_M_KEV
from tomarium.kernels.phantom import Ellipsoid, line_integrals, pixel_coordinates, voxelise
from tomarium.model import Scan
from tomarium.pipeline.protocol.protocol import from_data, from_steps, preset
from tomarium.pipeline.protocol.resolve import resolve
from tomarium.pipeline.run.evaluate import evaluate, rows_for
from tomarium.steps.phase.grating import stepping

ROWS, COLUMNS, VIEWS, STEPS, AXIS = 6, 80, 120, 5, 39.5
PIXEL, ENERGY, PERIOD, DISTANCE = 10e-6, 25.0, 2.4e-6, 0.2
BODY = Ellipsoid((0.0, 3.0, -2.0), (40.0, 24.0, 20.0), 0.01)
HOLE = Ellipsoid((0.0, -6.0, 5.0), (40.0, 6.0, 6.0), -0.01)
DELTA, SCATTER = 2e-7, 0.02
"""Decrement of the body where its attenuation is 0.01 a pixel, and what it scatters a pixel."""

LENGTHS = {"grating_period_m": PERIOD, "grating_distance_m": DISTANCE}


@cache
def thickness() -> NDArray[np.float64]:
    """Line integrals at the edges of pixels, in pixels of the body."""
    u = pixel_coordinates(COLUMNS + 1, AXIS + 0.5)
    angles = np.arange(VIEWS) * 180.0 / VIEWS
    made = line_integrals((BODY, HOLE), angles, pixel_coordinates(ROWS, 2.5), u)
    return np.asarray(made, np.float64) / 0.01


@cache
def pictures() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Absorption, dark field, and differential phase."""
    middle = (thickness()[..., 1:] + thickness()[..., :-1]) / 2
    refraction = np.diff(thickness(), axis=2) * DELTA  # d(integral of delta) / dx, pixels cancel
    shift = 2 * np.pi * DISTANCE / PERIOD * refraction
    return 0.01 * middle, SCATTER * middle, shift


def stepped(order: Literal["steps_first", "views_first"] = "steps_first", flats: int = 2) -> Scan:
    absorption, dark_field, shift = pictures()
    at = 2 * np.pi * np.arange(STEPS)[:, None, None, None] / STEPS
    fringes = 0.4 * np.cos(np.arange(COLUMNS) / 11) + np.arange(ROWS)[:, None] / 3  # phase of the open beam
    light = 3e4 * np.exp(-absorption)
    curves = 100 + light * (1 + 0.3 * np.exp(-dark_field) * np.cos(at + fringes + shift))
    open_beam = 100 + 3e4 * (1 + 0.3 * np.cos(at[:, 0] + fringes))
    angles = np.arange(VIEWS) * 180.0 / VIEWS
    counts = np.moveaxis(curves, 0, 1) if order == "steps_first" else curves
    return tm.scan_of_arrays(
        counts.reshape(-1, ROWS, COLUMNS).astype(np.float32),
        np.repeat(angles, STEPS) if order == "steps_first" else np.tile(angles, STEPS),
        flats=np.tile(open_beam, (flats, 1, 1)).astype(np.float32),
        darks=np.full((2, ROWS, COLUMNS), 100, np.float32),
        axis_column=AXIS,
        pixel_m=PIXEL,
        energy_kev=ENERGY,
    )


def made(scan: Scan, *after: Any, **values: Any) -> NDArray[np.float32]:
    resolution = resolve(from_data({"steps": [{"grating": values}, *after]}, "test"), scan)
    return np.asarray(evaluate(resolution, resolution.work, [slice(0, ROWS)], 1)[0].data)


@pytest.mark.parametrize("order", ["steps_first", "views_first"])
def test_each_picture_is_the_truth(order: Literal["steps_first", "views_first"]) -> None:
    scan = stepped(order)
    absorption, dark_field, shift = pictures()
    assert abs(shift).max() > 0.3
    np.testing.assert_allclose(made(scan, output="absorption"), absorption, atol=1e-4)
    np.testing.assert_allclose(made(scan, output="dark_field"), dark_field, atol=1e-3)
    np.testing.assert_allclose(made(scan, output="differential_phase", air=4), shift, atol=1e-3)
    np.testing.assert_allclose(made(scan, output="differential_phase", reverse=True), -shift, atol=1e-3)


@pytest.mark.parametrize("dead", [False, True])
@pytest.mark.parametrize("output", ["absorption", "differential_phase", "dark_field"])
def test_rows_beside_a_slice_are_read_only_where_they_fill_pixels(output: str, dead: bool) -> None:
    scan = stepped()
    assert scan.flats is not None
    bright = np.array(scan.flats.frames.read(slice(None), slice(0, ROWS)))
    bright[:, 2:4, 30:33] = 100 if dead else bright[:, 2:4, 30:33]
    counts = np.asarray(scan.projections.read(slice(None), slice(0, ROWS))).astype(np.uint16)
    scan = replace(
        scan, projections=ArrayFrames(counts), flats=replace(scan.flats, frames=ArrayFrames(bright))
    )
    seen = resolve(from_data({"steps": [{"grating": {"output": output}}]}, "test"), scan)
    rows = slice(2, 3)
    assert rows_for(seen.scan, seen.work, rows) == (
        slice(0, ROWS) if dead or output == "dark_field" else rows
    )
    [one], [whole] = (evaluate(seen, seen.work, [part], 1) for part in (rows, slice(0, ROWS)))
    np.testing.assert_array_equal(one.data[:, 0], whole.data[:, 2])


def test_slices_of_the_phase_are_the_decrement() -> None:
    values = {"output": "phase", "grating_period_m": PERIOD, "grating_distance_m": DISTANCE}
    slices = made(stepped(), {"fbp": {"window": "ramp"}}, **values)
    delta = slices * WAVELENGTH_M_KEV / ENERGY / (2 * np.pi) * 100  # 1/cm of the phase
    centre = pixel_coordinates(COLUMNS, AXIS)
    truth = voxelise((BODY, HOLE), pixel_coordinates(ROWS, 2.5), centre, centre)[:, ::-1] / 0.01 * DELTA
    slope = np.sum(delta * truth) / np.sum(truth**2)
    assert slope == pytest.approx(1, abs=0.02)
    body = truth > 0.999 * DELTA
    assert np.mean(delta[body]) == pytest.approx(DELTA, rel=0.02)


def test_phases_beyond_pi_are_unwrapped() -> None:
    strong = 14 * DELTA  # 2.5 π at the edges, which a source of 2 px softens
    edges = gaussian_filter1d(thickness(), 2.0, axis=2, mode="nearest")
    shift = 2 * np.pi * DISTANCE / PERIOD * strong * np.diff(edges, axis=2)
    assert abs(shift).max() > 2 * np.pi
    counts, scan = refracted(shift), stepped()
    scan = replace(scan, projections=ArrayFrames(counts))
    plain = made(scan, output="differential_phase")
    found = made(scan, output="differential_phase", unwrap=True)
    assert abs(plain - shift).max() > 6
    np.testing.assert_allclose(found, shift, atol=2e-3)
    np.testing.assert_allclose(
        made(stepped(), output="differential_phase", unwrap=True),
        made(stepped(), output="differential_phase"),
        atol=1e-6,
    )
    resolution = resolve(
        from_data({"steps": [{"grating": {"output": "phase", "unwrap": True, **LENGTHS}}]}, "test"), scan
    )
    [slab] = evaluate(resolution, resolution.work, [slice(2, 4)], 1)
    assert slab.report["grating.torn"] == slab.report["grating.near_wrap"] == 0
    whole = np.cumsum(shift, axis=2)[:, 2:4] * PIXEL * PERIOD * ENERGY / (WAVELENGTH_M_KEV * DISTANCE)
    true = whole - np.gradient(whole, axis=2) / 2  # at the centres of pixels
    assert np.sum(slab.data * true) / np.sum(true**2) == pytest.approx(1, abs=0.01)


def refracted(shift: NDArray[np.float64]) -> NDArray[np.float32]:
    """The counts of `stepped` with another differential phase, and neither absorption nor scatter."""
    at = 2 * np.pi * np.arange(STEPS)[:, None, None, None] / STEPS
    fringes = 0.4 * np.cos(np.arange(COLUMNS) / 11) + np.arange(ROWS)[:, None] / 3
    curves = 100 + 3e4 * (1 + 0.3 * np.cos(at + fringes + shift))
    return np.moveaxis(curves, 0, 1).reshape(-1, ROWS, COLUMNS).astype(np.float32)


def test_steps_and_order_are_told_by_the_angles() -> None:
    views = np.arange(4) * 1.5
    assert stepping(np.repeat(views, 5), None, "auto") == (4, 5, "steps_first")
    assert stepping(np.tile(views, 5), None, "auto") == (4, 5, "views_first")
    assert stepping(np.repeat(views, 5) + np.tile([0, 0.01, 0, 0.02, 0], 4), None, "auto")[1] == 5
    with pytest.raises(InputError, match="differ by"):
        stepping(np.arange(20) * 0.5, 5, "auto")
    with pytest.raises(InputError, match=r"20 frames are no whole number of steppings of 1 steps"):
        stepping(np.arange(20) * 0.5, None, "auto")


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(
        ParameterError, match=r"the phase needs grating_period_m, grating_distance_m; give them"
    ):
        made(stepped(), output="phase")
    with pytest.raises(ParameterError, match="do not tell a sine"):
        made(stepped(), periods=2.0)
    scan = stepped()
    assert scan.flats is not None
    with pytest.raises(InputError, match=r"10 flats, which are no whole number of steppings of 3 steps"):
        made(tm.select_views(scan, keep="0:3"), steps=3)
    with pytest.raises(MissingData, match="needs a stepping of the open beam"):
        made(Scan(**{**scan.__dict__, "flats": None}))


def test_flats_in_blocks_and_fringes_that_are_missing() -> None:
    scan = stepped(flats=1)
    resolution = resolve(from_data({"steps": [{"grating": {"flat_order": "blocks"}}]}, "test"), scan)
    [slab] = evaluate(resolution, resolution.work, [slice(0, ROWS)], 1)
    assert slab.report["grating.weak_fringes"] == 0
    twice = stepped(flats=2)  # cycles that are taken for blocks wipe the fringes out
    resolution = resolve(from_data({"steps": [{"grating": {"flat_order": "blocks"}}]}, "test"), twice)
    [slab] = evaluate(resolution, resolution.work, [slice(0, ROWS)], 1)
    assert slab.report["grating.weak_fringes"] > 0.99 * VIEWS * STEPS * ROWS * COLUMNS


def test_it_takes_the_place_of_the_flat_field() -> None:
    names = [item.step.name for item in from_steps(("grating",), preset("standard"), "counts").items]
    assert "flat_field" not in names
    assert names.index("grating") < names.index("find_axis") < names.index("fbp")
