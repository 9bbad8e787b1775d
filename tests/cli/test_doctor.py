"""`tomarium doctor`: exit codes, JSON, and what people read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tomarium.cli import execute
from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate

GOOD = SimulationConfig(columns=96, rows=4, views=152, flats=4, darks=4, dead_pixels=0, hot_pixels=0)


def test_a_good_scan_is_clean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = simulate(tmp_path / "scan.h5", GOOD)
    assert execute(["doctor", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "clean"
    assert len(told["checked"]) > 20
    for finding in told["findings"]:
        assert set(finding) == {"code", "severity", "where", "found", "expected", "mend"}


def test_a_table_with_a_number_without_unit_warns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "table.csv"
    path.write_text("name,value\nPixel size,0.65\nProjections,2000\n")
    assert execute(["doctor", str(path), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "warnings"
    assert [finding["code"] for finding in told["findings"]] == ["unit-absent"]


def test_people_read_found_expected_and_mend(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "table.csv"
    path.write_text("name,value,unit\nPixel size,1,m\n")
    assert execute(["doctor", str(path)]) == 2
    said = capsys.readouterr().out
    for word in ("table.csv: errors", "quantities", "quantity-absurd", "found", "1 m", "expected", "mend"):
        assert word in said


def test_an_absent_file_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["doctor", str(tmp_path / "absent.h5")]) == 2
    assert "no such file" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["doctor"], ["doctor", "scan.h5", "--self"]])
def test_either_a_path_or_self_is_asked_for(arguments: list[str]) -> None:
    assert execute(arguments) == 2
