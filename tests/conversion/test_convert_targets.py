"""What lies where a target goes is spared: sources, links, and what links lead to; and nothing is left beside it."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

import tomarium as tm
from conversion.scan_makers import open_scan
from tomarium.conversion.compare import compare
from tomarium.conversion.convert import convert
from tomarium.errors import InputError
from tomarium.formats import formats
from tomarium.formats.provenance.original import beside, original_of
from tomarium.model import Axis, Volume

FRAMES = np.random.default_rng(8).integers(0, 60000, (6, 8, 9), np.uint16)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["exchange/data"] = FRAMES
        file["exchange/theta"] = np.arange(6.0)
    return tmp_path / "scan.h5"


def test_a_folder_that_holds_the_source_is_not_replaced(tmp_path: Path, source: Path) -> None:
    convert(open_scan(source), tmp_path / "old", to="edf")
    inner = source.rename(tmp_path / "old" / "scan.h5")
    with pytest.raises(InputError, match="holds the source"):
        convert(open_scan(inner), tmp_path / "old", to="tiff", overwrite=True)
    assert inner.is_file()


def test_a_file_that_holds_frames_of_the_source_is_not_replaced(tmp_path: Path, source: Path) -> None:
    with h5py.File(tmp_path / "main.h5", "w") as file:
        layout = h5py.VirtualLayout(FRAMES.shape, FRAMES.dtype)
        layout[...] = h5py.VirtualSource("scan.h5", "exchange/data", FRAMES.shape)
        file.create_virtual_dataset("exchange/data", layout)
        file["exchange/theta"] = np.arange(6.0)
    before = source.read_bytes()
    with pytest.raises(InputError, match="holds frames of"):
        convert(open_scan(tmp_path / "main.h5"), source, to="nxtomo", overwrite=True)
    assert source.read_bytes() == before


@pytest.mark.parametrize("to", ["tiff", "nxtomo"])
def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path: Path, source: Path, to: str) -> None:
    convert(open_scan(source), tmp_path / "real", to="tiff")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "nowhere").symlink_to(tmp_path / "absent")
    for name in ("link", "nowhere"):
        with pytest.raises(InputError, match="exists already"):
            convert(open_scan(source), tmp_path / name, to=to)
        convert(open_scan(source), tmp_path / name, to=to, overwrite=True)
        assert not (tmp_path / name).is_symlink()
        assert compare(open_scan(source), open_scan(tmp_path / name)).findings[-1].same
    assert compare(open_scan(source), open_scan(tmp_path / "real")).same
    assert not [one.name for one in tmp_path.iterdir() if one.name.startswith(".")]


@pytest.mark.parametrize("to", ["tiff", "edf"])
def test_the_side_car_of_what_was_replaced_goes_with_it(tmp_path: Path, source: Path, to: str) -> None:
    target = tmp_path / "out"
    convert(open_scan(source), tmp_path / "other", to="tiff" if to == "edf" else "edf")
    beside(tmp_path / "other").unlink()
    convert(open_scan(source), target, to=to)
    assert beside(target).is_file()
    convert(open_scan(tmp_path / "other"), target, to=to, overwrite=True)
    scan = open_scan(target)
    assert original_of(scan) is None
    assert np.array_equal(scan.projections.read(slice(None), slice(None)), FRAMES)


def test_a_run_killed_in_the_side_car_leaves_nothing_when_repeated(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        os._exit(9)

    (tmp_path / "out").mkdir()
    child = os.fork()
    if not child:
        monkeypatch.setattr("tomarium.formats.provenance.original.copy_tree", killed)
        convert(open_scan(source), tmp_path / "out" / "scan", to="tiff")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert not beside(tmp_path / "out" / "scan").exists()
    convert(open_scan(source), tmp_path / "out" / "scan", to="tiff")
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["scan", "scan.side-car.h5"]


@pytest.mark.parametrize("to", ["nxtomo", "tiff", "edf", "pyhst-par"])
def test_names_that_are_not_utf8_come_home(tmp_path: Path, source: Path, to: str) -> None:
    odd = source.rename(os.fsdecode(os.fsencode(tmp_path) + b"/b\xf6ne.h5"))
    target = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xfe" + (b".par" if to == "pyhst-par" else b"")))
    convert(open_scan(odd), target, to=to)
    convert(open_scan(target), tmp_path / "home.h5", to="data-exchange")
    assert np.array_equal(open_scan(tmp_path / "home.h5").projections.read(slice(None), slice(None)), FRAMES)


def test_one_projection_alone_is_converted(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["exchange/data"], file["exchange/theta"] = FRAMES[:1], np.array([30.0])
    for to in ("tiff", "edf", "nxtomo"):
        convert(open_scan(tmp_path / "a.h5"), tmp_path / to, to=to)
        assert compare(open_scan(tmp_path / "a.h5"), open_scan(tmp_path / to)).same


def test_a_type_that_a_series_does_not_hold_leaves_nothing(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["exchange/data"], file["exchange/theta"] = FRAMES.astype(np.float16), np.arange(6.0)
    with pytest.raises(InputError, match=r"/out: EDF holds no float16"):
        convert(open_scan(tmp_path / "a.h5"), tmp_path / "out", to="edf")
    assert [one.name for one in tmp_path.iterdir()] == ["a.h5"]


def test_a_par_written_by_a_run_killed_before_its_frames_have_their_name_is_gone_on_with(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(path: Path, text: str) -> None:
        path.write_text(text)
        os._exit(9)

    child = os.fork()
    if not child:
        monkeypatch.setattr("tomarium.formats.pyhst.par_writer.write_text", killed)
        convert(open_scan(source), tmp_path / "out.par", to="pyhst-par")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert (tmp_path / "out.par").exists()
    convert(open_scan(source), tmp_path / "out.par", to="pyhst-par")
    assert compare(open_scan(source), open_scan(tmp_path / "out.par")).same


@pytest.mark.parametrize(
    ("to", "name", "step"),
    [
        ("pyhst-volume", "v.vol", "tomarium.formats.raw.volume_writer.write_text"),
        ("raw-volume", "v.raw", "tomarium.formats.raw.volume_writer.write_text"),
        ("mrc", "v.mrc", "tomarium.formats.mrc.writer._header"),
        ("ome-zarr-0.4", "v.zarr", "tomarium.formats.zarr.chunk_writer.os.replace"),
        *(
            (to, name, "tomarium.atomic_files.os.fsync")
            for to, name in (
                ("pyhst-volume", "v.vol"),
                ("raw-volume", "v.raw"),
                ("ome-zarr", "v.zarr"),
                ("ome-zarr-0.4", "v.zarr"),
                ("mrc", "v.mrc"),
            )
        ),
    ],
)
def test_a_volume_killed_at_its_end_is_gone_on_with_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str, name: str, step: str
) -> None:
    values = np.random.default_rng(2).normal(size=(8, 9, 10)).astype(np.float32)
    axes = tuple(Axis(axis, 1e-6, 0.0, "m") for axis in "zyx")
    write = formats()["tiff-volume"].write
    assert write is not None
    write(tmp_path / "a.tif", Volume(values, axes, "", "a", None, {}))
    for folder in ("out", "truth"):
        (tmp_path / folder).mkdir()
    child = os.fork()
    if not child:
        monkeypatch.setattr(step, lambda *_, **__: os._exit(9))
        convert(tm.open(tmp_path / "a.tif"), tmp_path / "out" / name, to=to)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    for folder in ("out", "truth"):
        convert(tm.open(tmp_path / "a.tif"), tmp_path / folder / name, to=to)
    out, truth = (
        {str(one.relative_to(tmp_path / folder)) for one in (tmp_path / folder).rglob("*")}
        for folder in ("out", "truth")
    )
    assert out == truth
    assert np.array_equal(np.asarray(tm.open(tmp_path / "out" / name)[:]), values)


def test_a_name_too_long_for_the_side_car_is_refused_first(tmp_path: Path, source: Path) -> None:
    """All frames were written, and then the side-car could not have its name."""
    scan = open_scan(source)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match="bytes too long for the files that are written beside it"):
        convert(scan, tmp_path / f"{'x' * 240}.par")
    assert sorted(tmp_path.iterdir()) == before
    done = convert(scan, tmp_path / f"{'x' * 220}.par")
    assert done.target.is_file()
