"""A file is copied whole or not at all, wherever the copy is stopped."""

import errno
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tomarium.beamtime import copy_file as module
from tomarium.beamtime.copy_file import copy_file, draft_of
from tomarium.errors import FormatError, InputError

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "scan.h5"
    path.write_bytes(CONTENT)
    os.utime(path, ns=(10**18, 1_234_567_890_123_456_789))
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "disk").mkdir()
    return tmp_path / "disk" / "scan.h5"


def test_a_copy_has_the_content_the_checksum_and_the_time(source: Path, target: Path) -> None:
    done = copy_file(source, target)
    assert (done.state, done.written, done.bytes) == ("copied", len(CONTENT), len(CONTENT))
    assert done.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert target.read_bytes() == CONTENT
    assert target.stat().st_mtime_ns == source.stat().st_mtime_ns
    assert [path.name for path in target.parent.iterdir()] == ["scan.h5"]


@pytest.mark.parametrize("stop", [0, 1, 1023, 1024, 5000, len(CONTENT) - 1, len(CONTENT)])
def test_it_goes_on_from_any_byte(source: Path, target: Path, stop: int) -> None:
    draft_of(target).write_bytes(CONTENT[:stop])
    assert copy_file(source, target).written == len(CONTENT) - stop
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("left", [b"\0" * 5000, CONTENT[:4000] + b"\0" * 96, CONTENT + b"more"])
def test_what_a_cut_of_the_power_left_is_not_believed(source: Path, target: Path, left: bytes) -> None:
    draft_of(target).write_bytes(left)
    counted: list[int] = []
    done = copy_file(source, target, counted.append)
    assert (done.written, sum(counted)) == (len(CONTENT), len(CONTENT))
    assert target.read_bytes() == CONTENT


def test_an_unplugged_disk_at_any_write(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE", 1000)
    for after in range(11):
        count = iter(range(11))

        def unplugged(_: int, count: Iterator[int] = count, after: int = after) -> None:
            if next(count) == after:
                raise OSError(errno.EIO, "Input/output error")

        with pytest.raises(OSError, match="Input/output"):
            copy_file(source, target, unplugged)
        assert not target.exists()
    assert copy_file(source, target).written < len(CONTENT)
    assert target.read_bytes() == CONTENT


def test_another_file_of_the_name_is_left(source: Path, target: Path) -> None:
    for other in (b"mine", bytes(len(CONTENT))):
        target.write_bytes(other)
        with pytest.raises(FileExistsError, match="has this name"):
            copy_file(source, target)
        assert target.read_bytes() == other
    target.unlink()
    target.symlink_to("elsewhere")
    with pytest.raises(FileExistsError):
        copy_file(source, target)


def test_the_same_file_that_is_there_is_read_and_taken(source: Path, target: Path) -> None:
    target.write_bytes(CONTENT)
    draft_of(target).write_bytes(CONTENT)  # a copy that was killed between its two names
    done = copy_file(source, target)
    assert (done.state, done.written) == ("there", 0)
    assert not draft_of(target).exists()


def test_a_name_taken_meanwhile_is_not_replaced(source: Path, target: Path) -> None:
    def meanwhile(count: int) -> None:
        target.write_bytes(b"mine")

    with pytest.raises(FileExistsError):
        copy_file(source, target, meanwhile)
    assert target.read_bytes() == b"mine"


def test_a_disk_without_hard_links(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(module.os, "link", no_links)
    assert copy_file(source, target).state == "copied"
    assert [path.name for path in target.parent.iterdir()] == ["scan.h5"]


def test_a_disk_that_gives_back_other_bytes_is_refused(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "sum_of", lambda path: "0" * 64)
    with pytest.raises(FormatError, match="what was read back is not what was written"):
        copy_file(source, target)
    assert list(target.parent.iterdir()) == []


def test_a_source_that_changes_meanwhile_is_refused(source: Path, target: Path) -> None:
    def grows(count: int) -> None:
        with source.open("ab") as file:
            file.write(b"x")

    with pytest.raises(InputError, match="changed while it was copied"):
        copy_file(source, target, grows)
    assert list(target.parent.iterdir()) == []


def test_a_long_name_has_a_draft(tmp_path: Path) -> None:
    source = tmp_path / ("ä" * 127)
    source.write_bytes(b"1")
    (tmp_path / "disk").mkdir()
    assert copy_file(source, tmp_path / "disk" / source.name).bytes == 1


KILLED = """
import sys
from pathlib import Path
from tomarium.beamtime import copy_file as module
module.PIECE = 65536
import signal
told = 0
def tell(count):
    global told
    told += 1
    print(count, flush=True)
    if told == 5:  # to be killed here
        signal.pause()
module.copy_file(Path(sys.argv[1]), Path(sys.argv[2]), tell)
"""


def test_kill_9_leaves_no_file_of_the_name(tmp_path: Path) -> None:
    source, target = tmp_path / "scan.h5", tmp_path / "disk" / "scan.h5"
    target.parent.mkdir()
    content = os.urandom(4 * 2**20)
    source.write_bytes(content)
    command = [sys.executable, "-c", KILLED, str(source), str(target)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        for _ in range(5):
            process.stdout.readline()
        process.kill()
    assert not target.exists()
    there = draft_of(target).stat().st_size
    assert 4 * 65536 <= there < len(content)
    assert copy_file(source, target).written == len(content) - there
    assert target.read_bytes() == content
