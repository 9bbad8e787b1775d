"""`tomarium copy SCAN globus:ID/PATH`, with a program that answers as Globus does."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

import globus_program
from globus_program import SOURCE, TARGET
from tomarium.cli import execute

COPY = ["copy", "spool/tooth 01", f"globus:{TARGET}/2026"]


@pytest.fixture
def globus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the program keeps what it knows; the present one is a beamtime's, with a scan."""
    for name in ("bin", "globus", "spool/tooth 01/edf", "spool/tooth 01/empty"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "spool" / "tooth 01" / "scan.nxs").write_bytes(b"raw" * 1000)
    (tmp_path / "spool" / "tooth 01" / "edf" / "it's $0.edf").write_bytes(b"one")
    (tmp_path / "beamtime.toml").write_text('name = "teeth"\nprofile = "mine.toml"\n')
    (tmp_path / "mine.toml").write_text(f'name = "MINE"\n[globus]\ncollection = "{SOURCE}"\nroot = "/"\n')
    globus_program.install(tmp_path / "bin")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_GLOBUS", str(tmp_path / "globus"))
    return tmp_path / "globus"


def tell(globus: Path, **told: Any) -> dict[str, Any]:
    """Change what the program knows, and return it."""
    path = globus / "state.json"
    state: dict[str, Any] = {**(json.loads(path.read_text()) if path.exists() else {}), **told}
    path.write_text(json.dumps(state))
    return state


def copies(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Follow the transfers, and give the copies of the one scan by the kind of their place."""
    capsys.readouterr()
    execute(["disks", "status", "--json"])
    (scan,) = json.loads(capsys.readouterr().out)
    return {one["place"]["kind"]: one for one in scan["copies"]} | {"places": scan["places"]}


def test_a_scan_is_given_to_globus_and_followed_to_its_end(
    globus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute([*COPY, "--dry-run"]) == 0
    assert f"from {globus.parent}/spool/tooth 01 of the collection {SOURCE}" in capsys.readouterr().out
    assert execute(COPY) == 0
    (task,) = tell(globus)["tasks"]
    assert (
        f"tooth 01: given to Globus, task {task}: The transfer has been accepted" in capsys.readouterr().out
    )
    asked = tell(globus)["tasks"][task]["asked"]
    assert (asked["verify_checksum"], asked["checksum_algorithm"], asked["sync_level"]) == (
        True,
        "SHA256",
        "",
    )
    found = copies(capsys)["globus"]
    assert (found["state"], found["copy"]["verified"]) == ("copying", None)
    assert (found["transfer"]["task"], found["transfer"]["state"]) == (task, "ACTIVE")
    assert found["copy"]["told"] == "1 empty folders were left out"
    assert execute(COPY) == 0  # it is under way, and nothing is submitted again
    assert list(tell(globus)["tasks"]) == [task]
    tell(globus, becomes="SUCCEEDED")
    known = copies(capsys)
    assert (known["places"], known["globus"]["state"]) == (2, "whole")
    assert known["globus"]["copy"]["verified"] == "2026-11-29T03:04:05+00:00"
    assert (globus / "collection" / "2026" / "tooth 01" / "edf" / "it's $0.edf").read_bytes() == b"one"
    assert execute(["disks", "status"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "Archive of the Institute" in line)
    assert "verified by Globus 2026-11-29T03:04:05+00:00, not read by tomarium" in line
    assert execute(["disks", "verify", "Archive of the Institute"]) == 2
    assert "is a collection of Globus, which compared checksums" in capsys.readouterr().err
    assert execute(["log"]) == 0
    assert (
        f"tooth 01: copied to Archive of the Institute and verified by Globus; task {task}"
        in capsys.readouterr().out
    )


def test_a_transfer_that_failed_is_told_and_given_again(
    globus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(COPY) == 0
    tell(globus, becomes="FAILED")
    found = copies(capsys)["globus"]
    assert (found["state"], found["transfer"]["state"]) == ("copying", "FAILED")
    assert "the deadline passed" in found["copy"]["told"]
    assert execute(COPY) == 0
    first, second = tell(globus)["tasks"].values()
    assert (first["asked"]["sync_level"], second["asked"]["sync_level"]) == ("", "checksum")
    tell(globus, becomes="SUCCEEDED", wrong=True)
    found = copies(capsys)["globus"]
    assert found["state"] == "damaged"
    assert "has the SHA-256 000000000000… there" in found["copy"]["told"]


def test_a_program_killed_while_it_submitted_submits_once(
    globus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(globus, dies=True)
    assert execute(COPY) == 3
    assert copies(capsys)["globus"]["transfer"]["state"] == "SUBMITTING"
    assert execute(COPY) == 0
    assert len(tell(globus)["tasks"]) == 1
    (globus.parent / "spool" / "tooth 01" / "later.h5").write_bytes(b"more")
    tell(globus, dies=True, becomes="SUCCEEDED")
    copies(capsys)
    assert execute(COPY) == 3
    (globus.parent / "spool" / "tooth 01" / "later.h5").write_bytes(b"more still")
    assert execute(COPY) == 0  # another content is another submission
    assert len(tell(globus)["tasks"]) == 3


def test_what_is_refused(
    globus: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(*words: str) -> str:
        assert execute(list(words)) in (2, 3)
        return capsys.readouterr().err

    (globus / "collection" / "2026" / "tooth 01").mkdir(parents=True)
    assert "holds tooth 01 already" in told(*COPY)
    (globus / "collection" / "2026" / "tooth 01").rmdir()
    assert "is no id of a collection" in told(*COPY[:2], "globus:archive/2026")
    assert "names no folder" in told(*COPY[:2], f"globus:{TARGET}")
    assert "does not lie in /elsewhere" in told(*COPY, "--globus-source", f"{SOURCE}:/elsewhere")
    strange = globus.parent / "spool" / "tooth 01" / "a\nb"
    strange.write_bytes(b"")
    assert "cannot be given to Globus" in told(*COPY)
    strange.unlink()
    tell(globus, logged_out=True)
    assert "Please run: globus login" in told(*COPY)
    tell(globus, logged_out=False)
    (globus.parent / "mine.toml").write_text('name = "MINE"\n')
    assert "which collection of Globus holds the scans is not known" in told(*COPY)
    tell(globus, personal=True)
    assert execute(COPY) == 0
    monkeypatch.setenv("PATH", "/nowhere")
    assert "the program globus is not installed" in told(*COPY)
    assert execute(["disks", "status"]) == 1
    assert "how far Globus is could not be asked" in capsys.readouterr().err
