"""`tomarium info` of files that say absurd things in earnest."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contracts.test_steps import make_scan
from tomarium.cli import execute
from tomarium.formats.zarr.reader import write
from tomarium.model import Axis, Value, Volume


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    axes = tuple(Axis(name, 1e-30, 0.0, "m") for name in "zyx")
    metadata = {
        "run": {"by": "X", "steps": [{"fbp": {"window": None}}]},
        "sample": "S" * 5000,
        "note": "one\ntwo \x1b[31mred",
        "k" * 5000: 1,
        "counts": list(range(5000)),
    }
    write(tmp_path / "v.zarr", Volume(np.zeros((4, 8, 8), np.float32), axes, "", "N" * 5000, None, metadata))
    return tmp_path / "v.zarr"


def test_a_volume_is_told_in_lines_that_can_be_read(volume: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["info", str(volume)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) < 600
    told = {line.split()[0]: line for line in lines}
    assert "by: X; steps: ((fbp: (window: –)))" in told["run"]
    assert "0, 1, 2 … 4999 (5000 values)" in told["counts"]
    assert "one two  [31mred" in told["note"]
    assert any("axis z" in line and "steps of 1e-30 m" in line for line in lines)
    assert not any("{'" in line or "['" in line for line in lines)


def test_so_is_a_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    long = {"sample_name": Value("S" * 5000, "read", "P" * 5000), "q" * 3000: Value(1, "read", "a")}
    scan = replace(
        make_scan(), name="N" * 5000, metadata={**long, "detector": Value({"gain": [1, 2]}, "read", "a")},
        warnings=("W" * 5000 + "\x1b[2J",), missing=("M" * 5000,),
    ).with_geometry(distance_m=Value(1e20, "read", "a"))  # fmt: skip
    monkeypatch.setattr("tomarium.formats.open", lambda *_, **__: scan)
    assert execute(["info", str(tmp_path)]) == 1
    said = capsys.readouterr()
    lines = [*said.out.splitlines(), *said.err.splitlines()]
    assert max(map(len, lines)) < 600
    assert "gain: (1, 2)" in said.out
    assert "1e+20 m" in said.out
    assert "\x1b[2J" not in said.err
    assert execute(["info", str(tmp_path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["metadata"]["sample_name"]["value"] == "S" * 5000


def test_frames_that_are_missing_have_no_size(
    shared: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    execute(["info", str(shared("nexus/i12_360scan_112482.nxs"))])
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.split()[0] == "shape"]
    assert "3601 × ? × ?" in line
    assert line.endswith("not known without the files that are missing")
