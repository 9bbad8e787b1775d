"""What the listings of the Data Exchange guide do with h5py alone works with our files, and theirs with us.

Source: F. De Carlo et al., "Data Exchange file format" 0.9.1, listings 1 to 6: the groups and attributes they write,
with arrays of our own and smaller.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import tomarium as tm
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.model import Geometry, Image, Scan, Value, Volume
from tomarium.model.scan import Reference

RAW = np.random.default_rng(0).integers(100, 60000, (18, 12, 16), np.uint16)
WHITE = np.random.default_rng(1).integers(100, 60000, (2, 12, 16), np.uint16)
DARK = np.random.default_rng(2).integers(0, 100, (10, 12, 16), np.uint16)
THETA = np.arange(18) * 10.0


def listed(file: h5py.File, group: str, name: str, data: Any, **attributes: str) -> None:
    """One step of a listing: a dataset, and its attributes."""
    made = file.require_group(group).create_dataset(name, data=data)
    for key, value in attributes.items():
        made.attrs[key] = value


def listing(path: Path, number: int) -> Path:
    """Write what a listing writes; each adds to the one before."""
    implements = {1: "exchange", 2: "exchange", 3: "exchange", 4: "exchange:measurement"}
    with h5py.File(path, "w") as file:
        file["implements"] = implements.get(number, "exchange:exchange_2:exchange_3:measurement")
        axes = {"axes": "theta:y:x"} if number > 2 else {}
        listed(file, "exchange", "data", RAW, units="counts", description="transmission", **axes)
        if number >= 2:
            dark, white = ({"axes": f"theta_{one}:y:x"} if number > 2 else {} for one in ("dark", "white"))
            listed(file, "exchange", "data_dark", DARK, units="counts", **dark)
            listed(file, "exchange", "data_white", WHITE, units="counts", **white)
            listed(file, "exchange", "title", "tomography raw projections")
        if number >= 3:
            listed(file, "exchange", "theta", THETA, units="degrees")
            listed(file, "exchange", "theta_dark", [0.0] * 5 + [180.0] * 5, units="degrees")
            listed(file, "exchange", "theta_white", [0.0, 180.0], units="degrees")
        if number >= 4:
            listed(file, "measurement/sample", "name", "Hornby_b")
            listed(file, "measurement/instrument", "name", "2-BM")
        if number >= 5:
            normalised = (RAW / RAW.max()).astype(np.float64)
            listed(file, "exchange_2", "data", normalised, units="counts", axes="theta:y:x")
            listed(file, "exchange_2", "theta", THETA, units="degrees")
            listed(file, "exchange_2", "title", "tomography normalized projections")
            listed(file, "exchange_3", "data", np.ones((12, 16, 16)), units="density", axes="z:y:x")
            listed(file, "exchange_3", "title", "tomography reconstructions")
    return path


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_what_a_listing_writes_opens(tmp_path: Path, number: int) -> None:
    path = listing(tmp_path / "listing.h5", number)
    scan = tm.open(path)
    assert isinstance(scan, Scan)
    np.testing.assert_array_equal(scan.projections.read(slice(None), slice(None)), RAW)
    if number >= 3:
        np.testing.assert_array_equal(scan.angles_deg.value, THETA)
    if number >= 2:
        assert scan.flats is not None
        assert scan.darks is not None
        np.testing.assert_array_equal(scan.darks.frames.read(slice(None), slice(None)), DARK)
    if number >= 5:
        second = tm.open(path, entry="exchange_2")
        assert isinstance(second, Scan)
        assert second.projections.dtype == np.float64
        third = tm.open(path, entry="exchange_3")
        assert isinstance(third, Image)
        assert isinstance(third, Volume)
        assert third.shape == (12, 16, 16)


def test_ours_is_read_by_h5py_alone_by_the_listings_own_paths(tmp_path: Path) -> None:
    scan = Scan(
        path=tmp_path / "x", name="x", format="", dialect="", why="",
        projections=ArrayFrames(RAW),
        geometry=Geometry(
            Value(THETA, "read", ""), pixel_m=Value(1.3e-6, "read", ""), energy_kev=Value(19.26, "read", "")
        ),
        flats=Reference(ArrayFrames(WHITE), np.array([-1.0, 18.0])),
        darks=Reference(ArrayFrames(DARK), np.full(10, -1.0)),
        metadata={"sample_name": Value("Hornby_b", "read", "")},
    )  # fmt: skip
    tm.formats.formats()["data-exchange"].write(tmp_path / "ours.h5", scan)  # type: ignore[misc]
    with h5py.File(tmp_path / "ours.h5", "r") as file:
        assert set(file["implements"][()].decode().split(":")) >= {"exchange", "measurement"}
        for name, pixels in (("data", RAW), ("data_white", WHITE), ("data_dark", DARK)):
            np.testing.assert_array_equal(file[f"exchange/{name}"][()], pixels)
            assert file[f"exchange/{name}"].attrs["units"] == "counts"
        assert file["exchange/data"].attrs["axes"] == "theta:y:x"
        np.testing.assert_array_equal(file["exchange/theta"][()], THETA)
        assert file["exchange/theta"].attrs["units"] in ("degree", "degrees", "deg")
        assert file["measurement/sample/name"][()].decode() == "Hornby_b"
        energy = file["measurement/instrument/monochromator/energy"]
        assert (energy[()], energy.attrs["units"]) == (pytest.approx(19.26), "keV")
