"""`tomarium copy` and `tomarium disks`, as a user gives them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tomarium.cli import execute


@pytest.fixture
def beamtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("spool", "disk1", "disk2", "beamtime"):
        (tmp_path / name).mkdir()
    for number in (1, 2):
        (tmp_path / "spool" / f"tooth_0{number}").mkdir()
        (tmp_path / "spool" / f"tooth_0{number}" / "scan.nxs").write_bytes(bytes([number]) * 1000)
    (tmp_path / "beamtime" / "beamtime.toml").write_text('name = "teeth"\n')
    monkeypatch.chdir(tmp_path / "beamtime")
    monkeypatch.setenv("TOMARIUM_HOME", str(tmp_path / "home"))
    return tmp_path


def test_from_the_first_copy_to_a_damaged_disk(beamtime: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spool, disk = beamtime / "spool", beamtime / "disk1"
    assert execute(["disks", "status"]) == 2
    assert "there is no ledger of copies yet" in capsys.readouterr().err
    assert execute(["copy", "--each", str(spool), str(disk), "--dry-run"]) == 1
    assert list(disk.iterdir()) == []
    assert execute(["copy", str(spool / "tooth_01"), str(disk), "--also", str(beamtime / "disk2")]) == 1
    told = capsys.readouterr()
    assert "tooth_01: whole, read back; 1 file, 1 kB" in told.out
    assert "on the same disk as" in told.err
    assert execute(["copy", "--each", str(spool), str(disk)]) == 1
    capsys.readouterr()
    assert execute(["disks", "status", "--json"]) == 1  # all of them lie on the disk of the test
    states = json.loads(capsys.readouterr().out)
    assert [(one["scan"], one["places"], len(one["copies"])) for one in states] == [
        ("tooth_01", 1, 3),
        ("tooth_02", 1, 2),
    ]
    assert execute(["disks", "verify", "disk1"]) == 0
    (disk / "tooth_02" / "scan.nxs").write_bytes(b"\2" * 999 + b"\3")
    capsys.readouterr()
    assert execute(["disks", "verify", "disk1"]) == 1
    assert "other content" in capsys.readouterr().err
    assert execute(["disks", "status"]) == 1
    first = capsys.readouterr().out.splitlines()
    damaged = first.index("tooth_02  1 kB  on one volume only")
    assert "damaged" in first[damaged + 2]
    assert execute(["disks", "list"]) == 0
    assert "disk2  marker:" in capsys.readouterr().out
    assert execute(["disks", "forget", "disk2"]) == 0
    assert (beamtime / "disk2" / "tooth_01").is_dir()
    assert (beamtime / "beamtime" / "copies.sqlite").is_file()


def test_a_conflict_is_exit_code_1_and_a_missing_disk_2(
    beamtime: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = beamtime / "spool" / "tooth_01"
    assert execute(["copy", str(scan), str(beamtime / "unplugged")]) == 2
    assert not (beamtime / "unplugged").exists()
    assert "plug in the disk" in capsys.readouterr().err
    assert execute(["copy", str(scan)]) == 2
    (beamtime / "disk1" / "tooth_01").mkdir()
    (beamtime / "disk1" / "tooth_01" / "scan.nxs").write_bytes(b"mine")
    assert execute(["copy", str(scan), str(beamtime / "disk1")]) == 1
    assert "has this name" in capsys.readouterr().err


@pytest.mark.slow
def test_watching_copies_what_finishes_and_survives_kill_9(beamtime: Path) -> None:
    command = [sys.executable, "-m", "tomarium", "copy", "--watch", "--still", "300 ms", "spool", "disk1"]

    def watch_until(name: str, number: signal.Signals) -> None:
        with subprocess.Popen(
            command, cwd=beamtime, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            deadline = time.monotonic() + 120
            while not (beamtime / "disk1" / "tomarium-sha256" / f"{name}.sha256").exists():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            os.kill(process.pid, number)

    watch_until("tooth_01", signal.SIGKILL)
    later = beamtime / "spool" / "tooth_03"
    later.write_bytes(b"3")
    watch_until("tooth_03", signal.SIGINT)
    assert (beamtime / "disk1" / "tooth_03").read_bytes() == b"3"
    assert (beamtime / "disk1" / "tooth_02" / "scan.nxs").read_bytes() == b"\2" * 1000


def test_to_a_remote_of_rclone(
    beamtime: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    beside = Path(sys.executable).parent
    if not (beside / "rclone").exists():
        pytest.skip("rclone is not installed")
    monkeypatch.setenv("PATH", f"{beside}{os.pathsep}{os.environ['PATH']}")
    settings = beamtime / "rclone.conf"
    settings.write_text(f"[archive]\ntype = alias\nremote = {beamtime / 'disk2'}\n")
    monkeypatch.setenv("RCLONE_CONFIG", str(settings))
    scan = beamtime / "spool" / "tooth_01"
    assert execute(["copy", str(scan), "archive:2026"]) == 0
    assert (beamtime / "disk2" / "2026" / "tooth_01" / "scan.nxs").read_bytes() == b"\1" * 1000
    capsys.readouterr()
    assert execute(["disks", "status", "--json"]) == 0
    (state,) = json.loads(capsys.readouterr().out)
    assert [one["place"]["id"].split(":")[0] for one in state["copies"]] == ["machine", "remote"]
    (beamtime / "disk2" / "2026" / "tooth_01" / "scan.nxs").write_bytes(b"mine" * 250)
    assert execute(["copy", str(scan), "archive:2026"]) == 1
    assert "other content" in capsys.readouterr().err
    assert (beamtime / "disk2" / "2026" / "tooth_01" / "scan.nxs").read_bytes() == b"mine" * 250
