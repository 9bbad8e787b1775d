"""Images of microscopes: what is kept of them, and that maps, bands, spectra and patterns are those of the file."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from tomarium import formats
from tomarium.catalogue import verify
from tomarium.catalogue.image_views import metadata_lines
from tomarium.catalogue.make_from_files import Wish, make_from_files
from tomarium.conversion.convert import convert
from tomarium.errors import FormatError, ParameterError
from tomarium.model import Axis, Image, Record, Value
from tomarium.viewers import images, original_metadata, pictures
from tomarium.viewers.image_layout import Arranged, layout_of
from tomarium.viewers.spectrum_plot import plot
from tomarium.viewers.viewer import View

Filed = tuple[Record, Path]
MAP = (Axis("y", 2e-7, 0.0, "m"), Axis("x", 1e-7, 0.0, "m"))
ENERGY = Axis("energy", 0.04, 0.2, "keV")
CUBE = np.random.default_rng(3).poisson(2, (24, 40, 200)).astype(np.uint16)
CUBE[4:12, 4:16, 150:153] += 300  # a line at 6.2 to 6.28 keV in a rectangle


def view(folder: Path, choices: dict[str, str]) -> View:
    return View(
        folder=folder,
        choices=choices,
        page=lambda changes: "/page?" + "&".join(f"{k}={v}" for k, v in {**choices, **changes}.items() if v),
        file=lambda path: f"/files/{path}",
        picture=lambda name, query: f"/pictures/{name}?" + "&".join(f"{k}={v}" for k, v in query.items()),
    )


def filed(home: Path, image: Image, name: str) -> Filed:
    convert(image, home / name)
    return make_from_files(home / name, formats.open(home / name), Wish(home / "records"))


def drawn(filed: Filed, name: str, **choices: str) -> np.ndarray[Any, Any]:
    return np.asarray(Pillow.open(io.BytesIO(images.picture(*filed, name, choices))))


@pytest.fixture(scope="module")
def eds(tmp_path_factory: pytest.TempPathFactory) -> Filed:
    return filed(tmp_path_factory.mktemp("eds"), Image(CUBE, (*MAP, ENERGY), "counts", "EDS"), "eds.nxs")


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Filed:
    """Three channels of OME-TIFF with names and colours."""
    path = tmp_path_factory.mktemp("cells") / "cells.ome.tif"
    data = np.zeros((3, 30, 50), np.uint16)
    data[0, :10], data[1, 10:20], data[2, :, :25] = 1000, 500, 200
    told = {
        "axes": "CYX", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.5,
        "PhysicalSizeYUnit": "µm",
        "Channel": {"Name": ["DAPI", "GFP", "actin"], "Color": [0x0000FFFF, 0x00FF00FF, -16776961]},
    }  # fmt: skip
    tifffile.imwrite(path, data, ome=True, metadata=told)
    return make_from_files(path, formats.open(path), Wish(path.parent / "records"))


@pytest.mark.parametrize(
    ("axes", "shape", "expected"),
    [
        ((*MAP, ENERGY), (5, 6, 9), (1, 1, 5, 6, 9, 1)),
        ((ENERGY, *MAP), (9, 5, 6), (1, 1, 5, 6, 9, 1)),
        ((Axis("channel"), *MAP), (3, 5, 6), (1, 3, 5, 6, 1, 1)),
        ((*MAP, Axis("sample")), (5, 6, 3), (1, 3, 5, 6, 1, 1)),
        ((*MAP, Axis("row"), Axis("column")), (5, 6, 7, 8), (1, 1, 5, 6, 7, 8)),
        ((Axis("time", 1.0, 0.0, "s"), Axis("channel"), *MAP), (4, 2, 5, 6), (4, 2, 5, 6, 1, 1)),
        ((ENERGY,), (9,), (1, 1, 1, 1, 9, 1)),
        ((Axis("time", 1.0, 0.0, "s"),), (9,), (1, 1, 1, 1, 9, 1)),
        ((Axis("channel"), *MAP), (900, 5, 6), (1, 1, 5, 6, 900, 1)),
        ((Axis("point"), ENERGY), (4, 9), (1, 1, 1, 4, 9, 1)),
    ],
)
def test_axes_are_known_by_names_and_units(
    axes: tuple[Axis, ...], shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    data = np.arange(np.prod(shape)).reshape(shape)
    arranged = Arranged(data, layout_of(axes, shape))
    assert arranged.shape == expected
    rows = np.stack([arranged.rows(frame, 0, expected[2]) for frame in range(expected[0])])
    assert rows.shape == expected
    assert sorted(rows.ravel()) == sorted(data.ravel())


def test_what_is_kept_are_the_numbers_of_the_file(eds: Filed) -> None:
    record, folder = eds
    assert verify(folder) == ()
    assert images.IMAGES.shows(record)
    assert not pictures.PICTURES.shows(record)
    told = json.loads(images.picture(record, folder, "spectrum.json", {"row": "7", "column": "9"}))
    np.testing.assert_allclose(told["position"], 0.2 + 0.04 * np.arange(200))
    np.testing.assert_array_equal(told["value"], CUBE[7, 9])
    assert (told["unit_of_position"], told["unit"]) == ("keV", "counts")
    whole = json.loads(images.picture(record, folder, "spectrum.json", {}))
    np.testing.assert_allclose(whole["value"], CUBE.sum(axis=(0, 1)))


def test_a_map_is_the_sum_and_a_band_its_integral(eds: Filed) -> None:
    low, high = 100.0, 1500.0
    grey = drawn(eds, "map.png", channels=f"0,ffffff,{low},{high}")
    wanted = np.clip((CUBE.sum(axis=2) - low) / (high - low), 0, 1) * 255
    assert np.abs(grey[..., 0] - wanted).max() <= 1
    band = CUBE[..., 150:153].sum(axis=2, dtype=float)
    grey = drawn(eds, "map.png", **{"from": "6.19", "to": "6.29", "channels": "1,00ff00,0,1000"})
    assert np.abs(grey[..., 1] - np.clip(band / 1000, 0, 1) * 255).max() <= 1
    assert grey[..., 0].max() == 0
    piece = images.render(eds[0], view(eds[1], {"from": "6.19", "to": "6.29", "chosen": "1", "on0": "1"}))
    assert [(one["name"], one["on"]) for one in piece.data["channels"]][1] == ("band", True)
    assert piece.data["channels"][0]["on"] is False


def test_the_page_tells_axes_scale_and_what_cannot_be(eds: Filed) -> None:
    record, folder = eds
    html = str(images.render(record, view(folder, {"row": "7", "column": "9", "counts": "log"})).html)
    assert "Scale bar of 1 µm" in html  # 40 columns of 0.1 µm
    assert 'width="40" height="48"' in html  # pixels twice as high as wide
    assert "energy</b> in keV · counts" in html
    assert "column 9, row 7" in html
    for choices, said in (
        ({"row": "24", "column": "0"}, "row = '24' does not exist"),
        ({"from": "9", "to": "3"}, "from 0.2 to 8.16 keV"),
        ({"low0": "5", "high0": "4"}, "are no contrast"),
        ({"colour0": "red"}, "is no colour"),
        ({"counts": "cubic"}, "choose 'linear' or 'log'"),
    ):
        with pytest.raises(ParameterError, match=said):
            images.render(record, view(folder, choices))


def test_channels_have_the_names_and_colours_of_their_file(cells: Filed) -> None:
    record, folder = cells
    piece = images.render(record, view(folder, {}))
    assert [(one["name"], one["colour"]) for one in piece.data["channels"]] == [
        ("DAPI", "#0000ff"), ("GFP", "#00ff00"), ("actin", "#ff0000"),
    ]  # fmt: skip
    colours = drawn(cells, "map.png", channels="0,0000ff,0,1000;1,00ff00,0,1000;2,ff0000,0,200")
    assert colours[5, 10].tolist() == [255, 0, 255]
    assert colours[15, 40].tolist() == [0, 128, 0]
    assert "Scale bar of 5 µm" in str(piece.html)
    table = original_metadata.render(record, view(folder, {"metadata": "original OME channel gfp"})).data
    assert table["count"] == 1
    assert table["lines"][0][1] == "GFP"


def test_patterns_of_a_map_are_those_of_its_points(tmp_path: Path) -> None:
    patterns = np.random.default_rng(1).integers(0, 255, (6, 8, 10, 12)).astype(np.uint8)
    path = tmp_path / "ebsd.h5"
    with h5py.File(path, "w") as file:
        file[" Manufacturer"], file[" Version"] = "EDAX", "OIM 7.3"
        file["Scan 1/EBSD/Header/nRows"], file["Scan 1/EBSD/Header/nColumns"] = [6], [8]
        file["Scan 1/EBSD/Header/Grid Type"] = "SqrGrid"
        for name in "XY":
            file[f"Scan 1/EBSD/Header/Step {name}"] = np.array([1.5], np.float32)
        file["Scan 1/EBSD/Data/Pattern"] = patterns.reshape(48, 10, 12)
        file["Scan 1/EBSD/Data/IQ"] = np.arange(48, dtype=np.float32)
    filed = make_from_files(path, formats.open(path), Wish(tmp_path / "records"))
    piece = images.render(filed[0], view(filed[1], {"row": "2", "column": "5"}))
    assert [one["name"] for one in piece.data["channels"]] == [
        "ebsd Scan 1/Pattern (mean)", "ebsd Scan 1/IQ",
    ]  # fmt: skip
    pattern = drawn(filed, "pattern.png", row="2", column="5")
    assert pattern.shape == (10, 12)
    assert np.corrcoef(pattern.ravel(), patterns[2, 5].ravel())[0, 1] > 0.99
    quality = drawn(filed, "map.png", channels="1,ffffff,0,47")[..., 0]
    np.testing.assert_allclose(quality, np.arange(48).reshape(6, 8) * 255 / 47, atol=1)


def test_a_single_spectrum_needs_no_map(tmp_path: Path) -> None:
    filed_ = filed(tmp_path, Image(CUBE[0, 0].astype(float), (ENERGY,), "counts", "point"), "point.csv")
    html = str(images.render(filed_[0], view(filed_[1], {})).html)
    assert "image-alone" in html
    assert "Channel" not in html
    with pytest.raises(ParameterError, match="has no map"):
        images.picture(*filed_, "map.png", {})


def test_a_changed_copy_is_refused(eds: Filed) -> None:
    record, folder = eds
    part = record.parts[0]
    for broken in ({"folder": "../../etc"}, {"shape": [1, 1, 25, 40, 200, 1]}):
        told = {**part.summary["shown"][0], **broken}
        fake = Record(
            record.id, record.title, record.created,
            parts=(type(part)("image", part.path, summary={"shown": [told]}),),
        )  # fmt: skip
        with pytest.raises(FormatError, match="file its image again"):
            images.picture(fake, folder, "map.png", {"channels": "0,ffffff,0,1"})


def test_lines_of_metadata_have_no_addresses_of_people() -> None:
    image = Image(np.zeros(3), (ENERGY,), metadata={
        "/original_metadata": {"Beam": {"HT": 200.0, "e-mail": "a@b.c"}, "list": [1, 2], "stages": [{"x": 1}]},
        "energy": Value(3.0, "read", "file"), "entry": '{"gun": {"email": "a@b.c", "kind": "LaB6"}}', "none": "",
    })  # fmt: skip
    assert metadata_lines(image) == [
        ["original_metadata/Beam/HT", "200.0"], ["original_metadata/list", "1, 2"],
        ["original_metadata/stages/0/x", "1"], ["energy", "3.0"], ["entry/gun/kind", "LaB6"],
    ]  # fmt: skip


def test_the_axes_of_a_spectrum_are_true() -> None:
    x, values = np.array([1.0, 2.0, 3.0]), np.array([0.0, 1000.0, 20.0])
    drawn = plot(x, values, logarithmic=True, band=(1.5, 2.5))
    assert [text for _, text in drawn["y_ticks"]] == ["10", "100", "1000"]
    assert [float(one) for one in drawn["band"]] == pytest.approx([100 / 3, 100 / 3], abs=1e-3)
    points = [tuple(map(float, one.split())) for one in drawn["path"][1:].split("L")]
    assert points[1][0] == 500
    top = 400 * (1 - 2 / 2.05)  # of 1000, on an axis from 10 to 1000 · 10^0.05
    assert points[1][1] == pytest.approx(top, abs=0.1)
    assert points[0][1] == 400


def test_real_files(shared: Callable[[str], Path], tmp_path: Path) -> None:
    pytest.importorskip("rsciio")
    path = shared("microscopy/Hitachi_TM3030Plus.bcf")
    filed = make_from_files(path, formats.open(path, pixel_m=1e-6), Wish(tmp_path / "records"))
    piece = images.render(filed[0], view(filed[1], {"row": "100", "column": "100"}))
    assert [one["name"] for one in piece.data["channels"]] == ["SEM", "EDX (sum)"]
    cube = formats.open(path, entry="EDX")
    told = json.loads(images.picture(*filed, "spectrum.json", {"row": "100", "column": "100"}))
    np.testing.assert_array_equal(told["value"], np.asarray(cube[100, 100]))
    lines = original_metadata.render(filed[0], view(filed[1], {"metadata": "hv"})).data["lines"]
    assert lines == [["original_metadata/Microscope/HV", "15"]]
