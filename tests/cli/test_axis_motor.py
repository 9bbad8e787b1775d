"""`tomarium axis --motor`: calibrated by the scans whose axis was accepted."""

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from contracts.test_steps import make_scan
from tomarium.catalogue.axis_motors import accept, calibration_of, position_of
from tomarium.cli import execute
from tomarium.errors import FormatError, InputError, MissingData
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.model import Scan, Value


def scan_at(name: str, position_mm: float) -> Scan:
    """The axis lies at 30.5 with the motor at 3.2 mm, and moves to lower columns with it; pixels of 1 µm."""
    made = make_scan(angles=60)
    motors = {"tx": Value(np.full(60, position_mm), "read", "made")}
    return replace(made, name=name, geometry=replace(made.geometry, motors=motors))


def test_accepted_scans_calibrate(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "motors.json"
    for name, position in (("a", 3.2), ("b", 3.21), ("c", 3.19), ("a", 3.2)):
        count = accept(scan_at(name, position), "tx", 30.5 - (position - 3.2) * 1000, file)
    assert count == 3
    known = calibration_of("tx", file)
    assert (known.sign, known.unit) == (-1, "mm")
    assert 31.5 + known.offset_px(3.195, 1e-6) == pytest.approx(35.5, abs=0.5)
    with pytest.raises(InputError, match="0 scans"):
        calibration_of("ty", file)
    file.write_text("[1]")
    with pytest.raises(FormatError, match="accept scans anew"):
        calibration_of("tx", file)


def test_positions_that_are_not_told() -> None:
    assert position_of(scan_at("a", 3.2), "tx") == 3.2
    with pytest.raises(MissingData, match="tells no position of a motor 'ty'"):
        position_of(scan_at("a", 3.2), "ty")


def test_the_command_compares_and_accepts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOMARIUM_HOME", str(tmp_path / "home"))
    path = tmp_path / "disc.h5"
    for number, position in enumerate((3.2, 3.21, 3.19, 3.2)):
        path = tmp_path / f"disc{number}.h5"
        data_exchange.FORMAT.write(path, make_scan(angles=90).with_geometry(axis_column=None))  # type: ignore[misc]
        with h5py.File(path, "a") as file:
            file["/measurement/instrument/stage/tx"] = position
        if number == 3:
            break
        column = 30.5 - (position - 3.2) * 1000
        assert execute(["axis", str(path), "--motor", "tx", "--accept", "--axis", f"{column:.2f}"]) == 0
        assert f"accepted as its scan {number + 1}" in capsys.readouterr().out
    assert execute(["axis", str(path), "--motor", "tx", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["motor"]["column"] == pytest.approx(30.5, abs=0.5)
    assert told["motor"]["scans"] == 3
    assert execute(["axis", str(path), "--motor", "tx", "--axis", "60"]) == 1
    assert "columns from 30.5, where motor tx tells it" in capsys.readouterr().err
    assert execute(["axis", str(path), "--accept"]) == 2
