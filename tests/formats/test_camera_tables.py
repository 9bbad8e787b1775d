"""The pixel by the camera and the objective that a file names: filled where it is sure, told where it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from contracts.test_steps import make_scan
from tomarium.formats.opening.camera_tables import by_camera_tables
from tomarium.formats.opening.profile_values import ProfileValues, with_profile_values
from tomarium.model import Scan, Value

COLUMNS = make_scan(angles=1).shape[2]
ROWS = make_scan(angles=1).shape[1]
DETECTORS = {
    "ORCA Flash 4.0": {"columns": COLUMNS, "rows": COLUMNS, "sensor_pixel_m": 6.5e-6, "bits": 16},
    "Dhyana95 V2": {"columns": 2 * COLUMNS, "rows": 2 * COLUMNS, "sensor_pixel_m": 11e-6},
    "Small": {"columns": COLUMNS - 1, "rows": COLUMNS, "sensor_pixel_m": 2e-6},
}
OPTICS = {"10x": {"magnification": 10, "scintillator": "LuAG 50 um"}, "Mitutoyo 5x": {"magnification": 5.0}}


def scan_of(pixel_m: float | None = None, **told: Any) -> Scan:
    scan = make_scan(angles=2)
    pixel = None if pixel_m is None else Value(pixel_m, "read", "a.h5:/pixel")
    values = {key: Value(value, "read", f"a.h5:/{key}") for key, value in told.items()}
    return replace(scan.with_geometry(pixel_m=pixel), metadata={**scan.metadata, **values})


def told_of(scan: Scan) -> tuple[dict[str, Value[Any]], list[str]]:
    return by_camera_tables(scan, DETECTORS, OPTICS, "profile MINE (mine.toml)")


def test_the_pixel_is_that_of_the_sensor_divided_by_the_magnification() -> None:
    values, problems = told_of(scan_of(detector="Hamamatsu ORCA Flash 4.0", objective="10x"))
    assert not problems
    assert values["pixel_m"].value == pytest.approx(0.65e-6, rel=1e-12)
    assert values["pixel_m"].origin == "profile"
    assert values["pixel_m"].source == (
        "profile MINE (mine.toml), camera ORCA Flash 4.0: 6.5 µm × binning 1 / 10, magnification of the objective 10x"
    )
    assert (values["magnification"].value, values["scintillator"].value) == (10, "LuAG 50 um")
    # What the file tells of magnification, scintillator and binning is taken.
    values, problems = told_of(
        scan_of(detector="dhyana95 v2", magnification="20x", scintillator="GGG", detector_binning_x=2)
    )
    assert not problems
    assert values.keys() == {"pixel_m"}
    assert values["pixel_m"].value == pytest.approx(11e-6 * 2 / 20, rel=1e-12)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"detector": "ORCA Flash 4.0"}, "the magnification is not told"),
        ({"detector": "Dhyana95 V2", "objective": "10x"}, "binned or cropped is not told"),
        ({"detector": "Small", "objective": "10x", "detector_binning_x": 1}, "are larger than its"),
        ({"detector": "Dhyana95 V2", "objective": "10x", "detector_binning_x": 3}, "are larger than its"),
        (
            {"detector": "Dhyana95 V2", "objective": "10x", "detector_binning_x": 2, "detector_binning_y": 1},
            "its binning is 2 along rows and 1 along columns",
        ),
        (
            {"detector": "ORCA Flash 4.0 and Dhyana95 V2", "objective": "10x"},
            "may be 'ORCA Flash 4.0' or 'Dhyana95 V2'",
        ),
        (
            {"detector": "ORCA Flash 4.0", "objective": "10x", "magnification": "high"},
            "'high' of the file is no number",
        ),
    ],
)
def test_what_is_not_sure_is_told_and_not_filled(told: dict[str, Any], said: str) -> None:
    values, problems = told_of(scan_of(**told))
    assert "pixel_m" not in values
    assert any(said in text for text in problems), problems


def test_what_the_table_does_not_know_is_left() -> None:
    assert told_of(scan_of(detector="Frelon", objective="2x")) == ({}, [])
    assert told_of(scan_of()) == ({}, [])


def test_what_the_file_says_stands_and_a_contradiction_is_told() -> None:
    values, problems = told_of(scan_of(0.66e-6, detector="ORCA Flash 4.0", magnification=10))
    assert (values, problems) == ({}, [])  # calibrated: within a tenth of the nominal one
    values, problems = told_of(scan_of(1.3e-6, detector="ORCA Flash 4.0", magnification=10))
    assert values == {}
    assert problems[0].startswith(
        "pixel is 1.3 µm by a.h5:/pixel, but 0.65 µm by profile MINE (mine.toml), camera "
    )
    values, problems = told_of(scan_of(0.65e-6, detector="ORCA Flash 4.0", magnification=20, objective="10x"))
    assert "magnification" not in values
    assert any("magnification is 20 by the file, but 10 by" in text for text in problems)


def test_a_scan_that_is_opened_takes_it() -> None:
    profile = ProfileValues(source="profile MINE (mine.toml)", detectors=DETECTORS, optics=OPTICS)
    named = scan_of(detector="ORCA Flash 4.0", objective="10x")
    opened = with_profile_values(named, profile)
    assert opened.pixel_m is not None
    assert (opened.pixel_m.value, opened.pixel_m.origin) == (pytest.approx(0.65e-6), "profile")
    assert opened.metadata["scintillator"].origin == "profile"
    # What [scan] states outright goes before the tables, and a difference is told.
    stated = replace(profile, values={"pixel_m": Value(2e-6, "profile", "profile MINE (mine.toml)")})
    opened = with_profile_values(named, stated)
    assert opened.pixel_m is not None
    assert opened.pixel_m.value == 2e-6
    assert any("that of [scan] was taken" in text for text in opened.warnings)
