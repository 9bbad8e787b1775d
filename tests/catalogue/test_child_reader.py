"""The process that reads files of strangers reaches nothing else, whatever a file makes of it, and harms nobody."""

from __future__ import annotations

import os
import socket
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from catalogue.hostile_work import attempt
from tomarium import confinement
from tomarium.catalogue import child_process
from tomarium.catalogue.child_reader import ChildReaders, ReaderDied
from tomarium.confinement import CannotConfine, Means, means
from tomarium.errors import FormatError, TomariumError

pytestmark = pytest.mark.skipif(not means().landlock, reason=means().why)
CANARY = b"canary:x:0:0:" * 40
Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def readers() -> Iterator[ChildReaders]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOMARIUM_SMTP_PASSWORD", "secret")
        with closing(ChildReaders(attempt, count=1)) as held:
            held.ask(("environment", ""), readable=[])
            yield held


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that may be read, `scan`, and files of others beside it."""
    home = tmp_path_factory.mktemp("confined")
    (home / "scan").mkdir()
    (home / "canary").write_bytes(CANARY)
    with h5py.File(home / "canary.h5", "w") as file:
        file["data"] = np.frombuffer(CANARY, np.uint8)
    tifffile.imwrite(home / "canary.tif", np.frombuffer(CANARY, np.uint8).reshape(20, 26))
    (home / "scan" / "own").write_bytes(b"own")
    return home


@pytest.fixture
def ask(readers: ChildReaders, home: Path) -> Ask:
    def ask(name: str, path: Path | str = "", **options: Any) -> Any:
        return readers.ask((name, str(path)), readable=[home / "scan"], **options)

    return ask


def storage(home: Path) -> Path:
    with h5py.File(path := home / "scan" / "storage.h5", "w") as file:
        file.create_dataset("data", (len(CANARY),), "u1", external=[(str(home / "canary"), 0, len(CANARY))])
    return path


def link(home: Path) -> Path:
    with h5py.File(path := home / "scan" / "link.h5", "w") as file:
        file["data"] = h5py.ExternalLink("../canary.h5", "/data")
    return path


def virtual(home: Path) -> Path:
    layout = h5py.VirtualLayout((len(CANARY),), np.uint8)
    layout[:] = h5py.VirtualSource(str(home / "canary.h5"), "data", (len(CANARY),))
    with h5py.File(path := home / "scan" / "virtual.h5", "w", libver="latest") as file:
        file.create_virtual_dataset("data", layout)
    return path


def ome(home: Path) -> Path:
    """OME-TIFF whose pixels lie in another file."""
    path = home / "scan" / "one.ome.tif"
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" '
        'DimensionOrder="XYZCT" Type="uint8" SizeX="26" SizeY="20" SizeZ="2" SizeC="1" SizeT="1">'
        '<TiffData FirstZ="0" IFD="0"><UUID FileName="one.ome.tif">urn:uuid:1</UUID></TiffData>'
        '<TiffData FirstZ="1" IFD="0"><UUID FileName="../canary.tif">urn:uuid:2</UUID></TiffData>'
        "</Pixels></Image></OME>"
    )
    tifffile.imwrite(path, np.zeros((20, 26), np.uint8), description=xml, metadata=None)
    return path


def symlink(home: Path) -> Path:
    (path := home / "scan" / "symlink").symlink_to(home / "canary")
    return path


def zip_of_a_link(home: Path) -> Path:
    with zipfile.ZipFile(path := home / "scan" / "link.zip", "w") as packed:
        packed.writestr("link", str(home / "canary"))
    return path


def outside(home: Path) -> Path:
    return home / "scan" / ".." / "canary"


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("read", outside), ("read", symlink), ("unzip", zip_of_a_link), ("hdf5", storage), ("hdf5", link),
        ("hdf5", virtual), ("tiff", ome), ("write", outside), ("read", lambda _home: "/etc/passwd"),
        ("read", lambda _home: "/proc/self/environ"), ("write", lambda home: home / "scan" / "own"),
    ],
)  # fmt: skip
def test_the_canary_outside_is_never_read(
    ask: Ask, home: Path, name: str, make: Callable[[Path], Path]
) -> None:
    path = make(home)
    told = ask(name, path, writable=[home / "scan"] if name == "unzip" else [])
    assert b"canary" not in (told if isinstance(told, bytes) else b"")
    if isinstance(
        told, bytes
    ):  # HDF5 fills what a virtual dataset cannot reach with zeros, tifffile a lost page
        assert name in ("hdf5", "tiff")
        assert not any(told)
    else:
        assert told.startswith("refused: ")
    if name not in ("write", "unzip") and Path(path).is_relative_to(home):
        assert b"canary" in (attempt((name, str(path))) or b""), (
            "a reader that is not confined gives the canary"
        )
    assert (home / "canary").read_bytes() == CANARY
    assert (home / "scan" / "own").read_bytes() == b"own"


def test_its_own_folder_and_a_temporary_file_are_there(ask: Ask, home: Path) -> None:
    assert ask("read", home / "scan" / "own") == b"own"
    assert ask("temporary") == 5
    assert len(ask("answer_much")) == 64 << 20
    assert ask("write", home / "scan" / "new", writable=[home / "scan"]) == "written"


def test_it_reaches_no_network_program_process_or_password(ask: Ask, home: Path) -> None:
    with socket.socket() as server, socket.socket(socket.AF_UNIX) as near:
        server.bind(("127.0.0.1", 0))
        server.listen()
        near.bind(str(home / "scan" / "socket"))
        near.listen()
        assert ask("network", str(server.getsockname()[1])) == "refused: PermissionError"
        assert ask("unix_socket", home / "scan" / "socket") == "refused: PermissionError"
    for name in ("program", "fork", "kill_parent"):
        assert ask(name) == "refused: PermissionError"
    assert not [one for one in ask("environment") if one.startswith("TOMARIUM")]


def test_whatever_becomes_of_it_is_told_and_the_next_question_answered(ask: Ask, home: Path) -> None:
    for name, words in {
        "crash": r"crashed on it \(SIGSEGV\)",
        "sleep": "takes longer than 1 s",
        "loop": "takes longer than 1 s",
    }.items():
        with pytest.raises(ReaderDied, match=words):
            ask(name, longest_s=1 if words.startswith("takes") else 600)
        assert ask("read", home / "scan" / "own", longest_s=600) == b"own"
    with pytest.raises(FormatError, match="more than 6 GiB of memory"):
        ask("flood")
    with pytest.raises(FormatError, match=r"^scan\.h5 is damaged$"):
        ask("refuse", "scan.h5")
    with pytest.raises(TomariumError, match="an error of tomarium itself: ValueError: not expected"):
        ask("break_off")
    assert not zombies()


def zombies() -> list[str]:
    """Name the children of this process that ended and that nobody asked how."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            told = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if told[0] == "Z" and told[1] == str(os.getpid()):
            found.append(status.parent.name)
    return found


def test_what_comes_back_is_json_and_bytes_or_nothing() -> None:
    told = {"told": [1, "ä", None, b"\0\xff" * 9, {"a": [b"", {"bytes": 3}]}]}
    assert child_process.from_bytes(child_process.to_bytes(told)) == told
    assert child_process.reading(child_process.to_bytes({"told": b"x"})) == b"x"
    short = child_process.to_bytes({"told": b"12345"})[:-1]
    for nonsense in (
        b"",
        b"\0" * 8,
        b"\xff" * 20,
        short,
        child_process.to_bytes([1]),
        b"\x02" + b"\0" * 7 + b"{}",
    ):
        with pytest.raises(ValueError):
            child_process.reading(nonsense)
    with pytest.raises(TomariumError):  # a name that is no error of ours is none
        child_process.reading(child_process.to_bytes({"raised": "annotations", "text": "x"}))


def test_without_landlock_it_is_refused_unless_that_is_allowed(
    readers: ChildReaders, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tomarium.catalogue.child_reader.means", lambda: Means(0, False, "no Landlock"))
    with pytest.raises(CannotConfine, match=r"no Landlock.*tomarium settings unconfined_reading yes"):
        readers.ask(("read", str(home / "scan" / "own")), readable=[])
    assert readers.ask(("temporary", ""), readable=[], unconfined=True) == 5
    assert "Landlock" in confinement.means().why


def test_all_that_wait_are_ended() -> None:
    class Waiting:
        lives = True

        def end(self) -> None:
            self.lives = False

    readers, waiting = ChildReaders(attempt, count=3), [Waiting(), Waiting()]
    for _ in waiting:
        readers._idle.get_nowait()
    for one in waiting:
        readers._idle.put(one)  # type: ignore[arg-type]
    readers.close()
    assert [one.lives for one in waiting] == [False, False]
    assert readers._idle.qsize() == 3  # and it may be asked again
