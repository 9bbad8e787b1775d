"""A mirror can be opened at any moment, and never shows a half copy."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

import tomarium as tm
from tomarium.errors import FormatError
from tomarium.live import mirror as mirrors
from tomarium.live.mirror import Generation, mirror, mirror_once
from tomarium.live.mirror_check import what_is_wrong
from tomarium.live.mirror_copy import Copier


def write(path: Path, number: int) -> None:
    with h5py.File(path, "w") as file:
        file["d"] = np.full((4, 5), number)


def test_two_generations_are_kept_and_switched_in_one_step(tmp_path: Path) -> None:
    source, folder = tmp_path / "x.h5", tmp_path / "mirror"
    opened = None
    for number in range(1, 5):
        write(source, number)
        made = mirror_once(source, folder)
        assert made.number == number
        opened = opened or tm.open_h5(folder)
        assert opened.mode == "mirror"
        assert opened.generation == number
        assert opened["d"][0, 0] == number
        with h5py.File(folder / "current.h5", "r") as file:  # any program may open it
            assert file["d"][0, 0] == number
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["current", "current.h5", "gen-000003.h5", "gen-000004.h5"]
    assert (folder / "current").readlink() == Path("gen-000004.h5")
    assert not os.access(folder / "gen-000004.h5", os.W_OK) or os.geteuid() == 0
    assert (folder / "gen-000004.h5").stat().st_mode & 0o222 == 0


def test_a_file_that_changes_while_it_is_copied_is_copied_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, copy = tmp_path / "x.h5", mirrors._copy
    write(source, 1)
    calls = []

    def disturbed(one: Path, other: Path) -> None:
        copy(one, other)
        calls.append(one)
        if len(calls) < 3:
            write(source, 1 + len(calls))

    monkeypatch.setattr(mirrors, "_copy", disturbed)
    made = mirror_once(source, tmp_path / "m")
    assert made.attempts == 3
    assert tm.open_h5(tmp_path / "m")["d"][0, 0] == 3
    calls.clear()
    monkeypatch.setattr(mirrors, "_copy", lambda one, other: (copy(one, other), write(source, 9)))
    with pytest.raises(FormatError, match="it changed while it was copied"):
        mirror_once(source, tmp_path / "m", patience_s=0.1)
    assert tm.open_h5(tmp_path / "m")["d"][0, 0] == 3  # the older copy stays


def test_a_damaged_copy_never_becomes_current(tmp_path: Path) -> None:
    """The copy is cut at every tenth of its length, and half of its bytes lost at every eighth."""
    whole = tmp_path / "x.h5"
    with h5py.File(whole, "w") as file:
        file["title"] = "a tooth"
        file.create_dataset(
            "d", data=np.arange(6000).reshape(60, 10, 10), chunks=(1, 10, 10), compression="gzip"
        )
    content = whole.read_bytes()
    assert what_is_wrong(whole) == ""
    for tenth in range(1, 10):
        (tmp_path / "cut.h5").write_bytes(content[: len(content) * tenth // 10])
        assert what_is_wrong(tmp_path / "cut.h5")
    (tmp_path / "cut.h5").write_bytes(content[:2000])
    with pytest.raises(FormatError, match=r"no good copy could be made .*truncated"):
        mirror_once(tmp_path / "cut.h5", tmp_path / "m", patience_s=0.2)
    assert list((tmp_path / "m").iterdir()) == []


def test_files_that_are_pointed_to_come_along(tmp_path: Path) -> None:
    (tmp_path / "scan" / "raw").mkdir(parents=True)
    write(tmp_path / "scan" / "raw" / "a.h5", 3)
    layout = h5py.VirtualLayout((8, 5), int)
    layout[:4] = h5py.VirtualSource("raw/a.h5", "d", (4, 5))
    layout[4:] = h5py.VirtualSource("raw/b.h5", "d", (4, 5))
    with h5py.File(tmp_path / "scan" / "x.h5", "w") as file:
        file.create_virtual_dataset("d", layout)
        file["link"] = h5py.ExternalLink("raw/a.h5", "/d")
    made = mirror_once(tmp_path / "scan" / "x.h5", tmp_path / "m")
    assert made.absent == ("raw/b.h5",)
    data = tm.open_h5(tmp_path / "m")["d"]
    assert data.valid_frames == 4
    assert (data[:4] == 3).all()
    assert (tm.open_h5(tmp_path / "m")["link"][:] == 3).all()
    write(tmp_path / "scan" / "raw" / "b.h5", 4)
    assert mirror_once(tmp_path / "scan" / "x.h5", tmp_path / "m").absent == ()
    assert (tm.open_h5(tmp_path / "m")["d"][4:] == 4).all()


def test_mirroring_goes_on_through_trouble(tmp_path: Path) -> None:
    source, made, said, broken = tmp_path / "x.h5", [], [], []

    def stop() -> bool:
        if said and not source.exists():
            write(source, 1)
        elif made and not broken:
            source.write_bytes(b"no HDF5 at all")
            broken.append(len(said))
        return bool(broken) and len(said) > broken[0]

    def complain(text: str) -> None:
        said.append(text)

    def tell(generation: Generation) -> None:
        made.append(generation)

    monkey = mirrors.mirror_once

    def hasty(one: Path, other: Path, *, patience_s: float, copier: Copier) -> Generation:
        return monkey(one, other, patience_s=0.1 if broken else 120.0, copier=copier)

    mirrors.mirror_once = hasty
    try:
        mirror(source, tmp_path / "m", every_s=0.05, on_copy=tell, complain=complain, stop=stop)
    finally:
        mirrors.mirror_once = monkey
    assert [one.number for one in made] == [1]
    assert "is not there (yet)" in said[0]
    assert "does not begin as HDF5" in said[-1] or "no good copy" in said[-1]
    assert tm.open_h5(tmp_path / "m")["d"][0, 0] == 1


def test_the_command_mirrors_a_growing_file_until_it_is_stopped(tmp_path: Path) -> None:
    code = """
import sys, time, h5py
file = h5py.File(sys.argv[1], "w", libver="latest")
data = file.create_dataset("d", (0, 8), "i4", maxshape=(None, 8), chunks=(1, 8))
for number in range(10**6):
    data.resize(number + 1, axis=0)
    data[number] = number
    file.flush()
    time.sleep(0.05)
"""
    source = tmp_path / "x.h5"
    writer = subprocess.Popen([sys.executable, "-c", code, source])
    words = [sys.executable, "-m", "tomarium", "mirror", source, tmp_path / "m", "--every", "200ms"]
    command = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        lengths = []
        end = time.monotonic() + 240
        while len(set(lengths)) < 3 and time.monotonic() < end:
            if (tmp_path / "m" / "current").exists():
                data = tm.open_h5(tmp_path / "m")["d"]
                lengths.append(len(data))
                column = data[:, 0]
                assert (column == np.arange(len(column))).all()
            time.sleep(0.05)
        assert len(set(lengths)) >= 3
        assert lengths == sorted(lengths)
        writer.send_signal(signal.SIGKILL)  # the mirror outlives the writer
        writer.wait()
        time.sleep(0.3)
        command.send_signal(signal.SIGINT)
        told, _ = command.communicate(timeout=240)
    finally:
        writer.kill()
        writer.wait()
        command.kill()
        command.communicate()
    assert command.returncode == 0
    assert "stopped; " in told
    assert "gen-000001.h5" in told
    final = tm.open_h5(tmp_path / "m")["d"]
    assert (final[:, 0] == np.arange(len(final))).all()
    assert not list((tmp_path / "m").glob(".*"))


def test_the_command_makes_one_copy(tmp_path: Path) -> None:
    from tomarium.cli import execute

    write(tmp_path / "x.h5", 5)
    assert execute(["mirror", str(tmp_path / "x.h5"), str(tmp_path / "m"), "--once"]) == 0
    assert tm.open_h5(tmp_path / "m")["d"][0, 0] == 5
    assert execute(["mirror", str(tmp_path / "none.h5"), str(tmp_path / "m"), "--once"]) == 2
    assert execute(["mirror", str(tmp_path / "x.h5"), str(tmp_path / "m"), "--every", "2"]) == 2
    assert execute(["mirror", str(tmp_path / "x.h5"), str(tmp_path / "m"), "--every", "-1s"]) == 2


def test_a_mirror_does_not_write_over_its_source(tmp_path: Path) -> None:
    write(tmp_path / "current.h5", 5)
    with pytest.raises(FormatError, match=r"not empty \(current\.h5\)"):
        mirror_once(tmp_path / "current.h5", tmp_path)


def test_what_a_killed_mirror_left_is_removed(tmp_path: Path) -> None:
    write(tmp_path / "x.h5", 5)
    (tmp_path / "m").mkdir()
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
    )
    (tmp_path / "m" / f".gen-000001.{gone.stdout.strip()}.part").write_bytes(b"half")
    mirror_once(tmp_path / "x.h5", tmp_path / "m")
    assert not list((tmp_path / "m").glob(".gen*"))


def test_a_folder_with_files_of_others_is_left_alone(tmp_path: Path) -> None:
    """Also such as the source points to: detectors call their files alike in every scan."""
    write(tmp_path / "x.h5", 5)
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / "current.h5").write_text("mine")
    (folder / "data_000001.h5").write_text("another scan's")
    with pytest.raises(FormatError, match="give a new folder"):
        mirror_once(tmp_path / "x.h5", folder)
    assert sorted(path.name for path in folder.iterdir()) == ["current.h5", "data_000001.h5"]
    assert (folder / "current.h5").read_text() == "mine"


@pytest.mark.parametrize(
    ("made", "said"), [("folder", "is a folder"), ("absent", "is not there"), ("text", "HDF5")]
)
def test_what_is_no_hdf5_file_is_named(made: str, said: str, tmp_path: Path) -> None:
    source = tmp_path / "scan.h5"
    if made == "folder":
        source.mkdir()
    elif made == "text":
        source.write_text("a note")
    with pytest.raises(FormatError, match=said) as problem:
        mirror_once(source, tmp_path / "m")
    assert str(problem.value).startswith(f"{source}: ")
