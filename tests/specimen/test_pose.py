"""Poses: back and forth is nothing, order of putting together does not matter, and sigma covers what it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specimen_links import A, B, C, D, covariance_of, link, matrix_of
from tomarium.errors import InputError
from tomarium.kernels.alignment.rotations import rotation, vector_of
from tomarium.specimen.pose import (
    Pose,
    about,
    apply,
    compose,
    disturbed,
    inverse,
    motion_between,
    place,
    pose_of,
    rotation_from_degrees,
    similarity,
)

seeds = st.integers(0, 2**32 - 1)
mirrors = st.booleans()


def pose(random: np.random.Generator, mirrored: bool = False, scale: float = 1.0) -> Pose:
    return Pose(
        matrix_of(random, mirrored=mirrored, scale=scale),
        covariance_of(random),
        random.normal(scale=2e-3, size=3),
    )


@given(seeds, mirrors)
@settings(max_examples=40, deadline=None)
def test_there_and_back_is_nothing(seed: int, mirrored: bool) -> None:
    random = np.random.default_rng(seed)
    there = pose(random, mirrored, random.uniform(0.8, 1.2))
    again = inverse(inverse(there))
    np.testing.assert_allclose(compose(there, inverse(there)).matrix, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(again.matrix, there.matrix, atol=1e-12)
    np.testing.assert_allclose(again.centre_m, there.centre_m, atol=1e-15)
    np.testing.assert_allclose(again.covariance, there.covariance, rtol=1e-9, atol=1e-22)


@given(seeds, mirrors, mirrors)
@settings(max_examples=40, deadline=None)
def test_composition_is_associative(seed: int, first: bool, second: bool) -> None:
    random = np.random.default_rng(seed)
    a, b, c = pose(random, first), pose(random, second, 1.1), pose(random)
    left, right = compose(compose(a, b), c), compose(a, compose(b, c))
    np.testing.assert_allclose(left.matrix, right.matrix, atol=1e-12)
    np.testing.assert_allclose(left.covariance, right.covariance, rtol=1e-9, atol=1e-22)
    np.testing.assert_allclose(left.centre_m, right.centre_m, atol=1e-15)
    assert np.linalg.eigvalsh(left.covariance).min() >= -1e-20


@given(seeds)
@settings(max_examples=40, deadline=None)
def test_the_centre_changes_nothing_of_a_point(seed: int) -> None:
    random = np.random.default_rng(seed)
    one = pose(random)
    point = random.normal(scale=2e-3, size=3)
    _, covariance = place(one, point)
    _, other = place(about(one, random.normal(scale=5e-3, size=3)), point)
    np.testing.assert_allclose(other, covariance, rtol=1e-8, atol=1e-20)


@given(seeds, st.floats(0, np.pi - 1e-6))
@settings(max_examples=60, deadline=None)
def test_rotation_vectors_are_read_back(seed: int, angle: float) -> None:
    axis = np.random.default_rng(seed).normal(size=3)
    vector = axis / np.linalg.norm(axis) * angle
    np.testing.assert_allclose(vector_of(rotation(vector)), vector, atol=2e-8)


def test_axes_turn_right_handed() -> None:
    np.testing.assert_allclose(rotation_from_degrees(0, 0, 90) @ [1, 0, 0], [0, 1, 0], atol=1e-15)
    np.testing.assert_allclose(rotation_from_degrees(90, 0, 0) @ [0, 1, 0], [0, 0, 1], atol=1e-15)
    np.testing.assert_allclose(rotation_from_degrees(90, 0, 90) @ [0, 0, 1], [1, 0, 0], atol=1e-15)


def test_a_motion_is_found_between_two_poses() -> None:
    random = np.random.default_rng(3)
    one = pose(random)
    motion = np.array([0.02, -0.01, 0.03, 4e-6, 5e-6, -6e-6])
    np.testing.assert_allclose(motion_between(one, disturbed(one, motion)), motion, atol=1e-9)


def test_what_shears_is_refused() -> None:
    sheared = np.eye(4)
    sheared[0, 1] = 0.01
    with pytest.raises(InputError, match="shears"):
        similarity(sheared)
    scale, rotation = similarity(np.diag([-1.5, 1.5, 1.5, 1.0]))
    assert scale == pytest.approx(1.5)
    assert np.linalg.det(rotation) == pytest.approx(-1.0)


@pytest.mark.parametrize("mirrored", [False, True])
def test_sigma_covers_what_it_says(mirrored: bool) -> None:
    """Disturb three links, one of them passed backwards, and count how often the point is where sigma says."""
    random = np.random.default_rng(7)
    first = link(A, B, matrix_of(random), covariance_of(random), centre_m=(1e-3, 0.0, 2e-3))
    second = link(C, B, matrix_of(random, mirrored=mirrored), covariance_of(random), mirrored=mirrored)
    third = link(C, D, matrix_of(random, scale=1.1), covariance_of(random), centre_m=(0.0, 2e-3, 0.0))
    poses = [pose_of(one) for one in (first, second, third)]
    whole = compose(compose(poses[0], inverse(poses[1])), poses[2])
    point = np.array([2e-3, -1e-3, 1e-3])
    position, covariance = place(whole, point)
    roots = [np.linalg.cholesky(one.covariance) for one in poses]
    found = np.empty((4000, 3))
    for number in range(len(found)):
        a, b, c = (
            disturbed(one, root @ random.normal(size=6)) for one, root in zip(poses, roots, strict=True)
        )
        found[number] = apply(c @ np.linalg.inv(b) @ a, point)
    away = found - position
    squared = np.einsum("ij,jk,ik->i", away, np.linalg.inv(covariance), away)
    assert np.mean(squared < 3.5267) == pytest.approx(0.6827, abs=0.03)  # chi-squared of three numbers
    for axis in range(3):
        assert np.mean(np.abs(away[:, axis]) < np.sqrt(covariance[axis, axis])) == pytest.approx(
            0.6827, abs=0.03
        )
