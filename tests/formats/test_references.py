"""Flats and darks in files of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

import tomarium as tm
from tomarium.errors import FormatError
from tomarium.model import FrameKind, Scan

FRAMES = np.arange(6 * 10 * 192, dtype=np.uint16).reshape(6, 10, 192)


@pytest.fixture
def scan_path(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "scan.nxs", "w") as file:
        file["entry/definition"] = "NXtomo"
        file["entry/instrument/detector/data"] = FRAMES
        file["entry/instrument/detector/image_key"] = np.zeros(6, int)
        file["entry/sample/rotation_angle"] = np.linspace(0, 150, 6)
        file["entry/sample/rotation_angle"].attrs["units"] = "deg"
    return tmp_path / "scan.nxs"


def opened(path: Path, **given: object) -> Scan:
    scan = tm.open(path, **given)  # type: ignore[arg-type]
    assert isinstance(scan, Scan)
    return scan


def test_real_files_of_i12(scan_path: Path, shared: Callable[[str], Path]) -> None:
    flat, dark = (shared(f"nexus/i12_separate/{name}_field.h5") for name in ("flat", "dark"))
    assert "the scan holds no flat fields" in opened(scan_path).warnings
    scan = opened(scan_path, flats=flat, darks=dark)
    assert scan.flats is not None
    assert scan.darks is not None
    assert scan.flats.frames.shape == scan.darks.frames.shape == (20, 10, 192)
    with h5py.File(flat) as file:
        expected = file["1-NoProcessPlugin-tomo/data"][()]
    np.testing.assert_array_equal(scan.flats.frames.read(slice(None), slice(None)), expected)
    assert scan.flats.position.tolist() == [-1.0] * 20
    assert scan.counts[FrameKind.FLAT] == 20
    assert not [text for text in scan.warnings if "holds no" in text]
    assert any(
        "flats are those of flat_field.h5:/1-NoProcessPlugin-tomo/data" in text for text in scan.warnings
    )


def test_the_dataset_may_be_named(scan_path: Path, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "both.h5", "w") as file:
        file["a/one"] = np.full((2, 10, 192), 1.0)
        file["a/two"] = np.full((10, 192), 2.0)
    with pytest.raises(
        FormatError, match=r"2 of its datasets hold frames .* name the one with the flats: both.h5:/path"
    ):
        opened(scan_path, flats=tmp_path / "both.h5")
    scan = opened(scan_path, flats=f"{tmp_path}/both.h5:/a/two")
    assert scan.flats is not None
    assert scan.flats.frames.read(slice(None), slice(0, 1))[0, 0, 0] == 2.0


def test_names_tell_flats_from_darks(scan_path: Path, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "both.h5", "w") as file:
        file["flat_field"] = np.full((2, 10, 192), 1.0)
        file["dark_field"] = np.full((3, 10, 192), 2.0)
    scan = opened(scan_path, flats=tmp_path / "both.h5", darks=tmp_path / "both.h5")
    assert scan.flats is not None
    assert scan.darks is not None
    assert (scan.flats.frames.shape[0], scan.darks.frames.shape[0]) == (2, 3)


@pytest.mark.parametrize(
    ("tree", "place", "why"),
    [
        (
            {"x": np.zeros((2, 9, 192))},
            "",
            r"none of its datasets hold frames of \(10, 192\) .*/x \(2, 9, 192\)",
        ),
        (
            {"x": np.zeros((2, 9, 192))},
            ":/x",
            r"frames of \(9, 192\) rows and columns, the projections \(10, 192\)",
        ),
        ({"x": np.zeros((2, 10, 192))}, ":/y", "/y is not there; / holds x"),
        (None, "", "must lie in HDF5"),
    ],
)
def test_what_cannot_be_is_refused(
    scan_path: Path, tmp_path: Path, tree: dict[str, np.ndarray] | None, place: str, why: str
) -> None:
    path = tmp_path / "flats.h5"
    if tree is None:
        path.write_bytes(b"nothing")
    else:
        with h5py.File(path, "w") as file:
            for name, value in tree.items():
                file[name] = value
    with pytest.raises(FormatError, match=why):
        opened(scan_path, flats=f"{path}{place}")


def test_on_the_command_line(scan_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tomarium.cli import execute

    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["x"] = np.ones((2, 10, 192), np.uint16)
    assert execute(["info", str(scan_path), "--flats", str(tmp_path / "f.h5"), "--json"]) == 1, "darks warn"
    assert '"flat": 2' in capsys.readouterr().out
    assert (
        execute(["convert", str(scan_path), str(tmp_path / "o.h5"), "--flats", str(tmp_path / "f.h5")]) == 0
    )
    again = opened(tmp_path / "o.h5")
    assert again.flats is not None
    assert again.flats.frames.shape[0] == 2
    capsys.readouterr()
