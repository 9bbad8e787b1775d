"""A conversion that is killed, stopped by a full disk or repeated goes on, into every format that is written."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import tomarium as tm
from tomarium.conversion.convert import convert
from tomarium.errors import StorageFull
from tomarium.formats import formats
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.formats.resumable import folder as folder_draft
from tomarium.model import Axis, Geometry, Scan, Value, Volume
from tomarium.model.scan import Reference
from warm import Warm

SLOW = """
import signal, sys
from pathlib import Path
import tomarium as tm
import tomarium.formats.edf.writer
import tomarium.formats.hdf5.two_phase_writer
import tomarium.formats.hdf5.writer as hdf5_writer
import tomarium.formats.resumable.array_file as array_file
from tomarium.conversion.convert import convert
hdf5_writer._BLOCK_BYTES = array_file._BLOCK_BYTES = 1 << 15
told = 0
def tell(done, total):
    global told
    told += 1
    print(done, flush=True)
    if sys.argv[4:] == [str(told)]:  # to be killed here
        signal.pause()
done = convert(tm.open(sys.argv[1]), Path(sys.argv[2]), to=sys.argv[3], lossy=True, on_progress=tell)
print(done.format)
"""
TARGETS = {
    "tiff": "scan",
    "edf": "scan",
    "pyhst-par": "par.par",
    "data-exchange": "scan.h5",
    "nxtomo": "scan.nx",
    "pyhst-volume": "v.vol",
    "raw-volume": "v.raw",
    "tiff-volume": "v.tif",
    "jpeg2000": "pages",
    "nxtomoproc": "v.nxs",
    "ome-zarr": "v.zarr",
    "ome-zarr-0.4": "old.zarr",
    "mrc": "v.mrc",
    "nrrd": "v.nrrd",
    "metaimage": "v.mha",
}
SCANS = ("tiff", "edf", "pyhst-par", "data-exchange", "nxtomo")


def test_every_format_that_is_written_whole_is_here() -> None:
    able = {name for name, form in formats().items() if form.resumes}
    assert able == set(TARGETS)
    assert {name for name, form in formats().items() if form.write is not None} - able == {
        "csv", "nexus-maps", "picture"
    }  # fmt: skip


def source_of(folder: Path, name: str, seed: int = 0) -> Path:
    random = np.random.default_rng(seed)
    if name in SCANS:
        frames = random.integers(0, 60000, (46, 64, 48), np.uint16)
        scan = Scan(
            path=folder / "x",
            name="x",
            format="",
            dialect="",
            why="",
            projections=ArrayFrames(frames[:40]),
            geometry=Geometry(
                angles_deg=Value(np.sort(random.uniform(0, 180, 40)), "read", ""),
                pixel_m=Value(1e-6, "read", ""),
            ),
            flats=Reference(ArrayFrames(frames[40:44]), np.full(4, -1.0)),
            darks=Reference(ArrayFrames(frames[44:]), np.full(2, -1.0)),
        )
        # Each source in a format of its own, so that nothing is put back.
        place = folder / ("source.nx" if name == "data-exchange" else "source.h5")
        formats()["nxtomo" if name == "data-exchange" else "data-exchange"].write(place, scan)  # type: ignore[misc]
        return place
    shape = (512, 12, 10) if name.startswith("ome-zarr") else (64, 40, 48)
    if name == "jpeg2000":  # each slice is a file, and takes long to encode
        shape = (20, 40, 48)
    values = random.normal(size=shape).astype(np.float32)
    axes = tuple(Axis(axis, 1e-6, 0.0, "m") for axis in "zyx")
    form = "ome-zarr" if name != "ome-zarr" else "raw-volume"
    place = folder / ("source.zarr" if form == "ome-zarr" else "source.raw")
    formats()[form].write(place, Volume(values, axes, "1/cm", "v", None, {}))  # type: ignore[misc]
    return place


def content(target: Path) -> dict[str, bytes]:
    """Every file that was made; of HDF5 each dataset and attribute, for a file keeps times of its objects."""
    files = [file for file in target.parent.rglob("*") if file.is_file()]
    told = {str(file.relative_to(target.parent)): file.read_bytes() for file in files}
    for file in files:
        if h5py.is_hdf5(file):
            told[str(file.relative_to(target.parent))] = repr(parts(file)).encode()
    return told


def parts(file: Path) -> list[object]:
    found: list[object] = []

    def visit(name: str, node: h5py.Group | h5py.Dataset) -> None:
        pixels = node[()] if isinstance(node, h5py.Dataset) else None
        pixels = pixels.tobytes() if isinstance(pixels, np.ndarray) and not pixels.dtype.hasobject else pixels
        found.append((name, pixels, {key: repr(value) for key, value in node.attrs.items()}))

    with h5py.File(file) as opened:
        opened.visititems(visit)
    return found


@pytest.mark.parametrize("name", TARGETS)
def test_a_killed_conversion_goes_on_and_ends_as_if_nothing_had_been(
    tmp_path: Path, name: str, warm: Warm
) -> None:
    source = source_of(tmp_path, name)
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    whole, cut = tmp_path / "whole" / TARGETS[name], tmp_path / "cut" / TARGETS[name]
    told = warm.run(SLOW, source, whole, name)
    assert told.returncode == 0, told.output
    steps = [int(line) for line in told.output.split()[:-1]]
    assert len(steps) > 5
    assert steps == sorted(steps)
    first: list[int] = []
    for wait in (len(steps) // 3, len(steps) // 2):
        warm.kill_after(wait, SLOW, source, cut, name)
        assert not cut.exists() or name.startswith("ome-zarr")
        if cut.exists():
            with pytest.raises(tm.errors.FormatError, match="unfinished"):
                tm.open(cut)
        first.append(sum(file.stat().st_blocks for file in (tmp_path / "cut").rglob("*") if file.is_file()))
    before = {
        file: file.stat().st_mtime_ns
        for file in (tmp_path / "cut").rglob("*")
        if file.suffix in (".edf", ".tif", ".jp2")
    }
    told = warm.run(SLOW, source, cut, name)
    assert told.returncode == 0, told.output
    one, other = content(whole), content(cut)
    assert list(one) == list(other) or set(one) == set(other)
    different = [file for file in one if one[file] != other[file]]
    assert different == []
    kept = {file.name: time_ns for file, time_ns in before.items()}
    after = {
        file.name: file.stat().st_mtime_ns for file in (tmp_path / "cut").rglob("*") if file.name in kept
    }
    if name in ("tiff", "edf", "pyhst-par", "jpeg2000"):
        assert len(kept) > len(steps) // 4
        assert after == kept  # what was there was not written again


@pytest.mark.parametrize("name", [name for name in TARGETS if name not in ("data-exchange", "nxtomo")])
def test_what_another_source_left_is_not_mixed_in(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tomarium.formats.hdf5.writer._BLOCK_BYTES", 1 << 15)
    monkeypatch.setattr("tomarium.formats.resumable.array_file._BLOCK_BYTES", 1 << 15)
    for folder in ("one", "other", "out", "truth"):
        (tmp_path / folder).mkdir()
    one, other = source_of(tmp_path / "one", name, 1), source_of(tmp_path / "other", name, 2)
    target = tmp_path / "out" / TARGETS[name]

    def stop(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(tm.open(one), target, to=name, lossy=True, on_progress=stop)
    assert not target.exists() or name.startswith("ome-zarr")
    convert(tm.open(other), target, to=name, lossy=True)
    convert(tm.open(other), tmp_path / "truth" / TARGETS[name], to=name, lossy=True)
    assert content(target) == content(tmp_path / "truth" / TARGETS[name])


@pytest.mark.parametrize("name", ["raw-volume", "pyhst-volume"])
def test_a_volume_in_a_folder_of_its_own_goes_on(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tomarium.formats.resumable.array_file._BLOCK_BYTES", 1 << 15)
    source, target = source_of(tmp_path, name), tmp_path / "bone"

    def stop(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(tm.open(source), target, to=name, lossy=True, on_progress=stop)
    convert(tm.open(source), target, to=name, lossy=True)
    assert (np.asarray(tm.open(target)) == np.asarray(tm.open(source))).all()


def test_a_full_disk_keeps_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target, plain, count = source_of(tmp_path, "tiff"), tmp_path / "out", folder_draft.put, [0]

    def full(path: Path, *parts: bytes) -> None:
        count[0] += 1
        if count[0] == 20:
            raise OSError(28, "No space left on device")
        plain(path, *parts)

    monkeypatch.setattr(folder_draft, "put", full)
    with pytest.raises(StorageFull, match="what is written is kept; free some space and repeat the command"):
        convert(tm.open(source), target, to="tiff")
    assert not target.exists()
    convert(tm.open(source), target, to="tiff")
    assert count[0] == 46 + 1  # the file that failed is one more
    assert (tm.open(target).projections.read(slice(None), slice(None)) == tm.open(source).projections.read(
        slice(None), slice(None)
    )).all()  # fmt: skip


def test_two_processes_do_not_write_the_same_folder(tmp_path: Path) -> None:
    with (
        folder_draft.creating_folder(tmp_path / "x", "origin"),
        pytest.raises(tm.errors.InputError, match="another process is writing this folder"),
        folder_draft.creating_folder(tmp_path / "x", "origin"),
    ):
        pass
    assert [one.name for one in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("name", ["edf", "tiff-volume", "ome-zarr", "jpeg2000"])
def test_what_is_there_is_replaced_when_the_new_one_is_whole(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tomarium.formats.hdf5.writer._BLOCK_BYTES", 1 << 15)
    monkeypatch.setattr("tomarium.formats.resumable.array_file._BLOCK_BYTES", 1 << 15)
    for folder in ("one", "other", "out", "truth"):
        (tmp_path / folder).mkdir()
    one, other = source_of(tmp_path / "one", name, 1), source_of(tmp_path / "other", name, 2)
    target, truth = tmp_path / "out" / TARGETS[name], tmp_path / "truth" / TARGETS[name]
    convert(tm.open(one), target, to=name, lossy=True)
    before = content(target)
    with pytest.raises(tm.errors.InputError, match="exists already"):
        convert(tm.open(other), target, to=name, lossy=True)

    def stop(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(tm.open(other), target, to=name, lossy=True, on_progress=stop, overwrite=True)
    kept = content(target)
    if name == "ome-zarr":  # it is written in place, and says that it is unfinished
        kept = {file.removeprefix(f".{target.name}.replaced/"): whole for file, whole in kept.items()}
        before = {file.removeprefix(f"{target.name}/"): whole for file, whole in before.items()}
    assert {file: kept[file] for file in before} == before
    convert(tm.open(other), target, to=name, lossy=True, overwrite=True)
    convert(tm.open(other), truth, to=name, lossy=True)
    assert content(target) == content(truth)


def test_a_folder_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    source = source_of(tmp_path, "edf")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("the only copy")
    with pytest.raises(tm.errors.InputError, match="is a folder that holds no scan or volume"):
        convert(tm.open(source), tmp_path / "home", to="edf", overwrite=True)
    assert (tmp_path / "home" / "thesis.txt").read_text() == "the only copy"


def test_a_run_that_stops_before_the_side_car_writes_it_when_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one").mkdir()
    source, target = source_of(tmp_path, "edf"), tmp_path / "one" / "scan"
    with monkeypatch.context() as patch:
        patch.setattr("tomarium.conversion.convert.leave_beside", lambda *a: stopped())
        with pytest.raises(KeyboardInterrupt):
            convert(tm.open(source), target, to="edf")
    assert target.is_dir()
    assert not (tmp_path / "one" / "scan.side-car.h5").exists()
    convert(tm.open(source), target, to="edf")
    assert sorted(one.name for one in (tmp_path / "one").iterdir()) == ["scan", "scan.side-car.h5"]


def stopped() -> None:
    raise KeyboardInterrupt
