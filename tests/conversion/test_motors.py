"""Positions of motors are carried by a conversion, told by its report, and compared."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from tomarium import formats
from tomarium.conversion.compare import compare
from tomarium.conversion.convert import convert
from tomarium.model import MotorPositions, Scan


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    path = tmp_path_factory.mktemp("motors") / "scan.h5"
    made = opened(written(path))
    count = made.shape[0]
    motors = {
        "sx": MotorPositions(np.full(count, 1.25e-3), "m", "read", "a"),
        "stage/tilt": MotorPositions(np.linspace(0, 2, count), "deg", "read", "a"),
        "counter": MotorPositions(np.arange(count, dtype=float), "", "read", "a"),
    }
    return replace(made, geometry=replace(made.geometry, motors=motors))


def written(path: Path) -> Path:

    with h5py.File(path, "w") as file:
        for name, frames in (("data", 7), ("data_white", 2), ("data_dark", 2)):
            file[f"exchange/{name}"] = np.full((frames, 4, 8), 10 + frames, np.uint16)
        file["exchange/theta"] = np.linspace(0, 180, 7, endpoint=False)
    return path


def opened(path: Path) -> Scan:
    found = formats.open(path)
    assert isinstance(found, Scan)
    return found


@pytest.mark.parametrize(
    ("to", "name", "kept"),
    [
        ("nxtomo", "out.nx", {"sx", "stage/tilt", "counter"}),
        ("data-exchange", "out.h5", {"sx", "stage_tilt"}),
    ],
)
def test_motors_are_carried(scan: Scan, tmp_path: Path, to: str, name: str, kept: set[str]) -> None:
    done = convert(scan, tmp_path / name, to=to)
    held = opened(tmp_path / name).geometry.motors
    assert set(held) == kept
    for motor in kept:
        before = scan.geometry.motors[motor.replace("stage_", "stage/")]
        np.testing.assert_allclose(held[motor].value, before.value, rtol=1e-12)
        assert held[motor].unit == before.unit
    fates = {change.what: change.fate for change in done.changes if change.what.startswith("motor ")}
    assert fates["motor sx"] == "renamed"


def test_motors_are_compared(scan: Scan) -> None:
    moved = dict(scan.geometry.motors)
    moved["sx"] = replace(moved["sx"], value=moved["sx"].value + 1e-6)
    del moved["counter"]
    other = replace(scan, geometry=replace(scan.geometry, motors=moved))
    found = {
        one.what: one for one in compare(scan, other, pixels=False).findings if one.what.startswith("motor ")
    }
    assert {name: (one.same, one.content) for name, one in found.items()} == {
        "motor sx": (False, True),
        "motor stage/tilt": (True, True),
        "motor counter": (False, False),
    }
    assert (found["motor sx"].one, found["motor sx"].other) == ("1.25 mm", "1.251 mm")
    assert compare(scan, scan, pixels=False).same
