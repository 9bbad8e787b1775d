"""A night at a beamline in small: thirty scans; watch, batch, copy and server are killed, and nothing is lost."""

from __future__ import annotations

import hashlib
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from chromium import wait_until
from free_port import free_port

sys.path.append(str(Path(__file__).parents[1] / "formats"))
sys.path.append(str(Path(__file__).parent))

from beamline_makers import write_flyscan
from spool_scans import SMALL, frames_of, written

from tomarium.beamtime.live_file import LiveState, read_live
from tomarium.beamtime.log_file import read_log
from tomarium.catalogue.catalogue import open_catalogue
from tomarium.catalogue.make_series import is_made
from tomarium.cli import execute

SCANS = 30
TINY = {"columns": 96, "rows": 8, "views": 90, "axis_column": 48.4}
FIRST = 12
"""Scans that come before anything is killed for good; the batch that is killed is asked for them alone."""
PAUSE_S = 0.4
TARGET_S = 2.0
"""Age at which a slice is to be there, on two processors of its own (`benchmarks/watch.py` measures it)."""
JOBS = 4
"""Where the processors are shared no time is sure, but the order is: a new scan, or a newer one, is shown after so many
results of older scans at most. Two threads each have one at work, and one that was begun while the scan settled."""
BROKEN = {
    "s03_half.h5", "s07_half.nx", "s11_fly", "s15_empty.h5", "s18_other.h5", "s22_words.nx", "s26_cut_fly",
}  # fmt: skip
OBSERVE = """() => {
  window.seen = [];
  const note = () => {
    const scan = document.querySelector('.wall li .wall-name')?.textContent;
    if (scan && window.seen.at(-1) !== scan) window.seen.push(scan);
  };
  new MutationObserver(note).observe(document.body, { childList: true, subtree: true });
  note();
}"""
"""Keeps each scan that the page shows as the newest, in the order in which it does."""


def store_of(folder: Path) -> Path:
    """Thirty scans, Data Exchange, NXtomo and Flyscan in turn; seven of them broken, each in another way."""
    store = folder / "store"
    store.mkdir()
    whole = {"h5": written(folder / "one.h5", **TINY), "nx": written(folder / "one.nx", to="nxtomo", **TINY)}
    frames = frames_of(replace(SMALL, **TINY))
    bytes_of = {ending: path.read_bytes() for ending, path in whole.items()}
    broken = {int(name[1:3]): name for name in BROKEN}
    for number in range(SCANS):
        ending = ("h5", "nx", "fly")[number % 3]
        path = store / broken.get(number, f"s{number:02d}{'_fly' if ending == 'fly' else f'.{ending}'}")
        if ending == "fly":
            write_flyscan(path, frames)
        else:
            path.write_bytes(bytes_of[ending])
    for name, content in (("s03_half.h5", bytes_of["h5"]), ("s07_half.nx", bytes_of["nx"])):
        (store / name).write_bytes(content[: len(content) // 2])
    (store / "s11_fly" / "s11_fly.nxs").unlink()
    (store / "s15_empty.h5").write_bytes(b"")
    with h5py.File(store / "s18_other.h5", "w") as file:
        file["temperature"] = np.arange(4.0)
    (store / "s22_words.nx").write_text("the detector was not ready\n", "utf-8")
    main = store / "s26_cut_fly" / "s26_cut_fly.nxs"
    main.write_bytes(main.read_bytes()[:700])
    return store


class Processes:
    """What runs beside the test: started with its words into a file, and killed at the end at the latest."""

    def __init__(self) -> None:
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, *words: object, into: Path) -> subprocess.Popen[bytes]:
        """Start a program of this Python; what it says goes to the end of a file."""
        with into.open("ab") as file:
            told = [sys.executable, *map(str, words)]
            self.started.append(subprocess.Popen(told, stdout=file, stderr=subprocess.STDOUT))
        return self.started[-1]

    def tomarium(self, *words: object, into: Path) -> subprocess.Popen[bytes]:
        """Start a command of tomarium."""
        return self.start("-m", "tomarium", *words, into=into)

    def kill(self, one: subprocess.Popen[bytes]) -> None:
        """End a process as a crash or the lack of memory does."""
        assert one.poll() is None, "it ended by itself before it was killed"
        one.send_signal(signal.SIGKILL)
        one.wait(120)


@pytest.fixture
def processes() -> Iterator[Processes]:
    made = Processes()
    yield made
    for one in made.started:
        if one.poll() is None:
            one.kill()
        one.wait(120)


@pytest.fixture
def window(browser: Any) -> Iterator[Any]:
    """A page of a browser; the server behind it goes away and comes back, so what that says is no error."""
    context = browser.new_context(viewport={"width": 640, "height": 480})
    context.set_default_timeout(240_000)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    context.close()
    assert wrong == []


def until(reached: Callable[[], Any], seconds: float = 240) -> Any:
    """Wait until something is so, and return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := reached():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not reached in {seconds} s")


def state_when(folder: Path, wanted: Callable[[LiveState], object]) -> LiveState:
    """Wait until the state of the watch is as wanted: a function of it."""
    told: LiveState = until(lambda: (told := read_live(folder)) is not None and wanted(told) and told)
    return told


def heard(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def sums(folder: Path) -> dict[str, str]:
    """SHA-256 of all files below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def records_of(night: Path) -> dict[str, int]:
    """Finished records of a batch, and when each was written."""
    return {
        path.name: (path / "provenance.json").stat().st_mtime_ns
        for path in night.glob("records/*")
        if is_made(path)
    }


def demand_in_time(names: list[str], arrived: dict[str, int], said: list[str]) -> None:
    """Demand that no scan waited: its result, or that of a newer one, came in time, by the clock or by order of events.

    `arrived`: how many lines the watch had said when each scan was there; `said`: those lines.
    """
    results = []
    for place, line in enumerate(said):
        made = re.fullmatch(r"(\S+): row .* ([\d.]+) s old", line)
        failed = re.match(r"! (\S+): ", line)
        if made:
            results.append((place, names.index(made[1]), float(made[2])))
        elif failed and failed[1] in BROKEN:
            results.append((place, names.index(failed[1]), 2 * TARGET_S))
    for rank, name in enumerate(names):
        since = arrived[name]
        if any(other >= rank for place, other, _ in results if place < since):
            continue  # it was shown while it was written
        after = [(other, old_s) for place, other, old_s in results if place >= since]
        older = next((count for count, (other, _) in enumerate(after) if other >= rank), None)
        assert older is not None, f"{name}: no result of it, or of a newer scan"
        assert older <= JOBS or after[older][1] <= TARGET_S, (
            f"{name}: {older} results of older scans came first"
        )


def demand_log(folder: Path, names: set[str], batch: set[str]) -> None:
    """Demand that the log book has each event once, whatever was killed."""
    entries = read_log(folder)
    assert len({one.key for one in entries}) == len(entries)
    told = [(one.who.removeprefix("tomarium "), *one.text.split(": ", 1)) for one in entries]
    for who, word, wanted in (
        ("watch", "started", names),
        ("watch", "reconstructed", names - BROKEN),
        ("watch", "failed", BROKEN),
        ("copy", "copied", names),
        ("batch", "reconstructed", {Path(name).stem for name in batch - BROKEN}),
    ):
        assert sorted(name for by, name, text in told if by == who and text.startswith(word)) == sorted(
            wanted
        ), word


def test_nothing_is_lost_in_a_night_of_thirty_scans(
    tmp_path: Path, processes: Processes, window: Any
) -> None:
    spool, live, night, disk = (tmp_path / name for name in ("spool", "live", "night", "disk"))
    log, told, others = tmp_path / "log.json", tmp_path / "watch.txt", tmp_path / "others.txt"
    for folder in (spool, disk):
        folder.mkdir()
    store = store_of(tmp_path)
    names = sorted(path.name for path in store.iterdir())
    port, catalogue = free_port(), tmp_path / "catalogue.sqlite"
    open_catalogue(catalogue).close()
    beamtime = ["--beamtime", tmp_path]  # whose log book it is
    watch = ["watch", spool, "-o", live, "--every", "200ms", *beamtime]
    serve = ["serve", catalogue, "--port", port, "--live", live]
    batch = ["batch", spool, "-o", night, "--on", "serial", "--rows", "2:4", *beamtime]
    begun = [*batch, "--match", "s0*", "--match", "s1[01]*"]
    copy = ["copy", "--each", spool, disk, *beamtime]

    first = processes.tomarium(*watch, into=told)
    server = processes.tomarium(*serve, into=others)
    state_when(live, lambda state: state.state == "running")
    until(lambda: heard(port))
    window.goto(f"http://127.0.0.1:{port}/live")
    window.evaluate(OBSERVE)
    detector = [Path(__file__).with_name("detector.py"), store, spool, log, PAUSE_S, told]
    writer = processes.start(*detector, 0, FIRST, into=others)

    state_when(live, lambda state: len(state.slices) >= 3 and state.running)
    wait_until(window, "window.seen.length >= 2", seconds=240)
    processes.kill(first)  # in mid-work
    processes.kill(server)
    before = read_live(live)
    assert before is not None
    assert before.state == "running"  # it had no time to say anything
    assert writer.wait(240) == 0
    again = processes.tomarium(*watch, "--serve", port, into=told)  # the page goes on by itself
    state_when(live, lambda state: state.process == again.pid)

    writer = processes.start(*detector, FIRST, SCANS, into=others)
    nightly = processes.tomarium(*begun, into=others)
    until(lambda: len(records_of(night)) >= 2)
    processes.kill(nightly)  # it, too, in mid-work
    kept = records_of(night)
    copying = processes.tomarium(*copy, into=others)
    until(lambda: sum(path.is_file() for path in disk.rglob("*")) >= 5)
    processes.kill(copying)
    assert writer.wait(240) == 0

    def all_told(state: LiveState) -> bool:
        good = {one["scan"] for one in state.slices if one["complete"] and one["checked"]}
        return good | {one["scan"] for one in state.failed} >= set(names)

    state = state_when(live, all_told)
    wait_until(window, f"window.seen.at(-1) === '{names[-1]}'", seconds=240)
    seen = window.evaluate("window.seen")
    until(lambda: sum(": failed: " in one.text for one in read_log(tmp_path)) == len(BROKEN))
    again.send_signal(signal.SIGTERM)
    assert again.wait(240) == 0
    state = state_when(live, lambda state: state.state == "stopped")

    # Every scan has its slice, or is named with the reason.
    assert {one["scan"] for one in state.slices} == set(names) - BROKEN
    assert {one["scan"] for one in state.failed} == BROKEN
    assert all(len(one["reason"]) > 20 for one in state.failed)
    for one in state.slices:
        assert one["axis_column"] == pytest.approx(48.4, abs=0.3), one["scan"]
        with Image.open(live / "slices" / one["picture"]) as picture:
            assert picture.size == (96, 96)
    # What was done before the kill was not done again, but for slices about the axis of another scan.
    finished = {(one["scan"], *one["stamp"]): one["finished_at"] for one in state.slices}
    for one in before.slices:
        if one["complete"] and one["axis_sought"]:  # where it was written to since, it is another one
            assert finished.get((one["scan"], *one["stamp"]), one["finished_at"]) == one["finished_at"], one[
                "scan"
            ]
    assert not list(live.rglob("*.part"))

    # The page: the newest scan is never followed by an older one, and none is late.
    shown = [names.index(scan) for scan in seen]
    assert shown == sorted(shown)
    assert shown[0] < FIRST < shown[-2]  # also what came after the server was killed appeared by itself
    demand_in_time(names, json.loads(log.read_text("utf-8")), told.read_text("utf-8").splitlines())

    # The batch goes on: what was finished stays as it is, no half record looks whole, and what is broken is named.
    assert execute([str(word) for word in batch]) == 1
    rows = {Path(row["scan"]).name: row for row in json.loads((night / "results.json").read_text())["scans"]}
    assert rows.keys() == set(names)
    assert {name for name, row in rows.items() if row["state"] != "failed"} == rows.keys() - BROKEN
    assert all(len(row["error"]) > 20 for row in rows.values() if row["state"] == "failed")
    made = records_of(night)
    assert len(made) == len(rows.keys() - BROKEN)
    assert kept.items() <= made.items()

    # The copy goes on, and every file is on the disk.
    assert execute([str(word) for word in copy]) == 1  # it warns: source and copy lie on one disk
    assert sums(spool) == sums(store)
    assert sums(store).items() <= sums(disk).items()
    demand_log(tmp_path, set(names), set(rows))
