"""Phantoms: chords against closed forms and against brute force."""

from math import pi, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tomarium.errors import ParameterError
from tomarium.kernels.phantom import Ellipsoid, line_integrals, pixel_coordinates, voxelise
from tomarium.synth.specimen import specimen

lengths = st.floats(2.0, 20.0)
places = st.floats(-15.0, 15.0)
turns = st.floats(0.0, 360.0)


@settings(deadline=None)
@given(radius=lengths, offset=st.floats(0.0, 1.2), height=st.floats(0.0, 1.0), theta=turns)
def test_chord_of_a_ball(radius: float, offset: float, height: float, theta: float) -> None:
    ball = Ellipsoid((0, 0, 0), (radius,) * 3, 0.3)
    p = line_integrals([ball], np.array([theta]), np.array([height * radius]), np.array([offset * radius]))
    chord = 2 * radius * sqrt(max(0.0, 1 - offset**2 - height**2))
    # float32 under the root: its half precision at the rim, its own away from it.
    assert p[0, 0, 0] == pytest.approx(0.3 * chord, abs=2e-3 * radius)


def test_the_compiled_kernel_is_the_reference() -> None:
    parts = specimen(100.0, 64, 3)
    assert any(part.attenuation < 0 for part in parts)
    z, u = pixel_coordinates(64, 31.5, 2), pixel_coordinates(120, 55.25, 2)
    angles = np.arange(0, 360, 7.0)
    native, reference = (line_integrals(parts, angles, z, u, engine=name) for name in ("native", "reference"))  # type: ignore[arg-type]
    assert (
        np.abs(native - reference).max() < 2e-4 * reference.max()
    )  # at the rims, where float32 lies under the root
    assert np.sqrt(np.mean((native - reference) ** 2)) < 1e-6 * reference.max()
    assert not line_integrals([], angles, z, u).any()
    assert not line_integrals([Ellipsoid((0, 0, 900), (1, 1, 1), 1.0)], np.zeros(1), z, u).any()
    with pytest.raises(ParameterError, match="there is no engine 'fast'; choose auto, native or reference"):
        line_integrals(parts, angles, z, u, engine="fast")  # type: ignore[arg-type]


@settings(max_examples=25, deadline=None)
@given(
    centre=st.tuples(places, places, places),
    half=st.tuples(lengths, lengths, lengths),
    turn=st.tuples(turns, turns, turns),
    theta=turns,
)
def test_any_ellipsoid_against_points_along_the_ray(centre, half, turn, theta) -> None:  # type: ignore[no-untyped-def]
    part = Ellipsoid(centre, half, 1.0, turn)
    inverse = np.linalg.inv(part.covariance())
    angle = np.radians(theta)
    z, u = centre[0] + 0.3 * half[0], centre[2] * np.cos(angle) + centre[1] * np.sin(angle) + 0.2
    t = np.arange(-60, 60, 0.01)
    points = np.stack(
        [
            np.full_like(t, z),
            u * np.sin(angle) + t * np.cos(angle),
            u * np.cos(angle) - t * np.sin(angle),
        ],
        axis=-1,
    ) - np.array(centre)
    inside = np.einsum("ti,ij,tj->t", points, inverse, points) <= 1
    found = line_integrals([part], np.array([theta]), np.array([z]), np.array([u]))[0, 0, 0]
    assert found == pytest.approx(inside.sum() * 0.01, abs=0.05)


def test_projections_weigh_the_same_at_all_angles() -> None:
    parts = [
        Ellipsoid((1.0, 9.0, -4.0), (20.0, 14.0, 9.0), 0.02, (20.0, 30.0, 40.0)),
        Ellipsoid((-3.0, -20.0, 12.0), (8.0, 6.0, 10.0), 0.05, (70.0, 10.0, 0.0)),
    ]
    s = 8
    rows, columns = pixel_coordinates(64, 31.5, s), pixel_coordinates(96, 47.2, s)
    p = line_integrals(parts, np.arange(0, 180, 15.0), rows, columns).astype(np.float64)
    mass = p.sum(axis=(1, 2)) / s**2
    true = sum(4 / 3 * pi * np.prod(part.half_axes) * part.attenuation for part in parts)
    assert np.abs(mass / true - 1).max() < 1e-4


def test_where_a_dot_is_seen() -> None:
    rows, columns = np.arange(-5.0, 6.0), np.arange(-20.0, 21.0)
    x_dot = Ellipsoid((2.0, 0.0, 10.0), (1.0, 1.0, 1.0), 1.0)
    y_dot = Ellipsoid((-3.0, 10.0, 0.0), (1.0, 1.0, 1.0), 1.0)
    p = line_integrals([x_dot], np.array([0.0, 90.0, 180.0]), rows, columns)
    brightest = [np.unravel_index(view.argmax(), view.shape) for view in p]
    assert [(rows[i], columns[j]) for i, j in brightest] == [(2, 10), (2, 0), (2, -10)]
    q = line_integrals([y_dot], np.array([90.0]), rows, columns)[0]
    i, j = np.unravel_index(q.argmax(), q.shape)
    assert (rows[i], columns[j]) == (-3, 10)


def test_a_reused_output_is_cleared() -> None:
    ball = Ellipsoid((0, 0, 0), (3.0, 3.0, 3.0), 1.0)
    where = (np.array([0.0]), np.arange(-4.0, 5.0), np.arange(-4.0, 5.0))
    out = np.full((1, 9, 9), 7.0, np.float32)
    again = line_integrals([ball], *where, out=out)
    assert again is out
    np.testing.assert_array_equal(again, line_integrals([ball], *where))


def test_attenuations_add() -> None:
    outer = Ellipsoid((0, 0, 0), (10.0, 10.0, 10.0), 0.1)
    hole = Ellipsoid((0, 0, 0), (4.0, 4.0, 4.0), -0.1)
    p = line_integrals([outer, hole], np.array([33.0]), np.zeros(1), np.zeros(1))
    assert p[0, 0, 0] == pytest.approx(0.1 * (20 - 8), rel=1e-5)


def test_voxels_hold_the_volume_and_project_like_the_phantom() -> None:
    part = Ellipsoid((0.4, 1.3, -2.1), (9.0, 7.0, 5.0), 0.25, (25.0, 15.0, 60.0))
    axis = np.arange(32) - 15.5
    volume = voxelise([part], axis, axis, axis, supersampling=6)
    assert volume.sum() == pytest.approx(0.25 * 4 / 3 * pi * 9 * 7 * 5, rel=2e-3)
    s = 6
    fine = pixel_coordinates(32, 15.5, s)
    p = line_integrals([part], np.array([0.0]), fine, fine)[0].reshape(32, s, 32, s).mean(axis=(1, 3))
    # At 0° the columns are x and the beam runs along y.
    assert np.abs(volume.sum(axis=1) - p).max() < 0.02 * p.max()
