"""Helical scans are as circular ones of a tall detector."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tomarium as tm
from steps.motion_scans import bodies, projections
from tomarium.cli import execute
from tomarium.errors import InputError, MissingData, ParameterError
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.formats.frames.scan_of_arrays import scan_of_arrays
from tomarium.model import Scan, Value
from tomarium.steps.views.gather_helix import gather_helix

EACH, WIDTH, AXIS, HEIGHT, TURNS = 120, 96, 46.7, 20, 3
SPECIMEN = bodies(4, 22)


def helix(pitch: float, turns: float = TURNS, each: int = EACH, noise: float | None = None) -> Scan:
    """A sample that moves past 20 rows, `pitch` a turn; in the first view it lies in rows at its own middle."""
    angles = np.arange(round(turns * each)) * 360.0 / each
    heights = pitch * angles / 360 - pitch * turns / 2
    seen = projections(SPECIMEN, angles, (HEIGHT, WIDTH), AXIS, np.zeros(len(angles)), heights)
    if noise is None:
        made = scan_of_arrays(seen, angles, domain="attenuation", axis_column=AXIS)
    else:
        draw = np.random.default_rng(1)
        light = np.full((HEIGHT, WIDTH), noise)
        made = scan_of_arrays(
            draw.poisson(light * np.exp(-seen) + 100).astype(np.uint16),
            angles,
            flats=draw.poisson(light + 100, (40, *light.shape)).astype(np.uint16),
            darks=np.full((5, *light.shape), 100, np.uint16),
            axis_column=AXIS,
        )
    return made.with_geometry(shift_rows_px=Value(heights, "user", "made"))


def circle(scan: Scan, angles: np.ndarray) -> np.ndarray:
    """Exact projections of a circular scan, of the rows of a gathered one."""
    top = scan.projections.top  # type: ignore[attr-defined]
    rows = top + (scan.shape[1] - 1) / 2 - (HEIGHT - 1) / 2
    return projections(
        SPECIMEN, angles, scan.shape[1:], AXIS, np.zeros(len(angles)), np.full(len(angles), -rows)
    )


def error(volume: np.ndarray, truth: np.ndarray) -> float:
    inside = np.hypot(*(np.mgrid[:WIDTH, :WIDTH] - 47.5)) < 40
    return float(np.sqrt(np.mean((volume - truth)[:, inside] ** 2)))


def slices(projections: np.ndarray, angles: np.ndarray) -> np.ndarray:
    scan = scan_of_arrays(projections, angles, domain="attenuation", axis_column=AXIS)
    return np.asarray(tm.reconstruct(scan, "steps: [fbp]"))


@pytest.mark.parametrize(
    ("pitch", "turn", "views"), [(14.0, "full", EACH), (28.0, "half", EACH // 2), (-14.0, "full", EACH)]
)
def test_views_are_those_of_a_circle(pitch: float, turn: str, views: int) -> None:
    gathered = gather_helix(helix(pitch))
    assert gathered.shape[0] == views, turn
    assert gathered.shape[1] > TURNS * abs(pitch) + HEIGHT - (1.05 if turn == "full" else 0.55) * 2 * abs(
        pitch
    )
    assert gathered.geometry.shift_rows_px is None
    truth = circle(gathered, gathered.angles_deg.value)
    found = np.asarray(gathered.projections)
    assert np.sqrt(np.mean((found - truth) ** 2)) < 0.01 * truth.std()


@pytest.mark.parametrize("pitch", [13.3, 27.1])
def test_the_error_is_that_of_a_circular_scan(pitch: float) -> None:
    """With noise: of as many photons, within 5 %."""
    light = 20_000.0
    gathered = gather_helix(helix(pitch, noise=light))
    angles = np.arange(EACH) * 360.0 / EACH
    exact = circle(gathered, angles)
    draw = np.random.default_rng(2)
    noisy = -np.log(np.maximum(draw.poisson(light * np.exp(-exact)), 1) / light).astype(np.float32)
    dense = np.arange(720) * 0.25
    truth = slices(circle(gathered, dense), dense)
    if gathered.shape[0] == EACH // 2:  # half of the angles, each of fewer photons where turns do not overlap
        angles, noisy = angles[: EACH // 2], noisy[: EACH // 2]
    helical = np.asarray(tm.reconstruct(gathered, "steps: [fbp]"))
    assert error(helical, truth) < 1.05 * error(slices(noisy, angles), truth)


def test_angles_that_do_not_come_again_are_interpolated() -> None:
    scan = helix(14.0, each=119)
    scan = scan.with_geometry(angles_deg=Value(scan.angles_deg.value, "user", "made"))
    gathered = gather_helix(scan, turn="half", axis_column=AXIS)
    truth = circle(gathered, gathered.angles_deg.value)
    assert np.sqrt(np.mean((np.asarray(gathered.projections) - truth) ** 2)) < 0.03 * truth.std()


def test_parts_are_parts_of_the_whole() -> None:
    gathered = gather_helix(helix(9.7)).projections
    whole = np.asarray(gathered)
    np.testing.assert_allclose(gathered[5:40:7, 3:9], whole[5:40:7, 3:9], atol=2e-5)
    np.testing.assert_allclose(gathered[[7, 3]], whole[[7, 3]], atol=2e-5)


def test_a_few_rows_are_made_of_a_few_rows() -> None:
    """Views of several turns, which see them at other heights, are not read together."""
    scan = helix(14.0, each=60)
    read = []

    class Watched(ArrayFrames):
        def read(self, frames: Any, rows: slice) -> Any:
            made = super().read(frames, rows)
            read.append(made.shape[1])
            return made

    tall = np.repeat(np.asarray(scan.projections), 10, axis=1)  # 200 rows, a pitch of 140
    heights = Value(scan.geometry.shift_rows_px.value * 10, "user", "made")  # type: ignore[union-attr]
    gathered = gather_helix(
        replace(scan.with_geometry(shift_rows_px=heights), projections=Watched(tall), counts={})
    )
    gathered.projections.read(slice(0, 60), slice(30, 34))
    assert len(read) > 2
    assert max(read) <= 4 + 16 + 2 * 6


def test_it_runs_from_a_file(tmp_path: Path) -> None:
    scan = helix(14.0, noise=20_000.0)
    path, record = tmp_path / "helix.h5", tmp_path / "record"
    data_exchange.FORMAT.write(path, scan.with_geometry(shift_rows_px=None))  # type: ignore[misc]
    np.savetxt(tmp_path / "rows.txt", scan.geometry.shift_rows_px.value)  # type: ignore[union-attr]
    code = execute(["run", str(path), "--step", "gather_helix", "--shift-rows", str(tmp_path / "rows.txt"),
                    "-o", str(record), "--axis", str(AXIS)])  # fmt: skip
    assert code in (0, 1)
    made = np.asarray(tm.open(record / "volume.ome.zarr"))
    expected = np.asarray(tm.reconstruct(gather_helix(scan), "steps: [fbp]"))
    np.testing.assert_allclose(made, expected, atol=2e-3 * np.ptp(expected))


def test_what_cannot_be_gathered() -> None:
    scan = helix(14.0)
    bare = scan.with_geometry(shift_rows_px=None)
    with pytest.raises(MissingData, match=r"give gather_helix\.pitch_px"):
        gather_helix(bare)
    by_pitch = gather_helix(bare, pitch_px=14.0)
    np.testing.assert_allclose(
        np.asarray(by_pitch.projections), np.asarray(gather_helix(scan).projections), atol=1e-5
    )
    with pytest.raises(ParameterError, match="give one"):
        gather_helix(scan, pitch_px=14.0)
    with pytest.raises(MissingData, match="give --axis"):
        gather_helix(bare.with_geometry(axis_column=None), pitch_px=14.0, turn="half")
    with pytest.raises(InputError, match="no row of the sample"):
        gather_helix(bare, pitch_px=60.0)
    wrapped = scan.with_geometry(angles_deg=Value(scan.angles_deg.value % 360, "user", "made"))
    with pytest.raises(InputError, match="go on in one direction"):
        gather_helix(wrapped)
    off = scan.with_geometry(axis_column=Value(30.0, "user", "made"))
    assert "35 columns at an edge" in gather_helix(off, turn="half").warnings[-1]
