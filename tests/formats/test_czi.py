"""CZI: recognised without the extra; with it (LGPL, so not in development) its values, scenes and colours are right."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tomarium as tm
from formats.czi_example import DATA, write_czi
from tomarium.errors import FormatError
from tomarium.formats import recognise
from tomarium.formats.microscopy.czi import _read_metadata


@pytest.fixture
def czi() -> Any:
    return pytest.importorskip("pylibCZIrw.czi")


@pytest.fixture
def example(tmp_path: Path) -> Path:
    write_czi(tmp_path / "cells.czi")
    return tmp_path / "cells.czi"


def test_it_is_recognised_without_the_extra(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in sys.modules if one.split(".")[0] == "pylibCZIrw"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pylibCZIrw", None)
    monkeypatch.setattr("tomarium.formats.microscopy.czi.find_spec", lambda name: None)
    form, match = recognise(example)[0]
    assert (form.name, match.dialect) == ("czi", "CZI")
    with pytest.raises(FormatError, match=r"is a CZI of Zeiss; .*pip install 'tomarium\[czi\]'"):
        tm.open(example)


def test_the_metadata_tell_steps_channels_and_mosaics() -> None:
    told = _read_metadata(
        "<ImageDocument><Metadata><Information><Image><SizeM>4</SizeM><Dimensions><Channels>"
        '<Channel Id="Channel:0" Name="DAPI"/><Channel Id="Channel:1"/></Channels></Dimensions></Image></Information>'
        '<DisplaySetting><Channels><Channel Id="Channel:0"><Color>#FF00A0FF</Color></Channel></Channels>'
        '</DisplaySetting><Scaling><Items><Distance Id="X"><Value>6.5E-07</Value></Distance>'
        '<Distance Id="Y"><Value>0</Value></Distance><Distance Id="Z"><Value>2</Value></Distance></Items></Scaling>'
        "</Metadata></ImageDocument>"
    )
    assert told["steps"] == {"x": 6.5e-7}
    assert told["channels"] == [{"name": "DAPI", "colour": "#00a0ff"}, {"name": "channel 1"}]
    assert told["notes"] == [
        "its scaling along z of 2 m cannot be and was left out",
        "its tiles are laid side by side; pixels that no tile covers are 0",
    ]
    assert _read_metadata("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>") == {"steps": {}}
    assert _read_metadata("no XML") == {"steps": {}}


@pytest.mark.usefixtures("czi")
def test_parts_are_read(example: Path) -> None:
    image = tm.open(example)
    for key in (
        ...,
        1,
        (0, 2),
        (slice(None), 1, slice(1, 4), 3),
        (..., 2),
        (slice(0, 0),),
        (1, slice(None, None, -1)),
    ):
        np.testing.assert_array_equal(image[key], DATA[key])
    assert image.metadata["channels"] == [{"name": "DAPI"}, {"name": "GFP"}]
    with pytest.raises(IndexError):
        image[0, 0, 0, 0, 0]


def test_scenes_and_colours(tmp_path: Path, czi: Any) -> None:
    draw = np.random.default_rng(3)
    scenes = [draw.integers(0, 255, (6, 9, 3), np.uint8) for _ in range(2)]
    with czi.create_czi(str(tmp_path / "two.czi")) as file:
        for number, colours in enumerate(scenes):
            file.write(colours[..., ::-1], location=(100 * number, 40), scene=number)  # as BGR
        file.write_metadata("two")
    match = recognise(tmp_path / "two.czi")[0][1]
    assert match.entries == ("scene 0", "scene 1")
    for number, colours in enumerate(scenes):
        image = tm.open(tmp_path / "two.czi", entry=f"scene {number}")
        assert [(axis.name, axis.unit) for axis in image.axes] == [("y", "px"), ("x", "px"), ("sample", "")]
        np.testing.assert_array_equal(image[:], colours)
        assert image.metadata["uncalibrated"]
        assert image.metadata["place_px"] == {"x": 100 * number, "y": 40}


def test_tiles_are_laid_side_by_side(tmp_path: Path, czi: Any) -> None:
    whole = np.arange(8 * 12, dtype=np.uint16).reshape(8, 12) + 1
    with czi.create_czi(str(tmp_path / "mosaic.czi")) as file:
        for row, column in ((0, 0), (0, 6), (4, 0)):  # one corner stays empty
            file.write(whole[row : row + 4, column : column + 6, None], location=(column, row))
        file.write_metadata("mosaic", scale_x=1e-6, scale_y=1e-6)
    image = tm.open(tmp_path / "mosaic.czi")
    whole[4:, 6:] = 0
    np.testing.assert_array_equal(image[:], whole)
    assert image.axes[0].scale == pytest.approx(1e-6)


@pytest.mark.usefixtures("czi")
@pytest.mark.parametrize("part", [100, 600, 3000])
def test_a_file_that_is_cut_is_refused(example: Path, part: int) -> None:
    example.write_bytes(example.read_bytes()[:part])
    with pytest.raises(FormatError, match=r"cells\.czi"):
        tm.open(example)[...]
