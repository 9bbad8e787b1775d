"""Fluorescence maps in Data Exchange: a channel for each element, positions and angles where the file has them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import tomarium as tm
from tomarium.errors import FormatError
from tomarium.model import Axis, Image

MAPS = np.random.default_rng(3).gamma(2.0, 5.0, (3, 20, 30)).astype(np.float32)
AXES = (Axis("channel", 1.0, 0.0, ""), Axis("y", 2e-6, 1e-3, "m"), Axis("x", 1e-6, 0.0, "m"))


def example_element_maps() -> Image:
    return Image(MAPS, AXES)


def write_element_maps(path: Path, names: str = "data_names", unit: str | None = "mm") -> None:
    with h5py.File(path, "w") as file:
        file["exchange/data"] = MAPS
        file[f"exchange/{names}"] = np.array([b"Ca", b"Fe", b"Zn"])
        file["exchange/y_axis"] = 1.0 + 0.002 * np.arange(20)
        file["exchange/x_axis"] = 0.001 * np.arange(30)
        file["exchange/theta"] = 12.5
        if unit:
            for axis in "xy":
                file[f"exchange/{axis}_axis"].attrs["units"] = unit


@pytest.mark.parametrize("names", ["data_names", "elements"])
def test_each_element_is_a_channel(tmp_path: Path, names: str) -> None:
    write_element_maps(tmp_path / "xrf.h5", names)
    image = tm.open(tmp_path / "xrf.h5")
    assert isinstance(image, Image)
    assert [axis.name for axis in image.axes] == ["channel", "y", "x"]
    for axis, expected in zip(image.axes[1:], AXES[1:], strict=True):
        assert (axis.scale, axis.offset) == pytest.approx((expected.scale, expected.offset), rel=1e-12)
        assert axis.unit == "m"
    assert [channel["name"] for channel in image.metadata["channels"]] == ["Ca", "Fe", "Zn"]
    assert image.metadata["angle_deg"] == 12.5
    np.testing.assert_array_equal(image[1], MAPS[1])


def test_positions_without_a_unit_are_no_lengths(tmp_path: Path) -> None:
    write_element_maps(tmp_path / "xrf.h5", unit=None)
    image = tm.open(tmp_path / "xrf.h5")
    assert isinstance(image, Image)
    assert image.axes[2].unit == ""
    assert image.metadata["uncalibrated"] is True


def test_a_tomography_has_its_angles(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "xrf.h5", "w") as file:
        file["exchange/data"] = np.arange(2 * 5 * 4 * 6, dtype=np.float32).reshape(2, 5, 4, 6)
        file["exchange/elements"] = np.array([b"Fe", b"Zn"])
        file["exchange/theta"] = np.linspace(0, 144, 5)
    image = tm.open(tmp_path / "xrf.h5")
    assert isinstance(image, Image)
    assert [axis.name for axis in image.axes] == ["channel", "angle", "y", "x"]
    assert (image.axes[1].scale, image.axes[1].unit) == (pytest.approx(36), "deg")


def test_names_that_do_not_fit_are_told(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "xrf.h5", "w") as file:
        file["exchange/data"] = MAPS
        file["exchange/data_names"] = np.array([b"Ca", b"Fe"])
    with pytest.raises(
        FormatError, match=r"names 2 elements \(Ca, Fe\), but its data have the shape \(3, 20, 30\)"
    ):
        tm.open(tmp_path / "xrf.h5")
