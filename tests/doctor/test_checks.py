"""Every check finds the fault that is put in for it, with the severity it should have; good subjects give none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from doctor import subjects
from doctor.subjects import (
    SMALL,
    changed_volume,
    good_scan,
    subject,
    volume,
    with_angles,
    with_facts,
    with_frames,
    with_metadata,
    written,
)
from pipeline.test_run import PLENTY, interrupt, scan_on_disk, stopping_after
from tomarium.catalogue.checkup import subject_of_path
from tomarium.doctor import Check, Finding, Subject, all_checks, examine, subject_of
from tomarium.errors import Interrupted
from tomarium.kernels.scan_design import views_in_full
from tomarium.model import Part, Record, Value
from tomarium.pipeline.protocol.protocol import default_protocol
from tomarium.pipeline.run.runner import run
from tomarium.synth.config import SimulationConfig, truth
from tomarium.synth.scan import simulate, simulated

Maker = Callable[[Path], Subject]
ANGLES = truth(SMALL).angles_deg
UUID = "b2017b74-c39d-478d-b4fe-ab0c5347227c"


def fault(change: Callable[[dict[str, np.ndarray[Any, Any]]], None], **others: Any) -> Maker:
    return lambda folder: with_frames(change, **others)


def facts(**told: Any) -> Maker:
    return lambda folder: with_facts(**told)


def file(to: str, change: Callable[[h5py.File], None]) -> Maker:
    return lambda folder: subject_of(
        written(folder / ("scan.nxs" if to == "nxtomo" else "scan.h5"), to, change)
    )


def table(text: str) -> Maker:
    def make(folder: Path) -> Subject:
        path = folder / "table.csv"
        path.write_text(text)
        return subject_of(path)

    return make


def _saturate(name: str, part: float) -> Callable[[dict[str, np.ndarray[Any, Any]]], None]:
    def change(frames: dict[str, np.ndarray[Any, Any]]) -> None:
        columns = max(1, round(part * frames[name].shape[2]))
        frames[name][:, :, :columns] = 65535

    return change


def _dead(frames: dict[str, np.ndarray[Any, Any]]) -> None:
    frames["flats"][:, :, :3] = frames["darks"][:, :, :3].mean()


def _hot(frames: dict[str, np.ndarray[Any, Any]]) -> None:
    for stack in frames.values():
        stack[:, ::4, ::4] = 40000


def _bright_darks(frames: dict[str, np.ndarray[Any, Any]]) -> None:
    frames["darks"][:] = frames["flats"][:8]


def _zingers(frames: dict[str, np.ndarray[Any, Any]]) -> None:
    draw = np.random.default_rng(0)
    for frame in frames["flats"]:
        frame.ravel()[draw.choice(frame.size, 20, replace=False)] = 60000


def _weak(frames: dict[str, np.ndarray[Any, Any]]) -> None:
    draw = np.random.default_rng(0)
    frames["flats"][:] = np.maximum(draw.normal(104, 4, frames["flats"].shape), 0)


def _brighter_after(part: float) -> Callable[[dict[str, np.ndarray[Any, Any]]], None]:
    def change(frames: dict[str, np.ndarray[Any, Any]]) -> None:
        frames["flats"][8:] = np.minimum(part * frames["flats"][8:], 65000)

    return change


def _blank(frames: dict[str, np.ndarray[Any, Any]]) -> None:
    frames["projections"][100:] = 0


def _repeat(frames: dict[str, np.ndarray[Any, Any]]) -> None:
    frames["projections"][1::2] = frames["projections"][::2]


def _nan(frames: dict[str, np.ndarray[Any, Any]]) -> None:
    frames["projections"] = frames["projections"].astype(np.float32)
    frames["projections"][:, 0, 0] = np.nan


def _no_sample(frames: dict[str, np.ndarray[Any, Any]]) -> None:
    draw = np.random.default_rng(0)
    flat = frames["flats"].mean(axis=0)
    frames["projections"][:] = draw.normal(flat, 100, frames["projections"].shape)


def _opaque(frames: dict[str, np.ndarray[Any, Any]]) -> None:
    frames["projections"][:, :, 4:92] = frames["darks"].mean() + 200


def _flats_of_less(frames: dict[str, np.ndarray[Any, Any]]) -> None:
    frames["flats"][:] = frames["flats"] // 2


def _without_beam(shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).normal(100, 4, shape).round().astype(np.uint16)


def _gone(first: int, last: int) -> Callable[[dict[str, np.ndarray[Any, Any]]], None]:
    def change(frames: dict[str, np.ndarray[Any, Any]]) -> None:
        held = frames["projections"][first:last]
        held[:] = _without_beam(held.shape)

    return change


def _decayed(frames: dict[str, np.ndarray[Any, Any]]) -> None:
    left = np.linspace(1, 0.4, len(frames["projections"]))[:, None, None]
    frames["projections"] = (100 + (frames["projections"] - 100.0) * left).astype(np.uint16)


def _shut(name: str, first: int, last: int) -> Callable[[dict[str, np.ndarray[Any, Any]]], None]:
    def change(frames: dict[str, np.ndarray[Any, Any]]) -> None:
        held = frames[name][first:last]
        held[:] = _without_beam(held.shape)

    return change


def _dark_with_beam(frames: dict[str, np.ndarray[Any, Any]]) -> None:
    frames["darks"][3] = frames["flats"][0]


def _one_flat(frames: dict[str, np.ndarray[Any, Any]]) -> None:
    frames["flats"][:] = frames["flats"][0]


def _darks_of_nothing(frames: dict[str, np.ndarray[Any, Any]]) -> None:
    frames["darks"][:] = 0


def _signed(frames: dict[str, np.ndarray[Any, Any]]) -> None:
    for name in frames:
        frames[name] = frames[name].astype(np.int16)


def _dead_columns(width: int) -> Callable[[dict[str, np.ndarray[Any, Any]]], None]:
    def change(frames: dict[str, np.ndarray[Any, Any]]) -> None:
        for stack in frames.values():
            stack[:, :, 40 : 40 + width] = 0

    return change


def _full_well(frames: dict[str, np.ndarray[Any, Any]]) -> None:
    for name in frames:
        frames[name] = np.minimum(frames[name], 30000)


def _moved(folder: Path) -> Subject:
    return subject(good_scan(replace(SMALL, rows=96, beam_drift_rows=6.0)))


def _axis_off(folder: Path) -> Subject:
    return subject(good_scan(replace(SMALL, axis_column=30.0)))


def _axis_told(folder: Path) -> Subject:
    return subject(good_scan().with_geometry(axis_column=Value(20.0, "read", "test")))


def _delete_keys(file: h5py.File) -> None:
    for place in ("instrument/detector", "data"):
        file["entry"][place].pop("image_key")


def _unknown_kind(file: h5py.File) -> None:
    file["entry/instrument/detector/image_key"][0] = 9


def _control(file: h5py.File) -> None:
    keys = file["entry/instrument/detector/image_key"][()]
    file["entry/instrument/detector/image_key_control"] = 1 - np.minimum(keys, 1)


def _shorten(name: str, by: int) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        values, attributes = file[name][()], dict(file[name].attrs)
        del file[name]
        file[name] = values[:-by]
        file[name].attrs.update(attributes)

    return change


def _angle_unit(file: h5py.File) -> None:
    file["entry/instrument/detector/x_pixel_size"].attrs["units"] = "degree"


def _narrow_white(file: h5py.File) -> None:
    white = file["exchange/data_white"][()]
    del file["exchange/data_white"]
    file["exchange/data_white"] = white[:, :, :-1]


def _list_more(file: h5py.File) -> None:
    del file["implements"]
    file["implements"] = "exchange:measurement:provenance:absent_group"


def _dangle(file: h5py.File) -> None:
    file["measurement/lost"] = h5py.SoftLink("/measurement/nowhere")


def _never_written(file: h5py.File) -> None:
    data = file["exchange/data"]
    shape, dtype, attributes = data.shape, data.dtype, dict(data.attrs)
    values = data[:40]
    del file["exchange/data"]
    made = file.create_dataset("exchange/data", shape, dtype, chunks=(1, *shape[1:]))
    made[:40] = values
    made.attrs.update(attributes)


def _placeholder(folder: Path) -> Subject:
    held = {
        "/instrument/source/current": Value("-1 mA", "read", "test"),
        "/x/distance": Value(UUID, "read", "test"),
    }
    return subject(replace(good_scan(), metadata=held))


def _zero_slab(array: np.ndarray[Any, Any]) -> None:
    array[16:24] = 0


def _nan_slab(array: np.ndarray[Any, Any]) -> None:
    array[16:24] = np.nan


def _offset_slab(array: np.ndarray[Any, Any]) -> None:
    array[24:] += 0.3


def _clipped(folder: Path) -> Subject:
    return volume(np.clip(subjects.ball() * 120, 0, 100).astype(np.uint8) * np.uint8(2) + np.uint8(55))


def _record(folder: Path, change: Callable[[Path], None]) -> Subject:
    from tomarium.catalogue import file_record

    folder = folder / "record"
    from tomarium.formats import formats

    write = formats()["ome-zarr"].write
    assert write is not None
    image = volume(subjects.ball()).image
    write(folder / "volume.ome.zarr", image)
    file_record(folder, title="a ball", id="a-ball")
    change(folder)
    return subject_of_path(folder)


def _stopped(folder: Path) -> Subject:
    with pytest.raises(Interrupted):
        run(scan_on_disk(folder), default_protocol(), folder / "run", PLENTY, slab_rows=2,
            mapper=stopping_after(2, interrupt))  # fmt: skip
    return subject_of(folder / "run")


def record(change: Callable[[Path], None]) -> Maker:
    return lambda folder: _record(folder, change)


def _flip_a_byte(folder: Path) -> None:
    path = next(
        one
        for one in sorted((folder / "volume.ome.zarr").rglob("*"))
        if one.is_file() and one.stat().st_size > 500
    )
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def _large(folder: Path) -> Subject:
    made = _record(folder, lambda folder: None)
    return replace(made, not_compared_bytes=2_000_000_000)


def _told_range(folder: Path) -> Subject:
    told = {"minimum": 0.0, "maximum": 0.5}
    made = volume(subjects.ball())
    from datetime import UTC, datetime

    return replace(
        made,
        record=Record("a", "a", datetime.now(UTC), parts=(Part("volume", "volume.ome.zarr", summary=told),)),
    )


HOA = {"rows": 176.0, "columns": 2048.0, "pixel_m": 25.08e-6, "step_z_m": 2.2e-3, "stages_z": 79.0}

# check → what it must find: severity, and how to make it.
FAULTS: dict[str, list[tuple[str, Maker]]] = {
    "projections-saturated": [
        ("warning", fault(_saturate("projections", 0.02))), ("error", fault(_saturate("projections", 0.2))),
    ],
    "beam-lost": [
        ("error", fault(_gone(76, 152))), ("error", fault(_gone(40, 60))), ("warning", fault(_decayed)),
    ],
    "references-uneven": [("warning", fault(_shut("flats", 0, 2))), ("warning", fault(_dark_with_beam))],
    "references-repeated": [("warning", fault(_one_flat)), ("info", fault(_darks_of_nothing))],
    "counts-negative": [("error", fault(_signed))],
    "dead-lines": [("info", fault(_dead_columns(1))), ("warning", fault(_dead_columns(3)))],
    "angles-unit": [
        ("error", lambda folder: with_angles(np.radians(ANGLES))),
        ("error", facts(projections=2000.0, span_deg=6.2832)), ("warning", lambda folder: with_angles(ANGLES * 1000)),
    ],
    "angles-against-images": [("warning", lambda folder: with_angles(ANGLES * 2))],
    "energy-unit": [
        ("warning", facts(energy_kev=20000.0, pixel_m=0.65e-6)), ("info", facts(energy_kev=9000.0, pixel_m=2e-4)),
    ],
    "distance-unit": [
        ("warning", facts(distance_m=50.0)), ("warning", facts(distance_m=5e-5, pixel_m=3.25e-6, columns=2048.0)),
    ],
    "flats-saturated": [
        ("error", fault(_full_well)), ("warning", fault(_saturate("flats", 0.02))),
        ("error", fault(_saturate("flats", 1.0))),
    ],
    "dead-pixels": [("warning", fault(_dead))],
    "hot-pixels": [("warning", fault(_hot))],
    "dark-level": [("error", fault(_bright_darks))],
    "flats-too-weak": [("warning", fault(_weak))],
    "zingers": [("warning", fault(_zingers))],
    "references-absent": [("warning", lambda folder: subject(replace(good_scan(), flats=None, darks=None)))],
    "frames-blank": [("error", fault(_blank))],
    "frames-not-finite": [("warning", fault(_nan))],
    "frames-repeated": [("error", fault(_repeat))],
    "flats-moved": [("warning", _moved)],
    "flats-intensity": [
        ("error", fault(_shut("flats", 8, 16))), ("info", fault(_brighter_after(0.9))),
        ("warning", fault(_brighter_after(0.6))),
    ],
    "projections-against-width": [
        ("warning", facts(projections=500.0, columns=2048.0)), ("info", facts(projections=2000.0, columns=2048.0)),
        ("warning", facts(projections=1500.0, columns=2048.0, span_deg=360.0, scan_geometry="half acquisition")),
    ],
    "angles-assumed": [("warning", lambda folder: with_angles(ANGLES, "default"))],
    "angles-range": [
        ("warning", lambda folder: with_angles(ANGLES * 0.7)), ("info", lambda folder: with_angles(ANGLES * 1.5)),
    ],
    "angles-gaps": [("warning", lambda folder: with_angles(np.where(np.arange(152) > 80, ANGLES + 5, ANGLES)))],
    "angles-repeated": [("warning", lambda folder: with_angles(np.where(np.arange(152) == 80, ANGLES[79], ANGLES)))],
    "angles-order": [
        ("warning", lambda folder: with_angles(np.where(np.arange(152) == 80, ANGLES[70] + 0.5, ANGLES))),
        ("info", lambda folder: with_angles(np.random.default_rng(0).permutation(ANGLES))),
    ],
    "rotation-blur": [
        ("warning", facts(projections=500.0, columns=2048.0, span_deg=180.0, exposure_s=0.1, scan_time_s=50.0)),
        ("info", facts(projections=2000.0, columns=2048.0, span_deg=180.0, exposure_s=0.1, scan_time_s=200.0)),
    ],
    "pixel-against-sensor": [
        ("warning", facts(pixel_m=6.5e-6, sensor_pixel_m=6.5e-6, magnification=10.0)),
        ("info", facts(pixel_m=0.65e-6, sensor_pixel_m=6.5e-6, magnification=10.0)),
        ("info", facts(pixel_m=1e-6, sensor_pixel_m=1e-4, magnification=1.0, distance_m=0.99, source_distance_m=0.01)),
    ],
    "field-of-view-against-step": [
        ("info", facts(**HOA)), ("error", facts(**HOA | {"step_z_m": 5e-3})),
        ("warning", facts(**HOA | {"step_z_m": 4.35e-3})),
    ],
    "volume-height-against-steps": [
        ("info", facts(volume_z=6990.0, **HOA)), ("warning", facts(volume_z=3000.0, **HOA)),
    ],
    "volume-width-against-detector": [
        ("info", facts(volume_x=5965.0, columns=2048.0, scan_geometry="quarter-acquisition")),
        ("warning", facts(volume_x=5965.0, columns=2048.0)),
    ],
    "voxel-against-pixel": [("warning", facts(voxel_m=1.3e-6, pixel_m=1e-6))],
    "fresnel-number": [
        ("info", facts(pixel_m=50e-9, energy_kev=20.0, distance_m=0.02)),
        ("warning", facts(pixel_m=50e-9, energy_kev=20.0, distance_m=50.0)),
    ],
    "axis-far-off": [("warning", _axis_off), ("warning", _axis_told)],
    "exposures-against-scan-time": [
        ("info", facts(projections=9990.0, exposure_s=0.036, scan_time_s=472.8)),
        ("error", facts(projections=9990.0, exposure_s=0.36, scan_time_s=472.8)),
        ("warning", facts(projections=9990.0, exposure_s=0.036e-3, scan_time_s=472.8)),
    ],
    "series-time-against-scans": [
        ("info", facts(series_time_s=79200.0, scan_time_s=472.8, stages_z=79.0, scans_per_stage=2.0)),
        ("error", facts(series_time_s=22 * 60.0, scan_time_s=472.8, stages_z=79.0)),
        ("warning", facts(series_time_s=79200.0, scan_time_s=7.88, stages_z=79.0)),
    ],
    "dose-against-rate": [
        ("info", facts(dose_rate_gy_per_s=10.5, dose_gy=2480.0, scan_time_s=472.8)),
        ("warning", facts(dose_rate_gy_per_s=10.5, dose_gy=2.48, scan_time_s=472.8)),
    ],
    "transmission-of-sample": [("warning", fault(_no_sample)), ("warning", fault(_opaque))],
    "beam-against-flats": [("warning", fault(_flats_of_less))],
    "transmission-told": [("warning", facts(transmission=0.01)), ("info", facts(transmission=0.97))],
    "size-against-volume": [
        ("info", facts(volume_x=5965.0, volume_y=5965.0, volume_z=6990.0, file_bytes=52.5e9, compression_ratio=10.0)),
        ("warning", facts(volume_x=5965.0, volume_y=5965.0, volume_z=6990.0, file_bytes=52.5e9)),
    ],
    "frames-never-written": [("error", file("data-exchange", _never_written))],
    "quantity-absurd": [
        ("error", facts(pixel_m=1.0)), ("error", facts(energy_kev=-1.0)), ("error", facts(distance_m=float("nan"))),
        ("error", lambda folder: with_metadata(exposure_s=-1.0)),
    ],
    "unit-absent": [("warning", table("name,value\nPixel size,0.65\nProjections,2000\n"))],
    "value-unreadable": [
        ("error", table(f"name,value\nPixel size (um),{UUID}\n")),
        ("error", table("Pixel size,0.65,keV\nEnergy,20,keV\n")),
        ("info", table("name,value\nPixel size (um),\nProjections,2000\n")),
    ],
    "value-contradicted": [("warning", table("name,value,unit\nPixel size,0.65,um\nPixel size,6.5,um\n"))],
    "scans-apart": [("warning", table("scan,pixel size [um],energy [keV]\na,0.65,20\nb,0.65,20000\nc,0.65,20\n"))],
    "placeholders": [("warning", _placeholder)],
    "calibration-absent": [
        ("warning", lambda folder: subject(good_scan().with_geometry(pixel_m=None))),
        ("info", lambda folder: subject(good_scan().with_geometry(energy_kev=None))),
    ],
    "unreadable": [("error", table("nothing,here\n")), ("error", lambda folder: subject_of(folder / "absent.h5"))],
    "sources-missing": [("warning", lambda folder: subject(replace(good_scan(), missing=("raw.h5",))))],
    "reader-warned": [("warning", lambda folder: subject(replace(good_scan(), warnings=("theta has no unit",))))],
    "reader-mended": [("info", lambda folder: subject(replace(good_scan(), repaired=("enviroment was read",))))],
    "nxtomo-lengths": [
        ("error", file("nxtomo", _delete_keys)),
        ("warning", file("nxtomo", _shorten("entry/sample/rotation_angle", 3))),
    ],
    "nxtomo-kinds": [("error", file("nxtomo", _unknown_kind)), ("warning", file("nxtomo", _control))],
    "exchange-lengths": [
        ("error", file("data-exchange", _shorten("exchange/theta", 2))),
        ("error", file("data-exchange", _narrow_white)),
    ],
    "exchange-implements": [("warning", file("data-exchange", _list_more))],
    "units-wrong": [("error", file("nxtomo", _angle_unit))],
    "links-dangling": [("warning", file("data-exchange", _dangle))],
    "nxvalidate": [("warning", file("nxtomo", _delete_keys))],
    "slices-empty": [("error", lambda folder: changed_volume(_zero_slab))],
    "slices-not-finite": [("error", lambda folder: changed_volume(_nan_slab))],
    "slices-jump": [("warning", lambda folder: changed_volume(_offset_slab))],
    "grey-range": [("warning", _clipped), ("warning", _told_range)],
    "voxel-size-absent": [("warning", lambda folder: volume(subjects.ball(), voxel_m=None))],
    "files-changed": [
        ("error", record(_flip_a_byte)), ("error", record(lambda folder: (folder / "previews/thumbnail.png").unlink())),
        ("warning", record(lambda folder: (folder / "notes.txt").write_text("a note") and None)),
        ("error", record(lambda folder: (folder / "ro-crate-metadata.json").write_text("{") and None)),
    ],
    "checksums-not-compared": [("info", _large)],
    "run-unfinished": [("warning", _stopped)],
    "statements-absent": [("info", record(lambda folder: None))],
}  # fmt: skip
CASES = [(name, severity, make) for name, cases in FAULTS.items() for severity, make in cases]


def found(subject: Subject, name: str) -> list[Finding]:
    return [finding for finding in examine(subject).findings if finding.code == name]


@pytest.mark.parametrize(
    ("name", "severity", "make"), CASES, ids=[f"{name}-{severity}" for name, severity, _ in CASES]
)
def test_the_fault_is_found(
    name: str, severity: str, make: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "nxvalidate":
        pytest.importorskip("nexusformat", reason="the extra nexus is not installed")
    else:  # the foreign validator has a process of its own, and what it says is no matter here
        monkeypatch.setattr("tomarium.doctor.checks.nexus._ask", lambda path, entry: "")
    findings = found(make(tmp_path), name)
    assert severity in {finding.severity for finding in findings}, findings
    for finding in findings:
        assert finding.where
        assert finding.found
        assert finding.expected
        assert finding.mend or finding.severity == "info"


def test_every_check_has_a_fault() -> None:
    assert set(all_checks()) == set(FAULTS)


@pytest.mark.parametrize("check", all_checks().values(), ids=list(all_checks()))
def test_a_check_says_what_it_looks_at(check: Check) -> None:
    assert (check.function.__doc__ or "").strip().splitlines()[0].endswith(".")
    assert check.theme == check.function.__module__.rsplit(".", 1)[-1]


def test_twenty_good_scans_give_no_warning() -> None:
    draw = np.random.default_rng(5)
    alarms = {}
    for seed in range(20):
        columns, span_deg = int(draw.choice([96, 128, 160, 256])), float(draw.choice([180.0, 360.0]))
        config = SimulationConfig(
            columns=columns,
            rows=int(draw.choice([2, 16, 48, 96])),
            views=int(np.ceil(np.pi / 2 * columns * span_deg / 180)),
            span_deg=span_deg,
            start_deg=float(draw.uniform(-90, 90)),
            photons=float(draw.choice([2000, 10_000])),
            flats=int(draw.integers(4, 21)),
            darks=int(draw.integers(3, 21)),
            dead_pixels=1,
            hot_pixels=1,
            seed=seed,
        )
        report = examine(subject(simulated(config)))
        assert len(report.checked) > 20
        if report.verdict != "clean":
            alarms[seed] = report.findings
    assert alarms == {}


def test_a_good_volume_gives_no_warning() -> None:
    assert examine(volume(subjects.ball())).verdict == "clean"


def test_a_cylinder_with_flat_ends_does_not_jump() -> None:
    draw = np.random.default_rng(2)
    z, y, x = np.mgrid[-1:1:64j, -1:1:64j, -1:1:64j]
    inside = (np.abs(z) < 0.6) & (y**2 + x**2 < 0.4)
    array = np.where(inside, 1.0, 0.0) + draw.normal(0, 0.05, inside.shape)
    assert found(volume(array.astype(np.float32)), "slices-jump") == []


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize(("offset", "expected"), [(0, 0), (12, 20)])
def test_noise_is_no_jump(offset: int, expected: int, dtype: type) -> None:
    """Twenty good volumes whose slices differ by noise and a slow drift are clean; twenty with an offset are not."""
    named = 0
    for seed in range(20):
        draw = np.random.default_rng(seed)
        drift = 4 * np.sin(np.arange(32) / 9 + seed)[:, None, None]
        array = 90 + drift + 12 * draw.standard_normal((32, 64, 64)) + 30 * (draw.random((32, 64, 64)) < 0.3)
        array[16:] += offset
        named += bool(found(volume(np.clip(array, 0, 255).astype(dtype)), "slices-jump"))
    assert named == expected


@pytest.mark.parametrize("to", ["nxtomo", "data-exchange"])
def test_good_files_are_clean(to: str, tmp_path: Path) -> None:
    report = examine(subject_of(written(tmp_path / ("s.nxs" if to == "nxtomo" else "s.h5"), to)))
    assert report.verdict == "clean", report.findings


@pytest.mark.parametrize(("span_deg", "verdict"), [(180.0, "warnings"), (360.0, "clean")])
def test_a_full_turn_may_see_twice_the_width(span_deg: float, verdict: str) -> None:
    """As the record of a half acquisition of 96 px about column 20 says, whose volume is 153 voxels wide."""
    told = facts(volume_x=153.0, columns=96.0, span_deg=span_deg)(Path())
    assert examine(told).verdict == verdict
    assert [
        one.severity for one in examine(told).findings if one.code == "volume-width-against-detector"
    ] == ["info" if verdict == "clean" else "warning"]


def test_a_good_record_is_clean(tmp_path: Path) -> None:
    report = examine(_record(tmp_path, lambda folder: None))
    assert report.verdict == "clean", report.findings
    assert {"files-changed", "slices-jump", "grey-range"} <= set(report.checked)


def _judged(config: SimulationConfig, times: float) -> list[Finding]:
    scan = good_scan(config)
    angles = np.asarray(scan.angles_deg.value) * times
    return found(
        subject(scan.with_geometry(angles_deg=Value(angles, "read", "test"))), "angles-against-images"
    )


def test_angles_that_are_doubled_or_halved_are_seen_in_the_images() -> None:
    """Never an alarm where the angles are right; nearly always one where they are not, for some samples mirror."""
    half = [replace(SMALL, seed=seed) for seed in range(4)]
    whole = [replace(SMALL, seed=seed, span_deg=360.0, views=304) for seed in range(4)]
    assert [_judged(config, 1.0) for config in half + whole] == [[]] * 8
    doubled = [finding.mend for config in half for finding in _judged(config, 2.0)]
    halved = [finding.mend for config in whole for finding in _judged(config, 0.5)]
    assert set(doubled) == {"the sample turned by 180°: halve the angles"}
    assert set(halved) == {"the sample turned by 360°: double the angles"}
    assert len(doubled) >= 3
    assert len(halved) >= 2


def test_one_shut_frame_among_few_is_named() -> None:
    (one,) = found(with_frames(_gone(50, 51)), "beam-lost")
    assert "the first is number 50" in one.found


def test_a_beam_that_decays_with_its_flats_is_no_loss() -> None:
    """Flats before and after at their own brightness: what flat_field interpolates needs no alarm."""

    def change(frames: dict[str, np.ndarray[Any, Any]]) -> None:
        _decayed(frames)
        frames["flats"][8:] = (100 + (frames["flats"][8:] - 100.0) * 0.4).astype(np.uint16)

    assert found(with_frames(change), "beam-lost") == []


def test_golden_angles_beyond_a_turn_are_no_sparse_scan() -> None:
    golden = with_angles(np.arange(152) * 111.2461)
    assert found(golden, "projections-against-width") == []


def test_full_sampling_asks_for_what_a_plan_of_the_scan_tells() -> None:
    [sparse] = found(with_facts(projections=100, columns=160.0, span_deg=180.0), "projections-against-width")
    assert sparse.expected.startswith(f"{views_in_full(160)} for full sampling")
    assert views_in_full(160) == 252  # 251.3


@pytest.mark.parametrize("seed", [1, 6])
def test_where_a_sample_begins_its_slices_do_not_jump(seed: int, tmp_path: Path) -> None:
    """Two small scans whose own reconstruction was called broken, at the slices where a body begins."""
    import tomarium as tm

    simulate(tmp_path / "scan.h5", SimulationConfig(columns=64, rows=64, views=100, seed=seed))
    array = np.asarray(tm.reconstruct(tm.open(tmp_path / "scan.h5"))[:])
    assert found(volume(array), "slices-jump") == []
    array[32:] += 15
    assert len(found(volume(array), "slices-jump")) == 1
