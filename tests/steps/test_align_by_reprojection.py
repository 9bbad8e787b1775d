"""Views that were jolted at random are laid where they belong."""

from dataclasses import asdict

import numpy as np
import pytest

from steps.motion_scans import bodies, projections
from tomarium.errors import MissingData
from tomarium.formats.frames.scan_of_arrays import scan_of_arrays
from tomarium.kernels.motion.drift import MotionEstimate
from tomarium.kernels.phantom import Ellipsoid
from tomarium.model import Value
from tomarium.steps.probes.align_by_reprojection import align_by_reprojection
from tomarium.steps.probes.movement_correction import motion_warnings

VIEWS, SHAPE, AXIS = 72, (28, 96), 46.7
ANGLES = np.arange(VIEWS) * 180.0 / VIEWS


def aligned(
    inclusions: list[Ellipsoid], noise: float, wide: float = 1.0
) -> tuple[MotionEstimate, float, float]:
    """Align a flat body with inclusions that is jolted by 3 px; what is left along columns and rows, rms in px."""
    draw = np.random.default_rng(1)
    columns, rows = draw.normal(0, 3, VIEWS), draw.normal(0, 1.5, VIEWS)
    specimen = [Ellipsoid((0, 0, 0), (9, 30 * wide, 26 * wide), 0.02), *inclusions]
    made = projections(specimen, ANGLES, SHAPE, AXIS, columns, rows)
    made += draw.normal(0, noise, made.shape).astype(np.float32)
    scan = scan_of_arrays(made, ANGLES, domain="attenuation")
    found = align_by_reprojection(scan.with_geometry(axis_column=Value(AXIS, "user", "test")))
    angles = np.deg2rad(ANGLES)
    basis = np.stack([np.ones(VIEWS), np.cos(angles), np.sin(angles)]).T
    rest = found.shift_columns_px - columns
    level = np.zeros(VIEWS) if found.shift_rows_px is None else found.shift_rows_px
    return (
        found,
        float(np.std(rest - basis @ np.linalg.lstsq(basis, rest, rcond=None)[0])),
        float(np.std(level - rows)),
    )


def test_random_jolts_of_3_px_are_found_to_0_2_px() -> None:
    found, columns, rows = aligned(bodies(1, 6)[1:], 0.01)
    assert columns < 0.1
    assert rows < 0.2
    assert found.confidence == "high"
    assert columns < 3 * found.error_px < 0.3  # what it says of itself


def test_a_sample_that_absorbs_less_than_nothing_somewhere_is_aligned_as_well() -> None:
    fringes = [Ellipsoid(body.centre, body.half_axes, -0.02) for body in bodies(1, 6)[1:5]]
    found, columns, _ = aligned([*fringes, *bodies(1, 6)[5:]], 0.01)
    assert columns < 0.1
    assert found.confidence == "high"


@pytest.mark.parametrize(
    ("noise", "wide", "confidence", "doubt"),
    [(1.0, 1.0, "low", "correlate"), (0.01, 1.7, "medium", "leaves")],
)
def test_shifts_of_noise_and_of_a_sample_that_leaves_the_field_are_not_rated_high(
    noise: float, wide: float, confidence: str, doubt: str
) -> None:
    found = aligned(bodies(1, 6)[1:], noise, wide)[0]
    assert found.confidence == confidence
    assert doubt in " ".join(found.doubts)
    assert doubt in " ".join(motion_warnings("align_by_reprojection", asdict(found)))


def test_a_half_acquisition_is_refused() -> None:
    scan = scan_of_arrays(np.ones((36, 4, 64), np.float32), np.arange(36) * 10.0, domain="attenuation")
    with pytest.raises(MissingData, match="half acquisition"):
        align_by_reprojection(scan.with_geometry(axis_column=Value(8.0, "user", "test")))
