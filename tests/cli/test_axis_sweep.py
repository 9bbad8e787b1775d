"""`tomarium slice --axis-sweep --measure` as its users meet it."""

import re
from pathlib import Path
from typing import get_args

import pytest

from tomarium.cli import execute
from tomarium.cli.slice import command
from tomarium.kernels.axis.slice_measures import Measure
from tomarium.synth import SimulationConfig, simulate, truth

CONFIG = SimulationConfig(columns=96, rows=4, views=150, hot_pixels=0, seed=1)


@pytest.fixture(scope="module")
def scan_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("sweep") / "scan.h5", CONFIG)


@pytest.mark.parametrize("measure", ["edges", "entropy"])
def test_the_axis_of_the_best_slice_is_the_true_one(
    scan_file: Path, measure: str, capsys: pytest.CaptureFixture[str]
) -> None:
    true = truth(CONFIG).axis_column
    first = round(true) - 3
    sweep = f"{first}:{first + 6}:0.5"
    assert execute(["slice", str(scan_file), "--axis-sweep", sweep, "--measure", measure]) == 0
    told = capsys.readouterr().out
    assert len(re.findall(r"^ +\d+(\.5)?  \S+$", told, re.M)) == 13
    found = re.search(rf"^axis ([\d.]+): {measure} is least there", told, re.M)
    assert found, told
    assert float(found[1]) == pytest.approx(true, abs=0.25)


def test_a_best_at_the_end_is_told_as_none(
    scan_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = round(truth(CONFIG).axis_column) + 2
    sheet = tmp_path / "sweep.png"
    arguments = ["slice", str(scan_file), "--axis-sweep", f"{first}:{first + 3}:1", "--measure", "entropy"]
    assert execute([*arguments, "-o", str(sheet)]) == 0
    told = capsys.readouterr().out
    assert f"axis {first}: entropy is least at an end of the sweep" in told
    assert sheet.exists()


def test_what_cannot_be_is_refused(scan_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["slice", str(scan_file), "--measure", "std"]) == 2
    assert "--measure goes with --axis-sweep" in capsys.readouterr().err


def test_all_measures_are_offered() -> None:
    [option] = [one for one in command.params if one.name == "measure"]
    assert tuple(option.type.choices) == get_args(Measure)  # type: ignore[attr-defined]
