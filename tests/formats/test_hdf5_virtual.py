"""Virtual datasets of packed frames are read past the library, and bit for bit as it reads them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

import tomarium as tm
from tomarium.errors import FormatError
from tomarium.formats.hdf5.frames import Hdf5Frames, frames_of
from tomarium.formats.hdf5.source import reading
from tomarium.model import Scan

SHAPE = (10, 24, 40)
PIXELS = np.random.default_rng(2).poisson(900, (30, *SHAPE[1:])).astype(np.uint16)


def written(folder: Path, runs: list[tuple[int, int, int, int]], **packing: object) -> Path:
    """Three files of ten frames; `runs` are (first in the virtual dataset, file, first in it, frames)."""
    for number in range(3):
        with h5py.File(folder / f"part{number}.h5", "w") as file:
            part = PIXELS[10 * number : 10 * number + 10]
            file.create_dataset("entry/data", data=part, chunks=(1, *SHAPE[1:]), **packing)
    count = max(first + frames for first, _, _, frames in runs)
    layout = h5py.VirtualLayout((count, *SHAPE[1:]), "u2")
    for first, number, begin, frames in runs:
        source = h5py.VirtualSource(f"part{number}.h5", "entry/data", SHAPE, "u2")
        layout[first : first + frames] = source[begin : begin + frames]
    path = folder / "master.nx"
    with h5py.File(path, "w") as file:
        file["entry/definition"] = "NXtomo"
        detector = file.create_group("entry/instrument/detector")
        detector.create_virtual_dataset("data", layout, fillvalue=7)
        detector["image_key"] = np.r_[np.zeros(count - 4, int), 1, 1, 2, 2]
        file["entry/sample/rotation_angle"] = np.linspace(0, 180, count)
        file["entry/sample/rotation_angle"].attrs["units"] = "deg"
    return path


LZ4 = dict(hdf5plugin.Bitshuffle(cname="lz4"))
RUNS = {
    "one after the other": [(0, 0, 0, 10), (10, 1, 0, 10), (20, 2, 0, 10)],
    "parts of files, out of order": [(0, 2, 3, 5), (5, 0, 8, 2), (7, 1, 0, 10)],
    "with frames that are nowhere": [(0, 0, 0, 4), (6, 1, 2, 8)],
}


@pytest.mark.parametrize("runs", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("packing", [LZ4, {"compression": "gzip", "shuffle": True}, {}])
def test_every_frame_is_as_the_library_reads_it(
    tmp_path: Path, runs: list[tuple[int, int, int, int]], packing: dict[str, object]
) -> None:
    path = written(tmp_path, runs, **packing)
    scan = tm.open(path)
    assert isinstance(scan, Scan)
    frames = scan.projections
    assert isinstance(frames, Hdf5Frames)
    assert bool(frames.layout.parts) == bool(packing)
    with h5py.File(path) as file:
        whole = file["entry/instrument/detector/data"][:]
    there = sorted(frame for first, _, _, count in runs for frame in range(first, first + count))
    truth = whole[[frame for frame in there if frame < len(whole) - 4]]
    assert not np.any(truth == 7)  # what the library makes up
    random = np.random.default_rng(0)
    for chosen in (slice(None), slice(3, 9, 2), random.permutation(len(truth))[:5], np.array([], int)):
        for rows in (slice(None), slice(5, 9), slice(2, 20, 3)):
            assert np.array_equal(frames.read(chosen, rows), truth[chosen, rows])


def test_it_is_really_read_past_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = tm.open(written(tmp_path, RUNS["one after the other"], **LZ4))
    assert isinstance(scan, Scan)
    monkeypatch.setattr(Hdf5Frames, "_fill_piece", lambda *a: pytest.fail("the library was asked"))
    assert np.array_equal(scan.projections.read(slice(None), slice(None)), PIXELS[:26])


def test_an_absent_file_is_named_where_it_is_needed(tmp_path: Path) -> None:
    path = written(tmp_path, RUNS["one after the other"], **LZ4)
    (tmp_path / "part1.h5").unlink()
    scan = tm.open(path)
    assert isinstance(scan, Scan)
    assert np.array_equal(scan.projections.read(slice(0, 10), slice(None)), PIXELS[:10])
    with pytest.raises(FormatError, match=r"lie in part1\.h5, which is absent"):
        scan.projections.read(slice(5, 15), slice(None))


@pytest.mark.parametrize("kind", ["columns", "interleaved", "turned"])
def test_what_is_no_run_of_whole_frames_is_left_to_the_library(tmp_path: Path, kind: str) -> None:
    written(tmp_path, RUNS["one after the other"], **LZ4)
    layout = h5py.VirtualLayout(SHAPE if kind != "columns" else (10, 24, 80), "u2")
    first, second = (h5py.VirtualSource(f"part{number}.h5", "entry/data", SHAPE, "u2") for number in (0, 1))
    if kind == "columns":
        layout[:, :, :40], layout[:, :, 40:] = first, second
    elif kind == "interleaved":
        layout[::2], layout[1::2] = first[:5], second[5:]
    else:
        layout[:, :12], layout[:, 12:] = first[:, 12:], first[:, :12]
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file.create_virtual_dataset("data", layout)
    with reading(tmp_path / "v.h5") as source:
        node = source.find("/data")
        assert isinstance(node, h5py.Dataset)
        truth, frames = node[:], frames_of(source, node)
    assert frames.layout.parts == ()
    assert np.array_equal(frames.read(slice(None), slice(None)), truth)
    assert np.array_equal(replace(frames).read(np.array([7, 1]), slice(3, 5)), truth[[7, 1], 3:5])
