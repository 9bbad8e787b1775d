"""A night's batch: every scan by itself, resumed, and told of in a table and on a page."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tomarium as tm
from tomarium.atomic_files import alone
from tomarium.beamtime import batch as batch_module
from tomarium.beamtime import batch_plan, batch_result
from tomarium.beamtime.batch_files import LOCK, STATE
from tomarium.cli import execute
from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate

QUICK = ["--on", "serial", "--rows", "2:4"]


def small(**changes: Any) -> SimulationConfig:
    one = SimulationConfig(columns=64, rows=6, views=60, flats=2, darks=2, subrays=1)
    return replace(one, zingers=0, dead_pixels=0, hot_pixels=0, **changes)


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scans, one in a folder of its own, two that are broken, a picture, and a text that is no scan."""
    folder = tmp_path_factory.mktemp("night")
    (folder / "sampleA_2").mkdir()
    simulate(folder / "sampleA_1.h5", small(seed=1))
    simulate(folder / "sampleA_2" / "scan.h5", small(seed=2))
    simulate(folder / "sampleB_1.nxs", small(seed=3, span_deg=360), to="nxtomo")
    (folder / "sampleA_8.h5").write_bytes((folder / "sampleA_1.h5").read_bytes()[:5000])
    (folder / "sampleA_9.nxs").touch()
    (folder / "notes.txt").touch()
    return folder


@pytest.fixture(scope="module")
def made(scans: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "batch"
    assert execute(["batch", str(scans), "--match", "sampleA_*", "-o", str(folder), *QUICK]) == 1
    return folder


@pytest.fixture
def again(made: Path, tmp_path: Path) -> Path:
    """A copy of the batch, to be changed."""
    return Path(shutil.copytree(made, tmp_path / "batch"))


def rows_of(folder: Path) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads((folder / "results.json").read_text())["scans"]}


def times(folder: Path) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("records/*/provenance.json")}


def test_each_scan_is_made_or_named(made: Path, scans: Path) -> None:
    rows = rows_of(made)
    assert list(rows) == ["sampleA_1", "scan", "sampleA_8", "sampleA_9"]
    assert [rows[name]["state"] for name in ("sampleA_8", "sampleA_9")] == ["failed", "failed"]
    assert "truncated" in rows["sampleA_8"]["error"]
    assert "empty" in rows["sampleA_9"]["error"]
    scan = tm.open(scans / "sampleA_1.h5")
    assert isinstance(scan, tm.Scan)
    whole = tm.reconstruct(scan, rows=slice(2, 4), axis_column=rows["sampleA_1"]["axis_column"])
    np.testing.assert_array_equal(
        np.asarray(tm.open(made / "records" / "sampleA_1" / "volume.ome.zarr")), np.asarray(whole)
    )
    with (made / "results.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["state"] for row in table] == [row["state"] for row in rows.values()]
    assert float(table[0]["axis_column"]) == rows["sampleA_1"]["axis_column"]
    assert table[0]["confidence"] in ("high", "medium", "low")
    page = (made / "index.html").read_text()
    assert page.index("sampleA_8") < page.index(">sampleA_1<")  # the worst first
    assert page.count("data:image/png;base64,") == 2
    assert "http" not in page.replace("http-equiv", "")


def test_the_same_command_keeps_what_is_finished(again: Path, scans: Path) -> None:
    before = times(again)
    words = ["batch", str(scans), "-o", str(again), *QUICK]
    assert execute([*words, "--exclude", "sampleA_[89]*"]) in (0, 1)
    after = times(again)
    assert {name: after[name] for name in before} == before
    assert set(after) == {*before, "sampleB_1"}
    assert set(rows_of(again)) == {"sampleA_1", "scan", "sampleB_1", "sampleA_8", "sampleA_9"}


def test_what_was_made_otherwise_is_said_and_left(
    again: Path, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = times(again)
    words = ["batch", str(scans), "-o", str(again), "--match", "sampleA_1.h5", *QUICK]
    assert execute([*words, "--set", "fbp.window=hann"]) == 1
    assert rows_of(again)["sampleA_1"]["state"] == "differs"
    assert "fbp: window not given → hann" in rows_of(again)["sampleA_1"]["error"]
    assert times(again) == before
    moved = Path(shutil.copytree(scans, tmp_path / "scans"))
    (moved / "sampleA_1.h5").unlink()
    simulate(moved / "sampleA_1.h5", small(seed=7))
    state = json.loads((again / STATE).read_text())
    state["names"] = {key.replace(str(scans), str(moved)): name for key, name in state["names"].items()}
    (again / STATE).write_text(json.dumps(state))
    words[1] = str(moved)
    assert execute([*words, "--dry-run"]) == 1
    assert "the scan's file is another one now" in " ".join(capsys.readouterr().err.split())
    assert execute([*words, "--redo"]) in (0, 1)
    assert times(again)["sampleA_1"] != before["sampleA_1"]
    assert times(again)["scan"] == before["scan"]
    assert json.loads((again / STATE).read_text())["anew"] == {}


def test_one_that_stops_the_program_goes_on(
    again: Path, scans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A redo that is stopped goes on with what is left of it, and removes nothing twice."""
    before, make, calls = times(again), batch_result.make, []

    def stopped(how: Any, row: Any, *others: Any) -> Any:
        calls.append(row.name)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return make(how, row, *others)

    monkeypatch.setattr(batch_result, "make", stopped)
    words = ["batch", str(scans), "-o", str(again), "--match", "sampleA_[12]*", "--redo", *QUICK]
    assert execute(words) == 3
    first = times(again)
    assert first["sampleA_1"] > before["sampleA_1"]
    assert "scan" not in first
    assert execute(words) in (0, 1)
    assert calls == ["sampleA_1", "scan", "scan"]
    assert times(again)["sampleA_1"] == first["sampleA_1"]
    assert "scan" in times(again)


def test_a_bad_scan_never_stops_the_others(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(how: Any, row: Any, *others: Any) -> Any:
        if row.name == "sampleA_1":
            raise ZeroDivisionError("so")
        return replace(row, state="finished")

    monkeypatch.setattr(batch_result, "make", fails)
    folder = tmp_path / "b"
    words = ["batch", str(scans), "-o", str(folder), "--match", "re:sample[AB]_[12]"]
    assert execute(words) == 1
    assert [row["state"] for row in rows_of(folder).values()] == ["failed", "finished", "finished"]
    assert "ZeroDivisionError: so" in rows_of(folder)["sampleA_1"]["error"]
    state = json.loads((folder / STATE).read_text())
    state["begun"] = {
        "sampleA_1": batch_plan.MOST_BEGUN
    }  # the process ended so often while it was at work on it
    (folder / STATE).write_text(json.dumps(state))
    assert execute(words) == 1
    assert "ended 3 times while it was at work" in rows_of(folder)["sampleA_1"]["error"]


def test_two_batches_in_one_folder(scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "b"
    folder.mkdir()
    with alone(folder / LOCK, "busy"):
        assert execute(["batch", str(scans), "-o", str(folder)]) == 2
    assert "another batch is at work in this folder" in capsys.readouterr().err


def test_a_folder_of_something_else_is_not_touched(scans: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(scans.iterdir())
    assert execute(["batch", str(scans), "-o", str(scans)]) == 2
    assert "is no folder of a batch" in capsys.readouterr().err
    assert execute(["batch", str(scans / "sampleA_1.h5")]) == 2
    assert sorted(scans.iterdir()) == before


def test_a_full_disk_is_told_before_it_begins(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measure = batch_plan.measure
    monkeypatch.setattr(batch_plan, "measure", lambda *given: replace(measure(*given), disk_bytes=1000))
    folder = tmp_path / "b"
    assert execute(["batch", str(scans), "-o", str(folder)]) == 4
    told = " ".join(capsys.readouterr().err.split())
    assert "the results of 3 scans need up to" in told
    assert "! 1 scan is of a full turn" in told
    assert not (folder / "records").exists()
    assert execute(["batch", str(scans), "-o", str(tmp_path / "c"), "--dry-run"]) == 4
    assert not (tmp_path / "c").exists()


def test_one_axis_for_all(scans: Path, tmp_path: Path) -> None:
    folder = tmp_path / "b"
    words = ["batch", str(scans), "-o", str(folder), "--match", "sampleA_1.h5", *QUICK]
    assert execute([*words, "--axis-from", "sampleB_1"]) in (0, 1)
    rows, before = rows_of(folder), times(folder)
    found = json.loads((folder / STATE).read_text())["axis"]
    assert {row["axis_column"] for row in rows.values()} == {found["value"]}
    assert {row["confidence"] for row in rows.values()} == {found["confidence"]}
    assert execute([*words, "--axis-from", "sampleB_1"]) in (0, 1)
    assert times(folder) == before
    assert execute([*words, "--dry-run"]) == 1  # another axis now: said, not kept
    assert execute([*words, "--axis-from", "sampleB_1", "--each-axis"]) == 2


def test_instructions_that_ask_for_a_picture(scans: Path, tmp_path: Path) -> None:
    given = tmp_path / "protocol.txt"
    given.write_text(
        "python ~/Python/rotation_axis.py XXX\npython ~/Python/reconstruct_and_view.py XXX -s 2\n"
    )
    folder = tmp_path / "b"
    words = ["batch", str(scans), "-o", str(folder), "--match", "sampleA_1.h5", "-p", str(given)]
    assert execute(words) in (0, 1)
    assert sorted(path.name for path in (folder / "slices").iterdir()) == ["sampleA_1.json", "sampleA_1.png"]
    assert not (folder / "records").exists()
    before = (folder / "slices" / "sampleA_1.png").stat().st_mtime_ns
    assert execute(words) in (0, 1)
    assert (folder / "slices" / "sampleA_1.png").stat().st_mtime_ns == before
    given.write_text(given.read_text().replace("-s 2", "-s 3"))
    assert execute(words) == 1
    assert "made otherwise" in rows_of(folder)["sampleA_1"]["error"]
    given.write_text("python ~/Python/rotation_axis.py XXX -m\n")
    assert execute(words) == 2


def test_parameters_of_another_scan_of_the_batch(
    again: Path, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = tmp_path / "protocol.txt"
    given.write_text("python copy_parameters.py XXX -s sampleA_1\npython reconstruct_and_view.py XXX\n")
    words = ["batch", str(scans), "-o", str(again), "--match", "sampleB_*"]
    assert execute([*words, "-p", str(given)]) in (0, 1)
    rows = rows_of(again)
    assert rows["sampleB_1"]["axis_column"] == rows["sampleA_1"]["axis_column"]
    assert rows["sampleB_1"]["axis_origin"] == "user"
    like = ["--like", str(again / "records" / "sampleA_1")]
    capsys.readouterr()
    assert execute([*words, *like, "--dry-run", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["seconds"]) == ["sampleB_1"]
    given.write_text("python copy_parameters.py XXX -s nobody\n")
    assert execute([*words, "-p", str(given)]) == 2
    assert execute([*words, *like, "--preset", "quick"]) == 2


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_module, "_ENDING_S", 240.0)  # on a busy machine its process notices late
    folder = tmp_path / "b"
    words = ["batch", str(scans), "-o", str(folder), "--match", "sample[AB]_1", *QUICK]
    running = subprocess.Popen(
        [sys.executable, "-m", "tomarium", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + 600
        while running.poll() is None and time.monotonic() < end and len(times(folder)) < 1:
            time.sleep(0.01)
    finally:
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    finished = {
        name: told for name, told in times(folder).items()
        if not (folder / "records" / name / "unfinished").exists()
    }  # fmt: skip
    assert execute(words) in (0, 1)
    rows = rows_of(folder)
    assert all(row["state"] in ("finished", "warnings") for row in rows.values())
    assert len(rows) == 2
    assert {name: times(folder)[name] for name in finished} == finished
    assert json.loads((folder / STATE).read_text())["begun"] == {}
