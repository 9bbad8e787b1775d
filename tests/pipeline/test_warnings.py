"""What speaks against trusting a result is counted against what was worked on, not against the whole scan."""

from dataclasses import replace

import numpy as np

from contracts.test_steps import make_scan
from tomarium.model import Scan, Value
from tomarium.pipeline.plan.warnings import of_result, of_scan
from tomarium.pipeline.protocol.protocol import default_protocol
from tomarium.pipeline.protocol.resolve import resolve


def warned(scan: Scan, quality: dict[str, float], lost: int, rows: int | None = None) -> tuple[str, ...]:
    return of_result(resolve(default_protocol(), scan), {}, quality, lost, rows)


def test_a_starved_row_of_a_tall_scan_is_told() -> None:
    scan = make_scan()
    angles, rows, columns = scan.shape
    quality = {"flat_field.clipped": 0.0011 * angles * columns}
    assert not any("too few photons" in text for text in warned(scan, quality, 0))
    [told] = warned(scan, quality, 0, rows=1)
    assert told.startswith("0.11 % of the counts")
    [told] = warned(scan, {"flat_field.clipped": float(angles * columns)}, 0, rows=1)
    assert told.startswith("100 % of the counts")
    assert rows > 1


def test_what_is_not_known_is_told() -> None:
    told = warned(replace(make_scan(), darks=None).with_geometry(pixel_m=None), {}, 3)
    assert ["1/px" in told[0], "darks are taken as 0" in told[1], "3 voxels" in told[2]] == [True] * 3


def test_doubts_about_the_axis_come_first() -> None:
    scan = replace(make_scan(), darks=None).with_geometry(axis_column=None, pixel_m=None)
    told = {"find_axis": {"answer": 31.25, "confidence": "low"}}
    first, *others = of_result(resolve(default_protocol(), scan, told), told, {}, 0)
    assert "low confidence at column 31.25" in first
    assert len(others) == 2


def test_missing_angles_are_named() -> None:
    scan = make_scan(60)
    limited = scan.with_geometry(angles_deg=Value(np.linspace(-70, 70, 60), "user", "test"))
    assert not [said for said in of_scan(scan) if "limited angle" in said]
    [said] = [said for said in of_scan(limited) if "limited angle" in said]
    assert "no view between 70° and 110°, modulo 180°" in said


def test_missing_angles_of_a_half_acquisition_are_those_of_a_whole_turn() -> None:
    scan = make_scan(200)
    turned = scan.with_geometry(angles_deg=Value(np.linspace(0, 343.28, 200), "user", "test"))
    assert not [said for said in of_scan(turned) if "limited angle" in said]
    axis = Value(5.0, "user", "test")
    [said] = [said for said in of_scan(turned.with_geometry(axis_column=axis)) if "limited angle" in said]
    assert "between 343.3° and 360°, modulo 360°" in said


def test_few_views_for_the_columns_are_told() -> None:
    scan = make_scan(60)
    assert not [said for said in of_scan(scan) if "few" in said]
    few = 3
    angles = np.linspace(0, 360, 2 * few, endpoint=False)
    turned = replace(make_scan(2 * few)).with_geometry(angles_deg=Value(angles, "user", "test"))
    [said] = [said for said in of_scan(turned) if "few" in said]
    assert said.startswith(f"{few} directions of views are few for {scan.shape[2]} columns: beyond 1 px")
