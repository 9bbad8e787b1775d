"""Orientation maps as text: columns, grids, units and damage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tomarium as tm
from formats.ebsd_maker import ACROSS, ANG_COLUMNS, CTF_COLUMNS, ROWS, example_columns, write_ang, write_ctf
from tomarium.errors import FormatError
from tomarium.formats import recognise
from tomarium.model import Image


def opened(path: Path, entry: str | None = None) -> Image:
    image = tm.open(path, entry=entry) if entry else tm.open(path)
    assert isinstance(image, Image)
    return image


@pytest.mark.parametrize("comma", [False, True])
def test_every_column_of_a_ctf(tmp_path: Path, comma: bool) -> None:
    write_ctf(tmp_path / "a.ctf", comma=comma)
    match = recognise(tmp_path / "a.ctf")[0][1]
    assert match.entries[0] == "BC"
    assert set(match.entries) == set(CTF_COLUMNS) - {"X", "Y"}
    for name in match.entries:
        image = opened(tmp_path / "a.ctf", name)
        expected = example_columns()[name].reshape(ROWS, ACROSS)
        np.testing.assert_allclose(np.asarray(image), expected, rtol=1e-5)
        assert [(axis.name, axis.scale, axis.unit) for axis in image.axes] == [
            ("y", 0.25e-6, "m"),
            ("x", 0.5e-6, "m"),
        ]
        assert image.unit == ("deg" if name.startswith("Euler") or name == "MAD" else "")
        assert image.holds_labels == (name == "Phase")
        assert image.metadata["phases"] == ["Iron bcc", "Iron fcc"]
        assert image.metadata["fields"]["Author"] == "somebody"
    assert opened(tmp_path / "a.ctf").metadata["value_name"] == "BC"


def test_every_column_of_an_ang(tmp_path: Path) -> None:
    write_ang(tmp_path / "a.ang")
    match = recognise(tmp_path / "a.ang")[0][1]
    assert match.entries[0] == "IQ"
    assert set(match.entries) == set(ANG_COLUMNS) - {"x", "y"}
    for name in match.entries:
        image = opened(tmp_path / "a.ang", name)
        expected = example_columns()[name].reshape(ROWS, ACROSS)
        np.testing.assert_allclose(np.asarray(image), expected, rtol=1e-5, atol=1e-5)
        assert image.unit == {"phi1": "rad", "PHI": "rad", "phi2": "rad", "fit": "deg"}.get(name, "")
        assert image.metadata["phases"] == ["Austenite", "Martensite"]
        np.testing.assert_array_equal(image[1:3, 2], np.asarray(image)[1:3, 2])


def test_points_of_a_hexagonal_grid_stay_in_a_row(tmp_path: Path) -> None:
    write_ang(tmp_path / "a.ang", grid="HexGrid")
    image = opened(tmp_path / "a.ang", "CI")
    assert [axis.name for axis in image.axes] == ["point"]
    assert image.shape == (ROWS // 2 * (2 * ACROSS - 1),)
    assert image.metadata["uncalibrated"] is True
    np.testing.assert_allclose(np.asarray(image), example_columns()["CI"][: image.shape[0]], atol=1e-5)


def test_points_that_are_not_in_rows_are_refused(tmp_path: Path) -> None:
    values = example_columns()
    values["X"] = values["X"][::-1].copy()
    write_ctf(tmp_path / "a.ctf", values)
    with pytest.raises(FormatError, match="do not follow each other along rows of 5"):
        np.asarray(opened(tmp_path / "a.ctf"))
    values = example_columns()
    values["x"], values["y"] = values["y"] * 2, values["x"] / 2  # turned by a quarter
    write_ang(tmp_path / "a.ang", values)
    with pytest.raises(FormatError, match="do not follow each other"):
        np.asarray(opened(tmp_path / "a.ang"))


@pytest.mark.parametrize("make", [write_ctf, write_ang])
def test_a_file_that_is_cut_or_too_long_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "a.txt"
    make(path)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-2]))
    with pytest.raises(FormatError, match="18 points where its header tells of 20"):
        np.asarray(opened(path))
    path.write_bytes(whole + lines[-1])
    with pytest.raises(FormatError, match="more than 20 points"):
        np.asarray(opened(path))
    path.write_bytes(b"".join([*lines[:-1], b"not a number\n"]))
    with pytest.raises(FormatError, match="has no number in column"):
        np.asarray(opened(path))


@pytest.mark.parametrize(
    ("make", "before", "after", "words"),
    [
        (write_ctf, b"XCells\t5", b"XCells\t0", "XCells is '0'"),
        (write_ctf, b"XCells\t5", b"XCells\t9999999", "points where"),
        (write_ctf, b"XStep\t0.5000", b"XStep\tnan", "XStep is 'nan'"),
        (write_ctf, b"YStep\t0.2500", b"YStep\t0", "a map along one line"),
        (write_ctf, b"Phase\tX\tY", b"Phase\tX\tZ", "no line that names the columns"),
        (write_ang, b"NROWS: 4", b"NROWS: -4", "NROWS is '-4'"),
        (write_ang, b"XSTEP: 0.500000", b"XSTEP: ", "XSTEP is 'absent'"),
    ],
)
def test_a_header_that_cannot_be_says_why(
    tmp_path: Path, make: Callable[[Path], None], before: bytes, after: bytes, words: str
) -> None:
    path = tmp_path / "a.txt"
    make(path)
    assert before in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(before, after))
    with pytest.raises(FormatError, match=words):
        np.asarray(opened(path))
