"""Datasets named on the command line, entries, and images told by `tomarium info`."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import tomarium as tm
from contracts.test_steps import make_scan
from formats.beamline_makers import pixels, write_map
from tomarium.cli import execute


@pytest.fixture
def places(tmp_path: Path) -> list[str]:
    """An HDF5 file of no known format, and the options by which it is a scan."""
    scan = make_scan(angles=90)
    with h5py.File(tmp_path / "any.h5", "w") as file:
        file["beam/frames"], file["beam/theta"] = pixels(scan.projections), scan.angles_deg.value
    with h5py.File(tmp_path / "references.h5", "w") as file:
        file["white"], file["black"] = pixels(scan.flats.frames), pixels(scan.darks.frames)
    return [
        str(tmp_path / "any.h5"), "--data", "/beam/frames", "--angles", "/beam/theta",
        "--flats", f"{tmp_path}/references.h5:/white", "--darks", "references.h5:/black",
    ]  # fmt: skip


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_info_and_slice_by_places(
    places: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["info", *places, "--json"]) == 0
    info = told(capsys)
    assert (info["kind"], info["format"]) == ("scan", "hdf5-paths")
    assert info["frames"] == {"projection": 90, "flat": 10, "dark": 10}
    assert info["metadata"]["opened_data"]["value"] == "/beam/frames"
    assert execute(["slice", *places, "--row", "5", "-o", str(tmp_path / "x.npy")]) == 1, (
        "the pixel is not known"
    )
    assert "the pixel size is not known" in capsys.readouterr().err
    assert np.load(tmp_path / "x.npy").shape == (64, 64)
    assert execute(["plan", *places]) == 0
    assert execute(["info", places[0]]) == 2
    assert "name it: data=/beam/frames" in capsys.readouterr().err


def test_a_run_by_places_is_repeated_by_them(places: list[str], tmp_path: Path) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    assert execute(["run", *places, "--axis", "31.5", "--rows", "0:4", "-o", str(first)]) == 1
    assert execute(["run", "--again", str(first), "-o", str(again)]) == 1
    volumes = [np.asarray(tm.open(folder / "volume.ome.zarr")) for folder in (first, again)]
    np.testing.assert_array_equal(*volumes)


def test_info_tells_an_image_by_its_axes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(write_map(tmp_path / "map.nxs"))
    assert execute(["info", path, "--json"]) == 0
    info = told(capsys)
    assert (info["kind"], info["shape"], info["unit"]) == ("image", [8, 12, 14], "counts")
    assert [axis["unit"] for axis in info["axes"]] == ["m", "m", "keV"]
    assert execute(["info", path, "--entry", "/entry/fluorescence"]) == 0
    text = capsys.readouterr().out
    assert "axis y       13.6 mm … 13.6" in text
    assert "steps of 5 µm" in text
    assert "uneven steps" in text
    assert execute(["info", path, "--entry", "nothing"]) == 2
    assert "it holds /entry/fluorescence" in capsys.readouterr().err
    assert execute(["slice", path, "-o", str(tmp_path / "x.png")]) == 2
    assert "holds an image of shape (8, 12, 14)" in capsys.readouterr().err


def test_info_tells_a_volume(tmp_path: Path, make_volume: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = make_volume(tmp_path / "tooth.zarr", size=32)
    assert execute(["info", str(path), "--json"]) == 0
    info = told(capsys)
    assert (info["kind"], info["format"], info["uncalibrated"]) == ("volume", "ome-zarr", False)
    assert info["axes"][0]["scale"] == pytest.approx(6.5e-7)
