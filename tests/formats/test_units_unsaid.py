"""Numbers without their unit: what no scan has is left out, what may be radians is said."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import tomarium as tm
from tomarium.conversion.convert import convert
from tomarium.model import Scan

FRAMES = np.random.default_rng(0).integers(100, 60000, (60, 8, 9), np.uint16)


def opened(path: Path, **given: str) -> Scan:
    scan = tm.open(path, **given)
    assert isinstance(scan, Scan)
    return scan


def exchange(path: Path, theta: np.ndarray, unit: str = "", pixel: float | None = None) -> Path:
    with h5py.File(path, "w") as file:
        file["exchange/data"] = FRAMES[: len(theta)]
        file["exchange/theta"] = theta
        if unit:
            file["exchange/theta"].attrs["units"] = unit
        if pixel is not None:
            file["measurement/instrument/detector/x_pixel_size"] = pixel
    return path


@pytest.mark.parametrize("unit", ["", "m"])
def test_a_pixel_of_metres_is_left_out(tmp_path: Path, unit: str) -> None:
    path = exchange(tmp_path / "a.h5", np.arange(60) * 3.0, "deg", 6.5)
    if unit:
        with h5py.File(path, "a") as file:
            file["measurement/instrument/detector/x_pixel_size"].attrs["units"] = unit
    scan = opened(path)
    assert scan.pixel_m is None
    assert any("x_pixel_size was left out: 6.5 m is no pixel of a scan" in said for said in scan.warnings)
    assert opened(path, pixel_m="6.5 um").pixel_m is not None


def test_what_is_left_out_does_not_come_back_in_a_conversion(tmp_path: Path) -> None:
    scan = opened(exchange(tmp_path / "a.h5", np.arange(60) * 3.0, "deg", 6.5))
    for name in ("b.nx", "b.tif"):
        convert(scan, tmp_path / name)
        assert opened(tmp_path / name).pixel_m is None


@pytest.mark.parametrize(("count", "step"), [(60, 0.0488), (20, 0.1), (60, np.pi / 60), (60, np.pi / 30)])
def test_angles_without_a_unit_that_may_be_radians_are_said(tmp_path: Path, count: int, step: float) -> None:
    theta = np.arange(count) * step
    scan = opened(exchange(tmp_path / "a.h5", theta))
    np.testing.assert_array_equal(scan.angles_deg.value, theta)
    assert sum("may be radians" in said or "look like radians" in said for said in scan.warnings) == 1
    given = f"0:{np.rad2deg(theta[-1]):.6g}:{count}"
    assert any(said.endswith(f"--angles {given}") for said in scan.warnings)
    assert not any("radians" in said for said in opened(tmp_path / "a.h5", angles_deg=given).warnings)


@pytest.mark.parametrize(("theta", "unit"), [(np.arange(60) * 3.0, ""), (np.arange(60) * 0.04, "deg")])
def test_degrees_raise_no_doubt(tmp_path: Path, theta: np.ndarray, unit: str) -> None:
    assert not any("radians" in said for said in opened(exchange(tmp_path / "a.h5", theta, unit)).warnings)
