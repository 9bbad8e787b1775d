"""Files whose superblock lags behind, as a writer leaves them that is killed between two writes of one flush."""

from __future__ import annotations

import struct
from pathlib import Path

import h5py
import numpy as np
import pytest

import tomarium as tm
from tomarium.errors import FormatError
from tomarium.formats.hdf5.superblock import lookup3, mark_closed, read_superblock
from tomarium.live.mirror import mirror_once
from tomarium.live.nodes import Dataset

VERSIONS = [("earliest", 0), ("v108", 2), ("latest", 3)]


def put_back_the_end(path: Path, cut: int) -> None:
    """Write the superblock as it was when the file was shorter by so many bytes."""
    block = read_superblock(path)
    content = bytearray(block.content)
    place = 24 + 16 if block.version == 0 else 12 + 16
    content[place : place + 8] = (block.end - cut).to_bytes(8, "little")
    checksum = b"" if block.version == 0 else struct.pack("<I", lookup3(bytes(content)))
    with path.open("r+b") as stream:
        stream.write(bytes(content) + checksum)


@pytest.fixture(params=VERSIONS, ids=[name for name, _ in VERSIONS])
def scan(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "spät.h5"
    with h5py.File(tmp_path / "part.h5", "w") as file:
        file["data"] = np.full((8, 16, 16), 5, "u2")
    layout = h5py.VirtualLayout((8, 16, 16), "u2")
    layout[:] = h5py.VirtualSource("part.h5", "data", (8, 16, 16), dtype="u2")
    with h5py.File(path, "w", libver=request.param[0]) as file:
        file["linked"] = h5py.ExternalLink("part.h5", "/data")
        file.create_virtual_dataset("virtual", layout)
        file.flush()
        data = file.create_dataset("data", (8, 16, 16), "u2", chunks=(1, 16, 16))
        file.flush()
        data[:] = np.arange(8, dtype="u2")[:, None, None]
    assert read_superblock(path).version == request.param[1]
    assert read_superblock(path).end == path.stat().st_size
    put_back_the_end(path, 1500)
    return path


def test_the_library_refuses_its_newest_frames(scan: Path) -> None:
    """The fixture is what it says."""
    with h5py.File(scan, "r") as file, pytest.raises(OSError, match="addr overflow"):
        file["data"][:]


def test_all_that_was_written_is_read(scan: Path) -> None:
    file = tm.open_h5(scan, "live")
    data = file["data"]
    assert isinstance(data, Dataset)
    assert data.valid_frames == 8
    assert data[:, 0, 0].tolist() == list(range(8))


def test_what_it_points_to_is_found_beside_it(scan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in the working directory, and not in the file itself, which holds a /data of its own."""
    monkeypatch.chdir("/")
    file = tm.open_h5(scan, "live")
    assert np.all(file["virtual"][:] == 5)
    assert np.all(file["linked"][2] == 5)


def test_a_mirror_opens_with_the_library(scan: Path, tmp_path: Path) -> None:
    mirror_once(scan, tmp_path / "mirror")
    with h5py.File(tmp_path / "mirror" / "current.h5", "r") as file:
        assert file["data"][:, 0, 0].tolist() == list(range(8))


def test_a_mended_copy_opens_with_the_library(scan: Path) -> None:
    mark_closed(scan)
    assert read_superblock(scan).end == scan.stat().st_size
    with h5py.File(scan, "r") as file:
        assert file["data"][7, 0, 0] == 7


def test_as_a_closed_file_it_is_refused_with_the_way_out(scan: Path) -> None:
    with pytest.raises(FormatError, match=r"more than its superblock knows of.*tomarium mirror"):
        tm.open_h5(scan, "static")["data"][:]


def test_virtual_frames_out_of_the_file_itself_are_refused(tmp_path: Path) -> None:
    """The library could only take them from an object of ours, and takes wrong ones."""
    path = tmp_path / "scan.h5"
    layout = h5py.VirtualLayout((2, 16, 16), "u2")
    layout[:] = h5py.VirtualSource(".", "data", (2, 16, 16), dtype="u2")
    with h5py.File(path, "w") as file:
        file["data"] = np.ones((2, 16, 16), "u2")
        file.create_virtual_dataset("virtual", layout)
    put_back_the_end(path, 8)
    with pytest.raises(FormatError, match=r"other datasets of the file.*tomarium mirror"):
        tm.open_h5(path, "live", patience_s=0.5)["virtual"][:]
