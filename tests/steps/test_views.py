"""Views: what becomes of the axis, the pixel, the angles and of flats in time; and runs of views are repeated."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tomarium as tm
from contracts.test_steps import make_scan
from tomarium.catalogue.make_record import make_record, repeat_record
from tomarium.errors import InputError, ParameterError
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.model import Geometry, Scan, Value
from tomarium.pipeline.protocol.protocol import default_protocol, from_data

ALL = slice(0, None)


def whole(frames: object) -> np.ndarray:
    count, rows, _ = frames.shape  # type: ignore[attr-defined]
    return frames.read(slice(0, count), slice(0, rows))  # type: ignore[attr-defined,no-any-return]


def test_a_crop_is_the_part_and_moves_the_axis() -> None:
    scan = make_scan()
    made = tm.crop(scan, rows="2:-1", columns=slice(10, 50))
    np.testing.assert_array_equal(whole(made.projections), whole(scan.projections)[:, 2:11, 10:50])
    np.testing.assert_array_equal(whole(made.flats.frames), whole(scan.flats.frames)[:, 2:11, 10:50])  # type: ignore
    assert made.axis_column == Value(20.5, "user", "test, from the crop's first column on")
    assert made.recipe[0] == {"open": {"axis_column": 30.5}}
    assert made.recipe[1] == {"crop": {"rows": "2:-1", "columns": "10:50"}}
    for wrong in ("5:5", "0:99", "-99:3"):
        with pytest.raises(ParameterError, match="the frames have the columns 0:64"):
            tm.crop(scan, columns=wrong)
    with pytest.raises(ParameterError, match="is no range"):
        tm.crop(scan, columns="a:b")


def test_binning_takes_means_and_keeps_the_axis_in_its_place() -> None:
    scan = make_scan(angles=61)
    made = tm.bin(scan, rows=2, columns=2, angles=3)
    assert made.shape == (20, 6, 32)
    expected = whole(scan.projections)[:60].reshape(20, 3, 6, 2, 32, 2).mean(axis=(1, 3, 5))
    np.testing.assert_allclose(whole(made.projections), expected, rtol=1e-6)
    assert made.pixel_m is not None
    assert made.pixel_m.value == 2e-6
    assert made.axis_column is not None
    assert made.axis_column.value == (30.5 + 0.5) / 2 - 0.5
    np.testing.assert_allclose(made.angles_deg.value, scan.angles_deg.value[:60].reshape(20, 3).mean(axis=1))
    assert made.flats is not None
    np.testing.assert_array_equal(np.unique(made.flats.position), [-1, 20])
    tall = tm.bin(scan, rows=2)
    assert tall.geometry.voxel_m == (2e-6, 1e-6, 1e-6)
    assert tm.bin(tall, columns=2).geometry.pixel_aspect is None
    shuffled = scan.with_geometry(
        angles_deg=Value(np.random.default_rng(0).permutation(61) * 3.0, "user", "")
    )
    with pytest.raises(ParameterError, match="too far to be averaged"):
        tm.bin(shuffled, angles=2)


def test_angles_that_pass_360_are_averaged_as_neighbours() -> None:
    scan = make_scan(angles=8).with_geometry(
        angles_deg=Value(np.array([358.0, 359.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]), "user", "")
    )
    np.testing.assert_allclose(tm.bin(scan, angles=2).angles_deg.value % 360, [358.5, 0.5, 2.5, 4.5])


def test_flats_keep_their_place_in_time() -> None:
    scan = make_scan()
    scan = replace(scan, flats=replace(scan.flats, position=np.array([-1.0] * 3 + [29.5] * 4 + [60.0] * 3)))  # type: ignore
    made = tm.select_views(scan, drop="0:10,40:60:2")
    assert made.shape[0] == 40
    np.testing.assert_array_equal(made.flats.position, [-1.0] * 3 + [19.5] * 4 + [40.0] * 3)  # type: ignore[union-attr]
    np.testing.assert_array_equal(made.angles_deg.value[:3], scan.angles_deg.value[10:13])
    backwards = tm.select_views(scan, keep="::-1")
    np.testing.assert_array_equal(whole(backwards.projections), whole(scan.projections)[::-1])
    assert "another order" in backwards.warnings[-1]
    assert set(backwards.flats.position) == {-1.0}  # type: ignore[union-attr]
    with pytest.raises(ParameterError, match="there are 60, from 0 to 59"):
        tm.select_views(scan, keep="60")
    with pytest.raises(ParameterError, match="leaves none"):
        tm.select_views(scan, drop="0:60")


def test_a_window_slides_over_a_series() -> None:
    scan = make_scan(angles=60)
    made = tm.window(scan, views=20, step=8, number=5)
    np.testing.assert_array_equal(whole(made.projections), whole(scan.projections)[40:60])
    with pytest.raises(ParameterError, match="the last window is number 5"):
        tm.window(scan, views=20, step=8, number=6)


def test_parts_of_a_scan_are_put_together(tmp_path: Path) -> None:
    scan = make_scan()
    for name, keep in (("a.h5", "0:25"), ("b.h5", "25:60")):
        data_exchange.FORMAT.write(tmp_path / name, tm.select_views(scan, keep=keep))  # type: ignore[misc]
    first = tm.open(tmp_path / "a.h5", axis_column=30.5)
    made = tm.concatenate(first, scans="b.h5")
    np.testing.assert_array_equal(whole(made.projections), whole(scan.projections))
    np.testing.assert_array_equal(made.projections.read(np.array([30, 2, 59]), slice(3, 5)),
                                  whole(scan.projections)[[30, 2, 59], 3:5])  # fmt: skip
    np.testing.assert_allclose(made.angles_deg.value, scan.angles_deg.value)
    assert made.flats.frames.shape[0] == 20  # type: ignore[union-attr]
    tm.select_views(scan, keep="0:9")
    data_exchange.FORMAT.write(tmp_path / "c.h5", tm.crop(scan, rows="0:5"))  # type: ignore[misc]
    with pytest.raises(InputError, match="cannot be put behind"):
        tm.concatenate(first, scans="c.h5")


@pytest.mark.parametrize("axis", [50.0, 49.75, 12.0, 12.5])
def test_a_full_turn_is_joined_to_the_wider_field(axis: float) -> None:
    """An off-axis disc, seen whole only by both halves together, against its chord in the joined views."""
    angles, columns = 120, 64
    theta = np.arange(angles) * 2 * np.pi / angles
    u = np.arange(columns) - axis

    def chord(places: np.ndarray, turn: np.ndarray) -> np.ndarray:
        centre = 6 * np.cos(turn)[:, None]
        return 0.02 * 2 * np.sqrt(np.clip(40.0**2 - (places[None] - centre) ** 2, 0, None))

    numbers = np.repeat(chord(u, theta)[:, None], 2, axis=1).astype(np.float32)
    scan = tm.scan_of_arrays(numbers, np.degrees(theta), domain="attenuation", axis_column=axis)
    made = tm.join_half_turns(scan)
    assert made.shape[0] == 60
    assert made.shape[2] > 90
    assert made.axis_column is not None
    expected = chord(np.arange(made.shape[2]) - made.axis_column.value, theta[:60])
    inside = np.abs(np.arange(made.shape[2]) - made.axis_column.value) < 30
    np.testing.assert_allclose(whole(made.projections)[:, 0][:, inside], expected[:, inside], atol=2e-3)
    with pytest.raises(InputError, match="no pairs half a turn apart"):
        tm.join_half_turns(make_scan(60))


def test_a_run_of_a_view_is_repeated_from_the_file(tmp_path: Path) -> None:
    data_exchange.FORMAT.write(tmp_path / "disc.h5", make_scan())  # type: ignore[misc]
    scan = tm.open(tmp_path / "disc.h5", axis_column=30.5, pixel_m=2e-6)
    assert isinstance(scan, Scan)
    view = tm.crop(tm.bin(scan, rows=2, columns=2), columns="2:30")
    make_record(view, default_protocol(), tmp_path / "first")
    repeat_record(tmp_path / "first", None, tmp_path / "again")
    volumes = [tm.open(tmp_path / name / "volume.ome.zarr") for name in ("first", "again")]
    np.testing.assert_array_equal(*map(np.asarray, volumes))
    assert volumes[0].voxel_m == pytest.approx((4e-6,) * 3)
    # The same views in a protocol give the same voxels.
    steps = [
        {"bin": {"rows": 2, "columns": 2}},
        {"crop": {"columns": "2:30"}},
        "flat_field",
        "half_acquisition",
        "fbp",
    ]
    inside = np.asarray(tm.reconstruct(scan, from_data({"steps": steps}, "test")))
    np.testing.assert_array_equal(inside, np.asarray(volumes[0]))


def test_a_geometry_of_views_cuts_whatever_has_one_number_a_view() -> None:
    numbers = Value(np.arange(4.0), "read", "")
    told = Geometry(numbers, shift_rows_px=numbers, motors={"sx": numbers})
    made = told.of_views(np.array([2, 0]))
    for value in (made.angles_deg, made.shift_rows_px, made.motors["sx"]):
        np.testing.assert_array_equal(value.value, [2, 0])  # type: ignore[union-attr]


def test_a_window_of_a_series_is_as_the_scan_of_that_turn() -> None:
    draw = np.random.default_rng(3)
    turns = np.arange(120) * 3.0
    series = tm.scan_of_arrays(
        draw.normal(1, 0.1, (120, 4, 32)).astype(np.float32), turns, domain="attenuation"
    )
    alone = tm.scan_of_arrays(np.asarray(series.projections)[60:], turns[60:], domain="attenuation")
    window = tm.window(series, views=60, step=60, number=1)
    made, single = (
        np.asarray(tm.reconstruct(one, "steps: [fbp]", axis_column=15.5)) for one in (window, alone)
    )
    np.testing.assert_array_equal(made, single)
