"""The folder of a run that has not come to its end."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.test_run import PLENTY, interrupt, scan_on_disk, stopping_after
from tomarium.atomic_files import alone
from tomarium.catalogue.make_record import make_record
from tomarium.cli import execute
from tomarium.errors import Interrupted
from tomarium.pipeline.protocol.protocol import default_protocol
from tomarium.pipeline.run.runner import run


def stopped(home: Path, after: int) -> Path:
    with pytest.raises(Interrupted):
        run(scan_on_disk(home), default_protocol(), home / "run", PLENTY, slab_rows=2,
            mapper=stopping_after(after, interrupt))  # fmt: skip
    return home / "run"


def names(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))


def asked(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What people read of the one finding; the folder is left as it was."""
    before = names(folder)
    capsys.readouterr()
    assert execute(["doctor", str(folder)]) == 1
    assert names(folder) == before
    said = capsys.readouterr().out
    assert "run: warnings (1 check)" in said
    assert "! run-unfinished" in said
    assert f"tomarium run {folder.parent / 'disc.bin'} -o {folder}" in said
    return said


@pytest.mark.parametrize(("after", "far"), [(0, "0 of 6 slabs"), (2, "2 of 6 slabs")])
def test_a_stopped_run_says_how_far_it_is(
    after: int, far: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert far in asked(stopped(tmp_path, after), capsys)


def test_so_does_one_stopped_before_its_volume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = stopped(tmp_path, 0)
    shutil.rmtree(folder / "volume.ome.zarr")
    assert "no slab is written yet" in asked(folder, capsys)


def test_and_one_stopped_while_it_was_filed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tomarium.catalogue.make_record.file_record", stop)
    with pytest.raises(Interrupted):
        make_record(scan_on_disk(tmp_path), default_protocol(), tmp_path / "run")
    assert "all slabs are written, and the record is not filed" in asked(tmp_path / "run", capsys)


def test_damage_of_what_it_left_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = stopped(tmp_path, 2)
    (folder / "volume.ome.zarr" / ".partial" / "plan.json").write_text("{")
    (folder / "unfinished" / "request.json").write_text("{")
    assert execute(["doctor", str(folder)]) == 1
    said = capsys.readouterr().out
    assert "the plan of this unfinished volume is damaged" in said
    assert f"tomarium run SCAN -o {folder}" in said


def test_a_run_at_work_is_no_reason_to_worry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = stopped(tmp_path, 2)
    with alone(folder / "unfinished" / "lock", "busy"):
        assert execute(["doctor", str(folder)]) == 0
    assert "a run is at work here: 2 of 6 slabs are written" in capsys.readouterr().out
