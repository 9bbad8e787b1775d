"""Frames in files that differ in their pixels only: one header is parsed, and pixels are those of each file."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

import tomarium as tm
from tomarium.errors import FormatError
from tomarium.formats.tiff import frames
from tomarium.model import Scan

Frame = NDArray[np.uint16]
FRAMES = np.random.default_rng(0).integers(0, 60000, (4, 6, 9), np.uint16)


def directory_before(path: Path, frame: Frame) -> None:
    tifffile.imwrite(path, frame, description="a frame")


def directory_behind(path: Path, frame: Frame) -> None:
    """Write a file as libtiff does: header, pixels, directory."""
    rows, columns = frame.shape
    tags = {256: columns, 257: rows, 258: 16, 259: 1, 262: 1, 273: 8, 277: 1, 278: rows, 279: frame.nbytes}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    header = struct.pack("<2sHI", b"II", 42, 8 + frame.nbytes)
    path.write_bytes(header + frame.tobytes() + struct.pack("<H", len(tags)) + entries + bytes(4))


def big(path: Path, frame: Frame) -> None:
    tifffile.imwrite(path, frame, bigtiff=True, byteorder=">")


def opened(path: Path) -> Scan:
    scan = tm.open(path, angles_deg="0:180:4")
    assert isinstance(scan, Scan)
    return scan


@pytest.mark.parametrize("write", [directory_before, directory_behind, big])
def test_one_header_is_parsed(
    tmp_path: Path, write: Callable[[Path, Frame], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, frame in enumerate(FRAMES):
        write(tmp_path / f"frame_{number}.tif", frame)
    scan = opened(tmp_path)
    monkeypatch.setattr(frames, "opened_tiff", None)  # no file is parsed any more
    np.testing.assert_array_equal(scan.projections.read(slice(0, 4), slice(1, 5)), FRAMES[:, 1:5])


def test_another_header_is_parsed(tmp_path: Path) -> None:
    for number, frame in enumerate(FRAMES):
        directory_before(tmp_path / f"frame_{number}.tif", frame)
    tifffile.imwrite(tmp_path / "frame_2.tif", FRAMES[2], description="another, and longer")
    scan = opened(tmp_path)
    np.testing.assert_array_equal(scan.projections.read(slice(0, 4), slice(0, 6)), FRAMES)
    tifffile.imwrite(tmp_path / "frame_2.tif", FRAMES[2].reshape(9, 6), description="a frame")
    with pytest.raises(
        FormatError, match=r"frame_2\.tif: its page 0 has .* all frames of a scan must be alike"
    ):
        opened(tmp_path).projections.read(slice(0, 4), slice(0, 6))
