"""The options by which a scan is opened: the same on every command that opens one."""

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from contracts.test_steps import make_scan
from tomarium.cli import commands, execute
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.model.geometry import FIELDS

OPENING = ("axis", "convert", "demo", "diff", "doctor", "info", "plan", "run", "slice")
OPTIONS = {f"--{name}" for name in ("entry", "data", "flats", "darks", "image-key", "domain")} | {
    f"--{field.option}" for field in FIELDS
}


@pytest.fixture
def scan_file(tmp_path: Path) -> str:
    path = tmp_path / "disc.h5"
    data_exchange.FORMAT.write(path, make_scan(angles=90).with_geometry(axis_column=None))  # type: ignore[misc]
    return str(path)


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", OPENING)
def test_every_command_that_opens_a_scan_has_every_option(name: str) -> None:
    found = {
        word for one in commands(name)[name].params if isinstance(one, click.Option) for word in one.opts
    }
    assert found >= OPTIONS


def test_info_prints_what_is_known_and_what_people_look_for(
    scan_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["info", scan_file]) == 0
    plain = capsys.readouterr().out
    assert "axis column" in plain
    assert "axis roll" not in plain
    (tmp_path / "shifts.txt").write_text("".join(f"{n / 10}\n" for n in range(90)))
    words = ["--axis-roll", "0.25 deg", "--shift-rows", "shifts.txt", "--domain", "attenuation"]
    assert execute(["info", scan_file, *words]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "axis roll 0.25° user: given when the scan was opened" in lines
    assert "shift rows 0 px … 8.9 px, 90 user: given in shifts.txt" in lines
    assert "values attenuation" in lines


def test_angles_in_three_forms(scan_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "theta.csv").write_text("".join(f"{2 * n}\n" for n in range(90)))
    for text in ("0:178:90", "theta.csv", "/exchange/theta"):
        assert execute(["info", scan_file, "--angles", text, "--json"]) == 0
        angles = told(capsys)["angles_deg"]
        assert (angles["first"], angles["last"], angles["count"]) == (0, 178, 90)
    assert execute(["info", scan_file, "--angles", "0:180:91"]) == 2
    assert "91 angles for 90 projections" in capsys.readouterr().err
    assert execute(["info", scan_file, "--angles", "0:3.1416:90"]) == 2
    assert "look like radians" in capsys.readouterr().err


def test_axis_takes_other_angles(scan_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["axis", scan_file, "--angles", "0:356:90", "--json"]) == 1, (
        "angles that are wrong: low confidence"
    )
    found = told(capsys)
    assert found["scan_type"] == "360"
    assert found["confidence"] != "high"
    assert execute(["axis", scan_file, "--json"]) == 0
    assert told(capsys)["scan_type"] == "180"


def test_doctor_examines_the_scan_as_it_is_told(scan_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    execute(["doctor", scan_file, "--json"])
    before = {one["code"] for one in told(capsys)["findings"]}
    execute(["doctor", scan_file, "--energy", "25 MeV", "--json"])
    after = {one["code"] for one in told(capsys)["findings"]}
    assert "energy-unit" in after - before
    assert execute(["doctor", scan_file, "--pixel", "0.65 m", "--json"]) == 2
    assert "no scan has" in capsys.readouterr().out


def test_diff_opens_both_with_what_is_told(scan_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["diff", scan_file, scan_file, "--headers", "--axis", "30.5", "--json"]) == 0
    [axis] = [one for one in told(capsys)["findings"] if one["what"] == "axis_column"]
    assert (axis["one"], axis["other"]) == (30.5, 30.5)


def test_convert_writes_what_is_told(
    scan_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = str(tmp_path / "out.nx")
    assert (
        execute(["convert", scan_file, target, "--axis-tilt", "-0.5", "--angles", "1:90:90", "--json"]) == 0
    )
    changes = {one["what"]: one["fate"] for one in told(capsys)["changes"]}
    assert changes["axis_tilt_deg"] == "side-car"
    assert changes["angles_deg"] == "given"
    assert execute(["info", target, "--json"]) == 0
    info = told(capsys)
    assert info["axis_tilt_deg"]["value"] == -0.5
    assert info["angles_deg"]["last"] == 90


def test_run_again_takes_nothing_besides(
    scan_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = str(tmp_path / "first")
    given = ["--axis", "30.5", "--angles", "0:178:90", "--domain", "counts"]
    assert execute(["run", scan_file, *given, "--rows", "0:2", "-o", record]) == 0
    assert execute(["run", "--again", record, "--axis", "3"]) == 2
    for changed in (["--step", "paganin"], ["--rows", "3:8"], ["--bin", "2"], ["--material", "SiO2 2.65"]):
        assert execute(["run", "--again", record, *changed]) == 2
    assert "leave out axis_column" in capsys.readouterr().err
    assert execute(["run", "--again", record, "-o", str(tmp_path / "second")]) == 0
    provenance = [json.loads((tmp_path / one / "provenance.json").read_text()) for one in ("first", "second")]
    assert provenance[0]["source"]["given"] == provenance[1]["source"]["given"]
    assert np.shape(provenance[1]["source"]["given"]["angles_deg"]) == (90,)
