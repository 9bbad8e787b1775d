"""A batch goes on where a scan crashes the interpreter, and ends with the process that was asked to do it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate

SMALL = SimulationConfig(
    columns=64, rows=6, views=60, flats=2, darks=2, subrays=1, zingers=0.0, hot_pixels=0, dead_pixels=0
)
CRASHING = """
import os, signal, sys, time
if "batch" in sys.argv and "TOMARIUM_SUPERVISOR" in os.environ:
    from pathlib import Path
    import tomarium.beamtime.batch_plan as plan
    import tomarium.beamtime.batch_result as made
    import tomarium.formats as formats
    plan.MOST_BEGUN = int(os.environ.get("MOST_BEGUN", plan.MOST_BEGUN))
    make, opened = made.make, formats.open
    def make_or_crash(how, row, *more):
        if row.name == "b_make":
            os.kill(os.getpid(), signal.SIGSEGV)
        if row.name == "z_waits":
            Path(os.environ["PLACE"]).write_text(str(os.getpid()))
            time.sleep(3600)
        return make(how, row, *more)
    def open_or_crash(path, **given):
        if Path(path).stem == "c_open":
            os.kill(os.getpid(), signal.SIGABRT)
        return opened(path, **given)
    made.make, formats.open = make_or_crash, open_or_crash
"""
"""Code that a Python runs at its start: two scans crash it, and one never comes to an end."""


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    folder.mkdir()
    first = simulate(folder / "a.h5", SMALL) and folder / "a.h5"
    for name in ("b_make", "c_open", "d"):
        (folder / f"{name}.h5").write_bytes(first.read_bytes())
    (tmp_path / "start").mkdir()
    (tmp_path / "start" / "sitecustomize.py").write_text(CRASHING)
    return folder


def batch(spool: Path, *words: str) -> tuple[list[str], dict[str, Any]]:
    here = spool.parent
    told = [
        sys.executable,
        "-m",
        "tomarium",
        "batch",
        str(spool),
        "-o",
        str(here / "night"),
        "--on",
        "serial",
        *words,
    ]
    # Each time is another start of Python; how often a scan is tried otherwise, tests/beamtime/test_batch.py says.
    more = {"PYTHONPATH": str(here / "start"), "PLACE": str(here / "place"), "MOST_BEGUN": "2"}
    return [*told, "--rows", "2:3"], {**os.environ, **more}


def test_a_scan_that_crashes_the_interpreter_is_named_and_the_others_are_done(spool: Path) -> None:
    words, environment = batch(spool)
    ended = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1, ended.stderr
    rows = {
        row["name"]: row for row in json.loads((spool.parent / "night" / "results.json").read_text())["scans"]
    }
    assert {name: row["state"] for name, row in rows.items() if row["state"] == "failed"} == {
        "b_make": "failed",
        "c_open": "failed",
    }
    assert "ended 2 times while it was at work on" in rows["b_make"]["error"]
    assert "ended 2 times while it opened" in rows["c_open"]["error"]
    for name in ("a", "d"):
        assert (spool.parent / "night" / "records" / name / "ro-crate-metadata.json").is_file()
    assert (
        "! the program was ended by SIGSEGV while it was at work; it goes on in a new process" in ended.stderr
    )
    assert "b_make: the program ended 1 time while it was at work on it" in ended.stderr
    assert "SIGABRT" in ended.stderr


def test_the_batch_of_the_menu_goes_on_where_a_scan_crashes_the_interpreter(spool: Path) -> None:
    (spool / "c_open.h5").unlink()
    here = spool.parent
    environment = batch(spool)[1]
    words = [sys.executable, "-m", "tomarium", "menu", str(spool), "-o", str(here)]
    typed = "n a\nr 1 1 3 64 64 3\nA *\n"
    ended = subprocess.run(words, env=environment, input=typed, capture_output=True, text=True, check=False)
    assert ended.returncode == 1, ended.stderr
    rows = json.loads((here / "batch" / "results.json").read_text())["scans"]
    assert {row["name"] for row in rows if row["state"] == "failed"} == {"b_make"}
    assert "ended by SIGSEGV" in ended.stderr


@contextmanager
def at_work(spool: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start a batch; yield it once the process that works, whose number is yielded too, is at a scan without end."""
    (spool / "b_make.h5").rename(spool / "z_waits.h5")
    (spool / "c_open.h5").unlink()
    words, environment = batch(spool, "--match", "z_*")
    place = spool.parent / "place"
    parent = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 600
        while not (place.exists() and place.read_text()):
            assert parent.poll() is None, f"the batch ended with {parent.returncode}"
            assert time.monotonic() < end, "the batch came to no scan within ten minutes"
            time.sleep(0.05)
        yield parent, int(place.read_text())
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait(120)


def test_the_process_that_works_ends_with_its_parent(spool: Path) -> None:
    with at_work(spool) as (_, child):
        pass
    end = time.monotonic() + 600
    while _runs(child) and time.monotonic() < end:
        time.sleep(0.05)
    assert not _runs(child)


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_what_is_sent_to_the_parent_alone_stops_the_process_that_works(
    spool: Path, asked: signal.Signals
) -> None:
    with at_work(spool) as (parent, child):
        parent.send_signal(asked)
        assert parent.wait(120) == 3
        assert not _runs(child)


def _runs(process: int) -> bool:
    """Tell whether a process runs; one that has ended and waits for somebody to ask does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
