"""`tomarium diff` of two records: what differs between their runs, a line each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contracts.test_steps import make_scan
from tomarium.catalogue.make_record import make_record
from tomarium.cli import execute
from tomarium.pipeline.protocol.protocol import from_data


def test_runs_are_compared_a_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan = make_scan(angles=60, rows=4, columns=32).with_geometry(axis_column=None)  # type: ignore[misc]
    for name, steps in (
        ("a", ["flat_field", "remove_stripes", {"fbp": {"window": "hann", "axis_column": 15.0}}]),
        ("b", ["flat_field", {"fbp": {"cutoff": 0.8, "axis_column": 15.5}}]),
    ):
        make_record(scan, from_data({"steps": steps}, "a test"), tmp_path / name)
    capsys.readouterr()
    assert execute(["diff", str(tmp_path / "a"), str(tmp_path / "b"), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)["findings"]
    notes = {
        f["what"]: (f["one"], f["other"], f["detail"]) for f in told if not f["content"] and not f["same"]
    }
    finished = notes.pop("provenance")
    assert finished[0] < finished[1]
    assert notes == {
        "step remove_stripes": ("done", None, "in A only"),
        "fbp.window": ("hann", "shepp-logan", ""),
        "fbp.cutoff": (1.0, 0.8, ""),
        "fbp.axis_column": (15.0, 15.5, ""),
        "order of steps": ("flat_field → remove_stripes → fbp", "flat_field → fbp", ""),
        "geometry axis_column": (15.0, 15.5, ""),
    }
    assert execute(["diff", str(tmp_path / "a"), str(tmp_path / "a")]) == 0
    assert "step" not in capsys.readouterr().out
