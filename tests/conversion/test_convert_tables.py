"""Any 1-D data become a table with units, and come back."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

import tomarium as tm
from tomarium.cli import execute
from tomarium.conversion.convert import as_data, convert, convert_dataset
from tomarium.errors import FormatError, InputError
from tomarium.formats import formats
from tomarium.formats.tables.csv_file import read_table
from tomarium.model import Axis, Image


def nxtomo(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["entry/definition"] = "NXtomo"
        detector = file.create_group("entry/instrument/detector")
        detector["data"] = np.arange(8 * 4 * 5, dtype=np.uint16).reshape(8, 4, 5)
        detector["image_key"] = [2, 1, 0, 0, 0, 0, 0, 1]
        detector["x_pixel_size"] = 1.3
        detector["x_pixel_size"].attrs["units"] = "um"
        file["entry/sample/rotation_angle"] = [0, 0, 0.1, 40.2, 80.3, 120.4, 179.9, 0]
        file["entry/sample/rotation_angle"].attrs["units"] = "deg"
        file["entry/control/data"] = np.linspace(200, 193, 8)
        file["entry/control/data"].attrs["units"] = "mA"
        file["entry/spectrum/counts"] = np.arange(30) ** 2
        file["entry/spectrum/energy"] = np.linspace(10, 13, 30) ** 2
        file["entry/spectrum/energy"].attrs["units"] = "keV"
        file["entry/spectrum/dwell"] = 0.25
        file["entry/spectrum/dwell"].attrs["units"] = "s"
        file["entry/spectrum/name"] = "spot 7"
        file["entry/spectrum"].attrs["axes"] = "energy"
    return path


def test_a_scan_gives_what_is_known_of_each_projection(tmp_path: Path) -> None:
    done = convert(tm.open(nxtomo(tmp_path / "a.nx")), tmp_path / "a.csv")
    table = read_table(tmp_path / "a.csv")
    held = {one.name: one for one in table.columns}
    assert held["angle"].unit == "deg"
    assert held["angle"].values.tolist() == [0.1, 40.2, 80.3, 120.4, 179.9]
    assert held["/entry/control/data"].unit == "mA"
    assert held["/entry/control/data"].values.tolist() == [198, 197, 196, 195, 194]  # of projections alone
    assert held["/entry/sample/rotation_angle"].values.tolist() == held["angle"].values.tolist()
    assert table.positions["pixel_m"].value == pytest.approx(1.3e-6)
    assert table.positions["pixel_m"].unit == "m"
    left = [one["what"] for one in as_data(done)["changes"] if one["fate"] == "left out"]
    assert left == ["projections", "flats", "darks"]


def test_what_belongs_to_another_scan_of_the_file_is_left_out(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["implements"] = "exchange:exchange_2"
        for name in ("exchange", "exchange_2"):
            file[f"{name}/data"] = np.ones((6, 3, 4), np.uint16)
            file[f"{name}/theta"] = np.linspace(0, 150, 6)
            file[f"{name}/theta"].attrs["units"] = "degree"
        file["exchange/data_shift_x"] = np.arange(6) / 10
        file["measurement/instrument/current"] = np.arange(6.0)
    convert(tm.open(tmp_path / "a.h5"), tmp_path / "a.csv")
    names = [one.name for one in read_table(tmp_path / "a.csv").columns]
    assert "/exchange/theta" in names
    assert "/measurement/instrument/current" in names
    assert "shift_x_pixel" in names
    assert not any("exchange_2" in name for name in names)


def test_a_dataset_comes_with_its_axis_and_what_lies_beside_it(tmp_path: Path) -> None:
    source = nxtomo(tmp_path / "a.nx")
    convert_dataset(source, "/entry/spectrum/counts", tmp_path / "s.csv")
    table = read_table(tmp_path / "s.csv")
    assert [(one.name, one.unit) for one in table.columns] == [("energy", "keV"), ("counts", "")]
    assert table.columns[0].values.tolist() == (np.linspace(10, 13, 30) ** 2).tolist()
    assert {name: (one.value, one.unit) for name, one in table.positions.items()} == {
        "dwell": (0.25, "s"),
        "name": ("spot 7", ""),
    }
    opened = tm.open(tmp_path / "s.csv")
    assert isinstance(opened, Image)
    assert opened.axes[0].unit == "keV"
    assert opened.axes[0].coordinates[5] == np.linspace(10, 13, 30)[5] ** 2
    assert opened[:].tolist() == [n**2 for n in range(30)]
    with pytest.raises(FormatError, match=r"holds shape \(8, 4, 5\).*such are /entry/control/data"):
        convert_dataset(source, "/entry/instrument/detector/data", tmp_path / "t.csv")
    with pytest.raises(FormatError, match="holds no dataset"):
        convert_dataset(source, "/entry/nothing", tmp_path / "t.csv")
    with pytest.raises(InputError, match="exists already"):
        convert_dataset(source, "/entry/control/data", tmp_path / "s.csv")


@pytest.mark.parametrize("dtype", ["u1", "i4", "f4", "f8"])
def test_an_image_of_one_axis_comes_back(tmp_path: Path, dtype: str) -> None:
    values = np.random.default_rng(0).uniform(0, 200, 50).astype(dtype)
    metadata = {"dwell": 0.1, "note": "as measured", "nested": {"a": [1, 2]}, "12": "5 mm"}
    image = Image(values, (Axis("energy", 0.5, 7.1, "keV"),), "counts", "spot", None, metadata)
    done = convert(image, tmp_path / "a.csv")
    again = tm.open(tmp_path / "a.csv")
    assert isinstance(again, Image)
    assert np.array_equal(again[:], values)
    assert (again.axes, again.unit, again.name) == (image.axes, "counts", "spot")
    assert again.metadata["dwell"] == 0.1
    assert again.metadata["note"] == "as measured"
    fates = {one.what: one.fate for one in done.changes}
    assert (
        fates["nested"] == fates["12"] == "side-car"
    )  # a text that reads as a length would come back as one
    assert json.loads((tmp_path / "a.csv.side-car.json").read_text())["12"] == "5 mm"
    twice = convert(again, tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_text() == (tmp_path / "a.csv").read_text()
    assert twice.format == "csv"


def test_more_axes_are_refused_in_words(tmp_path: Path) -> None:
    image = Image(np.ones((3, 4)), (Axis("y"), Axis("energy", unit="keV")))
    with pytest.raises(InputError, match=r"an image of y 3 × energy 4 \(float64\) is no row of numbers"):
        convert(image, tmp_path / "a.csv")
    assert not list(tmp_path.iterdir())


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = nxtomo(tmp_path / "a.nx")
    out = tmp_path / "current.csv"
    assert execute(["convert", str(source), str(out), "--data", "/entry/control/data"]) == 0
    assert "column data" in capsys.readouterr().out
    assert execute(["convert", str(source), str(tmp_path / "t.txt"), "--to", "csv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["format"] == "csv"
    assert formats()["csv"].detect(tmp_path / "t.txt") is not None
