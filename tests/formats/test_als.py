"""ALS 8.3.2: one dataset a frame, values as texts in attributes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

import tomarium as tm
from contracts.test_formats import example_scan
from formats.beamline_makers import pixels, write_als
from tomarium.errors import FormatError
from tomarium.model import FrameKind, Scan


def opened(path: Path, **given: object) -> Scan:
    scan = tm.open(path, **given)
    assert isinstance(scan, Scan)
    return scan


def test_the_real_file(shared: Callable[[str], Path]) -> None:
    path = shared("dx/als_832_read_stack.h5")
    scan = opened(path)
    assert (scan.format, scan.dialect) == ("als", "ALS 8.3.2")
    assert scan.shape == (20, 10, 10)
    assert scan.counts == {FrameKind.PROJECTION: 20, FrameKind.FLAT: 4, FrameKind.DARK: 2}
    np.testing.assert_allclose(scan.angles_deg.value, np.linspace(0, 180, 20))
    assert scan.angles_deg.origin == "derived"
    assert scan.flats.position.tolist() == [-1, -1, 20, 20]
    assert scan.darks.position.tolist() == [20, 20]
    assert scan.pixel_m.value == 6.45e-7  # PCO edge, 6.5 µm, behind a lens of 10 times
    assert scan.energy_kev.value == pytest.approx(19.99963, abs=1e-6)
    assert scan.metadata["scintillator"].value == "20 um LuAG"
    assert scan.metadata["/20151120_100640_testBL832h5file@Izero"].value == "-0.897527"
    assert scan.metadata["/@end_station"].value == "bl832"
    assert scan.warnings == scan.repaired == scan.missing == ()
    with h5py.File(path, "r", locking=False) as file:
        group = file["20151120_100640_testBL832h5file"]
        for number in (0, 7, 19):
            frame = group[f"20151120_100640_testBL832h5file_0000_{number:04d}.tif"][0]
            np.testing.assert_array_equal(
                scan.projections.read(np.array([number]), slice(2, 5))[0], frame[2:5]
            )
        flat = group["20151120_100640_testBL832h5filebak_0001_0019.tif"][0]
        np.testing.assert_array_equal(pixels(scan.flats.frames)[3], flat)


def test_a_gap_keeps_every_frame_at_its_own_angle(tmp_path: Path) -> None:
    path = write_als(tmp_path / "x.h5", example_scan())
    with h5py.File(path, "a") as file:
        del file["20151120_100640_bone/20151120_100640_bone_0000_0004.tif"]
    scan = opened(path)
    np.testing.assert_allclose(scan.angles_deg.value, np.delete(np.linspace(0, 165, 12), 4))
    assert any("nangles says 12 projections, 11 are there" in text for text in scan.warnings)


def test_without_angles_the_default_is_said(tmp_path: Path) -> None:
    path = write_als(tmp_path / "x.h5", example_scan())
    with h5py.File(path, "a") as file:
        file["20151120_100640_bone"].attrs["arange"] = np.bytes_("\r")
        file["20151120_100640_bone"].attrs["pxsize"] = np.bytes_("-1\r")
    scan = opened(path)
    assert scan.angles_deg.origin == "default"
    assert scan.pixel_m is None
    assert len(scan.warnings) == 2


def test_tiles_are_entries(tmp_path: Path) -> None:
    path = write_als(tmp_path / "x.h5", example_scan())
    with h5py.File(path, "a") as file:
        group = file["20151120_100640_bone"]
        for number in range(12):
            group[f"20151120_100640_bone_0001_{number:04d}.tif"] = np.full((1, 4, 8), number, np.uint16)
    np.testing.assert_array_equal(pixels(opened(path).projections), pixels(example_scan().projections))
    second = opened(path, entry="0001")
    assert pixels(second.projections)[:, 0, 0].tolist() == list(range(12))
    assert any("tile 0001 was opened; the file holds 0000, 0001" in text for text in second.warnings)


@pytest.mark.parametrize("shape", [(1, 4, 9), (2, 4, 8)])
def test_an_odd_frame_is_refused_by_name(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = write_als(tmp_path / "x.h5", example_scan())
    name = "20151120_100640_bone/20151120_100640_bone_0000_0004.tif"
    with h5py.File(path, "a") as file:
        del file[name]
        file[name] = np.zeros(shape, np.uint16)
    with pytest.raises(FormatError, match=r"bone_0000_0004\.tif"):
        tm.open(path)
