"""The same access gives the same answer on a closed file, a growing one, a mirror, a live writer's and zarr."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices

import tomarium as tm
from tomarium.errors import FormatError, MissingData, ParameterError
from tomarium.formats.hdf5.superblock import read_superblock
from tomarium.live.mirror import mirror_once
from tomarium.live.nodes import Dataset, File, Group

DRAW = np.random.default_rng(5)
ARRAYS: dict[str, np.ndarray[Any, Any]] = {
    "entry/frames": DRAW.integers(0, 60000, (9, 7, 11), np.uint16),
    "entry/angles": DRAW.normal(size=9),
    "entry/deep/er/map": DRAW.normal(size=(4, 5)).astype(np.float32),
    "single": np.array(3.25),
}
TEXT = "a tooth, 0.65 µm"
ATTRIBUTES = {"units": "degree", "count": 9, "scale": 0.5}


def fill_hdf5(file: h5py.File) -> None:
    for name, array in ARRAYS.items():
        chunks = {"chunks": (2, *array.shape[1:]), "compression": "gzip"} if array.ndim == 3 else {}
        file.create_dataset(name, data=array, **chunks)
    file["title"] = TEXT
    file["entry/angles"].attrs.update(ATTRIBUTES)
    file["entry"].attrs["default"] = "frames"


def fill_zarr(path: Path) -> None:
    root = zarr.open_group(path, mode="w", zarr_format=3)
    for name, array in ARRAYS.items():
        root.create_array(name, data=array, chunks=(2, *array.shape[1:]) if array.ndim == 3 else "auto")
    root.create_array("title", data=np.array(TEXT, dtype=np.dtypes.StringDType()))
    root["entry/angles"].attrs.update(ATTRIBUTES)
    root["entry"].attrs["default"] = "frames"


MODES = ("static", "live", "mirror", "zarr")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> dict[str, File]:
    home = tmp_path_factory.mktemp("nodes")
    with h5py.File(home / "x.h5", "w") as file:
        fill_hdf5(file)
    fill_zarr(home / "x.zarr")
    mirror_once(home / "x.h5", home / "mirror")
    places = {"mirror": home / "mirror", "zarr": home / "x.zarr"}
    return {mode: tm.open_h5(places.get(mode, home / "x.h5"), mode) for mode in MODES}


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_the_same_slices_everywhere(opened: dict[str, File], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(ARRAYS)))
    array = ARRAYS[name]
    if array.ndim and data.draw(st.booleans()):
        chosen = data.draw(st.lists(st.integers(0, len(array) - 1), min_size=1, unique=True).map(sorted))
        key: Any = (chosen, *data.draw(basic_indices(array.shape[1:], allow_newaxis=False, allow_ellipsis=False).map(
            lambda one: one if isinstance(one, tuple) else (one,))))  # fmt: skip
        key = tuple(
            slice(one.start, one.stop, abs(one.step or 1)) if isinstance(one, slice) else one for one in key
        )
        expected = array[np.ix_(chosen)][(slice(None), *key[1:])]
    else:
        key = data.draw(basic_indices(array.shape, allow_newaxis=False))
        forward = key if isinstance(key, tuple) else (key,)
        key = tuple(
            slice(one.start, one.stop, abs(one.step or 1)) if isinstance(one, slice) else one
            for one in forward
        )
        expected = array[key]
    for mode, file in opened.items():
        node = file[name]
        assert isinstance(node, Dataset)
        found = node[key]
        np.testing.assert_array_equal(found, expected, err_msg=f"{mode} {name}[{key}]")
        assert np.asarray(found).dtype == array.dtype, mode


@given(
    st.sampled_from(
        ["entry", "entry/deep", "entry/deep/er", "nothing", "entry/none", *sorted(ARRAYS), "title"]
    )
)
@settings(deadline=None, max_examples=20)
def test_the_same_tree_everywhere(opened: dict[str, File], path: str) -> None:
    told = {mode: _describe(file, path) for mode, file in opened.items()}
    assert len({repr(one) for one in told.values()}) == 1, told


def _describe(file: File, path: str) -> tuple[Any, ...]:
    if path not in file:
        with pytest.raises(KeyError, match="it holds"):
            file[path]
        return ("nothing",)
    node = file[path]
    # NumPy's numbers and Python's are alike here.
    attributes = {
        name: value if isinstance(value, str) else float(value) for name, value in sorted(node.attrs.items())
    }
    if isinstance(node, Group):
        return ("group", sorted(node), len(node), attributes)
    return ("dataset", node.shape, node.dtype.str, node.ndim, node.size, node.valid_frames, attributes)


@pytest.mark.parametrize("mode", MODES)
def test_the_same_manners_everywhere(opened: dict[str, File], mode: str) -> None:
    file = opened[mode]
    assert file.mode == mode
    assert sorted(file) == ["entry", "single", "title"]
    assert len(file) == 3
    frames = file["entry"]["frames"]
    assert isinstance(frames, Dataset)
    assert file["/entry/frames"][0, 0, 0] == frames[0, 0, 0] == ARRAYS["entry/frames"][0, 0, 0]
    assert len(frames) == 9
    assert frames.chunks == (2, 7, 11)
    np.testing.assert_array_equal(np.asarray(frames), ARRAYS["entry/frames"])
    np.testing.assert_array_equal(list(frames), ARRAYS["entry/frames"])
    np.testing.assert_array_equal(list(frames.follow(timeout_s=0.05, poll_s=0.01)), ARRAYS["entry/frames"])
    assert file["title"][()] == TEXT
    assert file["single"][()] == 3.25
    with pytest.raises(TypeError, match="has no length"):
        len(file["single"])
    assert file.status in ("closed", "growing", "quiet")
    assert isinstance(file.generation, int)
    with pytest.raises((IndexError, FormatError), match=r"(?i)out of (range|bounds)"):
        frames[99]
    with file as same:
        assert same is file


def test_modes_are_found_and_wrong_ones_refused(tmp_path: Path, opened: dict[str, File]) -> None:
    os.utime(opened["static"].path)  # it was written just now
    for mode, file in opened.items():
        found = tm.open_h5(file.path).mode
        assert found == ("live" if mode == "static" else mode)
    static = opened["static"].path
    with pytest.raises(ParameterError, match="no mode 'fast'; there are auto, static, live, mirror, zarr"):
        tm.open_h5(static, "fast")  # type: ignore[arg-type]
    with pytest.raises(FormatError, match="no mirror; make one with"):
        tm.open_h5(static, "mirror")
    with pytest.raises(FormatError, match="is a folder"):
        tm.open_h5(opened["zarr"].path, "static")
    with pytest.raises(FormatError, match=r"no zarr group|cannot be read as zarr"):
        tm.open_h5(static, "zarr")
    with pytest.raises(FormatError, match="there is no such file"):
        tm.open_h5(tmp_path / "none.h5")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(FormatError, match="is no HDF5 file"):
        tm.open_h5(tmp_path / "text")


def test_an_old_file_is_taken_for_closed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["a"] = np.arange(3)
        file["end_time"] = "2026-11-21T00:00:00Z"
    os.utime(tmp_path / "x.h5", (1e9, 1e9))
    opened = tm.open_h5(tmp_path / "x.h5")
    assert (opened.mode, opened.status) == ("static", "finished")
    (tmp_path / "x.h5").unlink()
    with pytest.raises(FormatError):
        opened["a"]


def test_a_dataset_that_has_gone_says_so(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["a"] = np.arange(3)
    data = tm.open_h5(tmp_path / "x.h5", "static")["a"]
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_group("a")
    with pytest.raises(MissingData, match="no such dataset any more"):
        _ = data.shape
    with pytest.raises(MissingData, match="there is no dataset /a"):
        data[0]


@pytest.mark.parametrize("swmr", [False, True])
def test_a_file_marked_as_open_is_walked_through_too(tmp_path: Path, swmr: bool) -> None:
    secret, path = tmp_path / "secret", tmp_path / "scan.h5"
    secret.write_bytes(bytes(range(120)))
    program = f"""
import h5py, os
file = h5py.File({str(path)!r}, "w", libver="v110")
file.create_dataset("data", (120,), "u1", external=[({str(secret)!r}, 0, 120)])
if {swmr}:
    file.swmr_mode = True
file.flush()
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    assert read_superblock(path).is_written
    for mode in ("live", "auto"):
        with pytest.raises(FormatError, match="keeps its bytes in the raw file"):
            tm.open_h5(path, mode, patience_s=0.5)


@pytest.mark.parametrize("storage", [{"chunks": (1, 4, 4)}, {"chunks": (1, 4, 4), "shards": (2, 8, 8)}])
@pytest.mark.parametrize("version", [2, 3])
def test_a_growing_zarr_has_the_frames_whose_chunks_are_there(
    tmp_path: Path, version: int, storage: dict[str, tuple[int, ...]]
) -> None:
    if version == 2:
        storage = {"chunks": storage.get("shards", storage["chunks"])}
    root = zarr.open_group(tmp_path / "x.zarr", mode="w", zarr_format=version)
    data = root.create_array("data", shape=(8, 8, 8), dtype="u2", **storage)
    data[:4] = 7
    frames = tm.open_h5(tmp_path / "x.zarr")["data"]
    assert frames.reader.status == "growing"
    assert frames.valid_frames == 4
    assert len(list(frames.follow(timeout_s=0.2, poll_s=0.05))) == 4
    assert frames[:, 0, 0].tolist() == [7] * 4 + [0] * 4  # as zarr has it: its writer has said nothing
    root.attrs["writer_status"] = "writing"
    with pytest.raises(MissingData, match="no entry 4 yet, of 8"):
        frames[:]
    assert np.all(frames[:4] == 7)
    root.attrs["writer_status"] = "finished"
    assert frames.valid_frames == 8


@pytest.mark.parametrize("key", [[3, 1], "x", slice(None, None, -1), 1.5, (0, "x"), None])
def test_what_cannot_be_selected_is_no_damage(key: Any, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["a"] = np.arange(20).reshape(5, 4)
    held = tm.open_h5(tmp_path / "x.h5")["a"]
    with pytest.raises(IndexError, match=r"^/a: .*give a number"):
        held[key]
    assert held[[1, 3]].tolist() == [[4, 5, 6, 7], [12, 13, 14, 15]]
    assert held[::2, 1:3].shape == (3, 2)


def test_what_was_opened_shows_itself(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["g/a"] = np.zeros((5, 4), "u2")
    opened = tm.open_h5(tmp_path / "x.h5", mode="static")
    assert repr(opened) == f"<File {tmp_path / 'x.h5'}, static>"
    assert repr(opened["g"]) == "<Group /g>"
    assert repr(opened["g/a"]) == "<Dataset /g/a: shape (5, 4), uint16>"
    opened.close()
    assert list(opened) == ["g"]
