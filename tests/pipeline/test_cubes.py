"""Voxels that are no cubes: measured as they are, and put into cubes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import tomarium as tm
from tomarium.cli import execute as main
from tomarium.errors import InputError, ParameterError
from tomarium.kernels.object_sums import DIRECTIONS, parts_of_sphere
from tomarium.model import Axis, Volume
from tomarium.pipeline.measure.objects import measure_objects, write_tables
from tomarium.pipeline.resample.cubes import edge_of, in_cubes, taps_of

UM = 1e-6


def in_voxels(data: np.ndarray, z: float, y: float = 1.0, x: float = 1.0) -> Volume:
    axes = tuple(Axis(name, size * UM, 0.0, "m") for name, size in zip("zyx", (z, y, x), strict=True))
    return Volume(data, axes, name="fib")


def ellipsoid(spacing: tuple[float, float, float], radii: tuple[float, float, float], seed: int) -> Volume:
    """Draw an ellipsoid of radii in µm, its middle anywhere in a voxel."""
    draw = np.random.default_rng(seed)
    shape = [int(2 * (radius + 3) / size) + 2 for radius, size in zip(radii, spacing, strict=True)]
    total = np.zeros(shape)
    for axis, (n, radius, size) in enumerate(zip(shape, radii, spacing, strict=True)):
        place = (np.arange(n) - n / 2 + draw.uniform(-0.5, 0.5)) * size / radius
        total += (place**2).reshape([-1 if axis == k else 1 for k in range(3)])
    return in_voxels((total < 1).astype(np.uint8), *spacing)


def test_directions_of_cubes_are_those_of_the_table() -> None:
    counted = parts_of_sphere((1.0, 1.0, 1.00001))
    np.testing.assert_allclose(counted, list(DIRECTIONS.values()), atol=2e-4)
    assert parts_of_sphere((3.0, 1.0, 2.0)).sum() == pytest.approx(1)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("z", "surface"), [(0.25, 0.01), (0.5, 0.01), (2.0, 0.02)])
def test_balls_have_their_size_in_voxels_that_are_no_cubes(z: float, surface: float, seed: int) -> None:
    found = measure_objects(ellipsoid((z, 1, 1), (12, 12, 12), seed), whole=True).measures
    assert found.diameter[0] == pytest.approx(24, rel=0.005)
    assert found.surface[0] == pytest.approx(4 * np.pi * 144, rel=surface)
    np.testing.assert_allclose(found.axes[0], 24, rtol=0.016)


def test_all_three_lengths_may_differ_and_the_table_is_in_micrometres(tmp_path: Path) -> None:
    labels = ellipsoid((2, 0.5, 1.25), (20, 8, 12), 3)
    measured = measure_objects(labels, whole=True)
    write_tables(tmp_path / "o.csv", labels, measured)
    row = next(csv.DictReader((tmp_path / "o.csv").read_text("utf-8").splitlines()))
    assert float(row["volume_um3"]) == pytest.approx(4 / 3 * np.pi * 20 * 8 * 12, rel=0.01)
    axes = [float(row[f"{name}_axis_um"]) for name in ("long", "middle", "short")]
    np.testing.assert_allclose(axes, [40, 24, 16], rtol=0.015)
    assert abs(float(row["direction_z"])) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("factor", [0.2, 0.37, 1.0, 1.6, 3.0])
def test_a_slope_stays_the_slope_and_weights_add_up(factor: float) -> None:
    places, weights = taps_of(60, 1.0, factor)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
    middle = (np.arange(len(places)) + 0.5) * factor - 0.5
    values = (places * weights).sum(1)
    within = (middle > 2 * max(1, factor)) & (middle < 59 - 2 * max(1, factor))
    np.testing.assert_allclose(values[within], middle[within], atol=1e-4)


def test_what_is_finer_than_longer_cubes_does_not_fold() -> None:
    fine = np.zeros((64, 4, 4), np.float32) + (np.arange(64) % 2)[:, None, None]
    coarse = np.asarray(in_cubes(in_voxels(fine, 0.34), UM))
    assert np.ptp(coarse[1:-1]) < 0.2  # the mean over 2.94 voxels leaves 0.17; picking voxels would leave 1


def test_cubes_are_read_in_any_slabs_and_lie_where_the_voxels_did() -> None:
    draw = np.random.default_rng(1)
    volume = in_voxels(draw.normal(size=(9, 7, 8)).astype(np.float32), 3.0, 1.5)
    cubes = in_cubes(volume, UM)
    whole = np.asarray(cubes)
    assert whole.shape == cubes.shape == (27, 10, 8)
    assert cubes.voxel_m == pytest.approx((UM, UM, UM))
    np.testing.assert_array_equal(whole, np.concatenate([cubes[k : k + 4] for k in range(0, 27, 4)]))
    np.testing.assert_array_equal(whole[5, 2:4, 1], cubes[5, 2:4, 1])
    # Three cubes a voxel: that in the middle is the voxel's own value along z.
    assert cubes.axes[0].offset == pytest.approx(-UM)
    np.testing.assert_allclose(np.asarray(in_cubes(in_voxels(np.asarray(volume), 3.0), UM))[1::3], volume[:])


def test_a_voxel_that_is_no_number_spreads_no_farther_than_its_neighbours() -> None:
    data = np.ones((8, 3, 3), np.float32)
    data[4] = np.nan
    finite = np.isfinite(np.asarray(in_cubes(in_voxels(data, 2.0), UM))[:, 0, 0])
    assert finite[:7].all()
    assert finite[11:].all()


def test_labels_stay_labels_and_are_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ball = ellipsoid((4, 1, 1), (12, 12, 12), 2)
    labels = in_voxels(np.asarray(ball) * np.uint8(7), 4)
    tm.save(labels, tmp_path / "labels.ome.zarr")
    target = tmp_path / "cubes.ome.zarr"
    arguments = ["convert", str(tmp_path / "labels.ome.zarr"), str(target), "--cubes", "finest", "--labels"]
    assert main([*arguments]) == 0
    capsys.readouterr()
    again = tm.open(target)
    assert isinstance(again, Volume)
    assert again.voxel_m == pytest.approx((UM, UM, UM))
    assert set(np.unique(again[:])) == {0, 7}
    assert main(["measure", str(target), "--objects", "--whole", "--skeleton", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["median_diameter"] == pytest.approx(24, rel=0.02)
    assert main([*arguments]) == 2
    assert "exists already" in capsys.readouterr().err


def test_grey_cubes_are_written_and_tell_how(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ramp = np.arange(10, dtype=np.uint16)[:, None, None] * np.full((1, 6, 6), 100, np.uint16)
    tm.save(in_voxels(ramp, 2), tmp_path / "v.ome.zarr")
    assert (
        main(["convert", str(tmp_path / "v.ome.zarr"), str(tmp_path / "c.ome.zarr"), "--cubes", "1 um"]) == 0
    )
    again = tm.open(tmp_path / "c.ome.zarr")
    assert again.dtype == np.uint16
    np.testing.assert_array_equal(again[:, 2, 3][1:-1], 25 + 50 * np.arange(18))
    capsys.readouterr()


def test_cubes_need_a_voxel_size_and_a_length() -> None:
    no_size = Volume(np.zeros((3, 3, 3)), tuple(Axis(name) for name in "zyx"), name="v")
    with pytest.raises(InputError, match="no voxel size"):
        edge_of(no_size, "finest")
    with pytest.raises(ParameterError, match="above 0"):
        edge_of(in_voxels(np.zeros((3, 3, 3)), 2), "-1 um")
    with pytest.raises(ParameterError, match="longer edge"):
        in_cubes(in_voxels(np.zeros((3, 3, 3)), 2), 1e-11)
    assert edge_of(in_voxels(np.zeros((3, 3, 3)), 2), "coarsest") == pytest.approx(2 * UM)
