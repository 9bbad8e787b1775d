"""`run --crop` and `slice --plane` as their users meet them."""

from pathlib import Path

import numpy as np
import pytest

import tomarium as tm
from contracts.test_steps import make_scan
from tomarium.cli import execute
from tomarium.errors import ParameterError
from tomarium.formats.data_exchange import reader as data_exchange


@pytest.fixture
def scan_file(tmp_path: Path) -> Path:
    path = tmp_path / "disc.h5"
    data_exchange.FORMAT.write(path, make_scan(angles=90).with_geometry(axis_column=None))  # type: ignore[misc]
    return path


def test_run_makes_a_centred_part(
    scan_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "record"
    assert execute(["run", str(scan_file), "--crop", "4,20,30", "-o", str(record)]) == 0
    assert "crop: 4 × 20 × 30 voxels about the middle" in capsys.readouterr().out
    made = tm.open(record / "volume.ome.zarr")
    assert made.shape == (4, 20, 30)
    assert [axis.offset for axis in made.axes] == pytest.approx([4e-6, -9.5e-6, -14.5e-6])  # type: ignore[union-attr]
    np.testing.assert_allclose(
        np.asarray(made), np.asarray(tm.reconstruct(tm.open(scan_file)))[4:8, 22:42, 17:47], atol=0.5  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_crop_does_not_go_with_other_parts(scan_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["run", str(scan_file), "--crop", "auto", "--rows", "1:3"]) == 2
    assert "leave out --rows and --roi" in capsys.readouterr().err


def test_a_plane_of_a_scan_is_that_of_its_volume(
    scan_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "record"
    assert execute(["run", str(scan_file), "-o", str(record)]) == 0
    places = [str(record / "volume.ome.zarr"), str(scan_file)]
    capsys.readouterr()
    images = []
    for place in places:
        for how in (
            ["--plane", "60,30", "--through", "6,30,32"],
            ["--plane", "0,1,0", "--through", "0,20,0"],
        ):
            target = tmp_path / "plane.npy"
            assert execute(["slice", place, *how, "-o", str(target)]) == 0
            images.append(np.load(target))
    assert "plane across 0,1,0, 64 × 12, pixel 1 µm" in capsys.readouterr().out
    np.testing.assert_allclose(images[0], images[2], atol=2e-3 * np.ptp(images[0]))
    np.testing.assert_allclose(images[1], images[3], atol=2e-3 * np.ptp(images[1]))
    np.testing.assert_array_equal(images[1], np.asarray(tm.open(places[0]))[:, 20])
    for words in (
        ["slice", places[0], "-o", "x.png", "--step", "paganin"],
        ["measure", str(record), "--bin", "2"],
        ["picture", str(record), "--step", "paganin", "-o", str(tmp_path / "sheet.png")],
    ):
        assert execute(words) == 2
        assert "a protocol is carried out on a scan" in capsys.readouterr().err
    for more, said in ((["--step", "paganin"], True), (["--material", "SiO2 2.65"], False)):
        scan = [places[1], "--energy", "20 keV", "--distance", "1 cm", "-o", str(tmp_path / "x.png")]
        assert execute(["slice", *scan, *more]) in (0, 1)
        assert ("δ/β 100, assumed" in capsys.readouterr().err) == said
    assert execute(["slice", places[1], "-o", "x.png", "--along", "y", "--row", "3"]) == 2
    assert execute(["motion", places[1], "--method", "points", "--returns", places[1]]) == 2


def test_planes_that_cannot_be(scan_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(scan_file.with_name("plane.png"))
    for how, said in (
        (["--plane", "1,2,3,4"], "TILT,TURN in degrees or Z,Y,X"),
        (["--plane", "a,b"], "numbers separated by commas"),
        (["--plane", "0,0"], ""),
        (["--plane", "1,0,0", "--through", "99,1,1"], "outside of the volume of"),
        (["--plane", "1,0,0", "--row", "2"], "leave --row"),
        (["--through", "1,0,0"], "goes with --plane"),
    ):
        code = execute(["slice", str(scan_file), *how, "-o", out])
        assert code == (0 if not said else 2)
        assert said in capsys.readouterr().err


def test_every_way_to_a_slice_checks_the_scan_and_says_the_axis(
    scan_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["slice", str(scan_file), "-o", str(scan_file.with_name("slice.npy"))]
    count = len(tm.open(scan_file).angles_deg.value)
    for how in ([], ["--along", "y"], ["--plane", "10,20"], ["--axis-sweep", "29:31:1"]):
        assert execute([*words, *how, "--flats", "/exchange/data_dark"]) == 1
        assert "flats are black" in capsys.readouterr().err
        assert execute([*words, *how, "--angles", f"0:356:{count}"]) in (0, 1)
        told = capsys.readouterr()
        if "--axis-sweep" not in how:
            assert "found with low confidence" in told.err.split("! ")[1]
            assert "(probe find_axis, confidence low)" in told.out


def test_a_half_acquisition_is_cropped_whose_axis_is_not_known(tmp_path: Path) -> None:
    """Its slices are wider than the detector, which is known once the axis is found."""
    path = tmp_path / "half.h5"
    assert execute(["simulate", str(path), "--size", "80", "--rows", "16", "--views", "240", "--span", "360 deg",
                    "--axis", "64", "--clean"]) == 0  # fmt: skip
    for crop, name in (("auto", "auto"), ("10,110,100", "centred")):
        code = execute(["run", str(path), "--crop", crop, "--bin", "1", "-o", str(tmp_path / name)])
        assert code in (0, 1)
    auto, centred = (tm.open(tmp_path / name / "volume.ome.zarr") for name in ("auto", "centred"))
    assert centred.shape == (10, 110, 100)
    assert 80 < max(auto.shape) < 129
    with pytest.raises(ParameterError, match="does not lie in a slice of 129"):
        tm.reconstruct(tm.open(path, axis_column=64), "steps: [flat_field, fbp: {region: '0:200,0:9'}]")  # type: ignore[arg-type]
