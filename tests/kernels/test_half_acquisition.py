"""Half acquisition: weights that add up, and the whole field reconstructed as by a detector twice as wide."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomarium.errors import InputError
from tomarium.kernels.fbp import fbp
from tomarium.kernels.half_acquisition import field_columns, overlap_weights
from tomarium.kernels.phantom import Ellipsoid, line_integrals, pixel_coordinates
from tomarium.model.half_acquisition import is_half_acquisition, turn_deg

DISCS = [
    Ellipsoid((0, 0, 0), (1e6, 80, 70), attenuation=0.01),
    Ellipsoid((0, 30, -40), (1e6, 9, 14), attenuation=0.008),
    Ellipsoid((0, -20, 5), (1e6, 12, 12), attenuation=-0.006),
    Ellipsoid((0, 2, 55), (1e6, 6, 5), attenuation=0.02),
]


def sinogram(angles_deg: np.ndarray, columns: int, axis_column: float) -> np.ndarray:
    u = pixel_coordinates(columns, axis_column)
    return line_integrals(DISCS, angles_deg, np.zeros(1), u)[:, 0]


@given(st.integers(20, 400), st.data())
def test_opposite_views_add_up_to_one_ray(columns: int, data: st.DataObject) -> None:
    twice = data.draw(st.integers(8, 2 * (columns - 1) - 8))  # the axis on a pixel or between two
    weights = overlap_weights(columns, twice / 2)
    u = np.arange(columns)
    both = (twice - u >= 0) & (twice - u < columns)
    np.testing.assert_allclose(weights[both] + weights[(twice - u)[both]], 2, atol=1e-4)
    np.testing.assert_allclose(weights[~both], 2)


def test_too_narrow_an_overlap_is_refused() -> None:
    with pytest.raises(InputError, match="at least 8 are needed"):
        overlap_weights(100, 2.0)


@pytest.mark.parametrize(
    ("angles", "axis_column", "expected"),
    [
        (np.arange(360.0), 15.0, True),
        (np.arange(360.0), 85.0, True),
        (np.arange(360.0), 50.0, False),
        (np.arange(180.0), 15.0, False),
        (np.arange(360.0)[::-1] - 90, 15.0, True),
    ],
)
def test_what_a_half_acquisition_is(angles: np.ndarray, axis_column: float, expected: bool) -> None:
    assert is_half_acquisition(angles, axis_column, 101) is expected
    assert turn_deg(angles) == pytest.approx(len(angles))


@pytest.mark.parametrize("axis_column", [14.0, 20.3, 91.7])
def test_the_field_is_that_of_a_wide_detector(axis_column: float) -> None:
    columns, views = 112, 720
    turn = np.arange(views) * 360 / views
    size = field_columns(columns, axis_column)
    weights = overlap_weights(columns, axis_column)
    half = fbp(
        sinogram(turn, columns, axis_column) * weights,
        turn,
        axis_column,
        size=size,
        engine="reference",
        turn_deg=360,
    )
    wide_angles = np.arange(views // 2) * 360 / views
    wide = fbp(sinogram(wide_angles, size, (size - 1) / 2), wide_angles, (size - 1) / 2, engine="reference")
    y, x = np.indices(half.shape) - (size - 1) / 2
    inside = np.hypot(y, x) < size / 2 - 3
    assert np.sqrt(np.mean((half - wide)[inside] ** 2)) < 0.02 * np.ptp(wide)
    matrix = inside & (np.hypot(y - 0, x - 0) < 8)
    assert half[matrix].mean() == pytest.approx(wide[matrix].mean(), rel=5e-3)
    seam = inside & (np.abs(np.hypot(y, x) - min(axis_column, columns - 1 - axis_column)) < 2)
    assert abs((half - wide)[seam].mean()) < 2e-3 * np.ptp(wide), "a seam shows at the edge of the overlap"
    plain = fbp(
        sinogram(turn, columns, axis_column), turn, axis_column, size=size, engine="reference", turn_deg=360
    )
    assert np.sqrt(np.mean((plain - wide)[inside] ** 2)) > 5 * np.sqrt(np.mean((half - wide)[inside] ** 2))
