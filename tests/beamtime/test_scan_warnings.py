"""Warnings before the sample is taken off: given for a scan that has the fault, and for none of ten that have not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tomarium import scan_of_arrays
from tomarium.beamtime.look_at_scan import LookSettings, look_at_scan
from tomarium.beamtime.sample_change import of_sample
from tomarium.beamtime.scan_warnings import of_frames
from tomarium.kernels.phantom import Ellipsoid
from tomarium.model import Scan
from tomarium.model.scan import Reference
from tomarium.pipeline.protocol.choice import Choice
from tomarium.synth.config import SimulationConfig, truth
from tomarium.synth.scan import simulated

GOOD = SimulationConfig(columns=96, rows=48, views=120, flats=6, darks=4, subrays=1)
TURN = replace(GOOD, span_deg=360.0, views=160)
ALL = slice(None)


def arrays(config: SimulationConfig) -> dict[str, Any]:
    scan = simulated(config)
    assert scan.flats is not None
    assert scan.darks is not None
    return {
        "projections": scan.projections.read(ALL, ALL),
        "angles_deg": scan.angles_deg.value,
        "flats": scan.flats.frames.read(ALL, ALL),
        "darks": scan.darks.frames.read(ALL, ALL),
        "axis_column": truth(config).axis_column,
    }


@cache
def known(config: SimulationConfig) -> dict[str, Any]:
    return arrays(config)


def made(told: dict[str, Any], position: Any = None) -> Scan:
    scan = scan_of_arrays(**told)
    if position is None or scan.flats is None:
        return scan
    return replace(scan, flats=Reference(scan.flats.frames, np.asarray(position, np.float64)))


def titles(scan: Scan) -> set[str]:
    axis = scan.geometry.axis_column
    assert axis is not None
    return {one.title for one in [*of_sample(scan, axis.value), *of_frames(scan)]}


AFTER = [-1.0] * 6 + [120.0] * 6


@pytest.mark.parametrize("seed", range(10))
def test_a_good_scan_gives_no_warning(seed: int) -> None:
    config = replace(GOOD if seed % 2 else TURN, seed=seed, absorption=0.6 + 0.2 * seed)
    count = config.views
    assert titles(made(known(config), [-1.0] * 6 + [float(count)] * 6)) == set()


@pytest.mark.parametrize(
    ("config", "drift", "expected"),
    [(GOOD, (0.0, 0.0, 2.0), 2.0), (TURN, (0.0, 0.0, -1.2), 1.2), (TURN, (1.8, 0.0, 0.0), 1.8)],
)
def test_a_sample_that_moved_is_told_in_pixels(
    config: SimulationConfig, drift: tuple[float, float, float], expected: float
) -> None:
    told = replace(config, seed=1, drift_px=drift)
    [found] = of_sample(made(known(told)), truth(told).axis_column)
    assert (found.kind, found.title) == ("moved", "Sample moved")
    far, _, error = found.text.removeprefix("by ").split(" px")[0].partition(" ± ")
    assert abs(float(far) - expected) <= 3 * float(error) + 0.15


@pytest.mark.parametrize("config", [GOOD, TURN])
def test_a_bubble_that_appears_is_told_with_its_place(config: SimulationConfig) -> None:
    told = replace(config, seed=2)
    true = truth(told)
    bubble = Ellipsoid((0.0, 6.0, 8.0), (7.0, 7.0, 7.0), attenuation=-true.ellipsoids[0].attenuation)
    later = replace(told, ellipsoids=(*true.ellipsoids, bubble), axis_column=true.axis_column)
    half = told.views // 2
    frames = np.concatenate([known(told)["projections"][:half], arrays(later)["projections"][half:]])
    [found] = of_sample(made({**known(told), "projections": frames}), true.axis_column)
    assert found.kind == "bubbles"
    assert "% less" in found.text
    row = int(found.text.split("about row ")[1].split(",")[0])
    assert row == pytest.approx(24, abs=8)


def faulty(change: Callable[[dict[str, Any]], None]) -> Scan:
    told = {name: np.copy(value) for name, value in known(GOOD).items() if name != "axis_column"}
    change(told)
    return made({**told, "axis_column": known(GOOD)["axis_column"]}, AFTER)


def lose_beam(told: dict[str, Any]) -> None:
    told["projections"][60:90] = told["darks"][0]


def saturate(told: dict[str, Any]) -> None:
    told["projections"] = np.minimum(told["projections"].astype(np.int64) * 3, 65535).astype(np.uint16)
    told["flats"] = np.minimum(told["flats"].astype(np.int64) * 3, 65535).astype(np.uint16)


def weaken_last_flats(told: dict[str, Any]) -> None:
    dark = told["darks"].mean()
    told["flats"][6:] = (dark + 0.88 * (told["flats"][6:] - dark)).astype(told["flats"].dtype)


def move_last_flats(told: dict[str, Any]) -> None:
    told["flats"][6:] = np.roll(told["flats"][6:], 3, axis=1)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lose_beam, "Beam lost"),
        (saturate, "Flats saturated"),
        (weaken_last_flats, "Flats drifted"),
        (move_last_flats, "Flats drifted"),
    ],
)
def test_faults_of_beam_and_detector_are_told(
    change: Callable[[dict[str, Any]], None], expected: str
) -> None:
    assert expected in titles(faulty(change))


@pytest.mark.parametrize(("column", "title"), [(-6.0, "Axis out of the field"), (47.0, None)])
def test_an_axis_out_of_the_field_is_told(tmp_path: Path, column: float, title: str | None) -> None:
    from tomarium.formats.data_exchange.writer import write

    scan = made(known(replace(GOOD, seed=3, axis_column=47.0)))
    write(tmp_path / "a.h5", scan)
    choice = Choice(assignments=(f"fbp.axis_column={column}",))
    look = look_at_scan(tmp_path / "a.h5", "a", LookSettings(choice.protocol), {})
    assert [one.title for one in look.warnings] == ([] if title is None else [title])
