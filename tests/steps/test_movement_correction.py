"""A drift that is known is found again, and what views cannot tell is said."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

import tomarium as tm
from steps.motion_scans import bodies, projections
from tomarium.errors import InputError
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.formats.frames.scan_of_arrays import scan_of_arrays
from tomarium.model import FrameKind, Scan, Value
from tomarium.steps.probes.movement_correction import movement_correction

VIEWS, SHAPE, AXIS = 180, (28, 96), 46.7
SPECIMEN = bodies(2, 12)
FULL = np.arange(VIEWS) * 360.0 / VIEWS
TIME = np.linspace(-0.5, 0.5, VIEWS)
SLIDES = 3 * TIME * np.cos(np.deg2rad(FULL)) - 3 * TIME * np.sin(np.deg2rad(FULL))


def scan_of(angles: np.ndarray, columns: np.ndarray, rows: np.ndarray, noise: float = 0.01) -> Scan:
    made = projections(SPECIMEN, angles, SHAPE, AXIS, columns, rows)
    made += np.random.default_rng(0).normal(0, noise, made.shape).astype(np.float32)
    return scan_of_arrays(made, angles, domain="attenuation")


@pytest.fixture(scope="module")
def slid() -> Scan:
    return scan_of(FULL, SLIDES, 3 * TIME)


def test_a_drift_of_the_sample_by_3_px_is_found_to_0_15_px(slid: Scan) -> None:
    found = movement_correction(slid)
    assert found.model == "sample"
    assert found.confidence == "high"
    assert found.axis_column == pytest.approx(AXIS, abs=0.02)
    assert np.abs(found.shift_columns_px - SLIDES).max() < 0.03
    assert found.shift_rows_px is not None
    assert np.abs(found.shift_rows_px - 3 * TIME).max() < 0.15


def test_slices_are_as_if_nothing_had_moved(slid: Scan) -> None:
    known = slid.with_geometry(axis_column=Value(AXIS, "user", "test"))
    still = scan_of(FULL, 0 * TIME, 0 * TIME, 0.0).with_geometry(axis_column=Value(AXIS, "user", "test"))
    inside = np.hypot(*(np.mgrid[: SHAPE[1], : SHAPE[1]] - 47.5)) < 36
    truth, blurred, mended = (
        np.asarray(tm.reconstruct(scan, steps, rows=slice(9, 18)))[:, inside]
        for scan, steps in (
            (still, "steps: [fbp]"),
            (known, "steps: [fbp]"),
            (known, "steps: [movement_correction, fbp]"),
        )
    )
    noise = np.asarray(
        tm.reconstruct(
            scan_of(FULL, 0 * TIME, 0 * TIME).with_geometry(axis_column=Value(AXIS, "user", "test")),
            "steps: [fbp]",
            rows=slice(9, 18),
        )
    )[:, inside]
    error, before, least = (float(np.sqrt(np.mean((one - truth) ** 2))) for one in (mended, blurred, noise))
    assert error < 1.25 * least
    assert before > 3 * error


def test_an_axis_that_was_given_wrongly_is_made_up_for(slid: Scan) -> None:
    found = movement_correction(slid, axis_column=AXIS - 1)
    assert found.axis_column == AXIS - 1
    assert np.abs(found.shift_columns_px - SLIDES - 1).max() < 0.15


def test_a_drift_along_the_detector_is_told_from_one_of_the_sample() -> None:
    found = movement_correction(scan_of(FULL, 3 * TIME, 0 * TIME))
    assert found.model == "detector"
    assert found.shift_rows_px is None
    assert np.abs(found.shift_columns_px - 3 * TIME).max() < 0.03
    assert found.axis_column == pytest.approx(AXIS, abs=0.02)


def test_half_a_turn_does_not_tell_a_drift_from_the_axis() -> None:
    half = np.linspace(0, 180, 61)
    time = np.linspace(-0.5, 0.5, 61)
    scan = scan_of(half, 3 * time, 0 * time)
    found = movement_correction(scan)
    assert found.confidence == "low"
    assert "rotation axis" in found.inseparable
    assert np.all(found.shift_columns_px == 0)
    said = movement_correction.warnings(
        {"inseparable": found.inseparable, "confidence": "low", "error_px": 0.0, "residual_px": 0.0}
    )
    assert "do not tell apart" in said[0]


@pytest.mark.parametrize("given_axis", [None, AXIS])
def test_return_images_inside_an_nxtomo_scan_are_used(tmp_path: Path, given_axis: float | None) -> None:
    """After half a turn the stage goes back to 180°, 90°, 45° and 0°: frames of the image_key -1."""
    half, back = np.linspace(0, 180, 61), np.array([180.0, 90.0, 45.0, 0.0])
    time = np.linspace(-0.5, 0.5, 61)
    moved = 3 * time * np.cos(np.deg2rad(half)) + 2 * time * np.sin(np.deg2rad(half))
    end = 1.5 * np.cos(np.deg2rad(back)) + 1.0 * np.sin(np.deg2rad(back))
    everything = (slice(None), slice(None))
    views = scan_of(half, moved, 0 * time, 0.002).projections.read(*everything)
    returned = scan_of(back, end, 0 * back, 0.002).projections.read(*everything)
    counts = [20000 * np.exp(-np.concatenate([views, returned])) + 100]
    shape = (3, *views.shape[1:])
    frames = (
        np.concatenate([np.full(shape, 100.0), np.full(shape, 20100.0), *counts]).round().astype(np.uint16)
    )
    with h5py.File(tmp_path / "scan.nx", "w") as file:
        file["entry/definition"] = "NXtomo"
        file["entry"].attrs["NX_class"] = "NXentry"
        file["entry/instrument/detector/data"] = frames
        file["entry/instrument/detector/image_key_control"] = [2] * 3 + [1] * 3 + [0] * 61 + [-1] * 4
        file["entry/instrument/detector/image_key"] = [2] * 3 + [1] * 3 + [0] * 61 + [0] * 4
        file["entry/sample/rotation_angle"] = np.concatenate([[0.0] * 6, half, back])
        file["entry/sample/rotation_angle"].attrs["units"] = "degree"
    scan = tm.open(tmp_path / "scan.nx")
    assert isinstance(scan, Scan)
    assert scan.counts[FrameKind.ALIGNMENT] == 4
    assert scan.shape[0] == 61
    np.testing.assert_allclose(scan.angles_deg.value, half)
    keywords = {} if given_axis is None else {"axis_column": given_axis}
    found = movement_correction(scan, model="sample", **keywords)
    assert found.returns == 4
    assert not found.inseparable
    assert np.abs(found.shift_columns_px - moved).max() < 0.2
    without = movement_correction(scan, model="sample", returns="none", **keywords)
    assert without.returns == 0
    assert "rotation axis" in without.inseparable
    # Of two scans in a file each has its own: the other one's came back to where they were.
    with h5py.File(tmp_path / "scan.nx") as one, h5py.File(tmp_path / "two.nx", "w") as two:
        for name in ("entry0000", "entry0001"):
            one.copy("entry", two, name)
        still = np.concatenate([frames[:67], frames[[66, 36, 21, 6]]])  # the views at these angles once more
        two["entry0000/instrument/detector/data"][...] = still
    for entry, expected in (("entry0000", False), ("entry0001", True)):
        chosen = tm.open(tmp_path / "two.nx", entry=entry)
        assert isinstance(chosen, Scan)
        shifts = movement_correction(chosen, model="sample", **keywords)
        assert shifts.returns == 4
        assert bool(np.abs(shifts.shift_columns_px - moved).max() < 0.2) is expected
    # Views that are cropped do not lie on whole return images, which are left out then.
    cropped = replace(scan, projections=ArrayFrames(scan.projections.read(slice(None), slice(4, 20))))
    assert movement_correction(cropped, model="sample", **keywords).returns == 0
    # What reconstructs never sees them: the slice of a scan without them is the same.
    steps = "steps: [flat_field, fbp]"
    seen = np.asarray(tm.reconstruct(scan, steps, rows=14, axis_column=AXIS))
    with h5py.File(tmp_path / "scan.nx", "r+") as file:
        file["entry/instrument/detector/image_key_control"][-4:] = 3
    alone = tm.open(tmp_path / "scan.nx")
    assert isinstance(alone, Scan)
    assert FrameKind.ALIGNMENT not in alone.counts
    np.testing.assert_array_equal(np.asarray(tm.reconstruct(alone, steps, rows=14, axis_column=AXIS)), seen)


def test_return_images_tell_what_half_a_turn_does_not(tmp_path: Path) -> None:
    half = np.linspace(0, 180, 61)
    time = np.linspace(-0.5, 0.5, 61)
    moved = 3 * time * np.cos(np.deg2rad(half)) + 2 * time * np.sin(np.deg2rad(half))
    back = np.array([180.0, 90.0, 45.0, 0.0])
    end = 1.5 * np.cos(np.deg2rad(back)) + 1.0 * np.sin(np.deg2rad(back))
    data_exchange.FORMAT.write(tmp_path / "returns.h5", scan_of(back, end, 0 * back, 0.002))  # type: ignore[misc]
    data_exchange.FORMAT.write(tmp_path / "scan.h5", scan_of(half, moved, 0 * time, 0.002))  # type: ignore[misc]
    scan = tm.open(tmp_path / "scan.h5")
    found = movement_correction(scan, returns="returns.h5", model="sample")
    assert not found.inseparable
    assert np.abs(found.shift_columns_px - moved).max() < 0.15
    data_exchange.FORMAT.write(  # type: ignore[misc]
        tmp_path / "small.h5",
        scan_of_arrays(np.ones((2, 4, 4), np.float32), [0.0, 90.0], domain="attenuation"),
    )
    with pytest.raises(InputError, match="do not lie on views"):
        movement_correction(scan, returns="small.h5")
