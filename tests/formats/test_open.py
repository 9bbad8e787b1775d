"""What people hand to `tomarium.open` that is no scan, and what the answer says."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import tomarium as tm
from scans import changed
from tomarium.errors import FormatError, StorageFull
from tomarium.formats import formats, recognise
from tomarium.formats.data_exchange.writer import write
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.formats.frames.concatenated import AbsentFrames, JoinedFrames
from tomarium.formats.opening.messages import explain, unusable
from tomarium.formats.opening.summary import describe
from tomarium.model import FrameKind, Geometry, Scan, Value


def a_scan(**more: Any) -> Scan:
    frames = ArrayFrames(np.arange(40 * 30 * 20, dtype=np.uint16).reshape(40, 30, 20))
    everything: dict[str, Any] = {
        "path": Path("raw"),
        "name": "raw",
        "format": "memory",
        "dialect": "",
        "why": "",
        "projections": frames,
        "geometry": Geometry(Value(np.arange(40.0), "read", "made")),
    }
    return changed(Scan(**everything), **more)


def refusal(path: Path | str, **given: Any) -> str:
    with pytest.raises(FormatError) as caught:
        tm.open(path, **given)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_nothing_there(tmp_path: Path) -> None:
    said = refusal(tmp_path / "beam" / "line" / "x.h5")
    assert f"no such file or folder; the nearest folder that exists is {tmp_path}," in said
    assert "no such file" in refusal("x\n.h5")
    for path, said in (
        (
            "D:\\data\\scan.h5",
            "is a path of Windows, which is none here; give the path as this system has it, such as /mnt/d/data/sc",
        ),
        ("\\\\server\\share\\scan.h5", "such as the folder at which the share is mounted"),
        (f"{tmp_path}/scan_*.h5", f"has a name of this pattern; see with ls what lies in {tmp_path},"),
        ("/mnt/no-such-share/scan.h5", "and whether the disk or share below /mnt is mounted"),
    ):
        assert said in refusal(path)


def test_a_disk_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(path: Path) -> bool:
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(Path, "exists", gone)
    assert "(Stale file handle); see whether the disk or share is mounted" in str(
        unusable(Path("/share/x.h5"))
    )


def test_pointers_of_git_lfs(tmp_path: Path) -> None:
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12345678\n"
    for number in range(4):
        (tmp_path / f"proj_{number}.tif").write_text(text)
    said = "is a pointer of Git LFS to a file of 12.3 MB that was not fetched; in its repository give: git lfs pull"
    assert said in refusal(tmp_path / "proj_0.tif")
    assert said in refusal(tmp_path)


def test_empty_file_and_folder(tmp_path: Path) -> None:
    (tmp_path / "x.h5").touch()
    assert "is empty (0 bytes); copy it again" in refusal(tmp_path / "x.h5")
    (tmp_path / "folder").mkdir()
    assert "folder is empty" in refusal(tmp_path / "folder")


def test_folder_without_a_scan_says_what_it_holds(tmp_path: Path) -> None:
    for name in ("a.log", "b.log", "c.png", "README"):
        (tmp_path / name).write_text("x")
    (tmp_path / "sub").mkdir()
    said = refusal(tmp_path)
    assert "Found: a folder with 2 .log, 1 " in said
    assert "`tomarium formats` lists what can be read" in said
    assert not any(f" {name}," in said for name in formats())


def test_a_run_that_was_stopped_is_told_as_one(tmp_path: Path) -> None:
    (tmp_path / "my record" / "unfinished").mkdir(parents=True)
    said = refusal(tmp_path / "my record")
    assert "a run began a record here and did not come to its end" in said
    assert f"tomarium doctor '{tmp_path / 'my record'}' tells" in said


def test_text_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "x.h5").write_text("sample: bone\nenergy: 20 keV\n")
    assert "a text file of 28 bytes that begins 'sample: bone'" in refusal(tmp_path / "x.h5")
    (tmp_path / "x.h5").write_bytes(bytes(range(200, 256)))
    assert "56 bytes of no kind it knows, beginning c8 c9" in refusal(tmp_path / "x.h5")


def test_truncated_hdf5_is_said_once(tmp_path: Path) -> None:
    write(tmp_path / "x.h5", a_scan())
    with (tmp_path / "x.h5").open("r+b") as stream:
        stream.truncate(30000)
    said = refusal(tmp_path / "x.h5")
    assert said.count("is truncated") == 1
    assert "copy it again, or let its writer finish" in said


def test_hdf5_of_something_else(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["spectrum"] = np.zeros(10)
    said = refusal(tmp_path / "x.h5")
    assert "as Data Exchange 0.9.1 (HDF5): its root holds no group /exchange" in said
    assert "as NXtomo (NeXus, HDF5): no group has the definition NXtomo" in said
    assert len(said) < len(str(tmp_path)) + 600


def test_only_the_nearest_formats_say_why_not(tmp_path: Path) -> None:
    (tmp_path / "x.nxs").write_bytes(b"abc")
    every = [(form, f"{tmp_path / 'x.nxs'}: {'it lacks ' * 100}{form.name}") for form in formats().values()]
    said = explain(tmp_path / "x.nxs", [(form, f"{form.name} {why}") for form, why in every])
    assert said.count("; as ") == 2
    assert "as NXtomo (NeXus, HDF5): nxtomo" in said  # of this ending, and written too
    assert len(said) < 1500
    assert "to be read" not in said
    assert "can read as nxtomo." in explain(tmp_path / "x.nxs", [], formats()["nxtomo"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"SQLite format 3\0" + bytes(100), "an SQLite database"),
        (b"\x93NUMPY\x01\0" + bytes(100), "a NumPy array"),
        (bytes(128) + b"DICM" + bytes(100), "a DICOM file"),
        (b"SIMPLE  =                    T" + bytes(100), "a FITS file"),
    ],
)
def test_files_of_other_trades_are_named(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(content)
    assert f"Found: {words}" in refusal(tmp_path / "x.bin")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_without_permission(tmp_path: Path) -> None:
    (tmp_path / "x.h5").write_bytes(b"abc")
    (tmp_path / "x.h5").chmod(0)
    assert "may not be read" in refusal(tmp_path / "x.h5")


def test_without_permission_as_the_system_tells_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.h5").write_bytes(b"abc")
    monkeypatch.setattr("tomarium.formats.opening.messages.os.access", lambda *_: False)
    assert "this file may not be read; ask its owner" in (unusable(tmp_path / "x.h5") or "")
    assert "this folder may not be read; ask its owner" in (unusable(tmp_path) or "")


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "neither a file nor a folder" in refusal(tmp_path / "pipe")


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(
            f"Can't synchronously write data (errno = {errno.ENOSPC}, error message = 'No space left')"
        )

    monkeypatch.setattr("tomarium.formats.hdf5.two_phase_writer._put_block", full)
    with pytest.raises(StorageFull, match="the disk is full; free some space"):
        write(tmp_path / "x.h5", a_scan())
    assert list(tmp_path.iterdir()) == []


def test_opening_hdf5_loads_nothing_heavy(tmp_path: Path) -> None:
    write(tmp_path / "x.h5", a_scan().with_geometry(pixel_m=Value(1e-6, "user", "")))
    code = (
        "import sys, tomarium as tm; s = tm.open(sys.argv[1]); s.projections.read(slice(0, 2), slice(0, 3));"
        "print(sorted({'zarr', 'tifffile', 'hdf5plugin', 'pint', 'numcodecs', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "x.h5"], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"


def test_recognise_sorts_by_score(tmp_path: Path) -> None:
    write(tmp_path / "x.h5", a_scan())
    matches = recognise(tmp_path / "x.h5")
    assert [form.name for form, match in matches if match.score > 0] == ["data-exchange"]
    assert matches[0][1].score == 1.0
    scores = [match.score for _, match in matches]
    assert scores == sorted(scores, reverse=True)


def test_describe_names_what_is_not_known(tmp_path: Path) -> None:
    absent = AbsentFrames(tmp_path, 40, ("raw.h5",))
    found = describe(
        a_scan(
            projections=absent,
            counts={FrameKind.INVALID: 2},
            metadata={"x": Value(np.float64("nan"), "read", "")},
        )
    )
    assert found["dtype"] is None
    assert found["shape"] == [40, 0, 0]
    assert found["frames"] == {"projection": 0, "flat": 0, "dark": 0, "invalid": 2}
    assert found["metadata"]["x"]["value"] is None
    assert found["angles_deg"] == {
        "first": 0.0,
        "last": 39.0,
        "count": 40,
        "origin": "read",
        "source": "made",
    }


def test_joined_stacks_read_across_their_seams() -> None:
    whole = np.arange(10 * 3 * 4, dtype=np.uint16).reshape(10, 3, 4)
    joined = JoinedFrames(
        (ArrayFrames(whole[:4]), ArrayFrames(whole[4:5].astype(np.float32)), ArrayFrames(whole[5:]))
    )
    assert joined.shape == (10, 3, 4)
    assert joined.dtype == np.float32
    for some in (slice(2, 7), slice(None, None, 3), np.array([9, 0, 4, 4])):
        np.testing.assert_array_equal(joined.read(some, slice(1, 3)), whole[some][:, 1:3])


def test_a_link_that_leads_in_a_ring_hides_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "ring").symlink_to("ring")
    (tmp_path / "notes.txt").write_text("a note")
    with pytest.raises(FormatError, match="is not a scan or volume"):
        tm.open(tmp_path)


def test_a_folder_with_a_volume_names_it(tmp_path: Path) -> None:
    (tmp_path / "first.ome.zarr").mkdir()
    assert f"in which first.ome.zarr lies: give {tmp_path / 'first.ome.zarr'} itself" in refusal(tmp_path)


def test_a_record_without_a_volume_that_can_be_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "volume.ome.zarr").mkdir()
    (tmp_path / "provenance.json").write_text("{}")
    assert "the folder of a record, whose volume.ome.zarr cannot be read" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["scan.h5", "notes.txt"], "in which scan.h5 lies: give {folder}/scan.h5 itself"),
        (["b.nxs", "a.h5"], "give one of {folder}/a.h5, {folder}/b.nxs."),
        (["a.h5", "b.h5", "c.h5", "d.h5", "e.h5", "f.h5"], "{folder}/c.h5 and 3 more."),
    ],
)
def test_a_folder_with_files_that_may_be_scans_names_them(
    tmp_path: Path, names: list[str], said: str
) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"something")
    assert said.format(folder=tmp_path) in refusal(tmp_path)
