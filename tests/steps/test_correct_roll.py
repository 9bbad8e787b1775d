"""A rotation axis that leans to the side: slices as if it stood upright."""

from functools import cache

import numpy as np
import pytest

import tomarium as tm
from tomarium.errors import MissingData
from tomarium.formats.frames.scan_of_arrays import scan_of_arrays
from tomarium.kernels.axis import AxisEstimate
from tomarium.kernels.axis.estimate import Confidence
from tomarium.kernels.axis.lean import fit_roll
from tomarium.model import Layout, Scan, Value
from tomarium.steps.correct.correct_roll import correct_roll
from tomarium.steps.probes.find_roll import find_roll
from tomarium.steps.views.crop import crop

VIEWS, ROWS, COLUMNS = 181, 48, 128
ANGLES = np.arange(VIEWS) * 180.0 / VIEWS
AXIS = 60.0
FINE = (np.arange(4) - 1.5) / 4


@cache
def projections(seed: int, roll_deg: float, rows: int = ROWS, bodies: int = 14) -> np.ndarray:
    """Spheres that turn about an axis through (middle row, AXIS), its top to lower columns by `roll_deg`."""
    draw = np.random.default_rng(seed)
    roll = np.radians(roll_deg)
    row = (np.arange(rows)[:, None] + FINE).ravel() - (rows - 1) / 2
    column = (np.arange(COLUMNS)[:, None] + FINE).ravel() - AXIS
    across = column[None] * np.cos(roll) - row[:, None] * np.sin(roll)
    along = column[None] * np.sin(roll) + row[:, None] * np.cos(roll)
    made = np.zeros((VIEWS, rows, COLUMNS), np.float32)
    for _ in range(bodies):
        z, distance, phase = (
            draw.uniform(4 - rows / 2, rows / 2 - 4),
            draw.uniform(0, 36),
            draw.uniform(0, 360),
        )
        radius, attenuation = draw.uniform(4, 12), draw.uniform(0.01, 0.04)
        reach = radius + 8 + abs(roll) * COLUMNS
        first = max(0, int(z - reach + rows / 2))
        last = min(rows, int(z + reach + rows / 2) + 1)
        part = slice(len(FINE) * first, len(FINE) * last)
        leans = row[part] * np.sin(roll)
        for k, angle in enumerate(ANGLES):
            u = distance * np.cos(np.radians(angle - phase))
            # Only the pixels that the sphere may reach.
            left = (u - radius + leans.min()) / np.cos(roll) + AXIS - 1
            right = (u + radius + leans.max()) / np.cos(roll) + AXIS + 2
            beside = slice(max(0, int(left)), min(COLUMNS, int(right) + 1))
            fine = part, slice(len(FINE) * beside.start, len(FINE) * beside.stop)
            chord = 2 * np.sqrt(
                np.clip(radius**2 - (across[fine] - u) ** 2 - (along[fine] - z) ** 2, 0, None)
            )
            pixels = chord.reshape(last - first, len(FINE), -1, len(FINE)).mean(axis=(1, 3))
            made[k, first:last, beside] += attenuation * pixels
    made.flags.writeable = False
    return made


def scan_of(frames: np.ndarray, roll_deg: float | None = None) -> Scan:
    scan = scan_of_arrays(frames, ANGLES, domain="attenuation").with_geometry(
        axis_column=Value(AXIS, "user", "test")
    )
    return scan if roll_deg is None else scan.with_geometry(axis_roll_deg=Value(roll_deg, "user", "test"))


@pytest.mark.parametrize(("seed", "roll_deg"), [(0, 2.0), (1, -3.5), (2, 0.4)])
def test_slices_are_as_if_the_axis_stood_upright(seed: int, roll_deg: float) -> None:
    upright = np.asarray(tm.reconstruct(scan_of(projections(seed, 0.0)), "steps: [fbp]"))[8:40]
    leaning = projections(seed, roll_deg)
    blurred = np.asarray(tm.reconstruct(scan_of(leaning), "steps: [fbp]"))[8:40]
    made = np.asarray(tm.reconstruct(scan_of(leaning, roll_deg), "steps: [correct_roll, fbp]"))[8:40]
    error, before = (float(np.sqrt(np.mean((one - upright) ** 2))) for one in (made, blurred))
    assert error < 0.06 * float(upright.std())
    assert error < before / 2  # what is left is the blur of edges by interpolation
    with pytest.raises(MissingData, match="--step correct_roll"):
        tm.reconstruct(scan_of(leaning, roll_deg), "steps: [fbp]")


def test_the_axis_is_told_where_it_is() -> None:
    """Turned about the middle of the detector, an axis beside it comes to lie a little nearer."""
    scan = scan_of(projections(0, 4.0), 4.0)
    layout = Layout(scan.shape, np.dtype(np.float32), "attenuation", "1", scan.geometry)
    after = correct_roll.after(layout, {"axis_roll_deg": 4.0}).geometry
    middle = (COLUMNS - 1) / 2
    assert after.axis_column is not None
    assert after.axis_column.value == pytest.approx(middle + (AXIS - middle) * np.cos(np.radians(4.0)))
    assert after.axis_roll_deg is None


def test_some_rows_are_as_the_whole_has_them_and_a_crop_takes_the_axis_along() -> None:
    leaning = scan_of(projections(1, 3.0), 3.0)
    whole = np.asarray(tm.reconstruct(leaning, "steps: [correct_roll, fbp]"))
    part = np.asarray(tm.reconstruct(leaning, "steps: [correct_roll, fbp]", rows=slice(20, 23)))
    np.testing.assert_allclose(part, whole[20:23], atol=2e-6)
    lower = crop(leaning, rows="16:48")
    assert lower.axis_column is not None
    assert lower.axis_column.value == pytest.approx(AXIS + 8 * np.tan(np.radians(3.0)))
    slices = np.asarray(tm.reconstruct(lower, "steps: [correct_roll, fbp]"))
    # The middle of the turn is another one: the slices lie where they did but for a part of a row.
    inside = np.s_[12:24, 20:108, 20:108]
    assert np.corrcoef(slices[inside].ravel(), whole[16:][inside].ravel())[0, 1] > 0.995


def test_the_roll_is_found_in_the_data() -> None:
    found = find_roll(scan_of(projections(0, -2.0, 160, 36)))
    assert found.roll_deg == pytest.approx(-2.0, abs=0.1)
    assert found.column == pytest.approx(AXIS, abs=0.1)
    assert found.confidence == "high"


def test_a_protocol_takes_what_the_probe_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    middles = iter((9.5, 23.5, 37.5))

    def first_leaning_then_upright(*_: object, **__: object) -> AxisEstimate:
        row = next(middles, (ROWS - 1) / 2)
        column = AXIS + (row - (ROWS - 1) / 2) * np.tan(np.radians(2.0))
        return AxisEstimate(column, "high", "180", (), 0.0)

    monkeypatch.setattr("tomarium.steps.probes.find_roll.find", first_leaning_then_upright)
    steps = [{"find_roll": {"bands": 3, "band_rows": 8}}, "correct_roll", "fbp"]
    made = tm.reconstruct(scan_of(projections(1, 2.0)), {"steps": steps}, rows=slice(20, 23))
    told = tm.reconstruct(scan_of(projections(1, 2.0), 2.0), "steps: [correct_roll, fbp]", rows=slice(20, 23))
    np.testing.assert_allclose(np.asarray(made), np.asarray(told), atol=2e-6)


def test_heights_that_agree_make_a_line_and_others_do_not() -> None:
    rows = (10.0, 30.0, 50.0, 70.0)

    def at(*columns: float, confidence: Confidence = "high") -> list[AxisEstimate]:
        return [AxisEstimate(column, confidence, "180", (), 0.0) for column in columns]

    line = fit_roll(rows, at(59.3, 59.8, 60.2, 60.7), 40.0)
    assert line.confidence == "high"
    assert line.column == pytest.approx(60.0)
    assert line.roll_deg == pytest.approx(np.degrees(np.arctan(0.023)), abs=0.01)
    assert 0 < line.error_deg < 0.1
    assert fit_roll(rows, at(59.3, 61.5, 60.2, 60.7), 40.0).confidence == "low"
    nothing = fit_roll(rows, at(59.3, 61.5, 60.2, 60.7, confidence="low"), 40.0)
    assert (nothing.roll_deg, nothing.confidence) == (0.0, "low")
