"""What the profile of a beamline tells of its scans: taken where nobody else tells it, and said as the profile's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import tomarium as tm
from contracts.test_steps import make_scan
from tomarium.beamtime.profile_file import read_profile
from tomarium.beamtime.profile_in_use import profile_in_use
from tomarium.catalogue.axis_motors import accept
from tomarium.catalogue.record_folder import read_record
from tomarium.cli import execute
from tomarium.errors import InputError
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.model import Scan

PROFILE = """
name = "MINE"

[paths]
spool = "spool/{proposal}"

[motors]
axis = "tx"

[signs]
axis = -1

[scan]
pixel_m = "0.65 um"
energy_kev = 20
distance_m = "5 cm"
"""


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a beamtime, which is the present folder; scans in its spool tell no number, or a pixel of 1 µm."""
    (tmp_path / "beamtime.toml").write_text('name = "Teeth"\nproposal = "20260001"\nprofile = "mine.toml"\n')
    (tmp_path / "mine.toml").write_text(PROFILE)
    spool = tmp_path / "spool" / "20260001"
    spool.mkdir(parents=True)
    silent = make_scan(angles=90).with_geometry(
        pixel_m=None, energy_kev=None, distance_m=None, axis_column=None
    )
    data_exchange.FORMAT.write(spool / "silent.h5", silent)  # type: ignore[misc]
    told = silent.with_geometry(pixel_m=make_scan(angles=1).pixel_m)
    data_exchange.FORMAT.write(spool / "told.h5", told)  # type: ignore[misc]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOMARIUM_HOME", str(tmp_path / "home"))
    return tmp_path


def info(path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    execute(["info", str(path), "--json", *words])
    return json.loads(capsys.readouterr().out)


def test_info_states_the_profile(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    silent, told = (work / "spool" / "20260001" / name for name in ("silent.h5", "told.h5"))
    assert execute(["info", str(silent)]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "pixel 0.65 µm profile MINE (mine.toml)" in lines
    assert "energy 20 keV profile MINE (mine.toml)" in lines
    # A file's value stands, and the difference is a warning; a user's stands without one.
    found = info(told, capsys)
    assert (found["pixel_m"]["value"], found["pixel_m"]["origin"]) == (1e-6, "read")
    [warning] = [text for text in found["warnings"] if "profile" in text]
    assert warning.startswith("pixel is 1 µm by ")
    assert "but 0.65 µm by profile MINE (mine.toml): the file's was taken" in warning
    found = info(told, capsys, "--pixel", "2um")
    assert (found["pixel_m"]["value"], found["pixel_m"]["origin"]) == (2e-6, "user")
    assert not [text for text in found["warnings"] if "profile" in text]
    # None is used where that is asked for, and outside of the beamtime.
    assert info(silent, capsys, "--profile", "none")["pixel_m"] is None


def test_a_profile_that_corrects_the_file_says_so(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (work / "other.toml").write_text(PROFILE + 'corrects = ["pixel_m"]\n')
    found = info(work / "spool" / "20260001" / "told.h5", capsys, "--profile", "other.toml")
    assert found["pixel_m"]["value"] == pytest.approx(0.65e-6)
    assert found["pixel_m"]["origin"] == "profile"
    [said] = [text for text in found["repaired"] if "profile" in text]
    assert said.startswith("pixel is 0.65 µm: profile MINE (other.toml) corrects 1 µm of ")


def test_from_python_the_profile_is_given(work: Path) -> None:
    silent = work / "spool" / "20260001" / "silent.h5"
    scan = tm.open(silent, profile=read_profile(str(work / "mine.toml")).scan)
    assert isinstance(scan, Scan)
    assert scan.pixel_m is not None
    assert (scan.pixel_m.value, scan.pixel_m.origin) == (pytest.approx(0.65e-6), "profile")
    plain = tm.open(silent)
    assert isinstance(plain, Scan)
    assert plain.pixel_m is None


def test_the_record_states_it_and_its_run_is_repeated(work: Path) -> None:
    silent = work / "spool" / "20260001" / "silent.h5"
    run = ["run", str(silent), "--executor", "serial", "--rows", "4:6"]
    assert execute([*run, "-o", "one"]) in (0, 1)
    told = json.loads((work / "one" / "provenance.json").read_text())
    assert told["source"]["values"]["pixel_m"]["origin"] == "profile"
    assert told["source"]["values"]["pixel_m"]["source"] == "profile MINE (mine.toml)"
    assert told["source"]["given"]["pixel_m"] == pytest.approx(0.65e-6)
    one = read_record(work / "one").parameters
    assert {one[name].origin for name in ("pixel_m", "energy_kev", "distance_m")} == {"profile"}
    # A repetition takes what the record says, whatever the profile says by then.
    (work / "mine.toml").write_text(PROFILE.replace("0.65 um", "0.7 um"))
    assert execute(["run", "--again", "one", "-o", "two"]) in (0, 1)
    two = read_record(work / "two").parameters
    assert (two["pixel_m"].value, two["pixel_m"].origin) == (one["pixel_m"].value, "profile")
    assert two["pixel_m"].source == one["pixel_m"].source


def test_watch_and_batch_find_the_spool_and_their_folders(work: Path) -> None:
    assert execute(["watch", "--once", "--every", "20ms", "--match", "silent*"]) == 0
    state = json.loads((work / "live" / "live.json").read_text())
    assert state["spool"] == str(work / "spool" / "20260001")
    assert [one["station"] for one in state["slices"]] == ["64 columns, pixel 0.65 µm"]
    assert execute(["batch", "--match", "silent*", "--on", "serial", "--rows", "4:5"]) in (0, 1)
    record = read_record(work / "batches" / "20260001" / "records" / "silent")
    assert record.parameters["pixel_m"].origin == "profile"


def test_the_axis_motor_is_that_of_the_profile(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan = work / "spool" / "20260001" / "silent.h5"
    assert execute(["axis", str(scan)]) == 0
    assert "motor tx of the profile tells nothing" in capsys.readouterr().out
    with h5py.File(scan, "a") as file:
        file["/measurement/instrument/stage/tx"] = 3.2
    assert execute(["axis", str(scan), "--accept"]) == 0
    assert "is accepted as its scan 1" in capsys.readouterr().out


def test_a_sign_that_the_accepted_scans_contradict_is_told(tmp_path: Path) -> None:
    from cli.test_axis_motor import scan_at
    from tomarium.catalogue.axis_motors import calibration_of

    file = tmp_path / "motors.json"
    for name, position in (("a", 3.2), ("b", 3.21), ("c", 3.19)):
        accept(scan_at(name, position), "tx", 30.5 - (position - 3.2) * 1000, file)
    assert calibration_of("tx", file, sign=-1).sign == -1
    with pytest.raises(InputError, match="moves to lower columns with the motor, not to higher ones"):
        calibration_of("tx", file, sign=1)


def test_what_is_wrong_in_a_profile_is_named(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = {
        'pixel_m = "0.65"': "unit",
        "pixel_m = 0.65": "which no scan has",
        "pixel = 1e-6": "did you mean 'pixel_m'",
        "energy_kev = true": "a number, or text with its unit, was expected",
        'corrects = ["pixel_m"]': "corrects names 'pixel_m', but [scan] has no such value",
    }
    for line, said in wrong.items():
        (work / "bad.toml").write_text(f'name = "BAD"\n[scan]\n{line}\n')
        with pytest.raises(InputError) as problem:
            read_profile("bad.toml")
        assert said in str(problem.value)
    (work / "beamtime.toml").write_text('profile = "bad.toml"\n')
    assert execute(["info", str(work / "spool" / "20260001" / "told.h5")]) == 2
    assert "beamtime.toml names the profile" in capsys.readouterr().err
    with pytest.raises(InputError, match="SPOOL was left out, and no profile holds here"):
        profile_in_use("none").demand_spool("SPOOL")
    assert np.isclose(read_profile("mine.toml").scan.values["energy_kev"].value, 20)
