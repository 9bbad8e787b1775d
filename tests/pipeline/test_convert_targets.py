"""What lies where a target goes is spared: sources, links, and what links lead to; and nothing is left beside it."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.scan_makers import open_scan
from tomarium.errors import InputError
from tomarium.formats import side_car
from tomarium.formats.lineage import beside
from tomarium.pipeline.compare import compare
from tomarium.pipeline.convert import convert

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
    assert not side_car.ancestors(scan)
    assert np.array_equal(scan.projections.read(slice(None), slice(None)), FRAMES)


def test_a_run_killed_in_the_side_car_leaves_nothing_when_repeated(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        os._exit(9)

    (tmp_path / "out").mkdir()
    child = os.fork()
    if not child:
        monkeypatch.setattr("tomarium.formats.lineage.copy_tree", killed)
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


def test_a_par_written_by_a_run_killed_before_its_frames_have_their_name_is_gone_on_with(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(path: Path, text: str) -> None:
        path.write_text(text)
        os._exit(9)

    child = os.fork()
    if not child:
        monkeypatch.setattr("tomarium.formats.pyhst_par_writer.write_text", killed)
        convert(open_scan(source), tmp_path / "out.par", to="pyhst-par")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert (tmp_path / "out.par").exists()
    convert(open_scan(source), tmp_path / "out.par", to="pyhst-par")
    assert compare(open_scan(source), open_scan(tmp_path / "out.par")).same
