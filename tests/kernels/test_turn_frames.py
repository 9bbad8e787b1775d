"""Frames that are turned together are as each alone."""

import numpy as np
import pytest

from tomarium.kernels import roll
from tomarium.kernels.roll import turn_frames
from tomarium.kernels.shifts import move_lines, moves_by

DRAW = np.random.default_rng(4)


def test_several_images_are_moved_as_each_alone() -> None:
    images = DRAW.normal(size=(3, 9, 20)).astype(np.float32)
    moves = moves_by(np.array([-30.2, -2.5, -2.1, 0.0, 0.3, 1.0, 1.7, 19.0, 60.4]))
    together = move_lines(images, moves)
    for image, made in zip(images, together, strict=True):
        np.testing.assert_array_equal(made, move_lines(image, moves))
    np.testing.assert_array_equal(together[:, 3], images[:, 3])
    np.testing.assert_array_equal(together[:, 5, :-1], images[:, 5, 1:])
    np.testing.assert_allclose(together[:, 0], np.broadcast_to(images[:, 0, :1], (3, 20)), rtol=1e-6)


@pytest.mark.parametrize("together", [1, 400, 1 << 17])
def test_frames_are_turned_the_same_however_many_at_once(
    together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = DRAW.normal(size=(7, 10, 16)).astype(np.float32)
    alone, made = np.empty_like(frames), np.empty_like(frames)
    for frame, one in zip(frames, alone, strict=True):
        turn_frames(frame[None], 5.0, 3, 20, one[None])
    monkeypatch.setattr(roll, "_TOGETHER", together)
    turn_frames(frames, 5.0, 3, 20, made)
    np.testing.assert_array_equal(made, alone)
