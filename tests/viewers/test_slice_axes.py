"""Axes of slices: a body at a known position of the motors is shown there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tomarium as tm
from contracts.test_steps import make_scan
from tomarium.beamtime.profile import profile_of
from tomarium.catalogue.make_record import make_record
from tomarium.catalogue.record_folder import read_record
from tomarium.errors import ParameterError
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.formats.opening.profile_values import with_profile_values
from tomarium.model import FileEntry, MotorPositions, Part, Record, Scan, Value
from tomarium.pipeline.protocol.protocol import default_protocol
from tomarium.steps.views.crop import crop
from tomarium.viewers.slice_axes import Coordinates, axes_of, marks
from tomarium.viewers.slices import render
from tomarium.viewers.viewer import View

PIXEL_M = 1e-6
AXIS, COLUMN, ROW = 30.5, 44, 5  # of the axis, and where a bead lies at angle 0


def bead(sign: int) -> Scan:
    """A bead of 3 pixels in a scan of 64 columns, 12 rows and 60 angles; motors at 3.2 mm and -1 mm."""
    made = make_scan(domain="attenuation")
    theta = np.radians(made.angles_deg.value)
    columns, rows = np.arange(64.0), np.arange(12.0)
    at = AXIS + (COLUMN - AXIS) * np.cos(theta)
    across = np.exp(-((columns - at[:, None]) ** 2) / 2)
    down = np.exp(-((rows - ROW) ** 2) / 2)
    motors = {name: MotorPositions(np.full(60, one), "m", "read", f"a:{name}") for name, one in
              (("tx", 3.2e-3), ("tz", -1e-3))}  # fmt: skip
    scan = replace(
        made,
        projections=ArrayFrames((across[:, None, :] * down[None, :, None]).astype(np.float32)),
        geometry=replace(made.geometry, motors=motors),
    )
    told = {"name": "P", "motors": {"axis": "tx", "z": "tz"}, "signs": {"axis": sign, "z": -sign}}
    return with_profile_values(scan, profile_of(told, "p.toml").scan)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_bead_lies_at_the_positions_of_the_motors(sign: int, tmp_path: Path) -> None:
    scan = bead(sign)
    make_record(scan, default_protocol("attenuation"), tmp_path / "record", title="Bead")
    volume = tm.open(tmp_path / "record" / "volume.ome.zarr")
    place = np.unravel_index(np.argmax(np.asarray(volume[...])), volume.shape)
    record = read_record(tmp_path / "record")
    assert record.parameters["motor_along_x"] == Value("tx", "profile", "profile P (p.toml)")
    ways = axes_of(record, (PIXEL_M,) * 3, [axis.offset for axis in volume.axes]).ways
    told = {plane: ways["motor"][plane].first + ways["motor"][plane].step * index  # type: ignore[index]
            for plane, index in zip("zyx", place, strict=True)}  # fmt: skip
    assert ways["motor"]["x"].name == "tx"
    assert told["x"] == pytest.approx(3.2e-3 + sign * (COLUMN - AXIS) * PIXEL_M, abs=PIXEL_M / 2)
    assert told["z"] == pytest.approx(-1e-3 - sign * (ROW - 5.5) * PIXEL_M, abs=PIXEL_M / 2)
    assert told["y"] == pytest.approx(0.0, abs=PIXEL_M / 2)  # no motor is told along it: from the axis
    assert ways["motor"]["y"] == ways["file"]["y"]


def a_record(parameters: dict[str, Any]) -> Record:
    return Record(
        "a", "A", datetime(2026, 1, 1, tzinfo=UTC), parameters=parameters,
        parts=(Part("volume", "volume.ome.zarr",
                    summary={"shape": [12, 16, 16], "window": [0, 2], "voxel_m": 1e-6}),),
        files=(FileEntry("volume.ome.zarr/", 1, "0" * 64, role="volume"),),
    )  # fmt: skip


OFFSETS = (0.0, -8e-6, -8e-6)
TOLD = {
    "motor_along_x": Value("tx", "profile", "P"),
    "motor_sign_along_x": Value(1, "profile", "P"),
    "motor_tx_position_m": Value(3.2e-3, "read", "a"),
}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"motor_sign_along_x": None}, "sign of the motor not known: tx"),
        ({"motor_along_x": None}, "sign of the motor not known"),
        ({"motor_tx_position_m": None}, "the position of the motor tx is not told in a unit of length"),
        (
            {"motor_tx_position_m": Value([3.2e-3, 3.21e-3], "read", "a")},
            "the motor tx moved during the scan",
        ),
    ],
)
def test_what_is_not_known_is_said(changes: dict[str, Any], why: str) -> None:
    parameters = {key: one for key, one in {**TOLD, **changes}.items() if one is not None}
    axes = axes_of(a_record(parameters), (1e-6,) * 3, OFFSETS)
    assert (set(axes.ways), axes.lacking) == ({"first", "file", "px"}, why)
    with pytest.raises(ParameterError, match=re.escape(why)):
        axes.chosen("motor")
    with pytest.raises(ParameterError, match="choose none, first, file, px"):
        axes.chosen("furlongs")


def test_without_motors_nothing_is_said() -> None:
    assert axes_of(a_record({}), (1e-6,) * 3, OFFSETS).lacking == ""
    assert set(axes_of(a_record(TOLD), None, None).ways) == {"px"}
    assert set(axes_of(a_record(TOLD), (1e-6,) * 3, None).ways) == {"first", "px"}


def test_the_ways_follow_each_other() -> None:
    axes = axes_of(a_record(TOLD), (1e-6,) * 3, OFFSETS)
    seen = [""]
    while len(seen) < 7:
        seen.append(axes.after(seen[-1]))
    assert seen[1:] == ["first", "file", "motor", "px", "none", "first"]


@pytest.mark.parametrize("step", [1e-6, -1e-6, 2.7e-6])
def test_marks_stand_where_their_coordinate_lies(step: float) -> None:
    one = Coordinates("tx", 3.2e-3, step)
    found = marks(one, 200)
    assert 3 <= len(found) <= 7
    for part, words in found:
        index = part * 200 - 0.5  # from the middle of the first voxel
        assert 1e3 * (one.first + one.step * index) == pytest.approx(float(words), abs=1e-9)
    assert Coordinates("y", -2e-5, 1e-6).at(20) == "0.0000 mm"
    assert one.at(10) == f"{3.2 + 1e3 * step * 10:.{one.decimals}f} mm"


def test_the_page_without_scripts(
    tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]
) -> None:
    folder = make_volume(tmp_path_factory.mktemp("axes") / "volume.ome.zarr", size=16).parent
    record = a_record(TOLD)

    def shown(**choices: str) -> Any:
        def page(changes: dict[str, str | None]) -> str:
            return "?" + "&".join(f"{key}={text}" for key, text in {**choices, **changes}.items() if text)

        return render(record, View(folder, choices, page, str, lambda name, _: name))

    plain = shown()
    assert 'class="marks"' not in plain.html
    assert plain.html.count('class="take-axes" href="?axes=first#slices"') == 1
    pixels = str(shown(axes="px", x="3").html)
    assert pixels.count('class="marks"') == 3
    assert "x in px" in pixels
    assert "3 / 15 · x 3 px" in pixels
    lengths = str(shown(axes="first", x="3").html)
    assert "x in mm" in lengths
    assert "3 / 15 · x 0.0030 mm" in lengths
    data = json.loads(json.dumps(plain.data))
    assert data["axes"]["first"]["z"] == {"name": "z", "first": 0.0, "step": 1e-6, "metric": True}
    with pytest.raises(ParameterError):
        shown(axes="furlongs")


def test_a_crop_that_moves_the_middle_row_drops_the_motor_along_z() -> None:
    scan = bead(1)
    assert "motor_along_z" in crop(scan, rows="2:10").metadata
    cropped = crop(scan, rows="0:10")
    assert "motor_along_z" not in cropped.metadata
    assert "motor_along_x" in cropped.metadata
