"""A sinogram in a file, and a series of float TIFFs, run through every command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

import tomarium as tm
from contracts.test_steps import make_scan
from tomarium.cli import execute
from tomarium.model import Scan

SCAN = make_scan(angles=90, domain="attenuation")
STACK = np.asarray(SCAN.projections[:])
SINOGRAM = STACK[:, 4]
TELL = ["--angles", "0:178:90", "--domain", "attenuation"]


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def page(folder: Path) -> list[str]:
    tifffile.imwrite(folder / "page.tif", SINOGRAM)
    return [str(folder / "page.tif"), *TELL]


def turned(folder: Path) -> list[str]:
    tifffile.imwrite(folder / "turned.tif", np.ascontiguousarray(SINOGRAM.T))
    return [str(folder / "turned.tif"), *TELL, "--axes", "column,angle"]


def beside(folder: Path) -> list[str]:
    tifffile.imwrite(folder / "beside.tif", SINOGRAM)
    np.savetxt(folder / "beside_angles.txt", SCAN.angles_deg.value)
    return [str(folder / "beside.tif"), "--domain", "attenuation"]


def dataset(folder: Path) -> list[str]:
    with h5py.File(folder / "any.h5", "w") as file:
        file["sinogram"] = SINOGRAM.T
    return [str(folder / "any.h5"), "--data", "/sinogram", *TELL]


def series(folder: Path) -> list[str]:
    """Float TIFFs, which by themselves are taken for slices of a volume."""
    (folder / "series").mkdir()
    for number, frame in enumerate(STACK):
        tifffile.imwrite(folder / "series" / f"{number:04d}.tif", frame)
    return [str(folder / "series"), *TELL]


@pytest.mark.parametrize("make", [page, turned, beside, dataset, series], ids=lambda one: one.__name__)
def test_it_runs_through_every_command(make: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = make(tmp_path)
    assert execute(["info", *words, "--json"]) == (make in (dataset, series)), "no scan by its file"
    info = told(capsys)
    rows = 12 if make is series else 1
    assert (info["kind"], info["shape"]) == ("scan", [90, rows, 64])
    assert info["angles_deg"]["count"] == 90
    assert info["angles_deg"]["last"] == pytest.approx(178)
    assert ("beside_angles.txt" in info["angles_deg"]["source"]) == (make is beside)

    assert execute(["axis", *words, "--json"]) == (make in (dataset, series)), (
        "warnings of the scan, as info has it"
    )
    assert told(capsys)["column"] == pytest.approx(30.5, abs=0.3)
    assert execute(["plan", *words, "--axis", "30.5"]) == 0
    capsys.readouterr()
    execute(["doctor", *words])
    assert "no flat frames" not in capsys.readouterr().out, "attenuation needs neither flats nor darks"
    assert execute(["slice", *words, "--axis", "30.5", "-o", str(tmp_path / "slice.npy")]) in (0, 1)
    record, again = tmp_path / "record", tmp_path / "again"
    assert execute(["run", *words, "--axis", "30.5", "-o", str(record)]) in (0, 1)
    assert execute(["run", "--again", str(record), "-o", str(again)]) in (0, 1)
    volume, twin = (np.asarray(tm.open(folder / "volume.ome.zarr")) for folder in (record, again))
    np.testing.assert_array_equal(volume, twin)
    assert volume.shape == (rows, 64, 64)

    held = STACK if make is series else SINOGRAM
    direct = tm.scan_of_arrays(held, SCAN.angles_deg.value, domain="attenuation", axis_column=30.5)
    expected = np.asarray(tm.reconstruct(direct))
    np.testing.assert_allclose(volume, expected, atol=1e-6 * np.ptp(expected))
    capsys.readouterr()


@pytest.mark.parametrize("make", [page, turned, dataset], ids=lambda one: one.__name__)
@pytest.mark.parametrize("to", ["tiff", "nxtomo", "data-exchange", "edf"])
def test_it_is_converted(make: Any, to: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = make(tmp_path)
    target = str(tmp_path / f"out{ {'nxtomo': '.nx', 'data-exchange': '.h5'}.get(to, '') }")
    assert execute(["convert", words[0], target, "--to", to, *words[1:]]) == 0
    scan = tm.open(target)
    assert isinstance(scan, Scan)
    np.testing.assert_array_equal(scan.projections[:, 0], SINOGRAM)
    np.testing.assert_allclose(scan.angles_deg.value, SCAN.angles_deg.value)


def test_slices_without_angles_stay_a_volume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, *_ = series(tmp_path)
    assert execute(["info", path, "--json"]) == 0
    assert told(capsys)["kind"] == "volume"
    assert execute(["axis", path]) == 2
    assert "give their angles, such as --angles 0:180:90" in capsys.readouterr().err


def test_a_square_sinogram_is_known_or_asked_about_by_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    square = np.asarray(make_scan(angles=64, domain="attenuation").projections[:])[:, 4]
    tifffile.imwrite(tmp_path / "square.tif", np.ascontiguousarray(square.T))
    noise = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    tifffile.imwrite(tmp_path / "noise.tif", noise)
    given = ["--angles", "0:177.1875:64", "--domain", "attenuation"]
    for command in (["axis"], ["slice", "-o", str(tmp_path / "s.npy")], ["run", "-o", str(tmp_path / "r")]):
        axis = ["--axis", "30.5"] if command != ["axis"] else []
        words = [*command[:1], str(tmp_path / "noise.tif"), *given, *command[1:], *axis]
        assert execute(words) == 2
        assert "say --axes angle,column where each row is one view" in capsys.readouterr().err, command
    words = [str(tmp_path / "square.tif"), *given]
    assert execute(["axis", *words, "--json"]) == 0
    assert told(capsys)["column"] == pytest.approx(30.5, abs=0.3)
    assert execute(["axis", *words, "--axes", "column,angle", "--json"]) == 0
    assert told(capsys)["column"] == pytest.approx(30.5, abs=0.3)


@pytest.mark.parametrize(("axes", "place"), [((1, 2, 0), 2), ((2, 0, 1), 1)])
def test_arrays_in_another_order_are_asked_back(axes: tuple[int, int, int], place: int) -> None:
    angles = SCAN.angles_deg.value
    with pytest.raises(
        tm.errors.InputError, match=f"as many as axis {place} is long: move that axis to the front"
    ):
        tm.scan_of_arrays(STACK.transpose(axes), angles)
    with pytest.raises(tm.errors.InputError, match="as many as axis 1 is long"):
        tm.scan_of_arrays(SINOGRAM.T, angles)


def test_an_axis_of_angles_is_named_where_it_lies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Angles that are uneven, and not from 0° on: none of them is 0:180:90."""
    scan = tmp_path / "map.nxs"
    with h5py.File(scan, "w") as file:
        group = file.create_group("entry1/stxm/data")
        file["entry1"].attrs["NX_class"] = "NXentry"
        group.attrs.update({"NX_class": "NXdata", "signal": "data", "axes": ["theta", "x"]})
        group["data"] = SINOGRAM
        group["theta"] = SCAN.angles_deg.value - 140 + np.arange(90) % 2 / 8
        group["theta"].attrs["units"] = "deg"
        group["x"] = np.arange(SINOGRAM.shape[1]) * 0.5
        group["x"].attrs["units"] = "um"
    place = "/entry1/stxm/data/theta"
    for words in (["slice", str(scan), "-o", str(tmp_path / "a.png")], ["axis", str(scan)]):
        assert execute(words) == 2
        said = capsys.readouterr().err
        assert f"give the angles of its axis theta: --angles {place}" in said
        assert "0:180" not in said
    given = ["--angles", place, "--domain", "attenuation"]
    assert execute(["slice", str(scan), *given, "-o", str(tmp_path / "a.png")]) in (0, 1)
