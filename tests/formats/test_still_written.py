"""A scan whose writer appends without SWMR is read up to what is there of both frames and angles."""

from __future__ import annotations

import os
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

import tomarium as tm
from tomarium.errors import FormatError
from tomarium.model import Scan

FRAMES = np.random.default_rng(0).integers(100, 60000, (30, 8, 9), np.uint16)


def exchange(path: Path, frames: int, angles: int, *, grows: bool = True) -> Path:
    with h5py.File(path, "w") as file:
        most = (None,) if grows else None
        file.create_dataset("exchange/data", data=FRAMES[:frames], maxshape=(None, 8, 9) if grows else None)
        theta = file.create_dataset("exchange/theta", data=np.arange(angles) * 2.0, maxshape=most)
        theta.attrs["units"] = "deg"
    return path


def nxtomo(path: Path, frames: int, keys: int, angles: int, flats: int = 0) -> Path:
    with h5py.File(path, "w") as file:
        file["entry/definition"] = "NXtomo"
        detector = file.create_group("entry/instrument/detector")
        detector.attrs["NX_class"] = "NXdetector"
        detector.create_dataset("data", data=FRAMES[:frames], maxshape=(None, 8, 9))
        key = (np.arange(keys) < flats).astype(int)
        detector.create_dataset("image_key", data=key, maxshape=(None,))
        turns = file.create_dataset(
            "entry/sample/rotation_angle", data=np.arange(angles) * 2.0, maxshape=(None,)
        )
        turns.attrs["units"] = "degree"
    return path


def opened(path: Path) -> Scan:
    scan = tm.open(path)
    assert isinstance(scan, Scan)
    return scan


@pytest.mark.parametrize(("frames", "angles"), [(22, 23), (23, 22), (16, 30)])
def test_the_smaller_number_is_taken_and_said(tmp_path: Path, frames: int, angles: int) -> None:
    count = min(frames, angles)
    scan = opened(exchange(tmp_path / "a.h5", frames, angles))
    assert scan.shape == (count, 8, 9)
    np.testing.assert_array_equal(scan.angles_deg.value, np.arange(count) * 2.0)
    np.testing.assert_array_equal(scan.projections.read(slice(None), slice(None)), FRAMES[:count])
    said = (
        f"still being written: {frames} projections and {angles} angles are there, the first {count} of both"
    )
    assert any(said in one for one in scan.warnings)


@pytest.mark.parametrize(("keys", "angles"), [(22, 23), (23, 22), (20, 22), (22, 20)])
@pytest.mark.parametrize("flats", [0, 5])
def test_frames_keys_and_angles_may_all_differ(tmp_path: Path, keys: int, angles: int, flats: int) -> None:
    count = min(22, keys, angles)
    scan = opened(nxtomo(tmp_path / "a.nx", 22, keys, angles, flats))
    assert scan.shape[0] == count - flats
    np.testing.assert_array_equal(scan.angles_deg.value, np.arange(flats, count) * 2.0)
    np.testing.assert_array_equal(scan.projections.read(slice(None), slice(None)), FRAMES[flats:count])
    told = ("still being written", "its image_key", "angles for 22 frames")
    assert any(word in one for word in told for one in scan.warnings)


def test_angles_that_may_be_those_of_the_projections_alone_are_not_taken_for_those_of_frames(
    tmp_path: Path,
) -> None:
    with pytest.raises(FormatError, match="15 angles for 17 projections"):
        opened(nxtomo(tmp_path / "a.nx", 22, 22, 15, flats=5))


def test_a_scan_at_rest_is_still_asked_back(tmp_path: Path) -> None:
    path = exchange(tmp_path / "a.h5", 22, 23)
    os.utime(path, (time.time() - 3600,) * 2)
    with pytest.raises(FormatError, match="23 angles for 22 projections"):
        opened(path)


def test_a_scan_of_fixed_size_is_still_asked_back(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="23 angles for 22 projections"):
        opened(exchange(tmp_path / "a.h5", 22, 23, grows=False))
