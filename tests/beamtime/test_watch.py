"""A folder that is watched: every scan gets a slice or is named with its reason, and a restart goes on."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

sys.path.append(str(Path(__file__).parent))

from spool_scans import SMALL, frames_of, written

from tomarium.beamtime.arrivals import Arrival
from tomarium.beamtime.live_file import read_live
from tomarium.beamtime.look_at_scan import LookSettings
from tomarium.beamtime.unfinished import Unfinished, not_whole
from tomarium.beamtime.watch import WatchRequest, watch
from tomarium.errors import InputError
from tomarium.formats.edf.writer import write as write_edf
from tomarium.pipeline.protocol.choice import Choice


def request(tmp_path: Path, **changes: Any) -> WatchRequest:
    spool = tmp_path / "spool"
    spool.mkdir(exist_ok=True)
    settings = LookSettings(Choice().protocol, changes.pop("row", "middle"))
    told = WatchRequest(spool, tmp_path / "live", settings, "default", once=True, every_s=0.02)
    return replace(told, **changes)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("whole") / "whole.h5")


def growing(path: Path, views: int) -> Path:
    """A Data Exchange file of the first views, whose datasets may grow."""
    scan = frames_of(SMALL)
    assert scan.flats is not None
    assert scan.darks is not None
    rows = slice(None)
    with h5py.File(path, "w") as file:
        file["implements"] = "exchange"
        frames = scan.projections.read(slice(0, views), rows)
        file.create_dataset(
            "exchange/data", data=frames, maxshape=(None, *frames.shape[1:]), chunks=(1, *frames.shape[1:])
        )
        file["exchange/data_white"] = scan.flats.frames.read(rows, rows)
        file["exchange/data_dark"] = scan.darks.frames.read(rows, rows)
        theta = file.create_dataset("exchange/theta", data=scan.angles_deg.value[:views], maxshape=(None,))
        theta.attrs["units"] = "deg"
    return path


def test_each_scan_gets_a_slice_or_its_reason(tmp_path: Path, whole: Path) -> None:
    asked = request(tmp_path)
    shutil.copy(whole, asked.spool / "a.h5")
    (asked.spool / "half.h5").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    (asked.spool / "empty.h5").write_bytes(b"")
    (asked.spool / "wrong.h5").write_bytes(b"no HDF5 at all")
    with h5py.File(asked.spool / "other.h5", "w") as file:
        file["temperature"] = np.arange(4.0)
    (asked.spool / "link.h5").symlink_to(tmp_path / "nowhere.h5")
    write_edf(asked.spool / "edf", frames_of(SMALL))
    said: list[str] = []
    state = watch(asked, tell=said.append)
    assert {one["scan"] for one in state.slices} == {"a.h5", "edf"}
    for one in state.slices:
        assert one["axis_column"] == pytest.approx(65.4, abs=0.3)
        assert (one["confidence"], one["complete"], one["views"], one["row"]) == ("high", True, 120, 8)
        with Image.open(asked.folder / "slices" / one["picture"]) as picture:
            assert picture.size == (one["width"], one["height"]) == (128, 128)
            assert np.ptp(np.asarray(picture)) == 255
    reasons = {one["scan"]: one["reason"] for one in state.failed}
    assert set(reasons) == {"half.h5", "empty.h5", "wrong.h5", "other.h5"}
    assert "truncated" in reasons["half.h5"]
    assert "no HDF5 at all" in reasons["wrong.h5"]
    assert any(text.startswith("! empty.h5: ") for text in said)
    told = json.loads((asked.folder / "live.json").read_text("utf-8"))
    assert told["state"] == "stopped"
    assert not [path for path in asked.spool.rglob("*") if "live" in path.name]


def test_a_restart_does_nothing_twice_and_tries_what_has_changed(tmp_path: Path, whole: Path) -> None:
    asked = request(tmp_path)
    shutil.copy(whole, asked.spool / "a.h5")
    (asked.spool / "b.h5").write_bytes(b"begun")
    first = watch(asked)
    made = (asked.folder / "slices" / "a.h5.png").stat().st_mtime_ns
    shutil.copy(whole, asked.spool / "b.h5")
    said: list[str] = []
    second = watch(asked, tell=said.append)
    assert (asked.folder / "slices" / "a.h5.png").stat().st_mtime_ns == made
    assert [one["scan"] for one in first.slices] == ["a.h5"]
    assert [one["scan"] for one in second.slices] == ["b.h5", "a.h5"]
    assert second.failed == []
    assert len(said) == 1


def test_a_picture_that_was_lost_is_made_again(tmp_path: Path, whole: Path) -> None:
    asked = request(tmp_path)
    shutil.copy(whole, asked.spool / "a.h5")
    watch(asked)
    (asked.folder / "slices" / "a.h5.png").unlink()
    watch(asked)
    assert (asked.folder / "slices" / "a.h5.png").is_file()


def test_an_incomplete_scan_is_shown_and_said_and_made_again_when_it_is_whole(tmp_path: Path) -> None:
    asked = request(tmp_path)
    growing(asked.spool / "a.h5", 70)
    [part] = watch(asked).slices
    assert (part["complete"], part["views"], part["checked"]) == (False, 70, False)
    assert part["covered_deg"] == pytest.approx([0.0, 69 * 1.5])
    growing(asked.spool / "a.h5", 120)
    [now] = watch(asked).slices
    assert (now["complete"], now["views"], now["checked"]) == (True, 120, True)


def test_where_the_axis_is_not_sure_that_of_the_scan_before_is_taken_and_said(tmp_path: Path) -> None:
    asked = request(tmp_path)
    growing(asked.spool / "a.h5", 120)
    watch(asked)
    growing(asked.spool / "b.h5", 40)  # 60° do not tell the axis
    newest = watch(asked).slices[0]
    assert (newest["scan"], newest["confidence"], newest["axis_of"]) == ("b.h5", "last good", "a.h5")
    assert newest["axis_column"] == pytest.approx(65.4, abs=0.3)
    assert [one["title"] for one in newest["warnings"]] == ["Axis not sure"]
    assert "the axis of a.h5" in newest["warnings"][0]["text"]


def test_an_axis_that_moved_since_the_last_scan_is_a_warning(tmp_path: Path, whole: Path) -> None:
    asked = request(tmp_path)
    shutil.copy(whole, asked.spool / "a.h5")
    watch(asked)
    written(asked.spool / "b.h5", axis_column=62.4)
    [told] = watch(asked).slices[0]["warnings"]
    assert told["title"] == "Axis moved"
    assert told["text"].startswith("-3.0 px from where it is in a.h5")


def run_until(
    asked: WatchRequest, act: Callable[[Any], bool], tell: Callable[[str], object] = lambda text: None
) -> Any:
    """Watch until `act` has seen in `live.json` what it waits for; two minutes at most."""
    end = time.monotonic() + 120

    def stop() -> bool:
        told = read_live(asked.folder)
        return time.monotonic() > end or (told is not None and act(told))

    return watch(replace(asked, once=False), tell=tell, stop=stop)


def test_what_vanishes_and_what_is_renamed_is_named(tmp_path: Path, whole: Path) -> None:
    asked = request(tmp_path)
    shutil.copy(whole, asked.spool / "a.h5")
    (asked.spool / "wrong.h5").write_bytes(b"no HDF5 at all")
    os.utime(asked.spool / "wrong.h5", (1e9, 1e9))  # long ago: it is not being written
    steps = []

    def act(told: Any) -> bool:
        if not steps and told.slices and told.failed:
            (asked.spool / "a.h5").rename(asked.spool / "sample_1.h5")
            (asked.spool / "wrong.h5").unlink()
            steps.append("renamed")
        return len(told.skipped) == 2 and told.slices[0]["scan"] == "sample_1.h5"

    state = run_until(asked, act)
    reasons = {one["scan"]: one["reason"] for one in state.skipped}
    assert reasons == {
        "a.h5": "was renamed to sample_1.h5",
        "wrong.h5": "vanished before it was reconstructed",
    }
    assert [(one["scan"], one["picture"]) for one in state.slices] == [("sample_1.h5", "a.h5.png")]
    assert state.failed == []


def test_the_newest_comes_first_and_older_ones_are_filled_in(tmp_path: Path, whole: Path) -> None:
    asked = request(tmp_path)
    for number in range(5):
        path = shutil.copy(whole, asked.spool / f"s{number}.h5")
        os.utime(path, (1e9 + 60 * number,) * 2)
    said: list[str] = []
    state = watch(asked, tell=said.append)
    names = [f"s{number}.h5" for number in (4, 3, 2, 1, 0)]
    assert list(dict.fromkeys(text.split(":")[0] for text in said)) == names
    assert [one["scan"] for one in state.slices] == names
    # In haste the axis of the scan before was taken; in the end that of each scan was looked for.
    assert any("(last good)" in text for text in said)
    for one in state.slices:
        assert (one["confidence"], one["axis_sought"], one["checked"]) == ("high", True, True)


@pytest.mark.parametrize(("row", "expected"), [("3", 3), ("-1", 15), ("32.5um", 10)])
def test_the_row_is_a_number_or_a_length(tmp_path: Path, whole: Path, row: str, expected: int) -> None:
    asked = request(tmp_path, row=row)
    shutil.copy(whole, asked.spool / "a.h5")
    assert watch(asked).slices[0]["row"] == expected


def test_a_row_that_is_not_there_is_the_reason(tmp_path: Path, whole: Path) -> None:
    asked = request(tmp_path, row="99")
    shutil.copy(whole, asked.spool / "a.h5")
    assert watch(asked).failed[0]["reason"] == "--row 99: a.h5 has the rows 0 to 15, not 99"


def test_nothing_is_written_among_raw_data_and_no_two_watches_write_to_one_place(tmp_path: Path) -> None:
    asked = request(tmp_path)
    with pytest.raises(InputError, match="nothing is written there"):
        watch(replace(asked, folder=asked.spool / "live"))
    with pytest.raises(InputError, match="is not a folder that can be watched"):
        watch(replace(asked, spool=tmp_path / "none"))
    watch(asked)
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match="holds the watch of"):
        watch(replace(asked, spool=tmp_path / "other"))

    def again(_: Any) -> bool:
        with pytest.raises(InputError, match="another watch writes to"):
            watch(asked)
        return True

    run_until(asked, again)


def test_what_is_being_written_is_told_once_and_named_where_it_does_not_end() -> None:
    def arrival(stamp: int, changed_at: float) -> Arrival:
        return Arrival("a.h5", Path("a.h5"), (stamp,), (stamp,), changed_at)

    unfinished, now = Unfinished(), 1e9
    assert "cannot be read yet, so it is waited for (truncated)" in str(
        unfinished.take(arrival(0, now), "truncated", now)
    )
    assert unfinished.waits(arrival(0, now), now + 9)
    assert not unfinished.waits(arrival(0, now), now + 11)
    assert not unfinished.waits(arrival(1, now + 1), now + 2)
    told = [unfinished.take(arrival(n, now + n), "truncated", now + n) for n in range(1, 1000)]
    assert [n for n, text in enumerate(told, 1) if text] == [600]
    assert "has been written to for 10 min and still cannot be read (truncated)" in str(told[599])
    assert unfinished.take(arrival(999, now + 999), "truncated", now + 1010) is None

    entry = {
        "scan": "a.h5",
        "complete": False,
        "stamp": [5],
        "views": 70,
        "covered_deg": (0, 105),
        "warnings": [],
    }
    assert not list(not_whole([entry], {"a.h5": arrival(5, now)}, now + 500))
    assert not list(not_whole([entry], {"a.h5": arrival(6, now)}, now + 700))
    [(_, warning)] = not_whole([entry], {"a.h5": arrival(5, now)}, now + 700)
    assert warning.text.startswith("70 views from 0° to 105°, and nothing was written to it for 10 min")
    entry["warnings"] = [warning.as_data()]
    assert not list(not_whole([entry], {"a.h5": arrival(5, now)}, now + 700))


def test_a_file_that_grows_is_waited_for_and_its_slice_made(tmp_path: Path, whole: Path) -> None:
    asked, content, said = request(tmp_path), whole.read_bytes(), list[str]()
    (asked.spool / "a.h5").write_bytes(content[:5000])

    def act(told: Any) -> bool:
        if said and (asked.spool / "a.h5").stat().st_size == 5000:
            (asked.spool / "a.h5").write_bytes(content)
        return bool(told.slices)

    state = run_until(asked, act, said.append)
    assert [one["complete"] for one in state.slices] == [True]
    assert state.failed == []
    assert [text.startswith("a.h5: is being written") for text in said] == [True, False]
