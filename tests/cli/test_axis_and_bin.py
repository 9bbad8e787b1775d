"""Columns of the rotation axis count in the file, rows and regions in binned pixels, in every command."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import tomarium as tm
from tomarium.cli import execute
from tomarium.pipeline.protocol.protocol import from_data
from tomarium.pipeline.protocol.resolve import resolve
from tomarium.synth import SimulationConfig, simulate, truth

CONFIG = SimulationConfig(columns=96, rows=12, views=120, hot_pixels=0, seed=1)
AXIS = truth(CONFIG).axis_column


@pytest.fixture(scope="module")
def scan_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(simulate(tmp_path_factory.mktemp("binned") / "scan.h5", CONFIG))


def axis_told(output: str) -> tuple[float, float]:
    match = re.search(
        r"axis at column ([\d.]+) of the file = ([\d.]+) of the binned or cropped views", output
    )
    assert match is not None, output
    return float(match[1]), float(match[2])


def test_a_column_that_was_read_can_be_given_back(
    scan_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    binned = ["slice", scan_file, "--bin", "2", "-o", str(tmp_path / "slice.png")]
    assert execute(binned) in (0, 1)
    in_file, in_views = axis_told(capsys.readouterr().out)
    assert in_file == pytest.approx(AXIS, abs=0.5)
    assert in_views == pytest.approx((in_file + 0.5) / 2 - 0.5, abs=0.01)
    assert execute([*binned, "--axis", f"{in_file}"]) in (0, 1)
    assert axis_told(capsys.readouterr().out) == pytest.approx((in_file, in_views), abs=0.01)
    assert execute([*binned, "--along", "y", "--axis", f"{in_file}"]) in (0, 1)
    assert axis_told(capsys.readouterr().out) == pytest.approx((in_file, in_views), abs=0.01)
    first = round(in_file) - 2
    assert execute([*binned, "--axis-sweep", f"{first}:{first + 4}:0.5", "--measure", "std"]) in (0, 1)
    told = capsys.readouterr().out
    assert f"{first} to {first + 4} of the file's columns" in told
    assert float(re.search(r"^axis ([\d.]+):", told, re.MULTILINE)[1]) == pytest.approx(in_file, abs=1)  # type: ignore[index]


def test_a_run_states_both_columns(
    scan_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "record"
    arguments = ["--bin", "2", "--axis", f"{AXIS}", "--rows", "1:3", "--roi", "4:40,6:42"]
    assert execute(["run", scan_file, *arguments, "-o", str(record)]) in (0, 1)
    column = json.loads((record / "provenance.json").read_text())["geometry"]["axis_column"]
    assert column["column_in_file"] == pytest.approx(AXIS)
    assert column["value"] == pytest.approx((AXIS + 0.5) / 2 - 0.5)
    assert tm.open(record).shape == (2, 36, 36), "rows and regions count binned pixels"
    capsys.readouterr()
    assert execute(["info", str(record)]) in (0, 1)
    assert f"column {AXIS:.2f} of the file; user" in capsys.readouterr().out
    again = tmp_path / "again"
    assert execute(["run", "--again", str(record), scan_file, "-o", str(again)]) in (0, 1)
    assert json.loads((again / "provenance.json").read_text())["geometry"]["axis_column"] == {
        **column,
        "source": "given in the protocol as fbp.axis_column",
    }


@pytest.mark.parametrize(
    ("views", "in_views"),
    [
        ([], 40.0),
        ([{"crop": {"columns": "8:-8"}}, {"bin": {"rows": 2, "columns": 2}}], (32 + 0.5) / 2 - 0.5),
        ([{"crop": {"rows": "4:12"}}], None),
        ([{"select_views": {"drop": "3"}}], 40.0),
    ],
)
def test_columns_go_through_views_and_back(
    scan_file: str, views: list[object], in_views: float | None
) -> None:
    scan = tm.open(scan_file, axis_column=40.0, axis_roll_deg=2.0)
    protocol = from_data({"steps": [*views, "flat_field", "correct_roll", "fbp"]}, "a test")
    resolution = resolve(protocol, scan)
    assert resolution.axis_in_file == pytest.approx(40.0)
    if in_views is not None:
        assert resolution.geometry.axis_column.value == pytest.approx(in_views)  # type: ignore[union-attr]
    else:
        assert resolution.geometry.axis_column.value > 40, (
            "a leaning axis is told at the middle of the kept rows"
        )  # type: ignore[union-attr]


def test_columns_of_joined_half_turns_are_none_of_the_file(tmp_path: Path) -> None:
    path = simulate(
        tmp_path / "half.h5",
        SimulationConfig(columns=64, rows=4, views=120, span_deg=360, axis_column=58.0, hot_pixels=0),
    )
    protocol = from_data({"steps": [{"join_half_turns": {}}, "flat_field", "fbp"]}, "a test")
    assert resolve(protocol, tm.open(path, axis_column=58.0)).axis_in_file is None
