"""Scans and volumes that were announced and not written to their end: nothing is made up, and the rest is had."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import tomarium as tm
from tomarium.conversion.convert import convert
from tomarium.errors import FormatError
from tomarium.formats.hdf5.missing_data import is_sparse, unwritten
from tomarium.model import FrameKind, Volume

SHAPE = (40, 8, 8)
ROWS = slice(0, 8)


def exchange(path: Path, written: slice | np.ndarray = np.s_[:25], **storage: object) -> Path:
    """Write a Data Exchange scan of 40 views, some of which hold their own number plus one."""
    with h5py.File(path, "w") as file:
        file["implements"] = "exchange"
        data = file.create_dataset("exchange/data", SHAPE, "u2", **({"chunks": (1, 8, 8)} | storage))
        numbers = np.arange(1, 41, dtype="u2")[:, None, None] * np.ones(SHAPE, "u2")
        data[written] = numbers[written]
        file["exchange/data_white"], file["exchange/data_dark"] = np.full((2, 2, 8, 8), 99, "u2")
        file["exchange/theta"] = np.arange(40) * 4.5
        file["exchange/theta"].attrs["units"] = "deg"
    return path


def opened(path: Path) -> tm.Scan:
    scan = tm.open(path)
    assert isinstance(scan, tm.Scan)
    return scan


@pytest.mark.parametrize(
    "storage", [{}, {"compression": "gzip"}, {"chunks": (5, 4, 8)}, {"maxshape": (None, 8, 8)}]
)
def test_a_stopped_scan_has_the_projections_that_were_written(
    tmp_path: Path, storage: dict[str, object]
) -> None:
    scan = opened(exchange(tmp_path / "scan.h5", **storage))
    assert scan.shape == (25, 8, 8)
    assert scan.counts[FrameKind.PROJECTION] == 25
    assert scan.projections.read(slice(None), ROWS)[:, 3, 3].tolist() == list(range(1, 26))
    assert scan.angles_deg.value.tolist() == (np.arange(25) * 4.5).tolist()
    assert any("15 of 40 projections were never written" in one for one in scan.warnings)


def test_a_hole_is_left_out_with_its_angles(tmp_path: Path) -> None:
    scan = opened(exchange(tmp_path / "scan.h5", np.r_[0:10, 13:40]))
    there = np.r_[0:10, 13:40]
    assert scan.projections.read(slice(None), ROWS)[:, 0, 0].tolist() == (there + 1).tolist()
    assert scan.angles_deg.value.tolist() == (there * 4.5).tolist()


def test_a_scan_of_which_nothing_was_written_opens_and_gives_no_frame(tmp_path: Path) -> None:
    path = exchange(tmp_path / "scan.h5", np.s_[:0])
    scan = opened(path)
    assert scan.shape == SHAPE
    with pytest.raises(FormatError, match=r"entries 0 to 39 of scan\.h5:/exchange/data were never written"):
        scan.projections.read(slice(0, 2), ROWS)


def test_data_in_one_piece_without_any_bytes_are_not_zeros(tmp_path: Path) -> None:
    with h5py.File(exchange(tmp_path / "scan.h5"), "a") as file:
        del file["exchange/data_white"]
        file.create_dataset("exchange/data_white", (2, 8, 8), "u2")
    scan = opened(tmp_path / "scan.h5")
    assert scan.flats is not None
    with pytest.raises(FormatError, match="data_white were never written"):
        scan.flats.frames.read(slice(None), ROWS)


def test_references_keep_their_place_among_the_projections(tmp_path: Path) -> None:
    """NXtomo: a flat, ten views, a flat, ten views of which six were written, and no flat at the end."""
    keys = np.r_[1, np.zeros(10, int), 1, np.zeros(10, int)]
    with h5py.File(tmp_path / "scan.nx", "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry["definition"] = "NXtomo"
        detector = entry.create_group("instrument/detector")
        data = detector.create_dataset("data", (22, 8, 8), "u2", chunks=(1, 8, 8))
        for number in (*range(4), *range(8, 18)):
            data[number] = number
        detector["image_key"] = keys
        entry["sample/rotation_angle"] = np.arange(22.0)
        entry["sample/rotation_angle"].attrs["units"] = "deg"
    scan = opened(tmp_path / "scan.nx")
    there = [*range(1, 4), *range(8, 11), *range(12, 18)]
    assert scan.projections.read(slice(None), ROWS)[:, 0, 0].tolist() == there
    assert scan.angles_deg.value.tolist() == there
    assert scan.flats is not None
    assert scan.flats.position.tolist() == [-1.0, 5.5]


def test_a_virtual_stack_that_maps_only_some_of_its_frames_has_those(tmp_path: Path) -> None:
    path = exchange(tmp_path / "scan.h5")
    layout = h5py.VirtualLayout(SHAPE, "u2")
    with h5py.File(tmp_path / "raw.h5", "w") as file:
        file["data"] = np.full((30, 8, 8), 7, "u2")
    layout[:30] = h5py.VirtualSource("raw.h5", "data", (30, 8, 8), dtype="u2")
    with h5py.File(path, "a") as file:
        del file["exchange/data"]
        file.create_virtual_dataset("exchange/data", layout)
    scan = opened(path)
    assert scan.shape == (30, 8, 8)
    assert np.all(scan.projections.read(slice(None), ROWS) == 7)


def test_a_volume_gives_no_slice_that_was_never_written(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "volume.h5", "w") as file:
        entry = file.create_group("entry/reconstruction")
        file["entry"].attrs["NX_class"] = "NXentry"
        file["entry/definition"] = "NXtomoproc"
        data = entry.create_group("results").create_dataset("data", (9, 4, 4), "f4", chunks=(1, 4, 4))
        data[:6] = 2
        file["entry/data"] = h5py.SoftLink("/entry/reconstruction/results")
    volume = tm.open(tmp_path / "volume.h5")
    assert isinstance(volume, Volume)
    assert np.all(np.asarray(volume.data[:6]) == 2)
    with pytest.raises(FormatError, match="entries 6 to 8 of volume"):
        volume.data[4:7]


def test_which_entries_lack_is_told_for_every_axis(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        data = file.create_dataset("x", (10, 9), "f4", chunks=(4, 2))
        assert unwritten(data) == [(0, 10)]
        data[:4], data[8:, :2] = 1, 1
        assert unwritten(data) == [(4, 10)]
        assert unwritten(data, 1) == [(0, 9)]
        data[4:8] = 1
        assert unwritten(data) == [(8, 10)]
        assert unwritten(data, 1) == [(2, 9)]
        data[8:] = 1
        assert unwritten(data) == unwritten(data, 1) == []
        assert not is_sparse(data)


def test_a_stopped_scan_comes_home_as_sparse_as_it_was(tmp_path: Path) -> None:
    path = exchange(tmp_path / "scan.h5", np.r_[0:10, 13:25], compression="gzip")
    convert(opened(path), tmp_path / "scan.nx")
    assert opened(tmp_path / "scan.nx").shape == (22, 8, 8)
    convert(opened(tmp_path / "scan.nx"), tmp_path / "home.h5")
    with h5py.File(path) as one, h5py.File(tmp_path / "home.h5") as other:
        a, b = one["exchange/data"], other["exchange/data"]
        assert np.array_equal(a[:], b[:])
        assert unwritten(a) == unwritten(b) == [(10, 13), (25, 40)]


def test_a_torn_index_is_searched_and_never_believed(tmp_path: Path) -> None:
    """As found after kill -9: the index claims one chunk more than it names, and the library misses its last one."""
    path = exchange(tmp_path / "scan.h5")
    content = bytearray(path.read_bytes())
    node = content.index(b"TREE\1\0")
    assert content[node + 6 : node + 8] == b"\x19\0"
    content[node + 6] += 1
    path.write_bytes(content)
    with h5py.File(path) as file:
        data = file["exchange/data"]
        assert data.id.get_num_chunks() == 26
        assert unwritten(data) == [(24, 40)]
        assert data[23:26, 0, 0].tolist() == [24, 0, 0]  # the library's own answer
    scan = opened(path)
    assert scan.projections.read(slice(None), ROWS)[:, 0, 0].tolist() == list(range(1, 25))


RUNNING = """
import sys, h5py, numpy as np
with h5py.File(sys.argv[1], "w", libver="latest") as file:
    file["implements"] = "exchange"
    file["exchange/data_white"] = file["exchange/data_dark"] = np.full((2, 8, 8), 9, "u2")
    file["exchange/theta"] = np.arange(40) * 4.5
    file["exchange/theta"].attrs["units"] = "deg"
    data = file.create_dataset("exchange/data", (0, 8, 8), "u2", maxshape=(None, 8, 8), chunks=(1, 8, 8))
    file.swmr_mode = True
    for number in range(40):
        data.resize(number + 1, axis=0)
        data[number] = number + 1
        data.flush()
        if number == 24:
            print("there", flush=True)
            sys.stdin.readline()
"""


def test_a_running_scan_opens_with_the_projections_it_has(tmp_path: Path) -> None:
    """Written for readers beside it (SWMR), as detectors do; also after its writer was killed."""
    path = tmp_path / "scan.h5"
    words = [sys.executable, "-c", RUNNING, str(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        for end in (False, True):
            scan = opened(path)
            assert scan.shape == (25, 8, 8)
            assert scan.projections.read(slice(None), ROWS)[:, 3, 3].tolist() == list(range(1, 26))
            assert scan.angles_deg.value.tolist() == (np.arange(25) * 4.5).tolist()
            assert any("still running: 25 projections of 40 angles" in one for one in scan.warnings)
            if not end:
                writer.kill()
                writer.wait()
