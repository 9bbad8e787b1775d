"""How references are averaged before the flat field is applied."""

from dataclasses import replace

import numpy as np
import pytest

from contracts.test_steps import make_scan
from tomarium.model.scan import Reference
from tomarium.steps.flat_field import average_references


@pytest.mark.parametrize(
    ("position", "groups"),
    [
        (np.repeat([-1.0, 60.0], 5), [-1.0, 60.0]),
        (np.r_[np.arange(-5.0, 0.0), np.arange(60.0, 65.0)], [-3.0, 62.0]),
        (np.full(10, -1.0), [-1.0]),
        (np.r_[np.full(4, -1.0), np.full(3, 29.5), np.full(3, 60.0)], [-1.0, 29.5, 60.0]),
    ],
)
def test_flats_with_no_projection_between_them_are_one_group(
    position: np.ndarray, groups: list[float]
) -> None:
    scan = make_scan()
    assert scan.flats is not None
    averaged = average_references(replace(scan, flats=Reference(scan.flats.frames, position)), slice(0, 12))
    np.testing.assert_allclose(averaged.position, groups)
    assert averaged.flats.shape == (len(groups), 12, 64)
