"""A record whose own volume holds whole numbers: the same voxels, limits and counts as a cast of its values."""

import json
from pathlib import Path

import numpy as np
import pytest

import tomarium as tm
from contracts.test_steps import make_scan
from tomarium.catalogue.export import parse_export, with_own_volume
from tomarium.catalogue.make_record import make_record
from tomarium.catalogue.record_folder import read_record
from tomarium.cli import execute
from tomarium.conversion.cast import convert_cast
from tomarium.errors import Interrupted, ParameterError
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.pipeline.plan.planner import plan
from tomarium.pipeline.plan.resources import measure
from tomarium.pipeline.protocol.protocol import default_protocol

LIMITS = (5.0, 150.0)
OWN = "volume:zarr,uint16,5:150"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan, its record of values, and its record of whole numbers, made by the command."""
    folder = tmp_path_factory.mktemp("own")
    scan = make_scan(angles=90, rows=20).with_geometry(axis_column=None)
    data_exchange.FORMAT.write(folder / "disc.h5", scan)  # type: ignore[misc]
    words = ["run", str(folder / "disc.h5"), "--axis", "30.5"]
    assert execute([*words, "-o", str(folder / "values")]) == 0
    assert execute([*words, "-o", str(folder / "numbers"), "-o", OWN]) == 0
    return folder


def test_the_numbers_and_counts_are_those_of_a_cast_of_the_values(made: Path, tmp_path: Path) -> None:
    values = tm.open(made / "values")
    assert isinstance(values, tm.Volume)
    _, report = convert_cast(values, tmp_path / "cast.ome.zarr", "uint16", LIMITS)
    expected, numbers = tm.open(tmp_path / "cast.ome.zarr"), tm.open(made / "numbers")
    assert isinstance(expected, tm.Volume)
    assert isinstance(numbers, tm.Volume)
    assert len(numbers.levels) == len(expected.levels)
    for level, level_expected in zip(numbers.levels, expected.levels, strict=True):
        np.testing.assert_array_equal(np.asarray(level[:]), np.asarray(level_expected[:]))
    assert (numbers.dtype, numbers.unit) == (np.uint16, "")
    assert numbers.metadata["grey_range"] == expected.metadata["grey_range"]
    assert sorted(path.name for path in (made / "numbers").glob("volume*")) == ["volume.ome.zarr"]
    [told] = json.loads((made / "numbers" / "exports.json").read_text("utf-8"))
    assert (told["file"], told["low"], told["high"], told["unit"]) == ("volume.ome.zarr", *LIMITS, "1/cm")
    assert (told["below"], told["above"], told["not_finite"]) == (report.below, report.above, 0)
    assert told["below"] > 0
    assert told["above"] > 0
    assert report.largest_error <= told["largest_error"] <= 1.1 * report.largest_error


def test_both_the_values_and_the_numbers_are_counted(made: Path) -> None:
    before, after = (
        json.loads((made / name / "provenance.json").read_text("utf-8")) for name in ("values", "numbers")
    )
    assert after["tallies"]["statistics"] == before["statistics"]
    record, numbers = read_record(made / "numbers"), np.asarray(tm.open(made / "numbers")[:], float)
    y, x = np.indices(numbers.shape[1:]) - (np.array(numbers.shape[1:]) - 1)[:, None, None] / 2
    inside = numbers[:, y**2 + x**2 <= (numbers.shape[1] / 2) ** 2]
    assert record.volume["unit"] == ""
    assert (record.volume["minimum"], record.volume["maximum"]) == (inside.min(), inside.max())
    assert record.volume["mean"] == pytest.approx(inside.mean())
    assert sum(record.volume["histogram"]["counts"]) == inside.size


def test_it_is_repeated_and_gone_on_with(made: Path, tmp_path: Path) -> None:
    whole = np.asarray(tm.open(made / "numbers")[:])
    assert execute(["run", "--again", str(made / "numbers"), "-o", str(tmp_path / "again")]) in (0, 1)
    np.testing.assert_array_equal(np.asarray(tm.open(tmp_path / "again")[:]), whole)
    scan = tm.open(made / "disc.h5", axis_column=30.5)
    assert isinstance(scan, tm.Scan)
    protocol, exports = with_own_volume(default_protocol(), [parse_export(OWN)])
    assert not exports

    def stop(section: str, done: int, total: int) -> None:
        if section == "reconstruct" and done == 2:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        make_record(scan, protocol, tmp_path / "stopped", slab_rows=4, on_progress=stop)
    outcome = make_record(scan, protocol, tmp_path / "stopped", slab_rows=4)
    assert outcome.provenance["resumed_slabs"] >= 2
    np.testing.assert_array_equal(np.asarray(tm.open(tmp_path / "stopped")[:]), whole)
    [told] = json.loads((tmp_path / "stopped" / "exports.json").read_text("utf-8"))
    [before] = json.loads((made / "numbers" / "exports.json").read_text("utf-8"))
    assert told == before


def test_it_takes_half_of_the_disk(made: Path) -> None:
    scan = tm.open(made / "disc.h5", axis_column=30.5)
    assert isinstance(scan, tm.Scan)
    resources = measure(made)
    protocol, _ = with_own_volume(default_protocol(), [parse_export(OWN)])
    whole = plan(default_protocol(), scan, resources).write_bytes
    assert plan(protocol, scan, resources).write_bytes == pytest.approx(whole / 2, abs=1)


def test_what_needs_the_values_is_refused(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", str(made / "disc.h5"), "--axis", "30.5", "-o", str(made / "other")]
    assert execute([*words, "-o", OWN, "-o", "volume:tiff"]) == 2
    assert "leave out the other volumes" in capsys.readouterr().err
    assert (
        execute(["run", "--again", str(made / "numbers"), "-o", str(made / "other"), "-o", "volume:vol"]) == 2
    )
    assert "leave out the step cast" in capsys.readouterr().err
    assert execute([*words, "--step", "cast"]) == 2
    assert "the limits are not given" in capsys.readouterr().err
    assert not (made / "other").exists()
    with pytest.raises(ParameterError, match="low must be below high"):
        tm.reconstruct(
            made / "disc.h5", ["flat_field", "fbp", {"cast": {"low": 1.0, "high": 1.0}}], axis_column=30.5
        )
