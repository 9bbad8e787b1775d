"""A run that stopped goes on from the same frames and values only, in whatever files they lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import tomarium as tm
from scans import changed
from tomarium.conversion.convert import convert
from tomarium.formats.provenance.source_fingerprint import files_of, origin_of
from tomarium.model import Scan, Value

FRAMES = np.random.default_rng(5).integers(0, 60000, (12, 40, 50), np.uint16)


def data_exchange(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["exchange/data"] = FRAMES
        file["exchange/again"] = FRAMES[::-1]
        file["exchange/theta"] = np.arange(12.0)
    return path


def virtual(folder: Path) -> Path:
    """A scan whose frames are taken from a file that takes them from another."""
    with h5py.File(folder / "raw.h5", "w") as file:
        file["raw"] = FRAMES
    for name, source, place in (("between.h5", "raw.h5", "raw"), ("scan.h5", "between.h5", "exchange/data")):
        with h5py.File(folder / name, "w") as file:
            layout = h5py.VirtualLayout(FRAMES.shape, FRAMES.dtype)
            layout[...] = h5py.VirtualSource(source, place, FRAMES.shape)
            file.create_virtual_dataset("exchange/data", layout)
            file["exchange/theta"] = np.arange(12.0)
    return folder / "scan.h5"


def series(folder: Path, form: str) -> Path:
    convert(opened(data_exchange(folder / "of.h5")), folder / "scan", to=form)
    return folder / "scan"


def opened(path: Path, **given: Any) -> Scan:
    scan = tm.open(path, **given)
    assert isinstance(scan, Scan)
    return scan


def test_the_same_scan_has_the_same_origin(tmp_path: Path) -> None:
    path = data_exchange(tmp_path / "a.h5")
    assert origin_of(opened(path), "tiff") == origin_of(opened(path), "tiff") != ""


@pytest.mark.parametrize("form", ["edf", "tiff", "virtual"])
def test_a_change_of_any_file_is_seen(tmp_path: Path, form: str) -> None:
    path = virtual(tmp_path) if form == "virtual" else series(tmp_path, form)
    before = origin_of(opened(path), "x"), files_of(opened(path).projections)
    changed = tmp_path / "raw.h5" if form == "virtual" else sorted(path.rglob("*0007*"))[0]
    content = changed.read_bytes()
    changed.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    after = origin_of(opened(path), "x"), files_of(opened(path).projections)
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_other_frames_of_the_same_file_are_others(tmp_path: Path) -> None:
    path = data_exchange(tmp_path / "a.h5")
    said = [
        origin_of(opened(path, data=place, angles_deg=np.arange(6.0)), "x")
        for place in ("/exchange/data[0:6]", "/exchange/data[6:12]", "/exchange/again[0:6]")
    ]
    assert len(set(said)) == 3


@pytest.mark.parametrize("what", ["pixel_m", "energy_kev", "distance_m", "axis_column"])
def test_other_values_are_another_origin(tmp_path: Path, what: str) -> None:
    scan = opened(data_exchange(tmp_path / "a.h5"))
    other = changed(scan, **{what: Value(2.0, "user", "")})
    assert len({origin_of(scan, "x"), origin_of(other, "x")}) == 2


def test_one_angle_amid_many_is_seen(tmp_path: Path) -> None:
    scan, angles = opened(data_exchange(tmp_path / "a.h5")), np.linspace(0, 180, 5000)
    moved = angles.copy()
    moved[2500] += 1e-3
    said = {
        origin_of(scan.with_geometry(angles_deg=Value(one, "read", "")), "x")
        for one in (angles, angles, moved)
    }
    assert len(said) == 2


def test_what_another_format_left_is_not_mixed_in(tmp_path: Path) -> None:
    scan = opened(data_exchange(tmp_path / "a.h5"))

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(scan, tmp_path / "out", to="tiff", on_progress=stop)
    assert list((tmp_path / ".out.partial").rglob("*.tif"))
    convert(scan, tmp_path / "out", to="edf")
    assert not list((tmp_path / "out").rglob("*.tif"))


def test_a_changed_series_is_not_mixed_into_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tomarium.formats.hdf5.writer._BLOCK_BYTES", FRAMES[0].nbytes)
    path = series(tmp_path, "edf")

    def stop(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(opened(path), tmp_path / "out.nx", to="nxtomo", on_progress=stop)
    first = sorted(path.glob("scan0000*"))[0]
    first.write_bytes(first.read_bytes()[: -FRAMES[0].nbytes] + bytes(FRAMES[0].nbytes))
    convert(opened(path), tmp_path / "out.nx", to="nxtomo")
    assert not opened(tmp_path / "out.nx").projections.read(slice(0, 1), slice(None)).any()
