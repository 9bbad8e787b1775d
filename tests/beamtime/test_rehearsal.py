"""A night at a beamline in small: a detector writes, the watcher is killed in mid-work, and nothing is lost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

sys.path.append(str(Path(__file__).parents[1] / "formats"))
sys.path.append(str(Path(__file__).parent))

from beamline_makers import write_flyscan
from spool_scans import SMALL, frames_of, written

from tomarium.beamtime.live_file import LiveState, read_live, seconds_of

PAUSE_S = 0.4
OLD_S = 30.0
"""Age of the newest slice that is never passed here, where many tests share the processors; the target is 2 s on two of
its own, which `benchmarks/watch.py` measures."""
BROKEN = {"s03_half.h5", "s06_empty.h5", "s08_other.h5", "s10_fly"}


def store_of(folder: Path) -> Path:
    """Twelve scans: Data Exchange, NXtomo and Flyscan; four of them broken."""
    store = folder / "store"
    store.mkdir()
    written(store / "s00.h5")
    written(store / "s01.nx", to="nxtomo")
    write_flyscan(store / "s02_fly", frames_of(SMALL))
    whole = (store / "s00.h5").read_bytes()
    (store / "s03_half.h5").write_bytes(whole[: len(whole) // 2])
    (store / "s04.h5").write_bytes(whole)
    (store / "s05.nx").write_bytes((store / "s01.nx").read_bytes())
    (store / "s06_empty.h5").write_bytes(b"")
    write_flyscan(store / "s07_fly", frames_of(SMALL))
    with h5py.File(store / "s08_other.h5", "w") as file:
        file["temperature"] = np.arange(4.0)
    (store / "s09.h5").write_bytes(whole)
    write_flyscan(store / "s10_fly", frames_of(SMALL))
    (store / "s10_fly" / "s10_fly.nxs").unlink()
    (store / "s11.nx").write_bytes((store / "s01.nx").read_bytes())
    return store


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for one in started:
        if one.poll() is None:
            one.kill()
        one.wait(10)


def state_when(folder: Path, wanted: object, seconds: float = 90) -> LiveState:
    """Wait until the state is as wanted: a function of it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        told = read_live(folder)
        if told is not None and wanted(told):  # type: ignore[operator]
            return told
        time.sleep(0.05)
    raise AssertionError(f"not reached in {seconds} s: {told}")


def test_nothing_is_lost_when_the_watcher_is_killed(
    tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    spool, live, log = tmp_path / "spool", tmp_path / "live", tmp_path / "log.json"
    spool.mkdir()
    store = store_of(tmp_path)
    watcher = [sys.executable, "-m", "tomarium", "watch", str(spool), "-o", str(live), "--every", "50ms"]

    def start(words: list[str]) -> subprocess.Popen[bytes]:
        processes.append(subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        return processes[-1]

    first = start(watcher)
    state_when(live, lambda told: told.state == "running")
    detector = Path(__file__).with_name("detector.py")
    writer = start([sys.executable, str(detector), str(store), str(spool), str(log), str(PAUSE_S)])
    state_when(live, lambda told: len(told.slices) >= 2 and told.running)
    first.send_signal(signal.SIGKILL)  # in mid-work
    first.wait(10)
    before = read_live(live)
    assert before is not None
    assert before.state == "running"  # it had no time to say anything
    again = start(watcher)
    assert writer.wait(60) == 0
    names = {path.name for path in store.iterdir()}

    def all_told(told: LiveState) -> bool:
        good = {one["scan"] for one in told.slices if one["complete"] and one["checked"]}
        return good | {one["scan"] for one in told.failed} >= names

    state = state_when(live, all_told)
    assert {one["scan"] for one in state.slices} == names - BROKEN
    assert {one["scan"] for one in state.failed} == BROKEN
    assert all(len(one["reason"]) > 20 for one in state.failed)
    again.send_signal(signal.SIGTERM)
    assert again.wait(30) == 0
    state = state_when(live, lambda told: told.state == "stopped")
    there = json.loads(log.read_text("utf-8"))
    for one in state.slices:
        assert one["axis_column"] == pytest.approx(65.4, abs=0.3), one["scan"]
        assert seconds_of(one["finished_at"]) - there[one["scan"]] < OLD_S
        with Image.open(live / "slices" / one["picture"]) as picture:
            assert picture.size == (128, 128)
    # What was done before the kill was not done again, but for slices about the axis of another scan.
    before.slices = [one for one in before.slices if one["complete"]]
    finished = {one["scan"]: one["finished_at"] for one in state.slices}
    kept = {one["scan"]: one["finished_at"] for one in before.slices if one["axis_sought"]}
    assert kept.items() <= finished.items()
    assert not list(live.rglob("*.part"))
    assert {path.name for path in spool.iterdir()} == names
