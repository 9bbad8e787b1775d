"""What LiveWriter wrote can be read at any moment, by any HDF5 library, and survives its writer."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tomarium as tm
from tomarium.errors import FormatError, InputError
from tomarium.model import Scan

FRAMES = {"exchange/data": ((4, 6), "u2"), "exchange/theta": ((), "f8")}


def entry(number: int) -> dict[str, object]:
    return {"exchange/data": np.full((4, 6), number), "exchange/theta": number / 2}


@settings(deadline=None, max_examples=15)
@given(
    st.integers(0, 25),
    st.integers(1, 9),
    st.sampled_from([None, "gzip", "lzf"]),
    st.lists(st.integers(0, 24), max_size=4),
)
def test_every_entry_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    count: int,
    per_file: int,
    packed: str | None,
    publish: list[int],
) -> None:
    path = tmp_path_factory.mktemp("live") / "scan.h5"
    with tm.LiveWriter(
        path,
        FRAMES,
        frames_per_file=per_file,
        publish_s=1e6,
        compression=packed,
        fixed={"implements": "exchange"},
    ) as writer:
        for number in range(count):
            writer.append(entry(number))
            if number in publish:
                writer.publish()
                with h5py.File(path, "r") as file:  # another library would do the same, locks and all
                    assert file["exchange/data"][:, 0, 0].tolist() == list(range(number + 1))
                    assert file.attrs["writer_status"] == "running"
        assert len(writer) == count
    assert writer.published == count
    with h5py.File(path, "r") as file:
        assert file["exchange/data"].shape == (count, 4, 6)
        assert file["exchange/data"].dtype == np.uint16
        assert file["exchange/data"][:, 3, 5].tolist() == list(range(count))
        np.testing.assert_array_equal(file["exchange/theta"][:], np.arange(count) / 2)
        assert file["implements"].asstr()[()] == "exchange"
    assert not list(path.parent.rglob(".*"))


def test_it_is_a_scan_while_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    fixed = {"implements": "exchange", "exchange/data_white": np.full((2, 4, 6), 9, np.uint16)}
    attributes = {"exchange/theta": {"units": "degree"}, "exchange": {"title": "a tooth"}}
    with tm.LiveWriter(path, FRAMES, fixed=fixed, attributes=attributes, publish_s=0.0) as writer:
        opened = tm.open_h5(path)
        assert opened.status == "growing"
        assert opened["exchange/data"].shape == (0, 4, 6)
        for number in range(6):
            writer.append(entry(number))
        writer.publish()
        assert opened["exchange/data"].valid_frames == 6
        assert opened["exchange/theta"].attrs["units"] == "degree"
        scan = tm.open(path)
        assert isinstance(scan, Scan)
        assert scan.projections.shape == (6, 4, 6)
        writer.append(entry(6))
    assert opened.status == "finished"
    assert [int(one[0, 0]) for one in opened["exchange/data"].follow(timeout_s=0.0)] == list(range(7))
    assert tm.open(path).angles_deg.value.tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3]


def test_wrong_entries_are_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    writer = tm.LiveWriter(path, FRAMES)
    with pytest.raises(InputError, match="needs exchange/data, exchange/theta; exchange/data was given"):
        writer.append({"exchange/data": np.zeros((4, 6))})
    with pytest.raises(InputError, match=r"has shape \(4, 6\); one of \(5, 6\) was given"):
        writer.append({"exchange/data": np.zeros((5, 6)), "exchange/theta": 1.0})
    writer.append(entry(0))
    writer.close()
    writer.close()
    with pytest.raises(InputError, match="is closed"):
        writer.append(entry(1))
    with pytest.raises(FormatError, match="a scan of that name already"):
        tm.LiveWriter(path, FRAMES)
    with pytest.raises(InputError, match="frames_per_file of 1 or more"):
        tm.LiveWriter(tmp_path / "other.h5", FRAMES, frames_per_file=0)
    assert tm.open_h5(path)["exchange/data"].shape == (1, 4, 6)


def test_an_error_in_the_scan_leaves_what_there_was(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"

    def scan_that_fails() -> None:
        with tm.LiveWriter(path, FRAMES) as writer:
            writer.append(entry(0))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        scan_that_fails()
    opened = tm.open_h5(path)
    assert opened["exchange/data"].valid_frames == 1
    assert opened.attrs["writer_status"] == "interrupted"


KILLED = """
import sys, numpy as np, tomarium as tm
writer = tm.LiveWriter(sys.argv[1], {"d": ((32, 32), "u4")}, frames_per_file=3, publish_s=0.02)
for number in range(10**7):
    writer.append({"d": np.full((32, 32), number)})
    print(writer.published, flush=True)
"""


@pytest.mark.parametrize("after_frames", [1, 30, 77, 150])
def test_a_writer_that_is_killed_leaves_the_last_good_state(tmp_path: Path, after_frames: int) -> None:
    path = tmp_path / "scan.h5"
    process = subprocess.Popen([sys.executable, "-c", KILLED, path], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(after_frames):
        line = process.stdout.readline()
    time.sleep(0.0007 * after_frames % 0.01)
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    published = int((line + rest).split("\n")[-2])
    with h5py.File(path, "r") as file:
        numbers = file["d"][:, 0, 0].tolist() if len(file["d"]) else []
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= published
    assert tm.open_h5(path)["d"].valid_frames == len(numbers)


@pytest.mark.parametrize(
    ("datasets", "said"),
    [
        ({"a": ((2,), "nonsense")}, "nonsense"), ({"a": ((-2,), "u2")}, "lengths of 1 or more"),
        ({"a": (2, "u2")}, "give its shape and type"), ({"/": ((2,), "u2")}, "is no name"),
        ({"a": ((2,), "u2"), "a/b": ((2,), "u2")}, "lies within the dataset a"),
        ({"a": "u2"}, "give its shape and type"),
    ],
)  # fmt: skip
def test_a_promise_that_cannot_be_kept_is_refused_in_words(datasets: Any, said: str, tmp_path: Path) -> None:
    """Nothing is left behind that would be in the way of the next try."""
    with pytest.raises(InputError, match=said):
        tm.LiveWriter(tmp_path / "scan.h5", datasets)
    assert list(tmp_path.iterdir()) == []
    tm.LiveWriter(tmp_path / "scan.h5", {"a": ((2,), "u2")}, fixed={"title": "a leaf"}).close()


def test_a_fixed_value_that_cannot_be_stored_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be stored"):
        tm.LiveWriter(tmp_path / "scan.h5", {"a": ((2,), "u2")}, fixed={"title": object()})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([1.5, 2.0], "does not hold 1.5"), ([-1, 1], "does not hold -1"), ([70000, 1], "does not hold 70000"),
        ([float("nan"), 1.0], "does not hold nan"), (["x", "y"], "give numbers"), ([1, 2, 3], "has shape"),
    ],
)  # fmt: skip
def test_a_value_the_type_does_not_hold_is_refused(value: Any, said: str, tmp_path: Path) -> None:
    with tm.LiveWriter(tmp_path / "scan.h5", {"a": ((2,), "uint16"), "b": ((), "float32")}) as writer:
        with pytest.raises(InputError, match=said):
            writer.append({"a": value, "b": 0.1})
        writer.append({"a": np.array([1.0, 65535.0]), "b": 0.1})
        assert len(writer) == 1
    assert tm.open_h5(tmp_path / "scan.h5")["a"][0].tolist() == [1, 65535]
