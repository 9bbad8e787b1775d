"""A simulated rock: what images of it show at any pose."""

import numpy as np
import pytest

from tomarium.errors import ParameterError
from tomarium.synth.rock import OUTSIDE, PHASES, SIGNALS, beginning, image, labels, pose_about, rock

SIZE = 1e-3


def test_the_same_seed_draws_the_same_rock_and_another_another() -> None:
    one, same, other = (labels(rock(SIZE, seed), (16, 16, 16), (SIZE / 16,) * 3) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_all_phases_are_there_and_most_is_olivine() -> None:
    found = labels(rock(SIZE, 3), (32, 32, 32), (SIZE / 32,) * 3)
    shares = np.bincount(found.ravel(), minlength=len(PHASES)) / found.size
    assert shares[0] > 0.5
    assert (shares > 0.01).all()


def test_a_section_is_the_plane_of_the_volume_where_it_lies() -> None:
    drawn, voxel = rock(SIZE, 4), SIZE / 32
    volume = labels(drawn, (32, 32, 32), (voxel,) * 3)
    pose = beginning((voxel,) * 3)
    pose[2, 3] += 11 * voxel
    assert np.array_equal(labels(drawn, (1, 32, 32), (voxel,) * 3, pose)[0], volume[11])


def test_a_quarter_turn_turns_the_image() -> None:
    drawn, voxel = rock(SIZE, 5), SIZE / 24
    plain = labels(drawn, (24, 24, 24), (voxel,) * 3)
    turned = labels(
        drawn, (24, 24, 24), (voxel,) * 3, pose_about((SIZE / 2,) * 3, (0, 0, 90)) @ beginning((voxel,) * 3)
    )
    # x of the image runs along y of the rock, y along -x
    assert np.mean(turned == plain.transpose(0, 2, 1)[:, ::-1]) > 0.999


def test_voxels_are_means_of_what_they_hold() -> None:
    drawn = rock(SIZE, 6)
    fine = image(drawn, (32, 32, 32), (SIZE / 32,) * 3, signal="si", supersample=1)
    coarse = image(drawn, (16, 16, 16), (SIZE / 16,) * 3, signal="si", supersample=2)
    assert np.allclose(coarse, fine.reshape(16, 2, 16, 2, 16, 2).mean(axis=(1, 3, 5)), atol=1e-6)
    assert set(np.unique(fine)) <= {np.float32(value) for value in SIGNALS["si"]}


def test_a_drilled_rock_ends_at_its_cylinder() -> None:
    found = labels(rock(SIZE, 7, radius_m=0.4 * SIZE), (4, 40, 40), (SIZE / 40,) * 3)
    y, x = np.indices((40, 40)) - 19.5
    outside = np.hypot(y, x) > 16
    assert np.mean((found[0] == OUTSIDE) == outside) > 0.99


def test_an_unknown_signal_is_refused_by_name() -> None:
    with pytest.raises(ParameterError, match="xanes"):
        image(rock(SIZE, 1), (2, 2, 2), (SIZE / 2,) * 3, signal="xanes")
