"""Scans in a watched folder: which files and folders are one, when they change, and what is never taken for one."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tomarium.beamtime.arrivals import Spool
from tomarium.beamtime.live_file import moment


def names(spool: Spool) -> set[str]:
    return set(spool.look())


def put(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_files_and_folders_of_scans_are_found_and_other_files_are_not(tmp_path: Path) -> None:
    for name in (
        "a.h5", "b.nx", "notes.txt", ".hidden.h5", "c.h5.tmp", "d.part", "run/e.nxs", "run/log.txt",
        "fly/fly.nxs", "fly/pre_ref.nxs", "begun/pre_ref.nxs", "edf/edf0000.edf", "edf/edf.info",
        "sample/tif/0001.tif", "deep/1/2/3/4/far.h5",
    ):  # fmt: skip
        put(tmp_path / name)
    assert names(Spool(tmp_path)) == {"a.h5", "b.nx", "run/e.nxs", "fly", "begun", "edf", "sample/tif"}


def test_only_what_matches_is_taken(tmp_path: Path) -> None:
    for name in ("sampleA_1.h5", "sampleB_1.h5", "night/sampleA_2.h5"):
        put(tmp_path / name)
    assert names(Spool(tmp_path, "sampleA_*")) == {"sampleA_1.h5", "night/sampleA_2.h5"}
    assert names(Spool(tmp_path, "night/*")) == {"night/sampleA_2.h5"}


def test_a_change_is_seen_and_its_time_is_that_of_the_look(tmp_path: Path) -> None:
    path = put(tmp_path / "a.h5")
    os.utime(path, (1e9, 1e9))
    frames = put(tmp_path / "edf" / "0000.edf").parent
    spool = Spool(tmp_path)
    first = spool.look()
    assert first["a.h5"].changed_at == 1e9  # it was there before: its own time tells its age
    assert spool.look()["a.h5"] is first["a.h5"]
    path.write_bytes(b"xy")
    put(frames / "0001.edf")
    began = time.time()
    second = spool.look()
    for name in ("a.h5", "edf"):
        assert second[name].stamp != first[name].stamp
        assert second[name].changed_at >= began - 0.1


def test_what_changed_between_two_looks_is_in_the_order_of_its_files(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    assert spool.look() == {}
    for number, name in enumerate(("b.h5", "c.h5", "a.h5")):
        os.utime(put(tmp_path / name), (1e9 + number, 1e9 + number))
    found = spool.look()
    assert sorted(found, key=lambda name: found[name].changed_at) == ["b.h5", "c.h5", "a.h5"]
    assert len({moment(one.changed_at) for one in found.values()}) == 3  # also in live.json


def test_a_renamed_scan_keeps_its_identity(tmp_path: Path) -> None:
    put(tmp_path / "a.h5")
    spool = Spool(tmp_path)
    before = spool.look()["a.h5"]
    (tmp_path / "a.h5").rename(tmp_path / "b.h5")
    after = spool.look()
    assert set(after) == {"b.h5"}
    assert after["b.h5"].identity == before.identity


def test_a_folder_that_is_away_is_an_error_and_what_was_known_stays(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    put(folder / "a.h5")
    spool = Spool(folder)
    spool.look()
    folder.rename(tmp_path / "away")
    with pytest.raises(OSError):
        spool.look()
    assert set(spool.known) == {"a.h5"}


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    put(tmp_path / "shut" / "a.h5")
    (tmp_path / "shut").chmod(0)
    try:
        told = Spool(tmp_path).look()["shut"]
    finally:
        (tmp_path / "shut").chmod(0o755)
    assert told.problem.startswith("Permission denied; ask its owner")
