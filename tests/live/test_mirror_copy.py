"""A large file is copied where it changed, and a copy is never what its source was not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

import tomarium as tm
from tomarium.live import mirror as mirrors
from tomarium.live import mirror_copy as copies
from tomarium.live.mirror import Generation, mirror, mirror_once
from tomarium.live.mirror_check import what_is_wrong
from tomarium.live.mirror_copy import Copier, is_same

SIDE = 64
CHECK_IN_A_PROCESS = mirrors._check
WRITER = """
import sys, time, h5py, numpy as np
path, seconds, side = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
base = np.arange(side * side, dtype="u4").reshape(side, side)
with h5py.File(path, "w") as file:
    data = file.create_dataset("data", (0, side, side), "u4", maxshape=(None, side, side), chunks=(1, side, side))
    angle = file.create_dataset("angle", (0,), "f8", maxshape=(None,), chunks=(64,))
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        data.resize(number + 1, axis=0)
        data[number] = base + np.uint32(number * 7919)
        angle.resize(number + 1, axis=0)
        angle[number] = number / 8
        file.flush()
        number += 1
        time.sleep(0.02)
print(number)
"""


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    # These files are sound, so that no process of its own is wanted to look through each copy.
    monkeypatch.setattr(mirrors, "_check", what_is_wrong)
    monkeypatch.setattr(mirrors, "_LARGE", 0)
    monkeypatch.setattr(mirrors, "_VERY_LARGE", 0)
    monkeypatch.setattr(copies, "_SMALL_DATASET", 1 << 14)
    monkeypatch.setattr(copies, "_SMALL_PIECE", 64)
    monkeypatch.setattr(copies, "_LITTLE", 1 << 10)


def copied(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the bytes that are read from the source."""
    counts = [0]
    plain = os.pread

    def counting(descriptor: int, count: int, place: int) -> bytes:
        content = plain(descriptor, count, place)
        counts[0] += len(content)
        return content

    monkeypatch.setattr(copies.os, "pread", counting)
    return counts


def frames(first: int, last: int) -> np.ndarray:
    base = np.arange(SIDE * SIDE, dtype="u4").reshape(SIDE, SIDE)
    return np.stack([base + np.uint32(number * 7919) for number in range(first, last)])


@pytest.mark.parametrize("packing", [{}, {"compression": "gzip"}, dict(hdf5plugin.Bitshuffle(cname="lz4"))])
def test_only_what_is_new_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packing: dict[str, object]
) -> None:
    source, folder, copier = tmp_path / "x.h5", tmp_path / "m", Copier(tmp_path / "x.h5")
    with h5py.File(source, "w") as file:
        shape = (None, SIDE, SIDE)
        file.create_dataset("data", (0, SIDE, SIDE), "u4", maxshape=shape, chunks=(1, SIDE, SIDE), **packing)
    counts = copied(monkeypatch)
    # Three files take turns as candidates; each lacks what came since its turn before, and the two newest frames
    # are read again.
    for last, lacking in ((40, 40), (50, 12), (51, 3), (90, 52), (91, 43)):
        with h5py.File(source, "r+") as file:
            data = file["data"]
            first = data.shape[0]
            data.resize(last, axis=0)
            data[first:] = frames(first, last)
            each = data.id.get_storage_size() // last
        counts[0] = 0
        mirror_once(source, folder, copier=copier)
        with h5py.File(folder / "current.h5") as copy:
            assert np.array_equal(copy["data"], frames(0, last))
        assert lacking * each <= counts[0] <= (lacking + 2) * each + 16384
        assert is_same(source, folder / "current.h5")


def test_every_generation_beside_a_writer_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirrors, "_check", CHECK_IN_A_PROCESS)
    source, made, wrong = tmp_path / "x.h5", [], []
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(source), "5", "256"], stdout=subprocess.PIPE, text=True
    )
    base = np.arange(256 * 256, dtype="u4").reshape(256, 256)

    def tell(generation: Generation) -> None:
        data, angle = (tm.open_h5(tmp_path / "m")[name][:] for name in ("data", "angle"))
        made.append(len(data))
        whole = all(np.array_equal(one, base + np.uint32(n * 7919)) for n, one in enumerate(data))
        if not whole or not np.array_equal(angle[: len(data)], np.arange(len(data))[: len(angle)] / 8):
            wrong.append(generation)

    end, written = time.monotonic() + 240, []

    def stop() -> bool:
        if writer.poll() is not None and not written:
            written.append(int(writer.communicate()[0]))
        return time.monotonic() > end or (bool(written) and made[-1:] == written)

    mirror(source, tmp_path / "m", every_s=0.3, on_copy=tell, stop=stop)
    assert not wrong
    assert made
    assert made == sorted(made)
    assert made[-1:] == written
    assert not list((tmp_path / "m").glob(".gen-*"))


def test_a_frame_that_moves_while_it_is_copied_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, folder, copier = tmp_path / "x.h5", tmp_path / "m", Copier(tmp_path / "x.h5")
    random = np.random.default_rng(0)
    with h5py.File(source, "w") as file:
        data = file.create_dataset("data", (30, SIDE, SIDE), "u4", chunks=(1, SIDE, SIDE), compression="gzip")
        data[:] = frames(0, 30)
    plain, moved = copies.wait_for_rest, []

    def disturbed(path: Path, end: float) -> object:
        if not moved:  # frames change in size: HDF5 moves them, and gives their places to others
            with h5py.File(source, "r+") as file:
                for number in range(12):
                    moved.append(file["data"].id.get_chunk_info(number).byte_offset)
                    file["data"][number] = random.integers(0, 2**31, (SIDE, SIDE), np.uint32)
                assert file["data"].id.get_chunk_info(0).byte_offset != moved[0]
        return plain(path, end)

    monkeypatch.setattr(copies, "wait_for_rest", disturbed)
    made = mirror_once(source, folder, copier=copier)
    assert made.attempts > 1
    with h5py.File(folder / "current.h5") as copy, h5py.File(source) as file:
        assert np.array_equal(copy["data"], file["data"])


def test_what_is_filled_in_place_is_not_taken_for_written(tmp_path: Path) -> None:
    source, folder, copier = tmp_path / "x.h5", tmp_path / "m", Copier(tmp_path / "x.h5")
    with h5py.File(source, "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        space = h5py.h5s.create_simple((24, SIDE, SIDE))
        h5py.h5d.create(file.id, b"whole", h5py.h5t.NATIVE_UINT32, space, plist)
        plist.set_chunk((4, SIDE, SIDE))
        h5py.h5d.create(file.id, b"thick", h5py.h5t.NATIVE_UINT32, space, plist)
    for last in (5, 6, 13, 14, 24):
        with h5py.File(source, "r+") as file:
            for name in ("whole", "thick"):
                file[name][:last] = frames(1, last + 1)
        mirror_once(source, folder, copier=copier)
        with h5py.File(folder / "current.h5") as copy:
            for name in ("whole", "thick"):
                assert np.array_equal(copy[name][:last], frames(1, last + 1)), (name, last)
                assert not copy[name][last:].any()
        assert is_same(source, folder / "current.h5")


def test_a_frame_that_is_written_again_comes_when_the_source_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirrors, "_ALONE_S", 0.3)
    source, made = tmp_path / "x.h5", []
    with h5py.File(source, "w") as file:
        file.create_dataset("data", data=frames(0, 20), chunks=(1, SIDE, SIDE))

    def tell(generation: Generation) -> None:
        made.append(generation.number)
        if len(made) == 1:
            with h5py.File(source, "r+") as file:
                file["data"][3] = 5

    def right() -> bool:
        with h5py.File(tmp_path / "m" / "current.h5") as copy:
            return bool((copy["data"][3] == 5).all())

    end = time.monotonic() + 120
    mirror(
        source,
        tmp_path / "m",
        every_s=0.05,
        on_copy=tell,
        stop=lambda: time.monotonic() > end or (bool(made) and right()),
    )
    assert right()
    assert made == [1, 2, 3]


def test_a_copy_that_is_being_read_is_not_written_into(tmp_path: Path) -> None:
    source, folder, copier = tmp_path / "x.h5", tmp_path / "m", Copier(tmp_path / "x.h5")
    with h5py.File(source, "w") as file:
        file.create_dataset("data", data=frames(0, 20), chunks=(1, SIDE, SIDE), maxshape=(None, SIDE, SIDE))
    mirror_once(source, folder, copier=copier)
    with (folder / "current.h5").open("rb") as reader:
        first = reader.read()
        for last in range(21, 27):
            with h5py.File(source, "r+") as file:
                file["data"].resize(last, axis=0)
                file["data"][last - 1] = last
            mirror_once(source, folder, copier=copier)
        reader.seek(0)
        assert reader.read() == first
