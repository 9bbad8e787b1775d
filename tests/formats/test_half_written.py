"""A file that a plain HDF5 writer appends to: opened as soon as it is whole, and said where it never is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest

import tomarium as tm
from tomarium.errors import FormatError
from tomarium.formats.hdf5 import half_written as subject
from tomarium.model import Scan

FRAMES = np.random.default_rng(1).integers(0, 4000, (6, 32, 40)).astype(np.uint16)
CUT = 2000  # within the last frame


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "_resting", {})
    monkeypatch.setattr(subject, "_given_up", {})


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    with h5py.File(tmp_path / "whole.h5", "w") as file:
        file["exchange/theta"] = np.arange(6.0)
        file.create_dataset("exchange/data", data=FRAMES, maxshape=(None, 32, 40), chunks=(1, 32, 40))
    return (tmp_path / "whole.h5").read_bytes()


@dataclass
class Clock:
    """A clock that only sleeping moves on; another program may do something whenever somebody sleeps."""

    then: Callable[[int], object] = lambda _count: None
    now: float = 1000.0
    sleeps: int = 0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.sleeps += 1
        self.then(self.sleeps)

    time_ns = staticmethod(time.time_ns)  # beside which the times of files are looked at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(subject, "time", clock)
    return clock


def test_a_file_that_is_whole_a_moment_later(tmp_path: Path, whole: bytes, clock: Clock) -> None:
    for sleeps in (1, 2, 6):
        path = tmp_path / f"scan_{sleeps}.h5"
        path.write_bytes(whole[:-CUT])

        def finish(count: int, path: Path = path, sleeps: int = sleeps) -> None:
            if count == sleeps:
                with path.open("ab") as stream:
                    stream.write(whole[-CUT:])

        clock.sleeps, clock.then = 0, finish
        scan = tm.open(path)
        assert isinstance(scan, Scan)
        np.testing.assert_array_equal(scan.projections.read(slice(None), slice(None)), FRAMES)


def test_a_file_that_another_thread_ends_is_whole_a_moment_later(
    tmp_path: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REST_S", "PATIENCE_S", "LONGEST_S"):  # however late the other thread gets its turn
        monkeypatch.setattr(subject, name, 120.0)
    path = tmp_path / "scan.h5"
    path.write_bytes(whole[:-CUT])

    def finish() -> None:
        time.sleep(0.03)
        with path.open("ab") as stream:
            stream.write(whole[-CUT:])

    writer = threading.Thread(target=finish)
    writer.start()
    scan = tm.open(path)
    writer.join()
    assert isinstance(scan, Scan)
    np.testing.assert_array_equal(scan.projections.read(slice(None), slice(None)), FRAMES)


def test_a_file_at_rest_is_refused_soon_and_as_truncated(tmp_path: Path, whole: bytes, clock: Clock) -> None:
    path, begun = tmp_path / "scan.h5", clock.now
    path.write_bytes(whole[:-CUT])
    with pytest.raises(FormatError, match="is truncated") as caught:
        tm.open(path)
    assert "being written" not in str(caught.value)
    assert clock.now - begun < 1.5
    waited = clock.now
    with pytest.raises(FormatError, match="is truncated"):
        tm.open(path)
    assert clock.now == waited


def test_a_file_that_is_never_whole_is_said_to_be_written(tmp_path: Path, whole: bytes, clock: Clock) -> None:
    path, begun = tmp_path / "scan.h5", clock.now
    path.write_bytes(whole[:-CUT])

    def append(count: int) -> None:  # garbage, less than what lacks, and each time another length of it
        path.write_bytes(whole[:-CUT] + b"1234567"[: count % 7])

    clock.then = append
    with pytest.raises(FormatError, match="is being written, and was met half-written in each"):
        tm.open(path)
    assert subject.PATIENCE_S < clock.now - begun < subject.LONGEST_S


def test_other_refusals_of_a_file_at_rest_are_not_waited_for(tmp_path: Path) -> None:
    path, tries = tmp_path / "x", []
    path.write_bytes(b"x")

    def attempt() -> None:
        tries.append(time.monotonic())
        raise FormatError(f"{path}: is no scan")

    with pytest.raises(FormatError, match="is no scan"):
        subject.while_written(path, attempt)
    assert len(tries) == 1


def test_a_refusal_of_a_file_that_changed_meanwhile_is_tried_again(tmp_path: Path) -> None:
    path, tries = tmp_path / "x", []
    path.write_bytes(b"x")

    def attempt() -> str:
        tries.append(1)
        if len(tries) < 3:
            path.write_bytes(b"x" * (1 + len(tries)))
            raise FormatError(f"{path}: its index is half-written")
        return "whole"

    assert subject.while_written(path, attempt) == "whole"


def test_an_old_file_is_not_waited_for(tmp_path: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "FRESH_S", -0.5)
    path = tmp_path / "scan.h5"
    path.write_bytes(whole[:-CUT])
    monkeypatch.setattr(subject.time, "sleep", lambda seconds: pytest.fail(f"slept {seconds} s"))
    with pytest.raises(FormatError, match="is truncated"):
        tm.open(path)


def test_half_a_file_is_not_taken_for_another_format(
    tmp_path: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first format met it half-written, the next one whole: its answer would be another one."""
    from tomarium import formats

    path = tmp_path / "scan.h5"
    path.write_bytes(whole)
    held = formats.recognise(path)
    (best, match), *others = held
    cut = formats.Match(0.0, "", f"{path}: is truncated (truncated file: eof = 1)")
    other = (next(form for form in formats.formats().values() if form is not best), match)
    monkeypatch.setattr(formats, "recognise", lambda place: (other, (best, cut), *others))
    with pytest.raises(FormatError, match="is truncated"):
        tm.open(path)
