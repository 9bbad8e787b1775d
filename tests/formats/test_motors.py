"""Positions of motors: read with their units, shown by `tomarium info`, kept in records with their place."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import tomarium as tm
from contracts.test_steps import make_scan
from formats.beamline_makers import write_bliss, write_flyscan
from formats.test_data_exchange import DATA
from formats.test_edf import a_scan as scan_for_edf
from formats.test_edf import raw_edf
from formats.test_flyscan import a_scan as scan_for_flyscan
from tomarium.beamtime.quick_look import motors_in_words
from tomarium.catalogue.axis_motors import position_of
from tomarium.catalogue.make_record import make_record
from tomarium.catalogue.scan_parameters import parameters_of
from tomarium.cli import execute
from tomarium.formats import formats
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.model import MotorPositions, Scan
from tomarium.model.motor import MOST_LISTED, parameters_of_motors
from tomarium.pipeline.protocol.protocol import default_protocol
from tomarium.steps.views.concatenate import concatenate
from tomarium.viewers.groups import group_of


def opened(path: Path) -> Scan:
    scan = tm.open(path)
    assert isinstance(scan, Scan)
    return scan


def put(file: h5py.File, path: str, value: Any, units: str | None = None) -> None:
    file[path] = value
    if units is not None:
        file[path].attrs["units"] = units


@pytest.fixture
def nexus(tmp_path: Path) -> Path:
    """One dark, six projections, one flat; positions for all frames, for projections and as single numbers."""
    path = tmp_path / "scan.nx"
    with h5py.File(path, "w") as file:
        for place, kind in {"entry": "NXentry", "entry/instrument/detector": "NXdetector"}.items():
            file.create_group(place).attrs["NX_class"] = kind
        file["entry/definition"] = "NXtomo"
        file["entry/instrument/detector/data"] = np.ones((8, 4, 5), np.uint16)
        file["entry/instrument/detector/image_key"] = [2, 0, 0, 0, 0, 0, 0, 1]
        put(file, "entry/sample/rotation_angle", np.array([0, 0, 30, 60, 90, 120, 150, 0.0]), "deg")
        put(file, "entry/sample/x_translation", np.array([9, 1, 1, 1, 1, 1, 1, 9.0]), "mm")
        put(file, "entry/sample/y_translation", 2.0)  # no unit, which the standard demands
        put(file, "entry/sample/z_translation", np.arange(6) * 10.0, "um")
        put(file, "entry/sample/transformations/phi", 1.5707963267948966, "rad")
        file["entry/sample/transformations/phi"].attrs["transformation_type"] = "rotation"
        for place, name, value, unit in (
            ("entry/instrument/tx", "tx", 3.2, "mm"),
            ("entry/sample/positioner_1", None, 0.65, "um"),
            ("entry/sample/oven", None, 300.0, "K"),
            ("entry/broken", None, np.nan, "mm"),
            ("entry/bare", None, 7.5, None),
            ("entry/short", None, np.arange(3.0), "mm"),
        ):
            file.create_group(place).attrs["NX_class"] = "NXpositioner"
            put(file, f"{place}/value", value, unit)
            if name:
                file[f"{place}/name"] = name
    return path


def test_nexus(nexus: Path) -> None:
    motors = opened(nexus).geometry.motors
    assert set(motors) == {"x_translation", "z_translation", "phi", "tx", "positioner_1", "bare"}
    assert motors["x_translation"].value.tolist() == [0.001] * 6
    assert motors["z_translation"].value.tolist() == [0.0, 1e-5, 2e-5, 3e-5, 4e-5, 5e-5]
    assert (motors["z_translation"].moved, motors["x_translation"].moved) == (True, False)
    assert (motors["phi"].value[0], motors["phi"].unit) == (90.0, "deg")
    assert (motors["tx"].value[0], motors["tx"].unit) == (0.0032, "m")
    assert motors["tx"].source == "scan.nx:/entry/instrument/tx/value"
    assert (motors["positioner_1"].value[0], motors["bare"].value[0], motors["bare"].unit) == (
        6.5e-7,
        7.5,
        "",
    )
    assert position_of(opened(nexus), "tx") == 0.0032


def test_data_exchange(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    home = "measurement/instrument"
    with h5py.File(path, "w") as file:
        file["implements"] = "exchange:measurement"
        file["exchange/data"] = DATA
        put(file, "exchange/theta", np.linspace(0, 150, 6), "deg")
        put(file, f"{home}/sample_motor_stack/setup/sample_x", np.array([12.5]), "mm")
        put(file, f"{home}/sample_motor_stack/setup/sample_pitch", 0.25, "deg")
        put(file, f"{home}/camera_motor_stack/setup/camera_y", np.arange(6.0), "um")
        put(file, f"{home}/slits/a/setup/top", 1.0, "mm")
        put(file, f"{home}/slits/b/setup/top", 2.0, "mm")
        put(file, f"{home}/stage/ty", 4.0, "mm")
        # None of these is a motor with a position.
        put(file, f"{home}/camera/setup/camera_distance", 100.0, "mm")
        put(file, f"{home}/sample_motor_stack/setup/speed", 3.0, "mm/s")
        put(file, f"{home}/sample_motor_stack/setup/steps", 3.0)
        put(file, f"{home}/detector/actual_pixel_size", 0.65, "um")
    motors = opened(path).geometry.motors
    assert {name: one.value[0] for name, one in motors.items()} == {
        "sample_x": 0.0125, "sample_pitch": 0.25, "camera_y": 0.0, "a/setup/top": 0.001, "b/setup/top": 0.002,
        "ty": 0.004,
    }  # fmt: skip
    assert motors["camera_y"].value[5] == 5e-6
    assert motors["sample_pitch"].unit == "deg"
    assert motors["sample_x"].source == f"scan.h5:/{home}/sample_motor_stack/setup/sample_x"


def test_edf_folder_and_frames(tmp_path: Path) -> None:
    folder = tmp_path / "bone"
    write = formats()["edf"].write
    assert write is not None
    write(folder, scan_for_edf())
    names = sorted(folder.glob("bone[0-9]*.edf"))
    assert len(names) == 9
    for number, file in enumerate(names):
        raw_edf(file, np.ones((5, 7), np.uint16), ByteOrder="LowByteFirst", DataType="UnsignedShort", Dim_1="7",
                Dim_2="5", motor_mne="sx sz srot bad", motor_pos=f"-12.5 {number / 2} {number * 20} nan",
                counter_mne="srcur", counter_pos="190")  # fmt: skip
    motors = opened(folder).geometry.motors
    # sz and srot stand elsewhere in the last header, and what they did between is not known without opening all.
    assert {name: (set(one.value), one.unit, len(one.value)) for name, one in motors.items()} == {
        "sx": ({-12.5}, "", 9)
    }
    assert motors["sx"].source == f"{names[0].name} and {names[-1].name}: motor_pos of sx"
    together = tmp_path / "together.edf"
    together.write_bytes(b"".join(file.read_bytes() for file in names))
    motors = opened(together).geometry.motors
    assert set(motors) == {"sx", "sz", "srot"}
    assert motors["sz"].value.tolist() == [number / 2 for number in range(9)]


def test_bliss_joins_the_runs(tmp_path: Path) -> None:
    made = make_scan(angles=12, rows=4, columns=8)
    path = write_bliss(tmp_path / "x.h5", replace(made, flats=replace(made.flats, position=np.full(10, 6.0))))
    with h5py.File(path, "a") as file:
        runs = [name for name in file if "projections" in str(file[name].get("title", [b""])[()])]
        assert len(runs) == 2
        for number, name in enumerate(runs):
            put(file, f"{name}/instrument/positioners/sx", 1.5, "mm")
            put(file, f"{name}/instrument/positioners/sz", float(number), "mm")
            put(file, f"{name}/instrument/positioners/odd", 1.0, "mm" if number else "deg")
            put(file, f"{name}/instrument/positioners/energy", 20.0, "keV")
        put(file, f"{runs[0]}/instrument/positioners/once", 1.0, "mm")
        put(file, f"{runs[0]}/instrument/positioners/bare", 1.0)
        put(file, f"{runs[1]}/instrument/positioners/bare", np.arange(7.0))  # one more than frames
    motors = opened(path).geometry.motors
    assert set(motors) == {"sx", "sz", "bare", "hrsrot"}
    assert motors["sx"].value.tolist() == [0.0015] * 12
    assert motors["sz"].value.tolist() == [0.0] * 6 + [0.001] * 6
    assert motors["bare"].value.tolist() == [1.0] * 6 + [0, 1, 2, 3, 4, 5]
    assert motors["sx"].source == f"x.h5:/{runs[0]}/instrument/positioners/sx and those of 1 more scans"


def test_parameter_files_tell_no_unit(tmp_path: Path) -> None:
    folder = write_flyscan(tmp_path / "bone_01", scan_for_flyscan())
    text = (folder / "bone_01.par").read_text("latin-1")
    (folder / "bone_01.par").write_text(f"{text}\ntx = 12.5\ntomo_tz2 = -3\ntxt = 1\nTY = word\n", "latin-1")
    motors = opened(folder).geometry.motors
    assert {name: (one.value[0], one.unit, one.source) for name, one in motors.items()} == {
        "tx": (12.5, "", "bone_01.par: tx"),
        "tz": (-3.5, "", "bone_01.par: tz"),
        "tomo_tz2": (-3.0, "", "bone_01.par: tomo_tz2"),
    }


def with_motors(**motors: MotorPositions) -> Scan:
    made = make_scan()
    return replace(made, geometry=replace(made.geometry, motors=motors))


def at(value: Any, unit: str = "m") -> MotorPositions:
    return MotorPositions(
        np.broadcast_to(np.asarray(value, float), 60).copy(), unit, "read", "a.nx:/entry/sx"
    )


def test_parameters_carry_their_unit() -> None:
    told = parameters_of_motors({"t_s": at(1.5, ""), "sx": at(0.0012), "a/rz": at(np.arange(60), "deg")})
    assert list(told) == ["motor_a_rz_position_deg", "motor_t_s_position", "motor_sx_position_m"]
    assert told["motor_a_rz_position_deg"].value == [0.0, 59.0]
    assert told["motor_a_rz_position_deg"].source == "a.nx:/entry/sx: lowest and highest of 60 positions"
    assert told["motor_t_s_position"].source == "a.nx:/entry/sx, which tells no unit"
    assert told["motor_sx_position_m"].value == 0.0012
    assert {group_of(key) for key in told} == {"Scan"}
    many = parameters_of_motors({f"m{number}": at(0.0) for number in range(MOST_LISTED + 3)})
    assert (len(many), many["motors_not_listed"].value) == (MOST_LISTED + 1, 3)


def test_info_tells_them(tmp_path: Path, nexus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    execute(["info", str(nexus)])
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    told = {" ".join(line.split()[:2]): line for line in lines if line.startswith("motor ")}
    assert "3.2 mm" in told["motor tx"]
    assert "read: scan.nx:/entry/instrument/tx/value" in told["motor tx"]
    assert "0 m … 50 µm" in told["motor z_translation"]
    assert "7.5, unit not told" in told["motor bare"]
    execute(["info", str(nexus), "--json"])
    motors = json.loads(capsys.readouterr().out)["motors"]
    assert motors["z_translation"] == {
        "first": 0.0, "last": 5e-5, "lowest": 0.0, "highest": 5e-5, "count": 6, "unit": "m", "origin": "read",
        "source": "scan.nx:/entry/sample/z_translation",
    }  # fmt: skip


def test_info_lists_the_first_of_many(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    many = {f"m{number}": at(0.001) for number in range(20)} | {"moved": at(np.arange(60) * 1e-3)}
    monkeypatch.setattr("tomarium.formats.open", lambda *_, **__: with_motors(**many))
    execute(["info", "."])
    said = capsys.readouterr().out
    assert "motor moved" in said
    assert "motor m19" not in said
    assert "and 5 motors; --all lists them" in said
    execute(["info", ".", "--all"])
    assert "motor m19" in capsys.readouterr().out
    assert motors_in_words(with_motors(sx=at(0.0012), rz=at(7.0, ""))) == "sx 1.2 mm; rz 7, unit not told"


def test_a_record_keeps_them_with_their_place(tmp_path: Path) -> None:
    scan = with_motors(sx=at(0.0012), sz=at(np.arange(60) * 1e-6))
    assert parameters_of(scan)["motor_sx_position_m"].source == "a.nx:/entry/sx"
    made = make_record(scan, default_protocol(), tmp_path / "record", rows=slice(0, 2))
    told = json.loads((tmp_path / "record" / "provenance.json").read_text())["motors"]
    assert told == made.provenance["motors"]
    assert told["sz"] == {
        "first": 0.0, "last": 5.9e-5, "count": 60, "origin": "read", "source": "a.nx:/entry/sx", "unit": "m",
    }  # fmt: skip
    crate = (tmp_path / "record" / "ro-crate-metadata.json").read_text()
    assert "motor_sx_position_m" in crate


def test_views_take_them_along(tmp_path: Path) -> None:
    one = with_motors(sx=at(np.arange(60.0)))
    assert one.geometry.of_views(slice(3, 5)).motors["sx"].value.tolist() == [3.0, 4.0]
    parts = []
    for name, unit in (("a.h5", "mm"), ("b.h5", "deg")):
        data_exchange.FORMAT.write(tmp_path / name, make_scan())  # type: ignore[misc]
        with h5py.File(tmp_path / name, "a") as file:
            put(file, "measurement/instrument/stage/sx", 1.0 + len(parts), "mm")
            put(file, "measurement/instrument/stage/other", 1.0, unit)
        parts.append(opened(tmp_path / name))
    motors = concatenate(parts[0], scans=str(tmp_path / "b.h5")).geometry.motors
    assert set(motors) == {"sx"}  # the other one is told in another unit
    assert motors["sx"].value.tolist() == [0.001] * 60 + [0.002] * 60


def test_projections_that_were_never_written_have_no_positions(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        frames = file.create_dataset("exchange/data", (6, 4, 5), np.uint16, chunks=(1, 4, 5))
        for written in (0, 1, 4):
            frames[written] = 7
        put(file, "exchange/theta", np.linspace(0, 150, 6), "deg")
        put(file, "measurement/instrument/stage/sx", np.arange(6.0), "mm")
    scan = opened(path)
    assert scan.shape[0] == 3
    assert scan.geometry.motors["sx"].value.tolist() == [0.0, 0.001, 0.004]
