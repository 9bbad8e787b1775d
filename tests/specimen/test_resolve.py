"""Paths along links: the best is taken, none is invented, and loops that contradict each other are told."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from specimen_links import A, B, C, D, covariance_of, link, matrix_of
from tomarium.model.link import Link
from tomarium.specimen.pose import apply, compose, disturbed, pose_of
from tomarium.specimen.resolve import NotConnected, contradictions, groups, resolve


def triangle(seed: int, times: float = 1.0) -> list[Link]:
    """Make three links whose truth closes, each disturbed by so many times its own sigma."""
    random = np.random.default_rng(seed)
    one, two = matrix_of(random), matrix_of(random)
    links = [
        link(A, B, one, covariance_of(random)),
        link(B, C, two, covariance_of(random)),
        link(A, C, two @ one, covariance_of(random)),
    ]
    return [
        replace(
            each,
            matrix=tuple(
                map(tuple, disturbed(
                    pose_of(each), times * np.linalg.cholesky(np.asarray(each.covariance)) @ random.normal(size=6)
                ).tolist())
            ),
        )
        for each in links
    ]  # fmt: skip


def test_both_ways_along_the_same_links() -> None:
    random = np.random.default_rng(1)
    links = [link(A, B, matrix_of(random)), link(C, B, matrix_of(random)), link(C, D, matrix_of(random))]
    there, back = resolve(links, A, D), resolve(links, D, A)
    assert there.frames == (A, B, C, D)
    assert [step.back for step in there.path] == [False, True, False]
    np.testing.assert_allclose(there.pose.matrix @ back.pose.matrix, np.eye(4), atol=1e-12)
    same = resolve(links, A, A)
    assert same.path == ()
    np.testing.assert_array_equal(same.pose.matrix, np.eye(4))
    assert not same.pose.covariance.any()


def test_no_path_is_refused_and_both_groups_are_named() -> None:
    links = [link(A, B), link(C, D)]
    with pytest.raises(NotConnected) as told:
        resolve(links, A, D)
    for words in (f"{A} is linked with {B}", f"{D} is linked with {C}", "tomarium specimen link"):
        assert words in str(told.value)
    with pytest.raises(NotConnected, match=f"{D} has no link"):
        resolve(links[:1], A, D)
    assert groups(links, ["records/e"]) == [[A, B], [C, D], ["records/e"]]


def test_a_withdrawn_link_is_not_used() -> None:
    with pytest.raises(NotConnected):
        resolve([replace(link(A, B), withdrawn="wrong sample")], A, B)


def test_the_best_path_depends_on_the_point() -> None:
    """A link with a good shift and a bad turn is best near its centre, one with a good turn far from it."""
    near = link(A, B, covariance=np.diag([0.1] * 3 + [1e-7] * 3) ** 2, id="near")
    far = link(A, B, covariance=np.diag([1e-5] * 3 + [1e-5] * 3) ** 2, id="far")
    assert resolve([near, far], A, B, (0, 0, 1e-6)).path[0].link.id == "near"
    assert resolve([near, far], A, B, (0, 0, 1e-2)).path[0].link.id == "far"


def test_two_good_links_are_better_than_a_bad_one() -> None:
    fine, coarse = np.diag([1e-4] * 3 + [1e-6] * 3) ** 2, np.diag([1e-3] * 3 + [1e-4] * 3) ** 2
    links = [
        link(A, C, covariance=coarse, kind="assumed"),
        link(A, B, covariance=fine),
        link(B, C, covariance=fine),
    ]
    found = resolve(links, A, C)
    assert found.frames == (A, B, C)
    assert found.assumed == ()
    assert [one.id for one in resolve(links[:1], A, C).assumed] == ["a-c"]


def test_loops_within_their_sigma_are_silent() -> None:
    told = [seed for seed in range(200) if contradictions(triangle(seed))]
    assert len(told) <= 4  # 0.27 % of 200, and chance


def test_a_loop_that_contradicts_itself_is_told_by_name() -> None:
    links = triangle(5)
    wrong = np.asarray(links[2].matrix).copy()
    wrong[0, 3] += 1e-3
    links[2] = replace(links[2], matrix=tuple(map(tuple, wrong.tolist())))
    (loop,) = contradictions(links)
    assert set(loop.frames) == {A, B, C}
    assert set(loop.links) == {"a-b", "b-c", "a-c"}
    assert loop.shift_m == pytest.approx(1e-3, rel=0.1)
    assert loop.times_sigma > 3
    assert "does not close by" in loop.words
    assert resolve(links, A, C).contradictions == (loop,)
    assert resolve([*links, link(C, D)], C, D).contradictions == ()  # not on its path


def test_a_loop_that_is_mirrored_is_told() -> None:
    flipped = np.diag([1.0, 1.0, -1.0, 1.0])
    (loop,) = contradictions([link(A, B), link(A, B, flipped, mirrored=True, id="other")])
    assert "mirror image" in loop.words


def test_scales_that_differ_are_told() -> None:
    (loop,) = contradictions([link(A, B), link(A, B, np.diag([1.01, 1.01, 1.01, 1.0]), id="other")])
    assert "times as long" in loop.words


def test_paths_that_agree_give_the_same_position() -> None:
    links = triangle(9, times=0.0)
    direct, round_about = pose_of(links[2]), compose(pose_of(links[0]), pose_of(links[1]))
    point = (1e-3, 2e-3, 3e-3)
    np.testing.assert_allclose(apply(direct.matrix, point), apply(round_about.matrix, point), atol=1e-15)


def test_many_links_are_quick_enough_for_a_page() -> None:
    random = np.random.default_rng(0)
    frames = [f"records/r{number}" for number in range(60)]
    chain = [link(a, b, matrix_of(random), id=f"l{n}") for n, (a, b) in enumerate(pairwise(frames))]
    found = resolve(chain, frames[0], frames[-1])
    assert len(found.path) == 59
