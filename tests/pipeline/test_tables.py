"""Tables of what has one axis: every number, its unit, and what held for the whole."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.scan_makers import nxtomo, open_scan
from tomarium.cli import execute
from tomarium.errors import InputError
from tomarium.formats.table_csv import read_table
from tomarium.model import Axis, Image
from tomarium.pipeline.convert import convert, convert_dataset


def columns(path: Path) -> dict[str, tuple[str, np.ndarray]]:
    return {one.name: (one.unit, one.values) for one in read_table(path).columns}


def test_each_frame_of_an_nxtomo_is_a_row(tmp_path: Path) -> None:
    source = nxtomo(tmp_path / "a.nx")
    with h5py.File(source, "a") as file:
        file["entry0000/control/data"] = np.linspace(200, 190, 12)
        file["entry0000/control/data"].attrs["units"] = "mA"
    scan = open_scan(source)
    done = convert(scan, tmp_path / "frames.csv")
    assert done.format == "csv"
    assert ("left out", "frames") in [(one.fate, one.what) for one in done.changes]
    found = columns(tmp_path / "frames.csv")
    keys = found["image_key"][1]
    np.testing.assert_array_equal(keys, [0] * 6 + [1] * 3 + [2])
    assert found["angle"][0] == "deg"
    np.testing.assert_array_equal(found["angle"][1][keys == 0], scan.angles_deg.value)
    assert np.isnan(found["angle"][1][keys > 0]).all()
    with h5py.File(source) as file:
        stored = file["entry0000/instrument/detector/image_key_control"][()]
        current = file["entry0000/control/data"][()]
    unit, values = found["entry0000/control/data"]
    assert unit == "mA"
    assert not any(name.startswith("entry0001") for name in found)
    # In the order of the frames, flats and darks too: they lie in the same dataset.
    np.testing.assert_array_equal(values, np.concatenate([current[stored == code] for code in (0, 1, 2)]))


def test_values_of_projections_alone_leave_references_empty(tmp_path: Path) -> None:
    """Two flats and a dataset of two numbers, or of as many as rows, have nothing to do with each other."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["exchange/data"] = np.zeros((5, 4, 6), np.uint16)
        file["exchange/data_white"] = np.ones((2, 4, 6), np.uint16)
        file["exchange/theta"] = np.array([0.0, 81.0, 162.0, 243.0, 324.0])
        file["measurement/instrument/current"] = np.arange(5)
        file["measurement/instrument/current"].attrs["units"] = "mA"
        file["measurement/range"] = np.array([0.0, 1.0])
    convert(open_scan(tmp_path / "a.h5"), tmp_path / "t.csv")
    found = columns(tmp_path / "t.csv")
    np.testing.assert_array_equal(found["angle"][1][:5], [0.0, 81.0, 162.0, 243.0, 324.0])
    np.testing.assert_array_equal(found["measurement/instrument/current"][1], [0, 1, 2, 3, 4, np.nan, np.nan])
    assert "measurement/range" not in found


def test_a_spectrum_keeps_its_axis_and_its_positions(tmp_path: Path) -> None:
    values = np.random.default_rng(2).normal(size=(1, 9))
    axes = (Axis("y", 1e-6, 3e-6, "m"), Axis("Energy", 0.01, -0.2, "keV"))
    image = Image(
        values, axes, "counts", "a spectrum", None, {"dwell_s": 0.5, "line": "Fe [K]", "odd:name": 3}
    )
    convert(image, tmp_path / "s.csv")
    table = read_table(tmp_path / "s.csv")
    assert [(one.name, one.unit) for one in table.columns] == [("Energy", "keV"), ("values", "counts")]
    np.testing.assert_array_equal(table.columns[0].values, -0.2 + 0.01 * np.arange(9))
    np.testing.assert_array_equal(table.columns[1].values, values[0])
    assert (table.positions["dwell"].value, table.positions["dwell"].unit) == (0.5, "s")
    assert table.positions["line"].value == "Fe [K]"
    assert table.positions["odd name"].value == 3


def test_a_dataset_is_chosen_by_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    energy, counts = np.sort(np.random.default_rng(4).uniform(1, 9, 20)), np.arange(20, dtype=np.int32)
    with h5py.File(tmp_path / "m.nxs", "w") as file:
        data = file.create_group("entry/sum")
        data.attrs["axes"] = "energy"
        data["energy"], data["counts"], data["flat"] = energy, counts, np.zeros((3, 3))
        data["energy"].attrs["units"] = "keV"
    assert (
        execute(["convert", str(tmp_path / "m.nxs"), str(tmp_path / "t.csv"), "--data", "/entry/sum/counts"])
        == 0
    )
    found = columns(tmp_path / "t.csv")
    assert found["energy"][0] == "keV"
    np.testing.assert_array_equal(found["energy"][1], energy)
    np.testing.assert_array_equal(found["counts"][1], counts)
    with pytest.raises(InputError, match="exists already"):
        convert_dataset(tmp_path / "m.nxs", "/entry/sum/counts", tmp_path / "t.csv")
    with pytest.raises(
        InputError, match=r"/entry/sum/flat is \(3, 3\) float64; .* such as /entry/sum/counts"
    ):
        convert_dataset(tmp_path / "m.nxs", "/entry/sum/flat", tmp_path / "u.csv")
    with pytest.raises(InputError, match=r"no dataset; .*such as /entry/sum/counts"):
        convert_dataset(tmp_path / "m.nxs", "/entry/absent", tmp_path / "u.csv")
    capsys.readouterr()


def test_more_axes_than_one_are_refused(tmp_path: Path) -> None:
    axes = (Axis("y", 1e-6, 0.0, "m"), Axis("x", 1e-6, 0.0, "m"))
    with pytest.raises(InputError, match=r"axes y, x of lengths \(3, 4\); a table shows one axis"):
        convert(Image(np.zeros((3, 4)), axes, "counts", "i"), tmp_path / "i.csv")
    assert not (tmp_path / "i.csv").exists()


def test_frames_that_are_absent_still_have_their_values(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.nx", "w") as file:
        file["entry/definition"] = "NXtomo"
        file["entry/instrument/detector/data"] = h5py.ExternalLink("gone.h5", "/data")
        file["entry/instrument/detector/image_key"] = np.array([1, 0, 0, 2, 0, 1])
        file["entry/sample/rotation_angle"] = np.arange(6.0)
        file["entry/control/data"] = np.arange(200, 206)
    convert(open_scan(tmp_path / "a.nx"), tmp_path / "t.csv")
    np.testing.assert_array_equal(
        columns(tmp_path / "t.csv")["entry/control/data"][1], [201, 202, 204, 200, 205, 203]
    )
