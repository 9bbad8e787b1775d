"""Views divided by the intensity of the beam that the scan tells: from a monitor of NXtomo, and from a user's file."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import tomarium as tm
from tomarium.errors import FormatError, MissingData
from tomarium.kernels.phantom import Ellipsoid, line_integrals
from tomarium.model import Scan
from tomarium.pipeline.run.data_check import checked

ROWS, COLUMNS, VIEWS = 4, 96, 120
ANGLES = np.arange(VIEWS) * 180 / VIEWS
BODY = [Ellipsoid((0, 2, -3), (1e6, 30, 26), 0.02)]
TRUE = line_integrals(BODY, ANGLES, np.zeros(ROWS), np.arange(COLUMNS) - (COLUMNS - 1) / 2)


def decay(seed: int) -> np.ndarray:
    """Current of the ring in mA: 5 flats, the views with a refill amid, 5 flats."""
    draw = np.random.default_rng(seed)
    current = 200 * np.exp(-np.arange(VIEWS + 10) * draw.uniform(5e-4, 2e-3))
    current[VIEWS // 2 :] *= draw.uniform(1.02, 1.1)
    return current * draw.normal(1, 0.005, len(current))


def write_scan(path: Path, current: np.ndarray, monitor: np.ndarray | None) -> Path:
    frames = np.empty((VIEWS + 10, ROWS, COLUMNS), np.float32)
    frames[:] = 100 * current[:, None, None]
    frames[5:-5] *= np.exp(-TRUE)
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry["definition"] = "NXtomo"
        entry.create_group("instrument/detector").attrs["NX_class"] = "NXdetector"
        entry["instrument/detector/data"] = frames
        entry["instrument/detector/image_key"] = [1] * 5 + [0] * VIEWS + [1] * 5
        entry["sample/rotation_angle"] = np.concatenate([np.zeros(5), ANGLES, np.full(5, 180.0)])
        entry["sample/rotation_angle"].attrs["units"] = "degree"
        if monitor is not None:
            entry["control/data"] = monitor
    return path


def attenuation(scan: Scan, steps: str) -> np.ndarray:
    made = tm.reconstruct(scan, f"steps: [{steps}]")
    assert isinstance(made, Scan)
    return made.projections.read(slice(0, len(made.angles_deg.value)), slice(0, ROWS))


@pytest.mark.parametrize("seed", range(5))
def test_attenuation_is_that_of_a_steady_beam(seed: int, tmp_path: Path) -> None:
    current = decay(seed)
    scan = tm.open(write_scan(tmp_path / "scan.nx", current, current))
    assert isinstance(scan, Scan)
    assert scan.geometry.beam_intensity is not None
    assert scan.geometry.beam_intensity.origin == "derived"
    assert abs(attenuation(scan, "flat_field") - TRUE).max() > 0.02
    for steps in ("flat_field, normalise_beam", "{flat_field: {log: false}}, normalise_beam, minus_log"):
        assert abs(attenuation(scan, steps) - TRUE).max() < 2e-5
    chosen = attenuation(scan, "{select_views: {keep: '::3'}}, flat_field, normalise_beam")
    # Flats lie a view before the first of those that are left, not of all: a third of 40 for 13 % of change at most.
    assert abs(chosen - TRUE[::3]).max() < 3e-3
    with pytest.raises(MissingData, match="does not tell"):
        attenuation(scan, "flat_field, normalise_beam, normalise_beam")


def test_a_run_says_what_is_left_in_the_attenuation(tmp_path: Path) -> None:
    current = decay(1)
    scan = tm.open(write_scan(tmp_path / "scan.nx", current, current))
    for step, said in (("normalise_beam", False), ("normalise_air", False), ("minus_log", True)):
        warnings = checked(scan, tm.protocol(f"steps: [{{flat_field: {{log: false}}}}, {step}]")).warnings
        assert any("as bright as in the flats" in warning for warning in warnings) is said


def test_numbers_of_a_user_are_ratios(tmp_path: Path) -> None:
    current = decay(2)
    path = write_scan(tmp_path / "scan.nx", current, None)
    flats = np.interp(np.arange(VIEWS), [-1, VIEWS], [np.median(current[:5]), np.median(current[-5:])])
    np.savetxt(tmp_path / "ratio.txt", current[5:-5] / flats, fmt="%.9f")
    scan = tm.open(path, beam_intensity=str(tmp_path / "ratio.txt"))
    assert abs(attenuation(scan, "flat_field, normalise_beam") - TRUE).max() < 2e-5
    with pytest.raises(FormatError, match="give it over that in the flats"):
        tm.open(path, beam_intensity=current[5:-5])
    with pytest.raises(MissingData, match="normalise_air"):
        attenuation(tm.open(path), "flat_field, normalise_beam")


@pytest.mark.parametrize(
    ("monitor", "words"),
    [(np.ones(7), "7 values for 130 frames"), (np.zeros(VIEWS + 10), "not all of its values are above 0")],
)
def test_a_monitor_that_tells_nothing_is_left_out(monitor: np.ndarray, words: str, tmp_path: Path) -> None:
    scan = tm.open(write_scan(tmp_path / "scan.nx", np.full(VIEWS + 10, 200.0), monitor))
    assert scan.geometry.beam_intensity is None
    assert any(words in warning for warning in scan.warnings)
