"""EDAX's diffraction maps: the grid of points, patterns in any part, and what was found at each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

import tomarium as tm
from tomarium.errors import FormatError
from tomarium.formats import formats
from tomarium.model import Axis, Image

PATTERNS = np.random.default_rng(0).integers(0, 255, (12, 6, 5), np.uint8)


def write_edax(path: Path, *, grid: str = "SqrGrid", rows: int = 3, columns: int = 4) -> Path:
    with h5py.File(path, "w") as file:
        file[" Manufacturer"] = np.array([b"EDAX"])
        file[" Version"] = np.array([b"OIM Analysis 7.2.1"])
        data, header = file.create_group("Scan 1/EBSD/Data"), file.create_group("Scan 1/EBSD/Header")
        data["Pattern"] = PATTERNS
        data["IQ"] = np.arange(12, dtype=np.float32)
        data["Phi"] = np.linspace(0, 3, 12, dtype=np.float32)
        data["X Position"] = np.tile(np.arange(4, dtype=np.float32) * np.float32(0.15), 3)
        data["Y Position"] = np.repeat(np.arange(3, dtype=np.float32) * 2, 4)
        header["Grid Type"] = np.array([grid.encode()])
        header["nRows"], header["nColumns"] = [rows], [columns]
        header["Step X"], header["Step Y"] = np.array([0.15], np.float32), np.array([2.0], np.float32)
        header["Sample Tilt"] = np.array([70.0], np.float32)
    return path


def test_patterns_lie_on_the_grid(tmp_path: Path) -> None:
    image = tm.open(write_edax(tmp_path / "e.h5"))
    assert isinstance(image, Image)
    assert image.axes[:2] == (Axis("y", 2e-6, 0.0, "m"), Axis("x", 1.5e-7, 0.0, "m"))
    assert [axis.name for axis in image.axes[2:]] == ["row", "column"]
    assert image.metadata["/Scan 1/EBSD/Header/Sample Tilt"] == 70
    whole = PATTERNS.reshape(3, 4, 6, 5)
    for key in (
        np.s_[:], np.s_[1], np.s_[1, 2], np.s_[-1, -1, 3], np.s_[..., 2], np.s_[0:2, ::2, 1:3], np.s_[:, 1, :, 4],
        np.s_[2:1], np.s_[::-1],
    ):  # fmt: skip
        np.testing.assert_array_equal(image[key], whole[key])


def test_maps_are_entries(tmp_path: Path) -> None:
    path = write_edax(tmp_path / "e.h5")
    assert formats()["edax"].detect(path).entries == ("Scan 1/Pattern", "Scan 1/IQ", "Scan 1/Phi")  # type: ignore[union-attr]
    angles = tm.open(path, entry="Scan 1/Phi")
    assert isinstance(angles, Image)
    assert (angles.shape, angles.unit) == ((3, 4), "rad")
    quality = tm.open(path, entry="Scan 1/IQ")
    np.testing.assert_array_equal(quality[:], np.arange(12).reshape(3, 4))


def test_points_of_another_grid_stay_in_a_row(tmp_path: Path) -> None:
    image = tm.open(write_edax(tmp_path / "e.h5", grid="HexGrid"))
    assert isinstance(image, Image)
    assert image.shape == (12, 6, 5)
    assert image.axes[0].name == "point"
    assert image.metadata["uncalibrated"] is True


def test_a_grid_that_does_not_fit_its_points_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no scan in it holds EBSD data of the points it tells"):
        tm.open(write_edax(tmp_path / "e.h5", rows=5))


def test_a_file_of_the_program(shared: Callable[[str], Path]) -> None:
    image = tm.open(shared("microscopy/edax_h5ebsd_patterns.h5"))
    assert isinstance(image, Image)
    assert image.shape == (3, 3, 60, 60)
    assert image.axes[0] == Axis("y", 1.5e-6, 0.0, "m")
    assert image.metadata["/Scan 1/EBSD/Header/Phase/1/MaterialName"] == "Nickel"
