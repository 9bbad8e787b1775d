"""Five faint points in a sample that moves smoothly tell how it moved."""

import numpy as np
import pytest

from steps.motion_scans import bodies, projections
from tomarium.errors import MissingData
from tomarium.formats.frames.scan_of_arrays import scan_of_arrays
from tomarium.kernels.motion.mass import mass_path
from tomarium.kernels.motion.smooth import smooth_curve
from tomarium.kernels.phantom import Ellipsoid
from tomarium.model import Value
from tomarium.steps.probes.mercedes import mercedes

VIEWS, SHAPE, AXIS = 144, (28, 96), 46.7
FULL = np.arange(VIEWS) * 360.0 / VIEWS
TIME = np.linspace(-0.5, 0.5, VIEWS)
DOTS = [(-7.0, 12.0, 9.0), (-3.0, -14.0, 15.0), (1.0, 20.0, -6.0), (4.0, -8.0, -16.0), (8.0, 4.0, 24.0)]
PEAK = 0.3  # of a point of radius 1.5 and attenuation 0.1


def unobserved(curve: np.ndarray, angles_deg: np.ndarray = FULL) -> np.ndarray:
    """What is left of a curve without a constant and another place on the stage."""
    angles = np.deg2rad(angles_deg)
    basis = np.stack([np.ones(VIEWS), np.cos(angles), np.sin(angles)]).T
    return curve - basis @ np.linalg.lstsq(basis, curve, rcond=None)[0]


def test_a_smooth_motion_by_5_px_is_found_to_0_15_px_from_points_three_times_their_noise() -> None:
    columns = 2.5 * np.sin(2 * np.pi * 1.3 * TIME + 0.4)
    rows = np.cos(4 * TIME)
    weak = [Ellipsoid(one.centre, one.half_axes, 0.2 * one.attenuation) for one in bodies(3, 12)[1:]]
    points = [Ellipsoid(place, (1.5, 1.5, 1.5), 0.1) for place in DOTS]
    matrix = [Ellipsoid((0, 0, 0), (60, 40, 34), 0.02)]
    made = projections([*matrix, *weak, *points], FULL, SHAPE, AXIS, columns, rows)
    made += np.random.default_rng(1).normal(0, PEAK / 3, made.shape).astype(np.float32)
    scan = scan_of_arrays(made, FULL, domain="attenuation")
    with pytest.raises(MissingData, match="needs axis_column"):
        mercedes(scan)
    found = mercedes(scan.with_geometry(axis_column=Value(AXIS, "user", "test")), reach_px=5.0)
    assert found.confidence == "high"
    assert found.used == 5
    assert np.std(unobserved(found.shift_columns_px - columns)) < 0.15
    assert found.shift_rows_px is not None
    assert np.std(found.shift_rows_px - rows) < 0.15


@pytest.mark.parametrize("seed", [8])
def test_over_half_a_turn_the_centre_of_mass_leads_to_the_right_path(seed: int) -> None:
    # Without it the points of this sample are followed along another path.
    draw = np.random.default_rng(100 + seed)
    angles = FULL / 2
    columns = 2.5 * np.sin(2 * np.pi * draw.uniform(0.6, 1.4) * TIME + draw.uniform(0, 6.28))
    rows = np.cos(4 * TIME + draw.uniform(-1, 1))
    places: list[tuple[float, float, float]] = []
    while len(places) < 5:
        y, x = draw.uniform(-26, 26, 2)
        if 6 < np.hypot(y, x) < 28:
            places.append((draw.uniform(-9, 9), y, x))
    weak = [Ellipsoid(one.centre, one.half_axes, 0.2 * one.attenuation) for one in bodies(seed, 12)[1:]]
    points = [Ellipsoid(place, (1.5, 1.5, 1.5), 0.1) for place in places]
    made = projections(
        [Ellipsoid((0, 0, 0), (60, 40, 34), 0.02), *weak, *points], angles, SHAPE, AXIS, columns, rows
    )
    made += draw.normal(0, PEAK / 3, made.shape).astype(np.float32)
    path = mass_path(made, angles)
    assert path is not None
    assert np.std(unobserved(path - columns, angles)) < 0.1
    scan = scan_of_arrays(made, angles, domain="attenuation")
    found = mercedes(scan.with_geometry(axis_column=Value(AXIS, "user", "test")), reach_px=5.0)
    assert found.confidence == "high"
    assert np.std(unobserved(found.shift_columns_px - columns, angles)) < 0.15


def test_the_mass_of_a_sample_wider_than_the_field_tells_nothing() -> None:
    still = np.zeros(24)
    wide = projections([Ellipsoid((0, 0, 0), (60, 70, 60), 0.02)], FULL[::6], SHAPE, AXIS, still, still)
    assert mass_path(wide, FULL[::6]) is None


def test_without_points_nothing_is_moved() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (60, 12, 64)).astype(np.float32)
    scan = scan_of_arrays(noise, np.arange(60) * 6.0, domain="attenuation")
    found = mercedes(scan.with_geometry(axis_column=Value(31.5, "user", "test")))
    assert found.confidence == "low"
    assert mercedes.answer(found) == (None, None)


def test_smoothing_follows_a_curve_and_leaves_out_what_lies_far_off() -> None:
    draw = np.random.default_rng(0)
    time = np.linspace(0, 1, 360)
    truth = 3 * np.sin(7 * time)
    given = truth + draw.normal(0, 0.3, 360)
    given[50] = 30
    curve, used = smooth_curve(given)
    assert np.std(curve - truth) < 0.1
    assert used[50] == 0
