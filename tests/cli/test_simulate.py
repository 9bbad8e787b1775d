"""`tomarium simulate`: what the command line asks for is in the file, and in the frames."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

import tomarium as tm
from tomarium.cli import execute

SMALL = ["--size", "48", "--rows", "12", "--views", "24"]


def simulated(path: Path, *words: str) -> dict:  # type: ignore[type-arg]
    assert execute(["simulate", str(path), *SMALL, *words]) == 0
    with h5py.File(path) as file:
        return {name: held[()] for name, held in file["truth"].items()}


def test_every_defect_is_told_in_the_file(tmp_path: Path) -> None:
    told = simulated(
        tmp_path / "a.h5", "--phase", "--half", "--rings", "2%", "--zingers", "1e-3", "--dead", "4", "--hot", "0",
        "--drift", "3,-2,1 px", "--jitter", "0.5 px", "--beam-drift", "2 px", "--beam-jitter", "1 px",
        "--stripes", "8%", "--blocked", "40:80", "--roll", "0.3 deg", "--current-decay", "10%", "--wide", "1.5",
    )  # fmt: skip
    asked = json.loads(told["settings"])
    assert asked["drift_px"] == [3.0, -2.0, 1.0]
    assert asked["ring_error"] == 0.02
    assert asked["beam_stripes"] == pytest.approx(0.08)
    assert asked["span_deg"] == 360.0
    assert (asked["delta_beta"], asked["propagation"]) == (200.0, "wave")
    assert asked["zingers"] == pytest.approx(1e-3 * 48 * 12)
    assert len(told["dead_pixels"]) == 4
    assert len(told["hot_pixels"]) == 0
    assert told["axis_roll_deg"] == 0.3
    assert told["axis_column"] > 0.85 * 47
    assert told["beam_intensity"][-1] == pytest.approx(0.9)
    assert np.ptp(told["beam_rows_px"]) > 1
    assert np.std(told["column_response"]) == pytest.approx(0.02, rel=0.4)
    blocked = told["blocked_share"] > 0
    assert set(told["angles_deg"][blocked]) <= {45.0, 60.0, 75.0}
    scan = tm.open(tmp_path / "a.h5")
    assert np.all(np.asarray(scan.projections).reshape(24, -1)[:, told["dead_pixels"]] == 0)  # type: ignore[union-attr]


def test_a_series_lies_in_files_that_stitch_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "simulate",
        str(tmp_path / "t.h5"),
        *SMALL,
        "--rows",
        "24",
        "--heights",
        "2",
        "--overlap",
        "12",
        "--clean",
    ]
    assert execute(words) == 0
    assert "--set stitch.scans=t-1.h5" in capsys.readouterr().out
    first = tm.open(tmp_path / "t-0.h5")
    made = tm.stitch(first, scans="t-1.h5")
    assert made.shape == (24, 36, 48)


def test_overlap_needs_heights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["simulate", str(tmp_path / "s.h5"), "--overlap", "3"]) == 2
    assert "--heights" in capsys.readouterr().err
