"""A growing HDF5 file, by every way a writer keeps it and every way we read it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

import tomarium as tm
from tomarium.errors import FormatError, MissingData
from tomarium.formats.hdf5.superblock import ClosedView, lookup3, mark_closed, read_superblock
from tomarium.live import mirror as mirrors
from tomarium.live.mirror import mirror_once
from tomarium.live.mirror_check import what_is_wrong
from tomarium.live.nodes import Dataset

WRITER = """
import sys, h5py, numpy as np
path, libver, flush, swmr = sys.argv[1], sys.argv[2], sys.argv[3] == "flush", sys.argv[4] == "swmr"
lib = None if libver == "default" else (libver, libver) if libver in ("v108", "v110") else libver
file = h5py.File(path, "w", libver=lib)
data = file.create_dataset("e/data", (0, 64, 64), "u2", maxshape=(None, 64, 64), chunks=(1, 64, 64))
angle = file.create_dataset("e/angle", (0,), "f8", maxshape=(None,), chunks=(16,))
angle.attrs["units"] = "degree"
if swmr:
    file.swmr_mode = True
count = 0
for line in sys.stdin:
    if line.strip() == "close":
        break
    for _ in range(int(line)):
        count += 1
        data.resize(count, axis=0), angle.resize(count, axis=0)
        data[count - 1], angle[count - 1] = count, count / 2
    if flush:
        data.flush(), angle.flush()
        if not swmr:
            file.flush()
    print(count, flush=True)
file.close()
"""


class Writer:
    def __init__(self, path: Path, libver: str, flush: str, swmr: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, path, libver, flush, swmr],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def write(self, count: int) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline(), "the writer died"

    def close(self) -> None:
        self.process.communicate("close\n", timeout=120)
        assert self.process.returncode == 0


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Writer]]:
    writers: list[Writer] = []

    def make(libver: str, flush: str, swmr: str = "plain") -> Writer:
        writers.append(Writer(tmp_path / "w.h5", libver, flush, swmr))
        return writers[-1]

    yield make
    for writer in writers:
        if writer.process.poll() is None:
            writer.close()


FLUSHED = [
    ("default", "plain"),
    ("v108", "plain"),
    ("v110", "plain"),
    ("latest", "plain"),
    ("v110", "swmr"),
    ("latest", "swmr"),
]


@pytest.mark.parametrize("reader", ["live", "auto", "mirror"])
@pytest.mark.parametrize(("libver", "swmr"), FLUSHED)
def test_what_was_flushed_is_read(
    libver: str,
    swmr: str,
    reader: str,
    start: Callable[..., Writer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        mirrors, "_check", what_is_wrong
    )  # the copies are sound: no process of its own is wanted
    """Also the two ways h5py itself refuses: version 3 superblocks, with and without SWMR."""
    writer, path = start(libver, "flush", swmr), tmp_path / "w.h5"
    writer.write(20)
    if reader == "mirror":
        mirror_once(path, tmp_path / "mirror")
    opened = tm.open_h5(
        tmp_path / "mirror" if reader == "mirror" else path, "auto" if reader == "auto" else reader
    )
    data, angle = opened["e/data"], opened["e"]["angle"]
    assert isinstance(data, Dataset)
    assert data.shape == (20, 64, 64)
    assert data.valid_frames == 20
    assert [int(frame[3, 4]) for frame in data] == list(range(1, 21))
    assert data[7].min() == data[7].max() == 8
    np.testing.assert_array_equal(angle[:], np.arange(1, 21) / 2)
    assert dict(angle.attrs) == {"units": "degree"}
    assert list(opened["e"]) == ["angle", "data"]
    before = opened.generation
    writer.write(13)  # no reader keeps the writer from going on
    if reader == "mirror":
        mirror_once(path, tmp_path / "mirror")
    assert len(data) == 33
    assert data[32, 0, 0] == 33
    assert opened.generation > before
    writer.close()
    if reader != "mirror":
        assert data[32, 0, 0] == 33


@pytest.mark.parametrize("reader", ["live", "mirror"])
@pytest.mark.parametrize("libver", ["default", "v108", "latest"])
def test_what_was_never_flushed_is_refused_in_words(
    libver: str, reader: str, start: Callable[..., Writer], tmp_path: Path
) -> None:
    writer, path = start(libver, "keep"), tmp_path / "w.h5"
    writer.write(20)
    ways = {
        "mirror": lambda: mirror_once(path, tmp_path / "mirror", patience_s=0.3),
        "live": lambda: tm.open_h5(path, "live", patience_s=0.3),
    }
    with pytest.raises(FormatError, match=r"w\.h5"):
        ways[reader]()
    assert not (tmp_path / "mirror" / "current").exists()
    writer.close()
    assert tm.open_h5(path, "live")["e/data"].valid_frames == 20


def test_a_reader_never_keeps_its_writer_from_opening_again(
    start: Callable[..., Writer], tmp_path: Path
) -> None:
    writer = start("default", "flush")
    writer.write(5)
    opened = tm.open_h5(tmp_path / "w.h5", "live")
    following = opened["e/data"].follow(timeout_s=5)
    assert next(following)[0, 0] == 1
    writer.close()
    with h5py.File(tmp_path / "w.h5", "a") as file:  # with the lock of its own that a reader would hinder
        file["e/data"].resize(6, axis=0)
        file["e/data"][5] = 6
    assert [int(frame[0, 0]) for frame in opened["e/data"]] == [1, 2, 3, 4, 5, 6]


def test_following_waits_for_frames_and_ends(start: Callable[..., Writer], tmp_path: Path) -> None:
    writer, path = start("default", "flush"), tmp_path / "w.h5"
    writer.write(3)
    opened = tm.open_h5(path, "live")

    def write_more() -> None:
        for _ in range(4):
            time.sleep(0.05)
            writer.write(2)

    thread, was_alive = threading.Thread(target=write_more), True

    def stop() -> bool:  # once more is looked after the last frames were written
        nonlocal was_alive
        over, was_alive = not was_alive, thread.is_alive()
        return over

    thread.start()
    seen = [
        int(frame[0, 0])
        for frame in opened["e/data"].follow(start=1, beside=[opened["e/angle"]], stop=stop, poll_s=0.02)
    ]
    thread.join()
    assert seen == list(range(2, 12))
    assert [int(frame[0, 0]) for frame in opened["e/data"].follow(start=9, timeout_s=0.2)] == [10, 11]


def test_frames_that_are_claimed_but_not_written_are_not_made_up(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    with h5py.File(path, "w", locking=False) as file:
        data = file.create_dataset("data", (10, 8, 8), np.uint16, chunks=(1, 8, 8))
        data[:4] = 7
        file.flush()
        growing = tm.open_h5(path, "live", patience_s=0.1)["data"]
        assert growing.shape == (10, 8, 8)
        assert growing.valid_frames == 4
        assert (growing[:4] == 7).all()
        assert len(list(growing)) == 4
        for key in (4, slice(None), (slice(2, 6), 0), [3, 9], ...):
            with pytest.raises(MissingData, match=r"has no entry 4 yet|has no entry 9 yet"):
                growing[key]


def test_an_absent_virtual_source_is_named_and_awaited(tmp_path: Path) -> None:
    layout = h5py.VirtualLayout((6, 4), np.uint16)
    for number in range(2):
        layout[3 * number : 3 * number + 3] = h5py.VirtualSource(f"raw{number}.h5", "d", (3, 4))
    with h5py.File(tmp_path / "raw0.h5", "w") as file:
        file["d"] = np.full((3, 4), 5, np.uint16)
    with h5py.File(tmp_path / "master.h5", "w") as file:
        file.create_virtual_dataset("d", layout)
    for mode in ("static", "live"):
        data = tm.open_h5(tmp_path / "master.h5", mode, patience_s=0.1)["d"]
        assert data.valid_frames == 3
        assert (data[:3] == 5).all()
        with pytest.raises(MissingData, match=r"entries 3 to 5: they lie in raw1\.h5, which is absent"):
            data[:]
    with h5py.File(tmp_path / "raw1.h5", "w") as file:
        file["d"] = np.full((3, 4), 6, np.uint16)
    assert data.valid_frames == 6
    assert data[:, 0].tolist() == [5, 5, 5, 6, 6, 6]


def test_a_file_that_is_deleted_or_replaced_is_met_in_words(
    start: Callable[..., Writer], tmp_path: Path
) -> None:
    writer = start("default", "flush")
    writer.write(3)
    opened = tm.open_h5(tmp_path / "w.h5", "live", patience_s=0.1)
    writer.close()
    (tmp_path / "w.h5").unlink()
    with pytest.raises(FormatError, match=r"w\.h5"):
        opened["e/data"]
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["e/data"] = np.zeros((2, 3))
    assert opened["e/data"].shape == (2, 3)


def test_hostile_files_are_refused_in_every_mode(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"canary" * 20)
    (tmp_path / "scan").mkdir()
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["d"] = np.arange(9)
    with h5py.File(tmp_path / "scan" / "raw.h5", "w") as file:
        file.create_dataset("d", (120,), np.uint8, external=[(str(tmp_path / "secret"), 0, 120)])
    with h5py.File(tmp_path / "scan" / "link.h5", "w") as file:
        file["d"] = h5py.ExternalLink("../secret.h5", "/d")
    for mode in ("static", "live", "auto"):
        with pytest.raises(FormatError, match="raw file"):
            tm.open_h5(tmp_path / "scan" / "raw.h5", mode, patience_s=0.1)
        with pytest.raises(FormatError, match="outside the scan's own folder"):
            tm.open_h5(tmp_path / "scan" / "link.h5", mode, patience_s=0.1)["d"]
    with pytest.raises(FormatError, match="raw file"):
        mirror_once(tmp_path / "scan" / "raw.h5", tmp_path / "mirror", patience_s=0.3)


def test_lookup3_gives_its_authors_number() -> None:
    """The value of driver5 in Jenkins' lookup3.c."""
    assert lookup3(b"Four score and seven years ago") == 0x17770551


@pytest.mark.parametrize("libver", ["v108", "v110", "latest"])
def test_the_checksum_is_the_librarys(tmp_path: Path, libver: str) -> None:
    with h5py.File(tmp_path / "x.h5", "w", libver=(libver, libver)) as file:
        file["x"] = 1
    block = read_superblock(tmp_path / "x.h5")
    assert block.version >= 2
    assert not block.is_written
    whole = (tmp_path / "x.h5").read_bytes()
    assert block.as_closed(len(whole)) == whole[: len(block.content) + 4]


def test_a_mended_file_reads_as_a_closed_one(start: Callable[..., Writer], tmp_path: Path) -> None:
    writer, path = start("latest", "flush"), tmp_path / "w.h5"
    writer.write(4)
    assert read_superblock(path).is_written
    with ClosedView(path) as raw, h5py.File(raw, "r") as file:
        assert file["e/data"][3, 0, 0] == 4
    (tmp_path / "copy.h5").write_bytes(path.read_bytes())
    mark_closed(tmp_path / "copy.h5")
    with h5py.File(tmp_path / "copy.h5", "r") as file:
        assert file["e/data"][3, 0, 0] == 4


def test_a_damaged_superblock_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w", libver="latest") as file:
        file["x"] = 1
    whole = bytearray((tmp_path / "x.h5").read_bytes())
    whole[20] ^= 1
    (tmp_path / "x.h5").write_bytes(whole)
    with pytest.raises(FormatError, match="checksum of its superblock is wrong"):
        read_superblock(tmp_path / "x.h5")
    (tmp_path / "x.h5").write_bytes(b"hello")
    with pytest.raises(FormatError, match="does not begin as HDF5"):
        read_superblock(tmp_path / "x.h5")
