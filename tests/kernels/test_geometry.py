"""What every engine works from: weights of the angles, padding, the disc."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomarium.kernels.backprojection.angular_weights import angular_weights, missing_angles
from tomarium.kernels.backprojection.geometry import disc, make_task, padded_length


@given(st.lists(st.floats(-720, 720), min_size=1, max_size=40))
def test_weights_are_half_a_turn_in_all_and_follow_their_angle(angles: list[float]) -> None:
    weights = angular_weights(np.array(angles))
    assert weights.sum() == pytest.approx(np.pi)
    assert (weights > 0).all()
    order = np.random.default_rng(0).permutation(len(angles))
    np.testing.assert_allclose(angular_weights(np.array(angles)[order]), weights[order])


def test_weights_of_the_usual_scans() -> None:
    half = np.arange(90) * 2.0
    np.testing.assert_allclose(angular_weights(half), np.pi / 90)
    np.testing.assert_allclose(
        angular_weights(np.append(half, 180.0))[[0, 1, -1]], np.pi / 90 * np.array([0.5, 1, 0.5])
    )
    np.testing.assert_allclose(angular_weights(np.concatenate([half, half + 180])), np.pi / 180)
    dropped = np.delete(half, [40, 41])
    np.testing.assert_allclose(angular_weights(dropped)[38:42], np.pi / 90 * np.array([1, 2, 2, 1]))
    assert missing_angles(dropped) == ()
    coarse = np.concatenate(
        [np.arange(0, 60, 0.1), np.arange(60, 180, 1.0)]
    )  # uneven, and nothing is missing
    np.testing.assert_allclose(np.rad2deg(angular_weights(coarse))[[300, 600, 650]], [0.1, 0.55, 1.0])
    assert missing_angles(coarse) == ()
    for few in ([0.0], [0.0, 90.0], [0.0, 45.0, 90.0, 135.0], [10.0, 70.0, 130.0]):
        assert missing_angles(np.array(few)) == ()


def test_the_views_beside_a_missing_wedge_do_not_blow_up() -> None:
    limited = np.arange(-70.0, 70.5, 1.0)
    weights = np.rad2deg(angular_weights(limited))
    assert missing_angles(limited) == ((70.0, 110.0),)
    np.testing.assert_allclose(weights[1:-1], 180 / 148)
    np.testing.assert_allclose(weights[[0, -1]], 4.5 * 180 / 148)
    golden = np.mod(np.arange(300) * 111.24611797, 180)
    assert missing_angles(golden) == ()


def test_a_half_acquisition_weighs_its_views_over_a_whole_turn() -> None:
    whole = np.arange(0, 360, 0.5)
    np.testing.assert_allclose(angular_weights(whole, 360.0), np.pi / 720)
    more = np.arange(0, 380, 0.5)  # what is seen twice shares its weight
    weights = angular_weights(more, 360.0)
    np.testing.assert_allclose(weights[[10, 730]], np.pi / 1440)
    np.testing.assert_allclose(weights[100:700], np.pi / 720)
    less = np.arange(0, 345, 0.5)
    assert missing_angles(less, 360.0) == ((344.5, 360.0),)
    assert missing_angles(less) == ()


@given(st.integers(1, 300), st.integers(1, 400), st.floats(-1, 2))
def test_padding_covers_every_lag_and_every_column_that_is_read(
    columns: int, size: int, where: float
) -> None:
    axis = where * columns
    padded = padded_length(columns, axis, size)
    lags = max(columns - 1, axis + size / 2, columns - 1 - axis + size / 2)
    assert padded >= 2 * lags
    task = make_task(np.zeros(1), columns, axis, size, (0, size, 0, size), "ramp", 1.0, "zero", 1.0, 1)
    assert task.padded == padded
    assert axis - size / 2 + task.left >= 1
    assert axis + size / 2 + task.left + 1 < padded
    assert task.left + columns <= padded


def test_padding_doubles_a_detector_with_its_axis_in_the_middle() -> None:
    assert padded_length(2048, 1023.5, 2048) == 4096
    assert padded_length(2048, 1020.0, 2048) < 4400


def test_disc_touches_the_edges() -> None:
    inside = disc(6, (0, 6, 0, 6))
    assert inside[0].tolist() == [False, True, True, True, True, False]
    np.testing.assert_array_equal(inside, inside.T)
    np.testing.assert_array_equal(disc(6, (1, 4, 2, 6)), inside[1:4, 2:6])
