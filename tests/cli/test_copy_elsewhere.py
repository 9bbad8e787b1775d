"""`tomarium copy` to another machine by a real rsync, and to a real disk of exFAT."""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from free_port import free_port
from tomarium.beamtime import copy_names
from tomarium.beamtime.copy_listing import list_scan
from tomarium.beamtime.copy_names import names_refused
from tomarium.cli import execute

ODD = "it's a:b? µm.edf"


@pytest.fixture
def beamtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a beamtime, which is the present one, with a scan."""
    scan = tmp_path / "tooth_01"
    (scan / "edf").mkdir(parents=True)
    (scan / "scan.nxs").write_bytes(b"raw" * 1000)
    (scan / "edf" / ODD).write_bytes(b"one")
    (tmp_path / "beamtime.toml").write_text('name = "teeth"\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def rsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a module of a server of rsync; machines reached by ssh are this one."""
    if shutil.which("rsync") is None:
        pytest.skip("rsync is not installed")
    (tmp_path / "there").mkdir()
    shell = tmp_path / "rsh"
    shell.write_text('#!/bin/sh\n[ "$1" = -l ] && shift 2\nshift\nexec sh -c "$*"\n')
    shell.chmod(0o755)
    monkeypatch.setenv("RSYNC_RSH", str(shell))
    port = free_port()
    settings = tmp_path / "rsyncd.conf"
    settings.write_text(
        f"use chroot = no\nuid = {os.getuid()}\ngid = {os.getgid()}\n"
        f"[module]\npath = {tmp_path / 'there'}\nread only = no\n"
    )
    words = [
        "rsync",
        "--daemon",
        "--no-detach",
        f"--config={settings}",
        f"--port={port}",
        "--address=127.0.0.1",
    ]
    with subprocess.Popen(words) as server:
        try:
            deadline = time.monotonic() + 120
            while not _answers(port):
                assert server.poll() is None, f"rsync ended with {server.returncode} before it listened"
                assert time.monotonic() < deadline, "rsync did not listen within 120 s"
                time.sleep(0.02)
            yield f"rsync://127.0.0.1:{port}/module"
        finally:
            server.terminate()


def _answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def test_to_another_machine_by_rsync(beamtime: Path, rsync: str, capsys: pytest.CaptureFixture[str]) -> None:
    there = beamtime / "there"
    for target, folder in ((f"me@cluster:{there}/2026", there / "2026"), (rsync, there)):
        assert execute(["copy", "tooth_01", target]) == 0
        assert "tooth_01: whole, read back; 2 files" in capsys.readouterr().out
        assert (folder / "tooth_01" / "edf" / ODD).read_bytes() == b"one"
    assert execute(["copy", "tooth_01/scan.nxs", f"me@cluster:{there}"]) == 0
    assert (there / "scan.nxs").read_bytes() == b"raw" * 1000
    capsys.readouterr()
    assert execute(["disks", "status", "--json"]) == 0
    found = {one["scan"]: one for one in json.loads(capsys.readouterr().out)}
    labels = sorted(one["place"]["label"] for one in found["tooth_01"]["copies"])
    assert labels == sorted([rsync.split("/")[2], "me@cluster", socket.gethostname()])
    # A file that was damaged there, of the same size and time, is found by both ends reading it, and is not replaced.
    damaged = there / "tooth_01" / "scan.nxs"
    told = damaged.stat()
    damaged.write_bytes(b"RAW" * 1000)
    os.utime(damaged, ns=(told.st_atime_ns, told.st_mtime_ns))
    assert execute(["copy", "tooth_01", rsync]) == 1
    assert f"{rsync}/tooth_01/scan.nxs: a file of other content has this name" in capsys.readouterr().err
    assert damaged.read_bytes() == b"RAW" * 1000
    assert execute(["copy", "tooth_01", f"me@cluster:{there}/a/b"]) == 3
    assert f'mkdir "{there}/a/b" failed: No such file or directory' in capsys.readouterr().err


@pytest.fixture(scope="module")
def exfat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A disk of exFAT."""
    lacking = [name for name in ("mkfs.exfat", "mount.exfat-fuse", "losetup") if shutil.which(name) is None]
    if lacking or os.geteuid() != 0 or not Path("/dev/fuse").exists():
        pytest.skip(
            f"no disk of exFAT can be made here; lacking: {', '.join(lacking) or 'root, or /dev/fuse'}"
        )
    place = tmp_path_factory.mktemp("disk")
    image, point = place / "image", place / "mounted"
    point.mkdir()
    with image.open("wb") as file:
        file.truncate(32 << 20)
    subprocess.run(["mkfs.exfat", str(image)], check=True, capture_output=True)
    made = subprocess.run(
        ["losetup", "-f", "--show", str(image)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"no disk of exFAT can be made here: {made.stderr.strip()}")
    device = made.stdout.strip()
    # It mounts in the foreground and ends with this process, so that a test that is killed leaves no dead mount.
    output = place / "driver.txt"
    with output.open("wb") as file:
        driver = subprocess.Popen(
            ["mount.exfat-fuse", "-d", device, str(point)],
            stdin=subprocess.DEVNULL, stdout=file, stderr=file, preexec_fn=_end_with_parent,
        )  # fmt: skip
    try:
        until = time.monotonic() + 120
        while driver.poll() is None and not point.is_mount():
            assert time.monotonic() < until
            time.sleep(0.02)
        subprocess.run(["losetup", "-d", device], check=True)  # it goes when nothing is mounted of it
        if not point.is_mount():
            pytest.skip(f"no disk of exFAT can be mounted here: {output.read_text(errors='replace').strip()}")
        yield point
    finally:
        driver.terminate()
        driver.wait(120)


def _end_with_parent() -> None:
    """Ask Linux to end this process with the one that started it."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def test_to_a_disk_of_exfat(beamtime: Path, exfat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan = beamtime / "tooth_01"
    not_utf8 = os.fsdecode(b"Ger\xe4t.h5")
    for name in ("Slice.tif", "slice.tif", not_utf8):
        (scan / name).write_text(name, errors="surrogateescape")
    (scan / "link").symlink_to("scan.nxs")
    os.link(scan / "scan.nxs", scan / "again.nxs")
    os.utime(scan / "scan.nxs", ns=(10**18, 10**18))
    assert execute(["copy", "tooth_01", str(exfat), "--dry-run"]) == 1
    told = capsys.readouterr().err
    assert (
        "this disk does not take 2 names: Ger\\udce4t.h5, it's a:b? µm.edf; files of these names are left out"
        in told
    )
    assert "tooth_01/Slice.tif and tooth_01/slice.tif differ by nothing else" in told
    for _ in range(2):
        assert execute(["copy", "tooth_01", str(exfat)]) == 1
        told = capsys.readouterr()
        assert f"{exfat}/tooth_01/edf/{ODD}: the disk does not take this name" in told.err
        assert "slice.tif: a file of other content has this name" in told.err
        assert "link: the disk has no symbolic links" in told.out
    for name in ("edf/" + ODD, "slice.tif", not_utf8):
        (scan / name).unlink()
    assert execute(["copy", "tooth_01", str(exfat)]) == 0
    assert "tooth_01: whole, read back; 3 files" in capsys.readouterr().out
    assert (exfat / "tooth_01" / "scan.nxs").stat().st_mtime_ns == 10**18
    assert execute(["disks", "verify", "mounted"]) == 0


def test_names_are_tried_only_where_some_are_unusual(beamtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = list_scan(beamtime / "tooth_01")
    assert names_refused([listing], beamtime) == []
    assert not (beamtime / copy_names.PROBE).exists()
    monkeypatch.setattr(copy_names, "_is_taken", lambda folder, name: ":" not in name)
    (told,) = names_refused([listing], beamtime)
    assert f"does not take 1 name: {ODD}; files of these names are left out" in told
    (beamtime / "tooth_01" / "edf" / ODD).unlink()
    monkeypatch.setattr(copy_names, "_is_taken", None)
    assert names_refused([list_scan(beamtime / "tooth_01")], beamtime) == []
