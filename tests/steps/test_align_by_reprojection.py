"""Views that were jolted at random are laid where they belong."""

import numpy as np
import pytest

from steps.motion_scans import bodies, projections
from tomarium.errors import MissingData
from tomarium.formats.frames.scan_of_arrays import scan_of_arrays
from tomarium.kernels.phantom import Ellipsoid
from tomarium.model import Value
from tomarium.steps.probes.align_by_reprojection import align_by_reprojection

VIEWS, SHAPE, AXIS = 72, (28, 96), 46.7
ANGLES = np.arange(VIEWS) * 180.0 / VIEWS


def test_random_jolts_of_3_px_are_found_to_0_2_px() -> None:
    draw = np.random.default_rng(1)
    columns, rows = draw.normal(0, 3, VIEWS), draw.normal(0, 1.5, VIEWS)
    specimen = [Ellipsoid((0, 0, 0), (9, 30, 26), 0.02), *bodies(1, 6)[1:]]
    made = projections(specimen, ANGLES, SHAPE, AXIS, columns, rows)
    made += draw.normal(0, 0.01, made.shape).astype(np.float32)
    scan = scan_of_arrays(made, ANGLES, domain="attenuation")
    found = align_by_reprojection(scan.with_geometry(axis_column=Value(AXIS, "user", "test")))
    angles = np.deg2rad(ANGLES)
    basis = np.stack([np.ones(VIEWS), np.cos(angles), np.sin(angles)]).T
    rest = found.shift_columns_px - columns
    assert np.std(rest - basis @ np.linalg.lstsq(basis, rest, rcond=None)[0]) < 0.2
    assert found.shift_rows_px is not None
    assert np.std(found.shift_rows_px - rows) < 0.2
    assert found.confidence == "high"


def test_a_half_acquisition_is_refused() -> None:
    scan = scan_of_arrays(np.ones((36, 4, 64), np.float32), np.arange(36) * 10.0, domain="attenuation")
    with pytest.raises(MissingData, match="half acquisition"):
        align_by_reprojection(scan.with_geometry(axis_column=Value(8.0, "user", "test")))
