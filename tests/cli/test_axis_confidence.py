"""`tomarium axis` tells a confidence that is not high first, and by its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tomarium.cli import execute
from tomarium.synth import SimulationConfig, simulate


@pytest.fixture(scope="module")
def faint_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    config = SimulationConfig(columns=64, rows=48, views=60, photons=60.0, absorption=0.02)
    return str(simulate(tmp_path_factory.mktemp("faint") / "faint.h5", config))


@pytest.mark.parametrize("how", [[], ["--roll"]])
def test_low_confidence_is_told_first_and_is_a_warning(
    faint_file: str, capsys: pytest.CaptureFixture[str], how: list[str]
) -> None:
    assert execute(["axis", faint_file, *how]) == 1
    told = capsys.readouterr()
    assert told.err.startswith("! the r")
    assert "found with low confidence" in told.err.splitlines()[0]
    assert "confidence low" in told.out.splitlines()[0]
    assert execute(["axis", faint_file, *how, "--json"]) == 1
    [warning] = json.loads(capsys.readouterr().out)["warnings"]
    assert f"! {warning}" == told.err.splitlines()[0], "machines are told the same"


def test_high_confidence_is_no_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(simulate(tmp_path / "clear.h5", SimulationConfig(columns=96, rows=12, views=120, seed=1)))
    assert execute(["axis", path]) == 0
    assert "confidence high" in capsys.readouterr().out
